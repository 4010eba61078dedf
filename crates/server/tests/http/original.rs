//! The original's routes as scripts of its users call them: parameters, answers, words.

use crate::server::{TestServer, archive, blinky};
use polyphemus_core::JobState;
use polyphemus_core::job::JobId;
use polyphemus_core::result::StageResult;
use polyphemus_core::stage::StageName;
use reqwest::multipart::{Form, Part};
use std::io::Read as _;

/// Sends a form as `curl -d` does.
async fn post(server: &TestServer, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
    let fields: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", value.replace('%', "%25").replace(' ', "%20")))
        .collect();
    server
        .http
        .post(server.at(path))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(fields.join("&"))
        .send()
        .await
        .unwrap()
}

async fn json(server: &TestServer, path: &str) -> serde_json::Value {
    serde_json::from_str(&server.text(path).await).unwrap()
}

/// A job that was built and executed.
async fn done(server: &TestServer) -> JobId {
    let files = [
        (
            "blinky.v",
            "module blinky(input clk, output led);\n  assign led = clk;\nendmodule\n",
        ),
        ("blinky.pcf", "set_io clk J3\nset_io led B5\n"),
        (
            "blinky_tb.v",
            "module blinky_tb;\n  reg clk; wire led;\n  blinky dut(clk, led);\nendmodule\n",
        ),
    ];
    let id = server.submit(archive(&files), &[("mode", "hw_emu")]).await;
    for stage in [StageName::Make, StageName::Run] {
        let assignment = server.claim(stage).await;
        let files: [(&str, &[u8]); 1] = [("build/top.bin", b"bits")];
        server.succeed(&assignment, &files, StageResult::default()).await;
    }
    server.wait_for(&id, JobState::Done).await;
    id
}

#[tokio::test]
async fn a_job_is_renamed_by_the_form_of_its_page() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate"), ("hwname", "before")]).await;
    let page = format!("/jobs/{id}.html");
    let answer = post(&server, &page, &[("hwname", "after it")]).await;
    assert_eq!(answer.status(), 200, "a program gets the page at once");
    assert!(answer.text().await.unwrap().contains("after it"));
    let job = json(&server, &format!("/jobs/{id}")).await;
    assert_eq!(
        (&job["config"]["hwname"], &job["title"]),
        (&"after it".into(), &"after it".into())
    );
    assert!(
        server
            .text("/jobs.csv")
            .await
            .contains(&format!("{id},after it,"))
    );
    assert!(server.text("/").await.contains("after it"));
    let log = server.text(&format!("/jobs/{id}/log.txt")).await;
    assert!(log.contains("hwname changed to after it"), "{log}");

    let browser = server
        .http
        .post(server.at(&page))
        .header("accept", "text/html,*/*")
        .multipart(Form::new().text("hwname", "by hand"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            browser.status().as_u16(),
            browser.headers()["location"].to_str().unwrap()
        ),
        (303, page.as_str())
    );
    assert_eq!(server.client.job(&id).await.unwrap().title, "by hand");
    assert_eq!(
        server.client.rename(&id, "").await.unwrap().title,
        "",
        "a name can be taken away"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_name_that_cannot_be_is_refused_with_the_reason() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate"), ("hwname", "kept")]).await;
    for (name, said) in [
        ("a\nb", "control characters"),
        (&*"x".repeat(201), "at most 200 characters"),
    ] {
        let refused = server.client.rename(&id, name).await.unwrap_err();
        assert!(
            matches!(&refused, polyphemus_api::ClientError::Refused { status: 400, detail } if detail.message.contains(said)),
            "{refused:?}"
        );
    }
    let unknown = server
        .http
        .patch(server.at(&format!("/api/v1/jobs/{id}")))
        .json(&serde_json::json!({"name": "x"}))
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 400, "a key that changes nothing is told");
    assert_eq!(server.client.job(&id).await.unwrap().title, "kept");
    let nobody = post(&server, "/jobs/AAAAAAAAAAA.html", &[("hwname", "x")]).await;
    assert_eq!(nobody.status(), 404);
    server.stop().await;
}

#[tokio::test]
async fn each_word_of_the_state_form_does_what_it_meant() {
    let server = TestServer::start().await;
    let id = done(&server).await;
    let page = format!("/jobs/{id}.html");
    for (word, state) in [
        ("hlsed", JobState::Hlsed),
        ("failed", JobState::Failed),
        ("make", JobState::Make),
        ("done", JobState::Done),
        ("uploaded", JobState::Make),
        ("failed", JobState::Failed),
        ("unpacking", JobState::Make),
    ] {
        let answer = post(&server, &page, &[("state", word)]).await;
        assert_eq!(answer.status(), 200, "{word}");
        assert_eq!(server.client.job(&id).await.unwrap().state, state, "{word}");
        let log = server.text(&format!("/jobs/{id}/log.txt")).await;
        let said = format!("a user set the state to {word} on the page of the job");
        assert!(log.contains(&said), "{log}");
    }
    server.stop().await;
}

/// As scripts do it that give up waiting for a job, and count the words afterwards.
#[tokio::test]
async fn a_job_that_is_set_to_done_or_failed_is_listed_so_until_it_is_begun_again() {
    let server = TestServer::start().await;
    for (word, state) in [("failed", JobState::Failed), ("done", JobState::Done)] {
        let id = server.blinky(&[("mode", "estimate")]).await;
        let page = format!("/jobs/{id}.html");
        for _ in 0..2 {
            assert_eq!(post(&server, &page, &[("state", word)]).await.status(), 200);
            let listed = server.text("/jobs.csv").await;
            let line = listed.lines().find(|line| line.starts_with(id.as_str())).unwrap();
            assert!(line.ends_with(&format!(",{word}")), "{line}");
            assert_eq!(json(&server, &format!("/jobs/{id}")).await["state"], word);
            assert_eq!(server.client.job(&id).await.unwrap().stages[0].state, "cancelled");
        }
        assert_eq!(post(&server, &page, &[("state", "make")]).await.status(), 200);
        let again = server.claim(polyphemus_core::StageName::Make).await;
        assert_eq!(again.job, id);
        assert_eq!(post(&server, &page, &[("state", word)]).await.status(), 200);
        assert_eq!(
            server.client.job(&id).await.unwrap().state,
            JobState::Makeing,
            "its worker is to end it"
        );
        // The next word waits until the worker has ended it.
        let begin_again = async {
            let form = [("state", "make")];
            post(&server, &page, &form).await.status()
        };
        let end = async {
            server.succeed(&again, &[("a", b"a")], Default::default()).await;
        };
        let (begun, ()) = tokio::join!(begin_again, end);
        assert_eq!(begun, 200);
        assert_eq!(server.client.job(&id).await.unwrap().state, JobState::Make);
        assert_eq!(post(&server, &page, &[("state", word)]).await.status(), 200);
        server.wait_for(&id, state).await;
        server.client.retry(&id, None).await.unwrap();
        server.client.cancel(&id).await.unwrap();
        server.wait_for(&id, JobState::Cancelled).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_state_that_cannot_be_set_says_why_and_changes_nothing() {
    let server = TestServer::start().await;
    let id = done(&server).await;
    let page = format!("/jobs/{id}.html");
    let said = |form: &'static [(&'static str, &'static str)]| {
        let answer = post(&server, &page, form);
        async move {
            let answer = answer.await;
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    insta::assert_debug_snapshot!([
        said(&[("state", "makeing")]).await,
        said(&[("state", "<script>")]).await,
        said(&[("state", "failed")]).await,
        said(&[("speed", "fast")]).await,
        said(&[]).await,
    ]);
    let afi = said(&[("state", "starting_AFI")]).await;
    assert_eq!(afi.0, 409);
    assert!(
        afi.1.contains("it has no such stage, only make, run"),
        "{}",
        afi.1
    );
    assert_eq!(server.client.job(&id).await.unwrap().state, JobState::Done);
    let other = server
        .http
        .post(server.at(&page))
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), 400);
    assert!(other.text().await.unwrap().contains("send `state` or `hwname`"));
    let no_page = post(&server, &format!("/jobs/{id}"), &[("state", "make")]).await;
    assert_eq!(no_page.status(), 405);
    let large = post(&server, &page, &[("hwname", &"x".repeat(100_000))]).await;
    assert!(matches!(large.status().as_u16(), 400 | 413), "{}", large.status());
    server.stop().await;
}

#[tokio::test]
async fn every_listed_path_is_there_as_it_is_listed_and_without_its_dot() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let files = json(&server, &format!("/jobs/{id}/files")).await;
    for path in files.as_array().unwrap() {
        let path = path.as_str().unwrap();
        for path in [path, path.trim_start_matches("./")] {
            let status = server
                .raw_status("GET", &format!("/jobs/{id}/files/{path}"))
                .await;
            assert_eq!(status, 200, "{path}");
        }
    }
    assert_eq!(
        json(&server, &format!("/jobs/{id}/files/info.json")).await,
        json(&server, &format!("/jobs/{id}")).await
    );
    assert_eq!(
        server.text(&format!("/jobs/{id}/files/log.txt")).await,
        server.text(&format!("/jobs/{id}/log.txt")).await
    );
    server.stop().await;
}

#[tokio::test]
async fn code_zip_has_what_was_handed_in() {
    let server = TestServer::start().await;
    let large = "0123456789abcdef".repeat(20_000);
    let files = [
        (
            "blinky.v",
            "module blinky(input clk, output led);\n  assign led = clk;\nendmodule\n",
        ),
        ("blinky.pcf", "set_io clk J3\nset_io led B5\n"),
        ("data/large.txt", large.as_str()),
        ("data/ünï.txt", ""),
    ];
    let id = server.submit(archive(&files), &[("mode", "estimate")]).await;
    let answer = server.get(&format!("/jobs/{id}/files/code.zip")).await;
    assert_eq!(answer.headers()["content-type"], "application/zip");
    let etag = answer.headers()["etag"].clone();
    let packed = answer.bytes().await.unwrap();
    assert!(packed.len() < large.len() / 4, "{} bytes", packed.len());
    let mut read = zip::ZipArchive::new(std::io::Cursor::new(packed.to_vec())).unwrap();
    assert_eq!(read.len(), files.len());
    for (path, content) in files {
        let mut text = String::new();
        read.by_name(path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, content, "{path}");
    }
    let again = server
        .http
        .get(server.at(&format!("/jobs/{id}/files/code.zip")))
        .header("if-none-match", etag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    let form = Form::new().part("file", Part::bytes(packed.to_vec()).file_name("code.zip"));
    let resubmitted = server
        .http
        .post(server.at("/jobs?mode=estimate"))
        .multipart(form)
        .send()
        .await
        .unwrap();
    let copy: JobId = resubmitted.text().await.unwrap().parse().unwrap();
    assert_eq!(
        server.client.job(&copy).await.unwrap().tree,
        server.client.job(&id).await.unwrap().tree
    );
    server.stop().await;
}

#[tokio::test]
async fn head_answers_wherever_get_does() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    for path in [
        "/".to_owned(),
        "/jobs.csv".to_owned(),
        format!("/jobs/{id}"),
        format!("/jobs/{id}.html"),
        format!("/jobs/{id}/log.txt"),
        format!("/jobs/{id}/files"),
        format!("/jobs/{id}/files.html"),
        format!("/jobs/{id}/files/code/blinky.v"),
        format!("/jobs/{id}/files/code.zip"),
        format!("/jobs/{id}/files/info.json"),
        format!("/api/v1/jobs/{id}"),
        format!("/api/v1/jobs/{id}/log/important"),
        "/static/style.css".to_owned(),
    ] {
        let get = server.get(&path).await;
        let head = server.http.head(server.at(&path)).send().await.unwrap();
        assert_eq!(head.status(), 200, "{path}");
        assert_eq!(
            head.headers()["content-type"],
            get.headers()["content-type"],
            "{path}"
        );
        assert_eq!(head.bytes().await.unwrap().len(), 0, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn options_are_on_but_for_the_empty_text_and_zero() {
    let server = TestServer::start().await;
    for (value, on) in [
        ("", false),
        ("0", false),
        ("1", true),
        ("false", true),
        ("no", true),
    ] {
        let form = Form::new()
            .part("file", Part::bytes(blinky()).file_name("a.zip"))
            .text("estimate", value);
        let answer = server
            .http
            .post(server.at(&format!("/jobs?skipexec={value}")))
            .multipart(form)
            .send()
            .await
            .unwrap();
        let id = answer.text().await.unwrap();
        let job = json(&server, &format!("/jobs/{id}")).await;
        assert_eq!(job["config"]["estimate"], on, "{value:?}");
        assert_eq!(job["config"]["skipexec"], on, "{value:?}");
        assert_eq!(job["estimate"], u8::from(on), "{value:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_site_looks_as_its_settings_say() {
    let server = TestServer::start_with(|config| {
        config.site.name = "Lab <7>".into();
        config.site.repository = Some("https://example.org/x?a&b".into());
        config.site.preview_lines = 2;
        config.site.text_extensions = vec!["odd".into()];
        config.site.upload_extensions = vec!["design".into()];
    })
    .await;
    let page = server.text("/").await;
    assert!(page.contains("<title>Jobs · Lab &#60;7&#62;</title>"), "{page}");
    assert!(page.contains("href=\"https://example.org/x?a&#38;b\""), "{page}");
    assert!(page.contains("accept=\".design\""));
    let lost = server
        .http
        .get(server.at("/jobs/AAAAAAAAAAA.html"))
        .header("accept", "text/html");
    assert!(
        lost.send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains("Lab &#60;7&#62;")
    );
    let form = |name: &'static str| {
        let mut zip = archive(&[
            (
                "blinky.v",
                "module blinky(input clk, output led);\n  assign led = clk;\nendmodule\n",
            ),
            ("blinky.pcf", "set_io clk J3\nset_io led B5\n"),
            ("x.odd", "text"),
        ]);
        zip.shrink_to_fit();
        Form::new()
            .part("file", Part::bytes(zip).file_name(name))
            .text("mode", "estimate")
    };
    let send = |form| server.http.post(server.at("/jobs")).multipart(form).send();
    let refused = send(form("a.zip")).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(
        refused
            .text()
            .await
            .unwrap()
            .starts_with("invalid extension .zip: ")
    );
    let id = send(form("a.design")).await.unwrap().text().await.unwrap();
    let odd = server.get(&format!("/jobs/{id}/files/code/x.odd")).await;
    assert_eq!(odd.headers()["content-type"], "text/plain; charset=utf-8");
    let assignment = server.claim(StageName::Make).await;
    server
        .append(&(&assignment).into(), assignment.log_offset, "one\ntwo\nthree\n")
        .await;
    let page = server.text(&format!("/jobs/{id}.html")).await;
    assert!(page.contains("two\nthree\n") && !page.contains("one\n"), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn important_lines_are_shown_apart_and_looked_for_once() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let before = server.client.important_lines(&id).await.unwrap();
    assert_eq!(before.lines, []);
    let assignment = server.claim(StageName::Make).await;
    let text = "fine\nWARNING: <b>late</b>\nbegun: error";
    let end = server
        .append(&(&assignment).into(), assignment.log_offset, text)
        .await;
    let found = server.client.important_lines(&id).await.unwrap();
    let lines: Vec<(u64, &str)> = found
        .lines
        .iter()
        .map(|line| (line.offset, line.text.as_str()))
        .collect();
    assert_eq!(lines, [(assignment.log_offset + 5, "WARNING: <b>late</b>")]);
    assert_eq!(
        found.scanned_bytes,
        end - "begun: error".len() as u64,
        "it waits for the end of a line"
    );
    let page = server.text(&format!("/jobs/{id}.html")).await;
    assert!(
        page.contains("Important lines") && page.contains("WARNING: &#60;b&#62;late"),
        "{page}"
    );
    server
        .append(
            &(&assignment).into(),
            end,
            " 7\n".to_owned() + &"an Error\n".repeat(300),
        )
        .await;
    let full = server.client.important_lines(&id).await.unwrap();
    assert_eq!((full.lines.len(), full.more), (200, true));
    assert_eq!(full.lines[1].text, "begun: error 7");
    assert_eq!(
        server
            .get("/api/v1/jobs/AAAAAAAAAAA/log/important")
            .await
            .status(),
        404
    );
    server.stop().await;
}
