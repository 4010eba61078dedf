//! What is made ready before a stage comes, and what becomes of it.

use crate::server::{BOUND, Server, Worker};
use polyphemus_core::job::JobState;
use polyphemus_testkit::{process, wait};
use polyphemus_worker::Sandbox;
use std::path::Path;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(10);

fn ready(worker: &Path) -> usize {
    let entries = std::fs::read_dir(worker.join("workers/tester/ready"));
    entries.into_iter().flatten().count()
}

/// Waits until so many shells wait in sandboxes of this worker.
async fn waiting(worker: &Path, count: usize) {
    wait::until(BOUND, "the sandboxes that are made ready", || async {
        let found = process::around(worker);
        let shells = found
            .iter()
            .filter(|one| !one.is_at_work && one.command == "/bin/sh");
        match (shells.count(), ready(worker)) {
            (shells, folders) if shells == count && folders == count => Ok(()),
            other => Err(format!("{other:?} {found:?}")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stage_has_a_place_that_no_other_was_in_and_an_ended_worker_leaves_none() {
    for sandbox in [Sandbox::Required, Sandbox::Off] {
        let server = Server::start(LEASE).await;
        let worker = Worker::start(&server.url(), |config| config.sandbox = sandbox);
        let folder = worker.folder.path().to_owned();
        for _ in 0..3 {
            if sandbox == Sandbox::Required {
                waiting(&folder, 2).await;
            }
            let id = server
                .submit_script("ls -A $HOME $TMPDIR; touch $HOME/mine $TMPDIR/mine; pwd; echo $PWD $OLDPWD")
                .await;
            let job = server.finished(&id).await;
            let log = server.log(&id).await;
            assert_eq!(job.state, JobState::Done, "{log}");
            assert!(!log.contains("mine"), "{log}");
        }
        worker.end().await;
        wait::until(BOUND, "the end of all that was ready", || async {
            match process::around(&folder) {
                left if left.is_empty() => Ok(()),
                left => Err(format!("{left:?}")),
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_sandbox_that_is_gone_costs_the_stage_nothing() {
    let server = Server::start(LEASE).await;
    let worker = Worker::start(&server.url(), |config| config.sandbox = Sandbox::Required);
    let folder = worker.folder.path().to_owned();
    waiting(&folder, 2).await;
    for found in process::around(&folder) {
        let pid = rustix::process::Pid::from_raw(found.pid).unwrap();
        // One may have died with another.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    wait::until(BOUND, "the end of the sandboxes", || async {
        match process::around(&folder) {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?}")),
        }
    })
    .await;
    let id = server.submit_script("echo made").await;
    let job = server.finished(&id).await;
    assert_eq!(job.state, JobState::Done, "{}", server.log(&id).await);
    worker.end().await;
}
