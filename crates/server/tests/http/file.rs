//! Files and logs of a job: what is sent, in what part, and under which guard.

use crate::server::{TestServer, archive};
use polyphemus_core::job::JobId;

async fn job(server: &TestServer) -> JobId {
    let files = [
        (
            "blinky.v",
            "module blinky(input clk, output led);\n  assign led = clk;\nendmodule\n",
        ),
        ("blinky.pcf", "set_io clk J3\nset_io led B5\n"),
        ("docs/evil.html", "<script>alert(1)</script>"),
        ("docs/x y&z.bin", "0123456789"),
        (".hidden", "h"),
    ];
    server
        .submit(archive(&files), &[("mode", "estimate"), ("top", "blinky")])
        .await
}

#[tokio::test]
async fn files_are_listed_as_the_original_lists_them() {
    let server = TestServer::start().await;
    let id = job(&server).await;
    let listed: Vec<String> = serde_json::from_str(&server.text(&format!("/jobs/{id}/files")).await).unwrap();
    assert_eq!(
        listed,
        [
            "./log.txt",
            "./info.json",
            "./code.zip",
            "code/blinky.pcf",
            "code/blinky.v",
            "code/docs/evil.html",
            "code/docs/x y&z.bin"
        ]
    );
    let ours = server.client.files(&id).await.unwrap();
    assert_eq!(ours.of, "upload");
    assert_eq!(ours.files.len(), 5);
    for path in listed {
        let escaped = path.replace(' ', "%20");
        assert_eq!(
            server.get(&format!("/jobs/{id}/files/{escaped}")).await.status(),
            200,
            "{path}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn no_file_of_a_job_can_act_as_a_page() {
    let server = TestServer::start().await;
    let id = job(&server).await;
    for (path, kind) in [
        ("code/docs/evil.html", "text/plain; charset=utf-8"),
        ("code/blinky.v", "text/plain; charset=utf-8"),
        ("code/docs/x%20y&z.bin", "application/octet-stream"),
        ("log.txt", "text/plain; charset=utf-8"),
    ] {
        let response = server.get(&format!("/jobs/{id}/files/{path}")).await;
        let headers = response.headers();
        assert_eq!(headers["content-type"], kind, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(
            headers["content-security-policy"], "sandbox; default-src 'none'",
            "{path}"
        );
        if kind == "application/octet-stream" {
            assert_eq!(
                headers["content-disposition"],
                "attachment; filename*=UTF-8''x%20y%26z.bin"
            );
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_part_of_a_file_is_sent_as_asked() {
    let server = TestServer::start().await;
    let id = job(&server).await;
    let url = server.at(&format!("/api/v1/jobs/{id}/files/docs/x%20y&z.bin"));
    let ask = |name: &'static str, value: String| server.http.get(&url).header(name, value).send();
    let whole = server.http.get(&url).send().await.unwrap();
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(whole.headers()["content-length"], "10");
    let hash = &server.client.files(&id).await.unwrap().files[4].hash;
    assert_eq!(etag, format!("\"{hash}\""));
    let part = ask("range", "bytes=2-4".into()).await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], "bytes 2-4/10");
    assert_eq!(part.text().await.unwrap(), "234");
    assert_eq!(
        ask("range", "bytes=-3".into())
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "789"
    );
    let beyond = ask("range", "bytes=10-".into()).await.unwrap();
    assert_eq!(beyond.status(), 416);
    assert_eq!(beyond.headers()["content-range"], "bytes */10");
    let known = ask("if-none-match", etag.clone()).await.unwrap();
    assert_eq!(known.status(), 304);
    let stale = server
        .http
        .get(&url)
        .header("range", "bytes=2-4")
        .header("if-range", "\"other\"");
    assert_eq!(stale.send().await.unwrap().text().await.unwrap(), "0123456789");
    let head = server.http.head(&url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "10");
    server.stop().await;
}

#[tokio::test]
async fn no_path_leads_out_of_a_job() {
    let server = TestServer::start().await;
    let id = job(&server).await;
    // reqwest would tidy these up; so they are sent as they stand.
    for path in [
        "files/code/../../../polyphemus.db",
        "files/../log.txt",
        "files/code/%2e%2e/%2e%2e/polyphemus.db",
        "files/code/..%2f..%2fpolyphemus.db",
        "files/code/%2fetc%2fpasswd",
        "files//etc/passwd",
        "files/code//etc/passwd",
        "files/code/docs",
        "files/code/docs/",
        "files/code/./blinky.v",
        "files/code/blinky.v%00",
        "files/code/docs%5cevil.html",
        "files/blinky.v",
        "files/code/%ff",
        "files/",
        "../log.txt",
        "%2e%2e/log.txt",
    ] {
        let status = server.raw_status("GET", &format!("/jobs/{id}/{path}")).await;
        assert!(matches!(status, 404 | 400), "{path} gives {status}");
        // The API's files have no `code/` before them.
        let path = match path {
            "files/blinky.v" => "files/code/blinky.v".to_owned(),
            path => path.replace("code/", ""),
        };
        let status = server
            .raw_status("GET", &format!("/api/v1/jobs/{id}/{path}"))
            .await;
        assert!(
            matches!(status, 404 | 400 | 405),
            "{path} gives {status} in the API"
        );
    }
    assert_eq!(
        server.raw_status("GET", "/static/style.css").await,
        200,
        "the table's sender works"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_path_that_climbs_is_404_in_every_route() {
    let server = TestServer::start().await;
    let id = job(&server).await;
    let document: serde_json::Value = serde_json::from_str(&server.text("/api/openapi.json").await).unwrap();
    let described = document["paths"].as_object().unwrap().keys().cloned();
    let original = [
        "/jobs/{id}",
        "/jobs/{id}/cancel",
        "/jobs/{id}/retry",
        "/jobs/{id}/log.txt",
        "/jobs/{id}/files",
        "/jobs/{id}/files.html",
        "/jobs/{id}/files/{path}",
        "/static/{name}",
    ];
    let mut tried = 0;
    for route in described.chain(original.map(str::to_owned)) {
        let Some((before, after)) = route.split_once('{') else {
            continue;
        };
        let after = after
            .split_once('}')
            .unwrap()
            .1
            .replace("{path}", "x")
            .replace("{stage}", "make");
        let deep = route
            .replace("{id}", id.as_str())
            .replace("{path}", "code/../../log.txt");
        let climbing = ["..", "%2e%2E", "..%2f..", "x/../.."].map(|up| format!("{before}{up}{after}"));
        for path in climbing.into_iter().chain(deep.contains("..").then_some(deep)) {
            for method in ["GET", "POST", "DELETE", "PATCH"] {
                assert_eq!(server.raw_status(method, &path).await, 404, "{method} {path}");
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
    server.stop().await;
}

#[tokio::test]
async fn a_log_is_read_from_any_offset() {
    let server = TestServer::start().await;
    let id = job(&server).await;
    let log = server.text(&format!("/jobs/{id}/log.txt")).await;
    assert!(log.contains("accepted"), "{log}");
    let path = format!("/api/v1/jobs/{id}/log");
    assert_eq!(server.text(&format!("{path}?offset=5")).await, log[5..]);
    assert_eq!(server.text(&format!("{path}?offset={}", log.len())).await, "");
    assert_eq!(
        server
            .get(&format!("{path}?offset={}", log.len() + 1))
            .await
            .status(),
        416
    );
    let part = server
        .http
        .get(server.at(&path))
        .header("range", "bytes=3-6")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(
        part.headers()["content-range"],
        format!("bytes 3-6/{}", log.len())
    );
    assert_eq!(part.text().await.unwrap(), log[3..7]);
    server.stop().await;
}

#[tokio::test]
async fn a_file_whose_content_is_damaged_says_so() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let files = server.client.files(&id).await.unwrap().files;
    let file = files.iter().find(|file| file.size_bytes > 0).unwrap();
    let hash = file.hash.to_string();
    // Now its content has a file of its own.
    let whole = server.get(&format!("/jobs/{id}/files/code/{}", file.path)).await;
    assert_eq!(whole.status(), 200);
    let mut damaged = 0;
    for folder in std::fs::read_dir(server.instance.path().join("blobs")).unwrap() {
        let path = folder.unwrap().path().join(&hash[2..]);
        if path.exists() {
            let mut content = std::fs::read(&path).unwrap();
            content[0] ^= 1;
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, content).unwrap();
            damaged += 1;
        }
    }
    assert_eq!(damaged, 1);
    let response = server.get(&format!("/jobs/{id}/files/code/{}", file.path)).await;
    assert_eq!(response.status(), 500);
    assert!(
        response
            .text()
            .await
            .unwrap()
            .contains("hand the design in again")
    );
    server.stop().await;
}
