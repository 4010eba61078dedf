//! The power goes: of the server, of a worker. Every accepted job is finished, once.

use crate::{BOUND, designs, stage, start};
use polyphemus_testkit::wait;

#[tokio::test]
async fn a_server_killed_in_the_middle_of_a_stage_finishes_the_job_after_its_restart() {
    let mut server = start(&[]);
    let design = designs::slow(4);
    let id = server.submit(design.path(), &["mode=sw_emu"]);
    server.reached(&id, "make", "running", BOUND).await;
    wait::until(BOUND, "the step's first output", || async {
        if server.log(&id).await.contains("\nbegin\n") {
            Ok(())
        } else {
            Err("no output yet")
        }
    })
    .await;
    let before = server.log(&id).await;
    server.kill();

    // Its worker died with it, and with the worker every process of the stage.
    wait::until(BOUND, "the end of the stage's processes", || async {
        let left = server.processes();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;

    server.restart();
    let job = server.finished(&id, BOUND).await;
    assert_eq!(job.state.as_str(), "done", "{:?}", job.stages);
    assert_eq!(stage(&job, "make").attempts, 2);
    assert_eq!(stage(&job, "run").attempts, 1);
    let log = server.log(&id).await;
    assert!(
        log.starts_with(&before),
        "what was committed stays: {before:?} {log:?}"
    );
    assert_eq!(log.matches("\nend\n").count(), 1, "one committed build: {log}");
    assert_eq!(server.file(&id, "result.txt").await, b"result\n");
}

#[tokio::test]
async fn a_submission_that_was_answered_survives_a_kill_of_the_server() {
    let mut server = start(&["--no-worker"]);
    let design = designs::slow(0);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(server.submit(design.path(), &["mode=sw_emu"]));
    }
    server.kill();
    server.restart();
    let client = server.client();
    for id in ids {
        let job = client.job(&id).await.expect("the job is there");
        assert_eq!(job.state.as_str(), "make");
        assert!(server.file(&id, "Makefile").await.starts_with(b"all:"));
    }
}

#[tokio::test]
async fn a_dead_workers_stage_is_tried_again_by_another() {
    let server = start(&["--no-worker", "--lease-seconds", "8"]);
    let design = designs::slow(3);
    let mut first = server.worker(&["--name", "first"]);
    let id = server.submit(design.path(), &["mode=sw_emu"]);
    server.reached(&id, "make", "running", BOUND).await;
    wait::until(BOUND, "a process of the stage", || async {
        if !first.processes().iter().any(|found| found.is_at_work) {
            Err("none yet")
        } else {
            Ok(())
        }
    })
    .await;
    first.kill();
    wait::until(BOUND, "the end of the dead worker's processes", || async {
        let left = first.processes();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;

    let _second = server.worker(&["--name", "second"]);
    let job = server.finished(&id, BOUND).await;
    assert_eq!(job.state.as_str(), "done", "{:?}", job.stages);
    assert_eq!(stage(&job, "make").attempts, 2);
    assert_eq!(
        stage(&job, "make")
            .worker
            .as_ref()
            .map(|worker| worker.0.as_str()),
        Some("second")
    );
    let log = server.log(&id).await;
    assert!(log.contains("first"), "the log tells of the lost worker: {log}");
}

#[tokio::test]
async fn a_restart_of_the_server_costs_a_worker_of_its_own_nothing() {
    let mut server = start(&["--no-worker", "--lease-seconds", "30"]);
    let design = designs::slow(4);
    let _worker = server.worker(&["--name", "steady"]);
    let id = server.submit(design.path(), &["mode=sw_emu"]);
    wait::until(BOUND, "the step's first output", || async {
        if server.log(&id).await.contains("\nbegin\n") {
            Ok(())
        } else {
            Err("no output yet")
        }
    })
    .await;
    server.kill();
    server.restart();
    let job = server.finished(&id, BOUND).await;
    assert_eq!(job.state.as_str(), "done", "{:?}", job.stages);
    assert_eq!(stage(&job, "make").attempts, 1, "the running stage went on");
    let log = server.log(&id).await;
    assert_eq!(log.matches("\nbegin\n").count(), 1, "{log}");
    assert_eq!(log.matches("\nend\n").count(), 1, "{log}");
}

#[tokio::test]
async fn a_cancelled_job_leaves_no_process() {
    let server = start(&[]);
    let design = designs::slow(600);
    let id = server.submit(design.path(), &["mode=sw_emu"]);
    wait::until(BOUND, "the step's first output", || async {
        if server.log(&id).await.contains("\nbegin\n") {
            Ok(())
        } else {
            Err("no output yet")
        }
    })
    .await;
    server
        .client()
        .cancel(&id)
        .await
        .expect("a running job can be cancelled");
    let job = server.finished(&id, BOUND).await;
    assert_eq!(job.state.as_str(), "cancelled");
    let mut left = server.processes();
    left.retain(|found| found.is_at_work);
    assert!(left.is_empty(), "{left:?}");
}
