//! A server and a worker that are asked to stop while a stage runs, as real processes.

use crate::program::PROGRAM;
use polyphemus_core::JobId;
use polyphemus_testkit::{TestServer, wait};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const BOUND: Duration = Duration::from_secs(60);

/// A design whose build waits until there is the file `go` in `gate`, a folder of the test.
fn design(gate: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let makefile = format!(
        "# MODE\nall:\n\t@echo begun\n\t@while [ ! -e {gate}/go ]; do sleep 0.05; done\n\t@touch exe; chmod +x exe\n",
        gate = gate.display()
    );
    fs::write(folder.path().join("Makefile"), makefile).expect("a file");
    folder
}

fn terminate(pid: u32) {
    let asked = Command::new("kill").args(["-TERM", &pid.to_string()]).status();
    assert!(asked.expect("there is a program `kill`").success());
}

async fn begun(server: &TestServer, gate: &Path) -> JobId {
    let id = server.submit(design(gate).path(), &["mode=sw_emu"]);
    wait::until(BOUND, "the build's first line", || async {
        let log = server.log(&id).await;
        if log.contains("begun\n") { Ok(()) } else { Err(log) }
    })
    .await;
    id
}

async fn says_that_it_stops(server: &TestServer) {
    wait::until(BOUND, "the word that it stops", || async {
        let errors = server.errors();
        if errors.contains("no further stage is taken") {
            Ok(())
        } else {
            Err(errors)
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_drains_answers_lets_the_stage_end_and_takes_no_other() {
    let gate = tempfile::tempdir().expect("a folder");
    let mut server = TestServer::start(PROGRAM, &["--sandbox", "off", "--drain", "60"]);
    let id = begun(&server, gate.path()).await;
    terminate(server.pid());
    says_that_it_stops(&server).await;
    let late = server.submit(design(gate.path()).path(), &["mode=sw_emu"]);
    assert_eq!(
        server.client().job(&id).await.expect("an answer").stages[0].state,
        "running"
    );
    assert!(server.log(&id).await.contains("begun"));
    fs::write(gate.path().join("go"), "").expect("a file");
    server.ended().await;
    server.restart();
    let job = server.reached(&id, "make", "succeeded", BOUND).await;
    assert_eq!(job.stages[0].attempts, 1, "{job:?}");
    let late = server.reached(&late, "make", "succeeded", BOUND).await;
    assert_eq!(
        late.stages[0].attempts, 1,
        "it was begun by nobody before the restart: {late:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_does_not_end_in_time_is_handed_back_and_no_try_of_it_has_failed() {
    let gate = tempfile::tempdir().expect("a folder");
    let mut server = TestServer::start(PROGRAM, &["--sandbox", "off", "--drain", "1"]);
    let id = begun(&server, gate.path()).await;
    terminate(server.pid());
    server.ended().await;
    fs::write(gate.path().join("go"), "").expect("a file");
    server.restart();
    let job = server.reached(&id, "make", "succeeded", BOUND).await;
    assert_eq!(job.stages[0].attempts, 2, "{job:?}");
    let log = server.log(&id).await;
    assert!(
        log.contains("handed make back") && !log.contains("failed"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_worker_that_drains_at_once() {
    let gate = tempfile::tempdir().expect("a folder");
    let server = TestServer::start(PROGRAM, &["--no-worker", "--lease-seconds", "2"]);
    let mut worker = server.worker(&["--sandbox", "off", "--drain", "600"]);
    let id = begun(&server, gate.path()).await;
    terminate(worker.pid());
    wait::until(BOUND, "the word that it stops", || async {
        let errors = worker.errors();
        if errors.contains("no further stage is taken") {
            Ok(())
        } else {
            Err(errors)
        }
    })
    .await;
    let begun = Instant::now();
    // Signals within a second of each other are one wish; it is asked again until it is a second one.
    wait::until(BOUND, "its end", || {
        terminate_if_there(worker.pid());
        let ended = if worker.has_ended() {
            Ok(())
        } else {
            Err("it runs")
        };
        std::future::ready(ended)
    })
    .await;
    assert!(begun.elapsed() < 2 * BOUND, "{:?}", begun.elapsed());
    server.client().cancel(&id).await.expect("it can be cancelled");
}

/// It may end at any moment.
fn terminate_if_there(pid: u32) {
    let asked = Command::new("kill").args(["-TERM", &pid.to_string()]).output();
    assert!(asked.is_ok(), "there is a program `kill`");
}
