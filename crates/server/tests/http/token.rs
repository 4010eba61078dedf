//! Who may do what over TCP once there are tokens.

use crate::server::{TestServer, blinky};
use polyphemus_api::Client;
use polyphemus_api::token::{NewToken, Role};
use reqwest::{Method, RequestBuilder};

/// The instance through its socket: whoever may open it is the operator.
fn operator(server: &TestServer) -> Client {
    Client::new(server.instance.path().to_str().unwrap()).unwrap()
}

async fn token(server: &TestServer, role: Role) -> String {
    // Until it answers it has no socket.
    server.text("/healthz").await;
    let new = NewToken {
        name: format!("the-{}", role.as_str()),
        role,
    };
    operator(server)
        .token_add(&new)
        .await
        .unwrap()
        .token
        .reveal()
        .to_owned()
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn each_role_does_what_is_its_own_and_nothing_else() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let tokens = [
        None,
        Some(token(&server, Role::User).await),
        Some(token(&server, Role::Worker).await),
        Some(token(&server, Role::Operator).await),
    ];
    let hash = "0".repeat(64);
    // May it: nobody, user, worker, operator.
    let (everyone, users, workers, operators) = (
        [true, true, true, true],
        [false, true, false, true],
        [false, false, true, true],
        [false, false, false, true],
    );
    let cases = [
        (Method::GET, "/healthz".to_owned(), everyone),
        (Method::GET, "/login".to_owned(), everyone),
        (Method::GET, "/static/style.css".to_owned(), everyone),
        (Method::GET, "/metrics".to_owned(), users),
        (Method::GET, "/jobs.csv".to_owned(), users),
        (Method::POST, "/jobs".to_owned(), users),
        (Method::GET, format!("/jobs/{id}/log.txt"), users),
        (Method::GET, format!("/api/v1/jobs/{id}"), users),
        (Method::GET, "/api/v1/workers".to_owned(), users),
        (Method::GET, "/api/openapi.json".to_owned(), users),
        (Method::POST, "/api/v1/workers/claim".to_owned(), workers),
        (
            Method::POST,
            format!("/api/v1/attempts/{id}/make/1/heartbeat"),
            workers,
        ),
        (Method::POST, "/api/v1/blobs/missing".to_owned(), workers),
        (Method::GET, format!("/api/v1/blobs/{hash}"), workers),
        (Method::GET, "/api/v1/tokens".to_owned(), operators),
        (Method::POST, "/api/v1/tokens".to_owned(), operators),
        (Method::DELETE, "/api/v1/tokens/nobody".to_owned(), operators),
        (Method::GET, "/no/such/place".to_owned(), users),
    ];
    for (method, path, may) in cases {
        for (token, may) in tokens.iter().zip(may) {
            let request = server.http.request(method.clone(), server.at(&path));
            let mut request = request.header("polyphemus-attempt-key", "a guess");
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let status = status(request).await;
            let refused = matches!(status, 401 | 403);
            let nothing_there = path == "/no/such/place" && token.is_some();
            assert!(
                refused != may || nothing_there,
                "{method} {path} gave {status} to {token:?}"
            );
            assert!(token.is_some() || !refused || status == 401, "{status}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn the_first_token_closes_tcp_and_a_revoked_one_opens_nothing() {
    let server = TestServer::start().await;
    assert_eq!(status(server.http.get(server.at("/jobs.csv"))).await, 200);
    let token = token(&server, Role::User).await;
    assert_eq!(status(server.http.get(server.at("/jobs.csv"))).await, 401);
    let taken = NewToken {
        name: "the-user".into(),
        role: Role::Operator,
    };
    assert!(
        operator(&server).token_add(&taken).await.is_err(),
        "the name is taken"
    );
    let with = || server.http.get(server.at("/jobs.csv")).bearer_auth(&token);
    assert_eq!(status(with()).await, 200);
    // As the original's scripts can: http://me:TOKEN@host/jobs
    let basic = server
        .http
        .get(server.at("/jobs.csv"))
        .basic_auth("me", Some(&token));
    assert_eq!(status(basic).await, 200);
    // Who has a token may call the server what he likes: no foreign page has one.
    assert_eq!(status(with().header("host", "fpga.example")).await, 200);
    operator(&server).token_revoke("the-user").await.unwrap();
    assert_eq!(status(with()).await, 401);
    assert_eq!(
        status(server.http.get(server.at("/jobs.csv"))).await,
        401,
        "it stays closed"
    );
    let listed = operator(&server).tokens().await.unwrap();
    assert!(listed[0].revoked_ms.is_some() && listed.len() == 1);
    assert!(
        operator(&server).token_add(&taken).await.is_ok(),
        "the name is free again"
    );
    let database = std::fs::read(server.instance.path().join("polyphemus.db-wal")).unwrap();
    let is_there = |text: &str| database.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(
        is_there("the-user") && !is_there(&token),
        "the secret is not stored"
    );
    server.stop().await;
}

#[tokio::test]
async fn browsers_log_in_once_and_no_foreign_page_uses_their_cookie() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let token = token(&server, Role::User).await;
    let page = |path: &str| server.http.get(server.at(path)).header("accept", "text/html,*/*");
    let led = page("/jobs.csv?x=1").send().await.unwrap();
    assert_eq!(led.status(), 303);
    assert_eq!(led.headers()["location"], "/login?to=/jobs.csv%3Fx%3D1");
    let form = page("/login?to=/jobs.csv")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        form.contains("value=\"/jobs.csv\"") && form.contains("type=\"password\""),
        "{form}"
    );
    let log_in = |body: String| {
        let form = "application/x-www-form-urlencoded";
        server
            .http
            .post(server.at("/login"))
            .header("content-type", form)
            .body(body)
    };
    let wrong = log_in("token=polyphemus_00&to=/".into()).send().await.unwrap();
    assert!(wrong.headers().get("set-cookie").is_none());
    assert!(wrong.text().await.unwrap().contains("not known here"));
    let right = log_in(format!("token={token}&to=//evil.example"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (right.status().as_u16(), &right.headers()["location"]),
        (303, &"/".parse().unwrap())
    );
    let cookie = right.headers()["set-cookie"].to_str().unwrap().to_owned();
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(status(page("/").header("cookie", cookie)).await, 200);
    let cancel = || {
        let path = server.at(&format!("/jobs/{id}/cancel"));
        server.http.post(path).header("cookie", cookie)
    };
    assert_eq!(status(cancel()).await, 403, "it must say which page asked");
    assert_eq!(
        status(cancel().header("origin", "http://evil.example")).await,
        403
    );
    assert_eq!(status(cancel().header("sec-fetch-site", "cross-site")).await, 403);
    assert_eq!(status(cancel().header("origin", &server.url)).await, 303);
    let out = server.http.post(server.at("/logout")).send().await.unwrap();
    assert!(
        out.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    server.stop().await;
}

#[tokio::test]
async fn many_wrong_tokens_are_told_to_wait_and_the_right_one_still_opens() {
    let server = TestServer::start().await;
    let token = token(&server, Role::User).await;
    let with = |token: &str| server.http.get(server.at("/jobs.csv")).bearer_auth(token);
    let mut seen = Vec::new();
    for _ in 0..21 {
        seen.push(status(with("polyphemus_guess")).await);
    }
    assert_eq!((seen[0], seen[19], seen[20]), (401, 401, 429));
    assert_eq!(status(with(&token)).await, 200);
    let missing = server.get("/jobs.csv").await;
    assert_eq!(
        missing.headers()["www-authenticate"],
        "Bearer realm=\"Polyphemus\""
    );
    assert!(missing.text().await.unwrap().contains("POLYPHEMUS_TOKEN"));
    server.stop().await;
}

#[tokio::test]
async fn a_client_with_a_token_hands_in_a_job_and_one_without_is_told() {
    let server = TestServer::start().await;
    let token = token(&server, Role::User).await;
    let address = server.url.replace("http://", &format!("http://me:{token}@"));
    for client in [
        Client::with_token(&server.url, Some(&token)).unwrap(),
        Client::new(&address).unwrap(),
    ] {
        let archive = blinky();
        let length = archive.len() as u64;
        let submitted = client
            .submit("a.zip", archive.into(), Some(length), &Default::default())
            .await;
        submitted.unwrap();
    }
    let error = server
        .client
        .jobs(&Default::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("POLYPHEMUS_TOKEN"), "{error}");
    server.stop().await;
}
