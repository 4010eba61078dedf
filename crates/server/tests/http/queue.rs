//! The queue: what waits, in the order in which it is handed out, and why.

use crate::server::TestServer;
use polyphemus_core::stage::StageName;

#[tokio::test]
async fn the_queue_tells_the_order_and_why_nobody_takes_it() {
    let server = TestServer::start().await;
    assert_eq!(server.client.queue(None).await.unwrap().stages, []);
    let first = server.blinky(&[("mode", "estimate"), ("hwname", "one")]).await;
    let second = server.blinky(&[("mode", "hw"), ("device", "hx8k")]).await;
    let third = server.blinky(&[("mode", "estimate")]).await;
    let queue = server.client.queue(None).await.unwrap();
    let jobs: Vec<_> = queue.stages.iter().map(|stage| stage.job.clone()).collect();
    assert_eq!(jobs, [first.clone(), second.clone(), third.clone()]);
    let head = &queue.stages[0];
    assert_eq!((head.title.as_str(), head.stage), ("one", StageName::Make));
    assert!(
        head.waiting_for.starts_with("no worker is live"),
        "{}",
        head.waiting_for
    );
    let short = server.client.queue(Some(2)).await.unwrap();
    assert_eq!((short.stages.len(), short.more, queue.more), (2, true, false));

    let taken = server.claim(StageName::Make).await;
    assert_eq!(taken.job, first, "the head of the queue is handed out first");
    let queue = server.client.queue(None).await.unwrap();
    let jobs: Vec<_> = queue.stages.iter().map(|stage| stage.job.clone()).collect();
    assert_eq!(jobs, [second, third], "what runs does not wait");
    assert!(
        queue.stages[0].waiting_for.contains("busy"),
        "{}",
        queue.stages[0].waiting_for
    );
    let refused = server.get("/api/v1/queue?limit=0").await;
    assert_eq!(refused.status(), 400);
    server.stop().await;
}

#[tokio::test]
async fn a_need_that_no_worker_meets_is_named() {
    let server = TestServer::start().await;
    let claim = polyphemus_api::worker::ClaimRequest {
        worker: polyphemus_core::WorkerId("poor".into()),
        labels: vec![polyphemus_core::Label::tool("make", None)],
        stages: vec![StageName::Make],
        only_for: None,
        refuses: None,
        wait_ms: 0,
    };
    assert!(server.client.claim(&claim).await.unwrap().is_none());
    server.blinky(&[("mode", "estimate")]).await;
    let why = server
        .client
        .queue(None)
        .await
        .unwrap()
        .stages
        .remove(0)
        .waiting_for;
    assert!(
        why.contains("no live worker offers") && why.contains("`tool:yosys`"),
        "{why}"
    );
    server.stop().await;
}
