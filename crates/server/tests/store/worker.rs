//! Workers as the server knows them.

use crate::instance::{Instance, offer};
use polyphemus_core::StageName;
use std::time::Duration;

#[tokio::test]
async fn a_waiting_stage_says_what_it_waits_for() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let waiting_for = async || instance.job(&id).await.stages[0].waiting_for.clone().unwrap();
    assert!(
        waiting_for().await.starts_with("no worker is live"),
        "{}",
        waiting_for().await
    );

    let mut no_yosys = offer("poor", 0);
    no_yosys.labels.retain(|label| !label.0.starts_with("tool:yosys"));
    instance.app.claim(no_yosys).await.unwrap();
    let why = waiting_for().await;
    assert!(why.starts_with("no live worker offers `tool:yosys`;"), "{why}");

    let mut only_yosys = offer("lonely", 0);
    only_yosys
        .labels
        .retain(|label| label.0.starts_with("tool:yosys"));
    instance.app.claim(only_yosys).await.unwrap();
    let why = waiting_for().await;
    assert!(why.contains("`tool:yosys` together;"), "{why}");

    let mut only_run = offer("runner", 0);
    only_run.stages = vec![StageName::Run];
    instance.app.claim(only_run).await.unwrap();
    let why = waiting_for().await;
    assert!(
        why.starts_with("none of the 3 live workers takes `make` stages;"),
        "{why}"
    );

    // Two that can: they take this stage and another one, then both are busy.
    instance.claim("w1").await.unwrap();
    let second = instance.submit().await;
    instance.claim("w2").await.unwrap();
    let third = instance.submit().await;
    let why = instance.job(&third).await.stages[0].waiting_for.clone().unwrap();
    assert_eq!(why, "all 2 workers that can do it are busy");
    assert_eq!(instance.job(&second).await.stages[0].waiting_for, None);
}

#[tokio::test]
async fn the_list_of_workers_tells_what_each_has() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let assignment = instance.claim("w1").await.unwrap();
    instance.claim("idle").await;
    let workers = instance.app.workers().await.unwrap();
    let names: Vec<&str> = workers.iter().map(|worker| worker.id.0.as_str()).collect();
    assert_eq!(names, ["idle", "w1"]);
    assert!(workers[0].running.is_empty());
    let running = &workers[1].running[0];
    assert_eq!((&running.job, running.attempt), (&id, assignment.attempt));
    assert!(workers[1].labels.iter().any(|label| label.0 == "tool:yosys=1.0"));
}

#[tokio::test]
async fn a_worker_that_is_silent_for_two_leases_does_not_count() {
    let instance = Instance::with(|config| config.lease = Duration::from_millis(100)).await;
    instance.claim("w1").await;
    let silent = std::time::Instant::now();
    let id = instance.submit().await;
    loop {
        let why = instance.job(&id).await.stages[0].waiting_for.clone().unwrap();
        if why.starts_with("no worker is live") {
            break;
        }
        assert!(silent.elapsed() < crate::instance::SOON, "it still counts: {why}");
        tokio::task::yield_now().await;
    }
    assert!(silent.elapsed() >= Duration::from_millis(200));
}
