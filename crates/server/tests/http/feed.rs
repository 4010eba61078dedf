//! The events of all jobs: whole, in order, and resumed exactly.

use crate::server::TestServer;
use futures::StreamExt as _;
use polyphemus_core::JobState;

#[tokio::test]
async fn the_feed_has_the_events_of_all_jobs_in_order_page_by_page() {
    let server = TestServer::start().await;
    let one = server.blinky(&[("mode", "estimate")]).await;
    let two = server.blinky(&[("mode", "estimate")]).await;
    server.client.cancel(&one).await.unwrap();
    let all = server.client.event_page(0).await.unwrap();
    let told: Vec<_> = all
        .events
        .iter()
        .map(|event| (event.job.clone(), event.job_state))
        .collect();
    assert_eq!(told[..2], [(one.clone(), JobState::Make), (two, JobState::Make)]);
    assert!(
        told[2..]
            .iter()
            .all(|event| *event == (one.clone(), JobState::Cancelled)),
        "{told:?}"
    );
    assert_eq!(all.next, all.events.last().unwrap().sequence);
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page: polyphemus_api::event::EventPage = serde_json::from_str(
            &server
                .text(&format!("/api/v1/events?after={after}&limit=1"))
                .await,
        )
        .unwrap();
        if page.events.is_empty() {
            assert_eq!(page.next, after);
            break;
        }
        after = page.next;
        seen.extend(page.events);
    }
    assert_eq!(seen, all.events);
    assert_eq!(server.get("/api/v1/events?limit=1001").await.status(), 400);
    server.stop().await;
}

#[tokio::test]
async fn who_listens_hears_of_every_job_and_resumes_where_he_was() {
    let server = TestServer::start().await;
    let one = server.blinky(&[("mode", "estimate")]).await;
    let mut feed = std::pin::pin!(server.client.events_of_all(0).await.unwrap());
    let first = feed.next().await.unwrap().unwrap();
    assert_eq!(first.job, one);
    let two = server.blinky(&[("mode", "estimate")]).await;
    let second = feed.next().await.unwrap().unwrap();
    assert_eq!(second.job, two);
    let resumed = server
        .http
        .get(server.at("/api/v1/events?after=0"))
        .header("accept", "text/event-stream")
        .header("last-event-id", first.sequence.to_string())
        .send()
        .await
        .unwrap();
    let mut bytes = resumed.bytes_stream();
    let mut text = String::new();
    while !text.contains("\n\n") {
        let part = bytes.next().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(&part).unwrap());
    }
    assert!(
        text.contains(two.as_str()) && !text.contains(one.as_str()),
        "{text}"
    );
    drop(bytes);
    server.stop().await;
}
