//! What an attempt says counts while it is the running one, and only then.

use crate::instance::{Instance, SOON, attempt, failed, succeeded, tree};
use bytes::Bytes;
use polyphemus_api::worker::{Command, Outcome};
use polyphemus_artifacts::TreeHash;
use polyphemus_core::{CauseKind, JobState};
use polyphemus_server::app::{AppError, Attempt};
use std::time::{Duration, Instant};

fn is_superseded<T: std::fmt::Debug>(result: Result<T, AppError>) {
    assert!(matches!(result, Err(AppError::Superseded(_))), "{result:?}");
}

#[tokio::test]
async fn a_stale_attempt_changes_nothing() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let stale = instance.claim("w1").await.unwrap();
    instance
        .append(&stale, stale.log_offset, "begin\n")
        .await
        .unwrap();
    instance.finish(&stale, Outcome::Released).await.unwrap();
    let current = instance.claim("w2").await.unwrap();
    assert_eq!(current.attempt, 2);
    let (job, log) = (instance.job(&id).await, instance.log(&id).await);

    let made = tree(instance.app.blobs(), &[("x", "y")]).await;
    is_superseded(instance.finish(&stale, succeeded(&made)).await);
    is_superseded(instance.finish(&stale, failed(CauseKind::Exit)).await);
    is_superseded(instance.finish(&stale, Outcome::Released).await);
    is_superseded(instance.finish(&stale, Outcome::Cancelled).await);
    is_superseded(instance.append(&stale, log.len() as u64, "from the past\n").await);
    is_superseded(instance.app.heartbeat(&attempt(&stale)).await);
    let guessed = Attempt {
        key: "0".repeat(32),
        ..attempt(&current)
    };
    is_superseded(instance.app.heartbeat(&guessed).await);
    is_superseded(
        instance
            .app
            .log_append(&guessed, log.len() as u64, Bytes::from_static(b"x"))
            .await,
    );

    assert_eq!(instance.job(&id).await, job);
    assert_eq!(instance.log(&id).await, log);
    instance
        .append(&current, log.len() as u64, "go on\n")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_result_delivered_twice_counts_once() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let assignment = instance.claim("w1").await.unwrap();
    let made = tree(instance.app.blobs(), &[("x", "y")]).await;
    instance.finish(&assignment, succeeded(&made)).await.unwrap();
    let (job, log) = (instance.job(&id).await, instance.log(&id).await);
    is_superseded(instance.finish(&assignment, succeeded(&made)).await);
    assert_eq!((instance.job(&id).await, instance.log(&id).await), (job, log));
}

#[tokio::test]
async fn a_tree_that_is_not_whole_is_not_taken_over() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let assignment = instance.claim("w1").await.unwrap();
    let unknown = TreeHash::from_bytes([7; 32]);
    let refused = instance.finish(&assignment, succeeded(&unknown)).await;
    assert!(matches!(refused, Err(AppError::Conflict(_))), "{refused:?}");
    let made = tree(instance.app.blobs(), &[("x", "lost")]).await;
    let whole = instance.app.blobs().get_tree(&made).await.unwrap();
    instance
        .app
        .blobs()
        .delete(&whole.entries()[0].hash)
        .await
        .unwrap();
    let refused = instance.finish(&assignment, succeeded(&made)).await;
    assert!(matches!(refused, Err(AppError::Conflict(_))), "{refused:?}");
    assert_eq!(
        instance.job(&id).await.state,
        JobState::Makeing,
        "it may still send what is missing"
    );
    instance
        .app
        .blobs()
        .put(Bytes::from_static(b"lost"))
        .await
        .unwrap();
    instance.finish(&assignment, succeeded(&made)).await.unwrap();
}

#[tokio::test]
async fn a_heartbeat_renews_at_once_and_answers_a_cancel_at_once() {
    let instance = Instance::with(|config| config.lease = Duration::from_secs(600)).await;
    let id = instance.submit().await;
    let assignment = instance.claim("w1").await.unwrap();
    let app = instance.app.clone();
    let said = attempt(&assignment);
    let heartbeat = tokio::spawn(async move { app.heartbeat(&said).await });
    let before = Instant::now();
    instance.app.cancel(&id).await.unwrap();
    let answer = tokio::time::timeout(SOON, heartbeat)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(answer.command, Command::Cancel);
    assert!(
        before.elapsed() < Duration::from_secs(100),
        "long before a third of the lease"
    );
}

#[tokio::test]
async fn a_heartbeat_without_news_says_go_on() {
    let instance = Instance::with(|config| config.lease = Duration::from_secs(3)).await;
    instance.submit().await;
    let assignment = instance.claim("w1").await.unwrap();
    for _ in 0..2 {
        let answer = instance.app.heartbeat(&attempt(&assignment)).await.unwrap();
        assert_eq!(answer.command, Command::GoOn);
    }
}

#[tokio::test]
async fn only_a_curable_failure_is_tried_again() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let assignment = instance.claim("w1").await.unwrap();
    instance
        .finish(&assignment, failed(CauseKind::WorkerTrouble))
        .await
        .unwrap();
    let job = instance.job(&id).await;
    assert_eq!(job.stages[0].state, "queued");
    let why = job.stages[0].waiting_for.clone().unwrap();
    assert!(
        why.starts_with("it will be tried again in ") && why.contains("as the test wants it"),
        "{why}"
    );
    assert!(instance.claim("w1").await.is_none(), "not before its time");
    let again = instance
        .claim_within("w1", 60_000)
        .await
        .expect("it is woken at its time");
    assert_eq!(again.attempt, 2);
    instance
        .finish(&again, failed(CauseKind::DoesNotFit))
        .await
        .unwrap();
    let job = instance.job(&id).await;
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(job.stages[0].cause.as_ref().unwrap().kind, CauseKind::DoesNotFit);
    assert!(job.finished_ms.is_some());
    let log = instance.log(&id).await;
    assert!(
        log.contains("make, attempt 1, failed: ") && log.contains("it will be tried again in 5 s"),
        "{log}"
    );
    assert!(log.contains("state changed to failed"), "{log}");
}
