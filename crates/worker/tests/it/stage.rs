//! Stages from submission to verdict: what comes back, and why it failed.

use crate::server::{Server, Worker};
use crate::step::{marker, processes_with};
use polyphemus_core::cause::CauseKind;
use polyphemus_core::job::JobState;
use polyphemus_testkit::wait;
use polyphemus_worker::Sandbox;
use polyphemus_worker::cgroup::Cgroups;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_built_and_run_and_its_files_come_back() {
    let server = Server::start(LEASE).await;
    let worker = Worker::start(&server.url(), |_| {});
    let id = server
        .submit_script("echo building; echo 42 > made; mkdir -p d; echo x > d/e")
        .await;
    let job = server.finished(&id).await;
    let log = server.log(&id).await;
    assert_eq!(job.state, JobState::Done, "{log}");
    assert!(
        log.contains("$ make MODE=sw_emu") && log.contains("\nbuilding\n"),
        "{log}"
    );
    assert!(log.contains("\n42\n"), "{log}");
    let verdict = job.stages[1].verdict.clone().unwrap();
    assert!(verdict.passed, "{verdict:?}");
    assert_eq!(server.file(&id, "made").await, b"42\n");
    assert_eq!(server.file(&id, "d/e").await, b"x\n");
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_the_servers_machine_and_one_elsewhere_make_the_same_tree() {
    let mut trees = Vec::new();
    for shared in [true, false] {
        let server = Server::start(LEASE).await;
        let blobs = server.instance().join("blobs");
        let worker = Worker::start(&server.url(), |config| {
            config.sandbox = Sandbox::Required;
            config.shared_blobs = shared.then_some(blobs);
        });
        let id = server
            .submit_script("pwd > made; env | sort >> made; id >> made; hostname >> made")
            .await;
        let job = server.finished(&id).await;
        let made = String::from_utf8(server.file(&id, "made").await).unwrap();
        // These name the attempt and the worker, so that what is left of them can be found.
        let made: Vec<String> = made
            .lines()
            .filter(|line| !line.starts_with("POLYPHEMUS_"))
            .map(str::to_owned)
            .collect();
        trees.push((job.stages[0].tree.is_some(), made));
        worker.end().await;
    }
    assert_eq!(trees[0], trees[1]);
    assert!(trees[0].0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_build_says_its_exit_code_and_keeps_its_files() {
    let server = Server::start(LEASE).await;
    let worker = Worker::start(&server.url(), |_| {});
    let id = server
        .submit_script("echo half > half; echo something is wrong; exit 5")
        .await;
    let job = server.finished(&id).await;
    assert_eq!(job.state, JobState::Failed);
    let cause = job.stages[0].cause.clone().unwrap();
    assert_eq!(cause.exit_code, Some(2), "{cause:?}");
    assert_eq!(server.file(&id, "half").await, b"half\n");
    assert!(server.log(&id).await.contains("failed: "));
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_leaves_no_process() {
    let server = Server::start(LEASE).await;
    let worker = Worker::start(&server.url(), |_| {});
    let marker = marker();
    let script = format!("(setsid sh -c 'trap \"\" TERM; sleep {marker}' &) ; echo begun; sleep {marker}.5");
    let id = server.submit_script(&script).await;
    server.logged(&id, "begun").await;
    server.client().cancel(&id).await.unwrap();
    let job = server.finished(&id).await;
    assert_eq!(job.state, JobState::Cancelled);
    assert_eq!(processes_with(&marker), Vec::<String>::new());
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_memory_is_the_cause_where_it_can_be_limited() {
    let server = Server::start(LEASE).await;
    let worker = Worker::start(&server.url(), |config| {
        config.limits.memory_bytes = Some(100 << 20)
    });
    let id = server
        .submit_script("exec python3 -c 'print(len(bytearray(300_000_000)))'")
        .await;
    let job = server.finished(&id).await;
    match Cgroups::detect() {
        Ok(_) => {
            let cause = job.stages[0].cause.clone().unwrap();
            assert_eq!(cause.kind, CauseKind::OutOfMemory, "{cause:?}");
            assert!(cause.message.contains("100 MiB"), "{cause:?}");
        }
        Err(reason) => assert!(!reason.is_empty() && job.state == JobState::Done),
    }
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_output_is_the_cause() {
    let server = Server::start(LEASE).await;
    let worker = Worker::start(&server.url(), |config| config.limits.output_bytes = 1 << 20);
    let id = server.submit_script("yes").await;
    let job = server.finished(&id).await;
    let cause = job.stages[0].cause.clone().unwrap();
    assert_eq!(cause.kind, CauseKind::OutputLimit, "{cause:?}");
    assert!(cause.message.contains("1 MiB"), "{cause:?}");
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ran_without_a_sandbox_says_so() {
    let server = Server::start(LEASE).await;
    let worker = Worker::start(&server.url(), |config| config.sandbox = Sandbox::Off);
    let id = server
        .submit_script("test \"$HOME\" != /root && pwd && touch \"$HOME/x\" \"$TMPDIR/y\"")
        .await;
    let job = server.finished(&id).await;
    assert_eq!(job.state, JobState::Done, "{}", server.log(&id).await);
    assert!(
        job.notes
            .iter()
            .any(|note| note.starts_with("ran without sandbox because")),
        "{:?}",
        job.notes
    );
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_hands_its_stage_back() {
    let server = Server::start(Duration::from_secs(60)).await;
    let worker = Worker::start(&server.url(), |_| {});
    let marker = marker();
    let id = server
        .submit_script(&format!("test -e again || {{ echo begun; sleep {marker}; }}"))
        .await;
    server.logged(&id, "begun").await;
    worker.end().await;
    assert_eq!(processes_with(&marker), Vec::<String>::new());
    server
        .until(&id, "the stage to be queued", |job| {
            job.stages[0].state == "queued"
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_for_one_stage_ends_after_it() {
    let server = Server::start(LEASE).await;
    let id = server.submit_script("echo once").await;
    let worker = Worker::start(&server.url(), |config| {
        config.once = true;
        config.make_slots = 3;
    });
    worker.ended().await;
    let job = server.client().job(&id).await.unwrap();
    assert_eq!(
        (job.stages[0].state.as_str(), job.stages[1].state.as_str()),
        ("succeeded", "queued")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_is_installed_later_is_offered_without_a_restart() {
    let server = Server::start(LEASE).await;
    let tools = tempfile::tempdir().unwrap();
    let path = tools.path().to_owned();
    let worker = Worker::start(&server.url(), |config| {
        config.detect_every = Duration::from_millis(100);
        config.read_only = vec![path.clone()];
        config.path = Some(format!("{}:/usr/bin:/bin", path.display()));
    });
    let labels = async || {
        let workers = server.client().workers().await.unwrap();
        workers
            .into_iter()
            .flat_map(|worker| worker.labels)
            .map(|label| label.0)
            .collect::<Vec<_>>()
    };
    wait::until(Duration::from_secs(30), "the worker", || async {
        let labels = labels().await;
        if labels.iter().any(|one| one.starts_with("tool:make=")) {
            Ok(())
        } else {
            Err(format!("{labels:?}"))
        }
    })
    .await;
    assert!(!labels().await.contains(&"tool:ecppack=1.4".to_owned()));
    let program = tools.path().join("ecppack");
    std::fs::write(
        &program,
        "#!/bin/sh\necho 'Project Trellis ecppack Version 1.4'\n",
    )
    .unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // A claim carries the labels; the next one is made when this job's stage is done.
    wait::until(Duration::from_secs(45), "the new tool", || async {
        server.finished(&server.submit_script("true").await).await;
        let labels = labels().await;
        if labels.contains(&"tool:ecppack=1.4".to_owned()) {
            Ok(())
        } else {
            Err(format!("{labels:?}"))
        }
    })
    .await;
    worker.end().await;
}
