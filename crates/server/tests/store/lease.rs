//! Leases that run out, and what becomes of their stages.

use crate::instance::{Instance, succeeded, tree};
use polyphemus_core::{CauseKind, JobState};
use polyphemus_server::app::AppError;
use std::time::Duration;

#[tokio::test]
async fn a_dead_workers_stage_is_tried_again_and_the_log_says_so() {
    let instance = Instance::with(|config| config.lease = Duration::from_secs(2)).await;
    let id = instance.submit().await;
    let lost = instance.claim("dead-one").await.unwrap();
    instance
        .append(&lost, lost.log_offset, "half a li")
        .await
        .unwrap();
    // The reconciler queues the stage again, and the waiting claim is woken.
    let again = instance
        .claim_within("w2", 60_000)
        .await
        .expect("the stage is queued again");
    assert_eq!((again.job.clone(), again.attempt), (id.clone(), 2));
    let log = instance.log(&id).await;
    assert!(
        log.contains("half a li\n")
            && log.contains("worker dead-one was not heard of until its lease had run out")
            && log.contains("it is queued again at once")
            && log.contains("state changed to make\n"),
        "{log}"
    );
    let made = tree(instance.app.blobs(), &[("x", "y")]).await;
    let late = instance.finish(&lost, succeeded(&made)).await;
    assert!(matches!(late, Err(AppError::Superseded(_))), "{late:?}");
    let late = instance.append(&lost, log.len() as u64, "ne\n").await;
    assert!(matches!(late, Err(AppError::Superseded(_))), "{late:?}");
}

#[tokio::test]
async fn a_job_that_loses_every_worker_fails_at_last() {
    let instance = Instance::with(|config| config.lease = Duration::from_millis(40)).await;
    let id = instance.submit().await;
    let mut attempts = 0;
    while instance.job(&id).await.state != JobState::Failed {
        attempts += u32::from(instance.claim_within("w1", 100).await.is_some());
    }
    assert_eq!(attempts, 10);
    let job = instance.job(&id).await;
    assert_eq!(job.stages[0].cause.as_ref().unwrap().kind, CauseKind::WorkerLost);
}

#[tokio::test]
async fn a_stage_that_was_to_be_cancelled_is_when_its_worker_dies() {
    let instance = Instance::with(|config| config.lease = Duration::from_secs(2)).await;
    let id = instance.submit().await;
    instance.claim("dead-one").await.unwrap();
    instance.app.cancel(&id).await.unwrap();
    instance
        .until(&id, "cancelled", |job| job.state == JobState::Cancelled)
        .await;
}
