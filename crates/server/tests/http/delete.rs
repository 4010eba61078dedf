//! Deletion: a job that is over goes with all that is its own, and nothing else does.

use crate::server::TestServer;
use futures::StreamExt as _;
use polyphemus_api::ClientError;
use polyphemus_api::worker::{FinishRequest, Outcome};
use polyphemus_core::stage::StageName;

fn status(error: &ClientError) -> u16 {
    match error {
        ClientError::Refused { status, .. } => *status,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_deleted_job_is_gone_with_its_log_and_the_others_stay() {
    let server = TestServer::start().await;
    let kept = server.blinky(&[("mode", "estimate")]).await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let refused = server.client.delete(&id, false).await.unwrap_err();
    assert_eq!(status(&refused), 409);
    assert!(
        refused.to_string().contains("polyphemus delete --cancel"),
        "{refused}"
    );
    server.client.cancel(&id).await.unwrap();
    server.client.delete(&id, false).await.unwrap();
    for path in ["", "/log", "/files", "/events"] {
        assert_eq!(
            server.get(&format!("/api/v1/jobs/{id}{path}")).await.status(),
            404,
            "{path}"
        );
    }
    assert_eq!(server.get(&format!("/jobs/{id}.html")).await.status(), 404);
    assert_eq!(status(&server.client.delete(&id, false).await.unwrap_err()), 404);
    assert!(!server.instance.path().join(format!("logs/{id}.log")).exists());
    let jobs = server.client.jobs(&Default::default()).await.unwrap().jobs;
    assert_eq!(jobs.iter().map(|job| &job.id).collect::<Vec<_>>(), [&kept]);
    assert!(!server.text(&format!("/api/v1/jobs/{kept}/log")).await.is_empty());
    let events = server.client.event_page(0).await.unwrap().events;
    assert!(events.iter().all(|event| event.job == kept), "{events:?}");
    let after = server.blinky(&[("mode", "estimate")]).await;
    let events = server.client.event_page(0).await.unwrap().events;
    assert_eq!(events.last().unwrap().job, after, "numbers go on");
    server.stop().await;
}

#[tokio::test]
async fn a_job_at_work_is_ended_by_its_worker_before_it_is_deleted() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let assignment = server.claim(StageName::Make).await;
    let attempt = (&assignment).into();
    let mut watching = std::pin::pin!(server.client.job_events(&id, 0).await.unwrap());
    let end_it = async {
        while let Some(event) = watching.next().await {
            if format!("{event:?}").contains("is asked to end it") {
                break;
            }
        }
        assert!(
            server.client.job(&id).await.is_ok(),
            "it is there until its worker has ended it"
        );
        let finish = FinishRequest {
            outcome: Outcome::Cancelled,
            result: Default::default(),
        };
        server.client.finish(&attempt, &finish).await.unwrap();
    };
    let (deleted, ()) = tokio::join!(server.client.delete(&id, true), end_it);
    deleted.unwrap();
    assert_eq!(status(&server.client.job(&id).await.unwrap_err()), 404);
    server.stop().await;
}

#[tokio::test]
async fn blobs_that_only_a_deleted_job_had_are_collected() {
    let server = TestServer::start().await;
    let (one, two) = ("module one; endmodule", "module two; endmodule");
    let design = |top: &str| crate::server::archive(&[("common.txt", "common"), ("top.v", top)]);
    let first = server
        .submit(design(one), &[("mode", "estimate"), ("top", "one")])
        .await;
    server
        .submit(design(two), &[("mode", "estimate"), ("top", "two")])
        .await;
    server.client.cancel(&first).await.unwrap();
    server.client.delete(&first, false).await.unwrap();
    let instance = server.stop_keeping().await;
    let config = polyphemus_server::Config {
        instance: instance.path().to_owned(),
        blob_grace: std::time::Duration::ZERO,
        ..Default::default()
    };
    let app = polyphemus_server::app::App::open(&config).await.unwrap();
    app.collect_blobs().await.unwrap();
    let hash = |text: &str| polyphemus_core::BlobHash::from_bytes(*blake3::hash(text.as_bytes()).as_bytes());
    let missing = app
        .blobs()
        .missing(&[hash(one), hash(two), hash("common")])
        .await
        .unwrap();
    assert_eq!(missing, [hash(one)]);
    app.close().await;
}
