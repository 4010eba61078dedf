//! Requests that are wrong in themselves: each gets an answer that says what is wrong, no job is made of
//! it, and the server goes on.

use crate::server::{TestServer, blinky};
use reqwest::multipart::{Form, Part};

/// A request as it stands; gives its status and its body.
async fn sent(server: &TestServer, head: &str, body: &[u8]) -> (u16, String) {
    let address = server.url.strip_prefix("http://").unwrap();
    let length = body.len();
    let head = format!("{head}\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let answer = server.raw(&[head.as_bytes(), body].concat()).await;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    (head[9..12].parse().unwrap(), body.to_owned())
}

const UPLOAD: &str = "POST /jobs HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b";

fn part(name: &str, value: &[u8]) -> Vec<u8> {
    let head = format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
    [head.as_bytes(), value, b"\r\n"].concat()
}

async fn nothing_was_made(server: TestServer) {
    assert_eq!(server.client.jobs(&Default::default()).await.unwrap().jobs, []);
    server.blinky(&[("mode", "estimate")]).await;
    server.stop().await;
}

#[tokio::test]
async fn a_form_that_is_broken_is_told_as_such() {
    let server = TestServer::start().await;
    let file = [
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n\r\n".to_vec(),
        blinky(),
    ]
    .concat();
    let end = b"--b--\r\n".to_vec();
    for (what, body, said) in [
        (
            "cut within the file",
            file.clone(),
            "broke off or is no well-formed form",
        ),
        (
            "cut before its end",
            [file.clone(), b"\r\n--b".to_vec()].concat(),
            "broke off or is no well-formed form",
        ),
        ("no part at all", end.clone(), "missing code or file"),
        ("empty", Vec::new(), ""),
        (
            "a part without a name",
            [part("", b"x"), end.clone()].concat(),
            "has no name",
        ),
        (
            "an option that is no text",
            [part("mode", b"\xff\xfe"), end.clone()].concat(),
            "`mode`",
        ),
        ("no boundary in it", b"hello".to_vec(), ""),
    ] {
        let (status, text) = sent(&server, UPLOAD, &body).await;
        assert_eq!(status, 400, "{what}: {text}");
        assert!(text.replace('"', "`").contains(said), "{what}: {text}");
    }
    for kind in ["application/json", "multipart/form-data", "text/plain", "\u{ff}"] {
        let (status, text) = sent(
            &server,
            &format!("POST /jobs HTTP/1.1\r\nContent-Type: {kind}"),
            b"{}",
        )
        .await;
        assert_eq!(status, 400, "{kind}");
        assert!(text.starts_with("missing code or file"), "{kind}: {text}");
    }
    nothing_was_made(server).await;
}

#[tokio::test]
async fn an_option_that_cannot_be_had_is_told_with_what_can() {
    let server = TestServer::start().await;
    for (name, value, said) in [
        ("mode", "fast", "estimate"),
        ("seed", "first", "seed"),
        ("freq", "-1", "freq"),
        ("device", "hx9999k", "hx8k"),
        ("toolchain", "quartus", "open"),
        ("speed", "1", "the options are mode, top,"),
        ("sdsflags", "-O3", "the options are"),
        ("top", "no such module", "top"),
        ("pcf", "../../etc/passwd", "pcf"),
    ] {
        let form = Form::new()
            .part("file", Part::bytes(blinky()).file_name("a.zip"))
            .text(name, value);
        let answer = server
            .http
            .post(server.at("/jobs"))
            .multipart(form)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "{name}={value}");
        let text = answer.text().await.unwrap();
        assert!(
            text.contains(said) && text.contains(name),
            "{name}={value}: {text}"
        );
    }
    nothing_was_made(server).await;
}

#[tokio::test]
async fn paths_that_name_nothing_are_not_found() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    for path in [
        "%00", "%ff%fe", "%c3%28", "a%0d%0ab", "%", "%zz", "{id}", "%2f", "code%00",
    ] {
        for place in [
            "/jobs/",
            "/static/",
            &format!("/jobs/{id}/files/"),
            &format!("/jobs/{id}/files/code/"),
        ] {
            for method in ["GET", "HEAD"] {
                let status = server.raw_status(method, &format!("{place}{path}")).await;
                assert!(
                    matches!(status, 400 | 404),
                    "{method} {place}{path} gives {status}"
                );
            }
        }
    }
    for path in [
        "/?before=x",
        "/?state=nowhere",
        "/?limit=0",
        "/api/v1/jobs?limit=1001",
    ] {
        let answer = server.get(path).await;
        // The page has its own size.
        let expected = if path == "/?limit=0" { 200 } else { 400 };
        assert_eq!(answer.status(), expected, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_header_without_end_is_refused_and_hurts_nobody() {
    let server = TestServer::start().await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let head = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nX-Large: {}\r\n\r\n",
        "x".repeat(600_000)
    );
    let answer = server.raw_until_reset(head.as_bytes()).await;
    let status = String::from_utf8_lossy(&answer);
    assert!(
        status.is_empty() || status.starts_with("HTTP/1.1 431"),
        "{status}"
    );
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"HELP\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let answer = server.raw_until_reset(garbage).await;
        let status = String::from_utf8_lossy(&answer);
        assert!(status.is_empty() || status.starts_with("HTTP/1.1 4"), "{status}");
    }
    assert_eq!(server.get("/").await.status(), 200);
    nothing_was_made(server).await;
}
