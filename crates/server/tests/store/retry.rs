//! Jobs that are entered again from one of their stages.

use crate::instance::{Instance, failed};
use polyphemus_core::{CauseKind, JobState, StageName};
use polyphemus_server::app::AppError;

#[tokio::test]
async fn retry_from_run_keeps_what_make_has_left() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let made = instance.do_stage(StageName::Make).await;
    instance.do_stage(StageName::Run).await;
    let job = instance.app.retry(&id, Some(StageName::Run)).await.unwrap();
    assert_eq!(job.state, JobState::Hlsed);
    assert_eq!(job.finished_ms, None);
    assert_eq!(job.stages[0].tree.as_ref(), Some(&made));
    assert_eq!(job.stages[1].tree, None);
    let assignment = instance.claim("w1").await.unwrap();
    assert_eq!((assignment.stage.name, assignment.attempt), (StageName::Run, 2));
    assert_eq!(assignment.tree, made);
}

#[tokio::test]
async fn retry_without_a_stage_begins_at_the_one_that_failed() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    instance.do_stage(StageName::Make).await;
    let assignment = instance.claim("w1").await.unwrap();
    instance
        .finish(&assignment, failed(CauseKind::TestFailed))
        .await
        .unwrap();
    assert_eq!(instance.job(&id).await.state, JobState::Failed);
    let job = instance.app.retry(&id, None).await.unwrap();
    assert_eq!(job.state, JobState::Hlsed);
    assert_eq!(job.stages[1].cause, None);
    instance.do_stage(StageName::Run).await;
    assert_eq!(instance.job(&id).await.state, JobState::Done);
    let counts = instance.app.job_counts().await.unwrap();
    let there: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(there, [(JobState::Done, 1)]);
}

#[tokio::test]
async fn retry_from_make_does_everything_again() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    instance.do_stage(StageName::Make).await;
    instance.do_stage(StageName::Run).await;
    let job = instance.app.retry(&id, Some(StageName::Make)).await.unwrap();
    let states: Vec<&str> = job.stages.iter().map(|stage| stage.state.as_str()).collect();
    assert_eq!((job.state, states), (JobState::Make, vec!["queued", "waiting"]));
    let files = instance.app.job_files(&id).await.unwrap();
    assert_eq!(files.of, "upload");
}

#[tokio::test]
async fn a_job_that_cannot_be_entered_again_says_why() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let busy = instance.app.retry(&id, None).await;
    assert!(
        matches!(&busy, Err(AppError::Conflict(text)) if text.contains("still at work")),
        "{busy:?}"
    );
    let missing = instance.app.retry(&id, Some(StageName::Afi)).await;
    assert!(matches!(missing, Err(AppError::BadRequest(_))), "{missing:?}");
    instance.do_stage(StageName::Make).await;
    instance.do_stage(StageName::Run).await;
    let done = instance.app.retry(&id, None).await;
    assert!(
        matches!(&done, Err(AppError::Conflict(text)) if text.contains("--from run")),
        "{done:?}"
    );
}
