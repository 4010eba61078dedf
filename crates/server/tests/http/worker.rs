//! The protocol of workers, with the test as the worker.

use crate::server::{TestServer, labels};
use polyphemus_api::ClientError;
use polyphemus_api::worker::{ClaimRequest, Command, FinishRequest, Outcome};
use polyphemus_core::stage::{StageName, WorkerId};
use polyphemus_core::{JobState, StageResult};

#[tokio::test]
async fn a_stage_is_claimed_logged_and_finished() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let assignment = server.claim(StageName::Make).await;
    assert_eq!((&assignment.job, assignment.attempt), (&id, 1));
    let attempt = (&assignment).into();
    let end = server.append(&attempt, assignment.log_offset, "building\n").await;
    let wrong = server
        .client
        .log_append(&attempt, assignment.log_offset, "again\n".into())
        .await
        .unwrap_err();
    assert_eq!(wrong.committed_bytes(), Some(end));
    server
        .succeed(&assignment, &[("out.bin", b"bits")], Default::default())
        .await;
    let job = server.wait_for(&id, JobState::Done).await;
    assert_eq!(job.stages[0].state, "succeeded");
    let late = server
        .client
        .log_append(&attempt, end, "late\n".into())
        .await
        .unwrap_err();
    assert!(late.is_superseded(), "{late:?}");
    let workers = server.client.workers().await.unwrap();
    assert_eq!(workers[0].id, WorkerId("hand".into()));
    server.stop().await;
}

#[tokio::test]
async fn nobody_speaks_for_an_attempt_without_its_key() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let assignment = server.claim(StageName::Make).await;
    let path = format!(
        "/api/v1/attempts/{id}/make/1/log?offset={}",
        assignment.log_offset
    );
    let response = server
        .http
        .put(server.at(&path))
        .body("forged\n")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
    let forged = server
        .http
        .put(server.at(&path))
        .header("polyphemus-attempt-key", "guess")
        .body("forged\n");
    assert_eq!(forged.send().await.unwrap().status(), 409);
    assert!(
        !server
            .text(&format!("/jobs/{id}/log.txt"))
            .await
            .contains("forged")
    );
    server.stop().await;
}

#[tokio::test]
async fn a_cancel_reaches_the_worker_by_its_heartbeat() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let assignment = server.claim(StageName::Make).await;
    let attempt = (&assignment).into();
    let (answer, cancelled) = tokio::join!(server.client.heartbeat(&attempt), server.client.cancel(&id));
    cancelled.unwrap();
    let mut command = answer.unwrap().command;
    if command == Command::GoOn {
        command = server.client.heartbeat(&attempt).await.unwrap().command;
    }
    assert_eq!(command, Command::Cancel);
    server.stop().await;
}

#[tokio::test]
async fn waiting_claims_do_not_hold_up_the_end() {
    let server = TestServer::start().await;
    let claim = ClaimRequest {
        worker: WorkerId("idle".into()),
        labels: labels(),
        stages: vec![StageName::Make],
        only_for: None,
        wait_ms: 60_000,
        refuses: None,
    };
    let client = server.client.clone();
    let waiting = tokio::spawn(async move { client.claim(&claim).await });
    let known = async {
        while server.client.workers().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::server::PATIENCE, known)
        .await
        .expect("the claim has arrived");
    server.stop().await;
    assert!(matches!(waiting.await.unwrap(), Ok(None)));
}

#[tokio::test]
async fn a_blob_is_stored_under_its_own_hash_only() {
    let server = TestServer::start().await;
    let hash = server.put(b"content").await;
    let other = polyphemus_core::BlobHash::from_bytes([9; 32]);
    let refused = server
        .client
        .blob_put(&other, b"content".to_vec().into(), 7)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, ClientError::Refused { status: 400, .. }),
        "{refused:?}"
    );
    let missing = server
        .client
        .blobs_missing(vec![hash.clone(), other.clone()])
        .await
        .unwrap();
    assert_eq!(missing, [other]);
    let response = server.get(&format!("/api/v1/blobs/{hash}")).await;
    assert_eq!(response.headers()["content-length"], "7");
    assert_eq!(response.text().await.unwrap(), "content");
    server.stop().await;
}

#[tokio::test]
async fn content_that_is_no_tree_is_refused_as_the_workers_mistake() {
    let server = TestServer::start().await;
    server.blinky(&[("mode", "estimate")]).await;
    let assignment = server.claim(StageName::Make).await;
    let hash = server.put(b"no tree").await;
    let finish = FinishRequest {
        outcome: Outcome::Succeeded {
            tree: hash.to_string().parse().unwrap(),
        },
        result: StageResult::default(),
    };
    let refused = server
        .client
        .finish(&(&assignment).into(), &finish)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, ClientError::Refused { status: 400, .. }),
        "{refused:?}"
    );
    server.stop().await;
}
