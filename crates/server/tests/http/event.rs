//! Streams of events, cut and resumed.

use crate::server::{PATIENCE, TestServer};
use futures::StreamExt as _;
use polyphemus_api::client::{AttemptRef, LogPart, StatePart};
use polyphemus_core::JobState;
use polyphemus_core::job::JobId;
use polyphemus_core::stage::StageName;

const TEXT: &str = "plain\näöü € 💡 end of line\nand a last one without its end";

/// A job with a log, over.
async fn over(server: &TestServer) -> JobId {
    let id = server.blinky(&[("mode", "estimate")]).await;
    let assignment = server.claim(StageName::Make).await;
    server
        .append(&(&assignment).into(), assignment.log_offset, TEXT)
        .await;
    server
        .succeed(&assignment, &[("a", b"a")], Default::default())
        .await;
    server.wait_for(&id, JobState::Done).await;
    id
}

/// The text from an offset on, of a job that is over; checks that the parts follow each other.
async fn rest(server: &TestServer, id: &JobId, offset: u64) -> String {
    let (mut text, mut at, mut ended) = (String::new(), offset, false);
    let mut parts = std::pin::pin!(server.client.log_events(id, offset).await.unwrap());
    while let Some(part) = parts.next().await {
        match part.unwrap() {
            LogPart::Log(part) => {
                assert_eq!(part.offset, at);
                at = part.end;
                text.push_str(&part.text);
            }
            LogPart::End(end) => {
                assert_eq!(end.job_state, JobState::Done);
                ended = true;
            }
        }
    }
    assert!(ended, "the stream ends with its last event");
    text
}

#[tokio::test]
async fn a_log_stream_resumes_exactly_at_every_offset() {
    let server = TestServer::start().await;
    let id = over(&server).await;
    let whole = server.text(&format!("/jobs/{id}/log.txt")).await.into_bytes();
    assert!(String::from_utf8_lossy(&whole).contains(TEXT));
    for offset in 0..=whole.len() {
        let expected = String::from_utf8_lossy(&whole[offset..]);
        assert_eq!(rest(&server, &id, offset as u64).await, expected, "from {offset}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_live_log_comes_whole_however_often_it_is_cut() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let assignment = server.claim(StageName::Make).await;
    let attempt: AttemptRef = (&assignment).into();
    let (mut seen, mut at) = (String::new(), assignment.log_offset);
    let mut committed = assignment.log_offset;
    // Byte by byte, so that every character comes in parts.
    for byte in TEXT.bytes() {
        committed = server.append(&attempt, committed, vec![byte]).await;
        let whole_so_far = assignment.log_offset + seen_end(TEXT, committed - assignment.log_offset);
        while at < whole_so_far {
            let mut parts = std::pin::pin!(server.client.log_events(&id, at).await.unwrap());
            let part = tokio::time::timeout(PATIENCE, parts.next())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            let LogPart::Log(part) = part else {
                panic!("{part:?}")
            };
            assert_eq!(part.offset, at);
            at = part.end;
            seen.push_str(&part.text);
        }
    }
    assert_eq!(seen, TEXT);
    server.stop().await;
}

#[tokio::test]
async fn an_open_stream_splits_no_character() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let assignment = server.claim(StageName::Make).await;
    let attempt: AttemptRef = (&assignment).into();
    let start = assignment.log_offset;
    let mut parts = std::pin::pin!(server.client.log_events(&id, start).await.unwrap());
    let writing = async {
        for (index, byte) in TEXT.bytes().enumerate() {
            server.append(&attempt, start + index as u64, vec![byte]).await;
        }
    };
    let reading = async {
        let (mut seen, mut at) = (String::new(), start);
        while at < start + TEXT.len() as u64 {
            let LogPart::Log(part) = parts.next().await.unwrap().unwrap() else {
                panic!("the job is not over")
            };
            assert_eq!(part.offset, at);
            at = part.end;
            seen.push_str(&part.text);
        }
        seen
    };
    let both = async { tokio::join!(reading, writing).0 };
    assert_eq!(tokio::time::timeout(PATIENCE, both).await.unwrap(), TEXT);
    server.stop().await;
}

/// Where the last whole character of the first `length` bytes ends.
fn seen_end(text: &str, length: u64) -> u64 {
    (0..=length)
        .rev()
        .find(|at| text.is_char_boundary(*at as usize))
        .unwrap()
}

#[tokio::test]
async fn a_viewer_sees_what_is_appended_and_the_end() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let assignment = server.claim(StageName::Make).await;
    let attempt: AttemptRef = (&assignment).into();
    let mut parts = std::pin::pin!(
        server
            .client
            .log_events(&id, assignment.log_offset)
            .await
            .unwrap()
    );
    let first = async {
        server.append(&attempt, assignment.log_offset, "now\n").await;
        parts.next().await.unwrap().unwrap()
    };
    let LogPart::Log(part) = tokio::time::timeout(PATIENCE, first).await.unwrap() else {
        panic!()
    };
    assert_eq!(part.text, "now\n");
    server
        .succeed(&assignment, &[("a", b"a")], Default::default())
        .await;
    let last = async {
        let mut text = String::new();
        loop {
            match parts.next().await.expect("the end comes first").unwrap() {
                LogPart::Log(part) => text.push_str(&part.text),
                LogPart::End(end) => return (text, end.job_state),
            }
        }
    };
    let (text, state) = tokio::time::timeout(PATIENCE, last).await.unwrap();
    assert_eq!(state, JobState::Done);
    assert!(text.contains("done"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn states_are_told_once_and_resumed_behind_the_last() {
    let server = TestServer::start().await;
    let id = over(&server).await;
    let all = states(&server, &id, 0).await;
    let words: Vec<&str> = all.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(words, ["queued", "running", "succeeded"]);
    for cut in 0..all.len() {
        assert_eq!(states(&server, &id, all[cut].0).await, all[cut + 1..]);
    }
    let request = server
        .http
        .get(server.at(&format!("/api/v1/jobs/{id}/events?after=0")));
    let body = request
        .header("last-event-id", all[1].0)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        body.contains("succeeded") && !body.contains("\"queued\""),
        "what the browser sends counts first: {body}"
    );
    let bad = server
        .http
        .get(server.at(&format!("/api/v1/jobs/{id}/events")))
        .header("last-event-id", "x");
    assert_eq!(bad.send().await.unwrap().status(), 400);
    server.stop().await;
}

async fn states(server: &TestServer, id: &JobId, after: i64) -> Vec<(i64, String)> {
    let parts = server.client.job_events(id, after).await.unwrap();
    let parts: Vec<_> = tokio::time::timeout(PATIENCE, parts.collect::<Vec<_>>())
        .await
        .unwrap();
    let (last, states) = parts.split_last().unwrap();
    assert!(matches!(last, Ok(StatePart::End(_))));
    let states = states.iter().map(|part| match part.as_ref().unwrap() {
        StatePart::State(event) => (event.sequence, event.stage_state.clone()),
        StatePart::End(_) => panic!("the end comes once"),
    });
    states.collect()
}

#[tokio::test]
async fn open_streams_do_not_hold_up_the_end_of_the_server() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let mut states = std::pin::pin!(server.client.job_events(&id, 0).await.unwrap());
    let mut log = std::pin::pin!(server.client.log_events(&id, 0).await.unwrap());
    assert!(matches!(states.next().await, Some(Ok(_))));
    assert!(matches!(log.next().await, Some(Ok(_))));
    server.stop().await;
    while let Some(part) = states.next().await {
        assert!(part.is_ok(), "a stream ends in order: {part:?}");
    }
    while let Some(part) = log.next().await {
        assert!(part.is_ok(), "a stream ends in order: {part:?}");
    }
}
