//! What foreign web pages can not do.

use crate::server::{TestServer, blinky};
use polyphemus_core::JobState;
use reqwest::multipart::{Form, Part};

#[tokio::test]
async fn a_foreign_page_changes_nothing() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let foreign = [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for (name, value) in foreign {
        for path in [
            format!("/jobs/{id}/cancel"),
            format!("/api/v1/jobs/{id}/cancel"),
            format!("/jobs/{id}/retry"),
        ] {
            let response = server
                .http
                .post(server.at(&path))
                .header(name, value)
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 403, "{path} with {name}: {value}");
        }
        let form = Form::new().part("file", Part::bytes(blinky()).file_name("a.zip"));
        let submitted = server
            .http
            .post(server.at("/jobs"))
            .header(name, value)
            .multipart(form)
            .send()
            .await
            .unwrap();
        assert_eq!(submitted.status(), 403);
        assert!(submitted.text().await.unwrap().contains("another web page"));
    }
    assert_eq!(
        server.client.jobs(&Default::default()).await.unwrap().jobs.len(),
        1
    );
    assert_eq!(server.client.job(&id).await.unwrap().state, JobState::Make);
    let own = server
        .http
        .post(server.at(&format!("/jobs/{id}/cancel")))
        .header("origin", &server.url);
    assert_eq!(
        own.header("sec-fetch-site", "same-origin")
            .send()
            .await
            .unwrap()
            .status(),
        303
    );
    server.stop().await;
}

#[tokio::test]
async fn a_rebound_name_reads_nothing() {
    let server = TestServer::start_with(|config| config.host_names = vec!["fpga.lab".into()]).await;
    for (host, status) in [
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("fpga.lab", 200),
        ("localhost:1", 200),
    ] {
        let response = server
            .http
            .get(server.at("/api/v1/jobs"))
            .header("host", host)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{host}");
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_run_no_script_but_ours() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    for path in [
        "/".to_owned(),
        format!("/jobs/{id}.html"),
        format!("/jobs/{id}/files.html"),
    ] {
        let response = server.get(&path).await;
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("script-src 'self'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let page = response.text().await.unwrap();
        for inline in [
            " style=",
            " onclick",
            " onload",
            " onerror",
            " onsubmit",
            "javascript:",
        ] {
            assert!(!page.contains(inline), "{inline} in {path}");
        }
    }
    server.stop().await;
}
