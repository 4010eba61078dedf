//! Jobs as programs read them.

use crate::server::TestServer;
use polyphemus_api::worker::{FinishRequest, Outcome};
use polyphemus_core::JobState;
use polyphemus_core::stage::StageName;

#[tokio::test]
async fn a_job_is_told_with_the_originals_keys_and_ours() {
    let server = TestServer::start().await;
    let id = server
        .blinky(&[("mode", "estimate"), ("hwname", "blink"), ("top", "blinky")])
        .await;
    let mut job: serde_json::Value =
        serde_json::from_str(&server.text(&format!("/jobs/{id}")).await).unwrap();
    assert_eq!(job["name"], id.as_str());
    assert_eq!(
        job["started"].as_f64().unwrap() * 1000.0,
        job["submitted_ms"].as_f64().unwrap()
    );
    for stage in job["stages"].as_array_mut().unwrap() {
        stage.as_object_mut().unwrap().remove("needs");
    }
    insta::assert_json_snapshot!(job, {
        ".name" => "[id]", ".id" => "[id]", ".started" => "[s]", ".submitted_ms" => "[ms]",
        ".tree" => "[tree]", ".log_bytes" => "[bytes]", ".notes" => "[notes]", ".decisions" => "[decisions]",
        ".stages[].waiting_for" => "[why]",
    });
    server.stop().await;
}

#[tokio::test]
async fn the_list_as_csv_quotes_what_users_wrote() {
    let server = TestServer::start().await;
    let id = server
        .blinky(&[("mode", "estimate"), ("hwname", "a,\"b\"")])
        .await;
    let csv = server.text("/jobs.csv").await;
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(lines[0], "id,name,started,state");
    assert!(lines[1].starts_with(&format!("{id},\"a,\"\"b\"\"\",")), "{csv}");
    assert!(lines[1].ends_with(",make"), "{csv}");
    assert_eq!(lines.len(), 3, "one job, and the end of its line");
    server.stop().await;
}

#[tokio::test]
async fn a_cancelled_job_can_be_entered_again() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    assert_eq!(
        server.client.cancel(&id).await.unwrap().state,
        JobState::Cancelled
    );
    let twice = server.client.cancel(&id).await.unwrap_err();
    assert!(
        matches!(twice, polyphemus_api::ClientError::Refused { status: 409, .. }),
        "{twice:?}"
    );
    assert_eq!(
        server
            .client
            .retry(&id, Some(StageName::Make))
            .await
            .unwrap()
            .state,
        JobState::Make
    );
    let page = server
        .http
        .post(server.at(&format!("/jobs/{id}/cancel")))
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 303);
    assert_eq!(page.headers()["location"], format!("/jobs/{id}.html"));
    let retried = server
        .http
        .post(server.at(&format!("/jobs/{id}/retry")))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("from=make")
        .send()
        .await
        .unwrap();
    assert_eq!(retried.status(), 303);
    assert_eq!(server.client.job(&id).await.unwrap().state, JobState::Make);
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_told_in_the_readers_form() {
    let server = TestServer::start().await;
    let told = |path: &'static str, accept: &'static str| {
        let request = server.http.get(server.at(path)).header("accept", accept);
        async move {
            let response = request.send().await.unwrap();
            let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
            (response.status().as_u16(), kind, response.text().await.unwrap())
        }
    };
    let (status, kind, text) = told("/jobs/AAAAAAAAAAA", "*/*").await;
    assert_eq!(
        (status, kind.as_str(), text.as_str()),
        (404, "text/plain; charset=utf-8", "there is no job AAAAAAAAAAA\n")
    );
    let (status, kind, text) = told("/jobs/AAAAAAAAAAA.html", "text/html,*/*").await;
    assert_eq!((status, kind.as_str()), (404, "text/html; charset=utf-8"));
    assert!(text.contains("there is no job AAAAAAAAAAA"));
    let (status, kind, text) = told("/api/v1/jobs/AAAAAAAAAAA", "text/html").await;
    assert_eq!((status, kind.as_str()), (404, "application/json"));
    assert!(text.contains("not_found"));
    let (status, _, text) = told("/nowhere", "*/*").await;
    assert_eq!((status, text.as_str()), (404, "there is nothing at /nowhere\n"));
    let (status, _, text) = told("/api/v1/workers/claim", "*/*").await;
    assert_eq!(status, 405);
    assert!(text.contains("method_not_allowed"), "{text}");
    let (status, _, text) = told("/api/v1/jobs?limit=many", "*/*").await;
    assert_eq!(status, 400);
    assert!(text.contains("bad_request"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn a_failed_stage_tells_its_cause() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let assignment = server.claim(StageName::Make).await;
    let cause = polyphemus_core::Cause::new(
        polyphemus_core::CauseKind::DoesNotFit,
        "it is too large; take a larger part",
    );
    let finish = FinishRequest {
        outcome: Outcome::Failed { cause, tree: None },
        result: Default::default(),
    };
    server
        .client
        .finish(&(&assignment).into(), &finish)
        .await
        .unwrap();
    let job = server.wait_for(&id, JobState::Failed).await;
    assert_eq!(
        job.stages[0].cause.as_ref().unwrap().message,
        "it is too large; take a larger part"
    );
    let page = server.text(&format!("/jobs/{id}.html")).await;
    assert!(page.contains("the design does not fit the part") && page.contains("take a larger part"));
    server.stop().await;
}
