//! A worker in a process of its own that is killed.

use crate::server::{BOUND, Server, Worker};
use crate::step::{marker, processes_with};
use polyphemus_testkit::wait;
use polyphemus_worker::cgroup::Cgroups;
use std::process::{Command, Stdio};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_leaves_no_process_and_its_stage_is_done_by_another() {
    let server = Server::start(Duration::from_secs(3)).await;
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_polyphemus-worker-role"))
        .args(["worker", &server.url(), "doomed"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let marker = marker();
    let mark = folder.path().join("workers/doomed/attempts");
    // Only the first attempt finds its own worker's folder.
    let script = format!(
        "(setsid sh -c 'trap \"\" TERM; sleep {marker}' &); echo begun; \
         if [ \"$POLYPHEMUS_ATTEMPT\" = \"${{POLYPHEMUS_ATTEMPT%-1}}-1\" ]; then trap '' TERM; sleep {marker}.5; fi"
    );
    let id = server.submit_script(&script).await;
    server.logged(&id, "begun").await;
    let worker = worker_of(&marker);
    assert_eq!(Cgroups::detect().is_ok(), !groups_of(&worker).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    wait::until(BOUND, "the end of the orphans", || async {
        match processes_with(&marker) {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?}")),
        }
    })
    .await;
    wait::until(BOUND, "the end of its control groups", || async {
        match groups_of(&worker) {
            left if left.is_empty() => Ok(()),
            left => Err(left),
        }
    })
    .await;
    assert!(
        mark.read_dir().unwrap().next().is_some(),
        "a killed worker cannot clean up"
    );
    let heir = Worker::start(&server.url(), |config| config.folder = folder.path().to_owned());
    let job = server.finished(&id).await;
    assert_eq!(job.stages[0].attempts, 2, "{job:?}");
    wait::until(BOUND, "the removal of the dead worker's folder", || async {
        if mark.exists() { Err("it is there") } else { Ok(()) }
    })
    .await;
    drop(heir);
}

/// What marks the processes of the worker of this one.
fn worker_of(marker: &str) -> String {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let mut environs = pids.filter_map(|entry| {
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        let is_it = String::from_utf8_lossy(&command).contains(marker);
        is_it.then(|| std::fs::read(entry.path().join("environ")).ok())?
    });
    let mark = environs.find_map(|environ| {
        let environ = String::from_utf8_lossy(&environ).into_owned();
        let mut entries = environ.split('\0');
        entries.find_map(|entry| Some(entry.strip_prefix("POLYPHEMUS_WORKER=")?.to_owned()))
    });
    mark.unwrap()
}

/// The control groups of a worker, one path a line.
fn groups_of(worker: &str) -> String {
    let mut find = Command::new("find");
    find.args([
        "/sys/fs/cgroup",
        "-type",
        "d",
        "-name",
        &format!("polyphemus-{worker}-*"),
    ]);
    String::from_utf8(find.output().unwrap().stdout).unwrap()
}
