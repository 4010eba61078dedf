//! Jobs that are cancelled, wherever they are.

use crate::instance::{Instance, failed, succeeded, tree};
use polyphemus_api::worker::Outcome;
use polyphemus_core::{CauseKind, JobState};
use polyphemus_server::app::AppError;

#[tokio::test]
async fn a_queued_job_is_cancelled_at_once() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let job = instance.app.cancel(&id).await.unwrap();
    assert_eq!(job.state, JobState::Cancelled);
    assert!(job.finished_ms.is_some());
    assert!(instance.claim("w1").await.is_none());
    let log = instance.log(&id).await;
    assert!(
        log.contains("make is cancelled\n") && log.ends_with("state changed to cancelled\n"),
        "{log}"
    );
    let again = instance.app.cancel(&id).await;
    assert!(matches!(again, Err(AppError::Conflict(_))), "{again:?}");
}

#[tokio::test]
async fn a_running_job_is_cancelled_by_its_worker_whatever_it_says_at_the_end() {
    let instance = Instance::start().await;
    let made = tree(instance.app.blobs(), &[("x", "y")]).await;
    let ends = [
        Outcome::Cancelled,
        succeeded(&made),
        failed(CauseKind::Exit),
        Outcome::Released,
    ];
    for end in ends {
        let id = instance.submit().await;
        let assignment = instance.claim("w1").await.unwrap();
        let job = instance.app.cancel(&id).await.unwrap();
        assert_eq!(job.state, JobState::Makeing, "its worker has it still");
        assert!(job.stages[0].cancelling);
        let log = instance.log(&id).await;
        instance
            .append(&assignment, log.len() as u64, "being ended\n")
            .await
            .unwrap();
        instance.finish(&assignment, end).await.unwrap();
        let job = instance.job(&id).await;
        assert_eq!(job.state, JobState::Cancelled);
        assert_eq!(job.stages[1].state, "cancelled");
    }
}

#[tokio::test]
async fn a_job_that_is_not_there_cannot_be_cancelled() {
    let instance = Instance::start().await;
    let missing = "abcdefghijk".parse().unwrap();
    let refused = instance.app.cancel(&missing).await.unwrap_err();
    assert!(matches!(refused, AppError::NotFound { .. }));
    assert_eq!(refused.to_string(), "there is no job abcdefghijk");
}
