//! Claims: no stage goes to two workers, and none is forgotten.

use crate::instance::{Instance, SOON, config, offer, small_submission, submit};
use polyphemus_core::{Label, StageName};
use polyphemus_server::app::{App, AppError};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_stage_is_given_to_two_of_many_claimers() {
    // Long enough that no lease runs out on a busy machine.
    let lease = Duration::from_secs(600);
    let instance = Arc::new(Instance::with(|config| config.lease = lease).await);
    let submission = small_submission(&instance.app).await;
    let submitting = instance.clone();
    let submitted = tokio::spawn(async move {
        for _ in 0..500 {
            submitting.app.submit(submission.clone()).await.unwrap();
        }
    });
    let taken = Arc::new(AtomicUsize::new(0));
    let claimers: Vec<_> = (0..64)
        .map(|number| {
            let (instance, taken) = (instance.clone(), taken.clone());
            tokio::spawn(async move {
                let mut mine = Vec::new();
                while taken.load(Ordering::Relaxed) < 500 {
                    if let Some(assignment) = instance.claim_within(&format!("w{number}"), 500).await {
                        taken.fetch_add(1, Ordering::Relaxed);
                        mine.push((assignment.job.clone(), assignment.stage.name, assignment.attempt));
                    }
                }
                mine
            })
        })
        .collect();
    submitted.await.unwrap();
    let mut all = Vec::new();
    for claimer in claimers {
        all.extend(claimer.await.unwrap());
    }
    assert_eq!(all.len(), 500);
    assert!(
        all.iter()
            .all(|(_, stage, attempt)| (*stage, *attempt) == (StageName::Make, 1))
    );
    let distinct: HashSet<_> = all.into_iter().collect();
    assert_eq!(distinct.len(), 500);
}

#[tokio::test]
async fn a_waiting_claim_is_woken_by_a_submission() {
    let instance = Instance::with(|config| config.lease = Duration::from_secs(600)).await;
    let app = instance.app.clone();
    let claim = tokio::spawn(async move { app.claim(offer("w1", 60_000)).await });
    tokio::task::yield_now().await;
    let id = instance.submit().await;
    let assignment = tokio::time::timeout(SOON, claim).await.unwrap().unwrap().unwrap();
    assert_eq!(assignment.unwrap().job, id);
}

#[tokio::test]
async fn a_claim_that_goes_away_swallows_no_stage() {
    let instance = Instance::with(|config| config.lease = Duration::from_secs(600)).await;
    for round in 0..50 {
        let id = instance.submit().await;
        // Dropped at a different moment each time, before and after its commit.
        let wait = Duration::from_micros(round * 150);
        let gone = tokio::time::timeout(wait, instance.app.claim(offer("gone", 60_000))).await;
        let claimed = match gone {
            Ok(assignment) => assignment.unwrap().expect("a stage was queued"),
            Err(_) => {
                let claim = instance.claim_within("w1", 20_000).await;
                claim.unwrap_or_else(|| panic!("round {round}: the stage was swallowed"))
            }
        };
        assert_eq!(claimed.job, id, "round {round}");
    }
}

#[tokio::test]
async fn a_wake_up_of_a_claim_that_goes_away_is_passed_on() {
    // Without reconcilers, which would make good a wake-up that got lost.
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(&config(folder.path())).await.unwrap();
    let mut first = Box::pin(app.claim(offer("first", 60_000)));
    let mut second = Box::pin(app.claim(offer("second", 60_000)));
    // Polled once, both are registered and wait.
    assert!(futures::poll!(first.as_mut()).is_pending());
    assert!(futures::poll!(second.as_mut()).is_pending());
    let id = submit(&app).await;
    drop(first);
    let assignment = tokio::time::timeout(SOON, second).await.unwrap().unwrap();
    assert_eq!(assignment.unwrap().job, id);
}

#[tokio::test]
async fn a_worker_gets_only_what_it_can_do() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let mut request = offer("w1", 0);
    request.labels.retain(|label| !label.0.starts_with("tool:yosys"));
    assert_eq!(
        instance.app.claim(request).await.unwrap(),
        None,
        "it lacks a tool"
    );
    let mut request = offer("w1", 0);
    request.stages = vec![StageName::Run];
    assert_eq!(
        instance.app.claim(request).await.unwrap(),
        None,
        "its slot is for another stage"
    );
    let mut request = offer("w1", 0);
    request.labels.push(Label::fpga("ice40-hx8k"));
    request.only_for = Some(Label::fpga("ice40-hx8k"));
    assert_eq!(
        instance.app.claim(request).await.unwrap(),
        None,
        "its slot is kept for a board's users"
    );
    let mut request = offer("w1", 0);
    request.only_for = Some(Label::tool("yosys", Some("1.0")));
    assert_eq!(instance.app.claim(request).await.unwrap().unwrap().job, id);
}

#[tokio::test]
async fn the_longest_waiting_stage_comes_first() {
    let instance = Instance::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(instance.submit().await);
    }
    for id in &ids {
        assert_eq!(instance.claim("w1").await.unwrap().job, *id);
    }
}

#[tokio::test]
async fn a_claim_that_can_never_succeed_is_refused() {
    let instance = Instance::start().await;
    let mut nameless = offer("", 0);
    nameless.stages = vec![StageName::Make];
    let mut stageless = offer("w1", 0);
    stageless.stages.clear();
    let mut spaced = offer("w1", 0);
    spaced.labels.push(Label("tool: yosys".into()));
    for request in [nameless, stageless, spaced] {
        let refused = instance.app.claim(request).await;
        assert!(matches!(refused, Err(AppError::BadRequest(_))), "{refused:?}");
    }
}
