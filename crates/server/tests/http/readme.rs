//! The command lines of the original's README, pasted: `curl` itself runs them, and the answers have
//! the shape that the original's had.

use crate::server::{TestServer, blinky};
use polyphemus_core::JobState;
use polyphemus_core::result::StageResult;
use polyphemus_core::stage::StageName;
use std::path::Path;
use tokio::process::Command;

/// What `curl` is told beside the line, so that the line can stay as it is.
const CURLRC: &str = "silent\nshow-error\nwrite-out = \"%{stderr}%{http_code} %{content_type}\"\n";

/// Runs a line in a folder; gives what it printed, and status and content type of the answer.
async fn run(server: &TestServer, folder: &Path, line: &str) -> (String, String) {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".curlrc"), CURLRC).unwrap();
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("CURL_HOME", home.path())
        .env("POLYPHEMUS", &server.url)
        .output()
        .await
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_lines_of_the_originals_readme_work_as_they_stand() {
    let server = TestServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("code.zip"), blinky()).unwrap();
    let run = |line: String| {
        let (server, folder) = (&server, folder.path());
        async move { run(server, folder, &line).await }
    };

    let (id, told) = run("curl -F file=@code.zip $POLYPHEMUS/jobs".into()).await;
    assert_eq!(told, "200 text/plain; charset=utf-8");
    let whole = id.len() == 11
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    assert!(whole, "the id alone, without an end of line: {id:?}");

    let (other, told) =
        run("curl -F file=@code.zip -F estimate=1 -F hwname=second $POLYPHEMUS/jobs".into()).await;
    assert_eq!(
        (told.as_str(), other.len()),
        ("200 text/plain; charset=utf-8", 11)
    );

    let assignment = server.claim(StageName::Make).await;
    assert_eq!(
        assignment.job.as_str(),
        id,
        "the first that came is the first to be built"
    );
    let files: [(&str, &[u8]); 1] = [("compiled.o", b"\x7fELF\n")];
    server.succeed(&assignment, &files, StageResult::default()).await;
    server.client.cancel(&assignment.job).await.ok();

    let (list, told) = run("curl $POLYPHEMUS/jobs.csv".into()).await;
    assert_eq!(told, "200 text/csv; charset=utf-8");
    let rows: Vec<Vec<&str>> = list
        .split_terminator("\r\n")
        .map(|row| row.split(',').collect())
        .collect();
    assert_eq!(rows[0], ["id", "name", "started", "state"]);
    assert_eq!(rows.len(), 3);
    for row in &rows[1..] {
        let (seconds, fraction) = row[2].split_once('.').expect("a float of Python");
        assert!(seconds.len() == 10 && !fraction.is_empty(), "{row:?}");
        assert!(JobState::parse(row[3]).is_some(), "{row:?}");
    }
    assert_eq!(
        (rows[1][0], rows[1][1], rows[1][3]),
        (other.as_str(), "second", "make")
    );

    let (job, told) = run(format!("curl $POLYPHEMUS/jobs/{other}")).await;
    assert_eq!(told, "200 application/json");
    let job: serde_json::Value = serde_json::from_str(&job).unwrap();
    assert_eq!(
        (&job["name"], &job["state"]),
        (&other.as_str().into(), &"make".into())
    );
    assert!(job["started"].is_f64(), "{job}");
    for (key, is_right) in [
        ("estimate", job["config"]["estimate"] == true),
        ("skipexec", job["config"]["skipexec"] == false),
        ("make", job["config"]["make"] == false),
        ("directives", job["config"]["directives"].is_string()),
        ("hwname", job["config"]["hwname"] == "second"),
        ("platform", job["config"]["platform"].is_string()),
        ("mode", job["config"]["mode"].is_string()),
        ("estimate of the job", job["estimate"] == 1),
        ("platform of the job", job["platform"].is_string()),
        ("mode of the job", job["mode"].is_string()),
    ] {
        assert!(is_right, "{key}: {job}");
    }

    let (files, told) = run(format!("curl $POLYPHEMUS/jobs/{id}/files")).await;
    assert_eq!(told, "200 application/json");
    let files: Vec<String> = serde_json::from_str(&files).unwrap();
    assert_eq!(
        files,
        ["./log.txt", "./info.json", "./code.zip", "code/compiled.o"]
    );
    let (printed, told) = run(format!("curl -O $POLYPHEMUS/jobs/{id}/files/code/compiled.o")).await;
    assert_eq!(
        (printed.as_str(), told.as_str()),
        ("", "200 application/octet-stream")
    );
    assert_eq!(
        std::fs::read(folder.path().join("compiled.o")).unwrap(),
        b"\x7fELF\n"
    );
    server.stop().await;
}

#[tokio::test]
async fn an_archive_from_a_pipe_is_taken_and_a_wrong_one_is_told_as_the_original_told_it() {
    let server = TestServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("code.zip"), blinky()).unwrap();
    let design = folder.path();
    let line = "cat code.zip | curl -F file='@-;filename=code.zip' $POLYPHEMUS/jobs";
    let (id, told) = run(&server, design, line).await;
    assert_eq!((told.as_str(), id.len()), ("200 text/plain; charset=utf-8", 11));
    let line = "curl -F file='@code.zip;filename=code.rar' $POLYPHEMUS/jobs";
    let (said, told) = run(&server, design, line).await;
    assert_eq!(told, "400 text/plain; charset=utf-8");
    assert!(said.starts_with("invalid extension .rar"), "{said}");
    for line in [
        "curl -F make=1 $POLYPHEMUS/jobs",
        "curl -d make=1 $POLYPHEMUS/jobs",
        "curl -X POST $POLYPHEMUS/jobs",
    ] {
        let (said, told) = run(&server, design, line).await;
        assert_eq!(told, "400 text/plain; charset=utf-8", "{line}");
        assert!(said.starts_with("missing code or file"), "{line}: {said}");
    }
    let line = "curl -F file=@code.zip -F browser=1 -F mode=estimate $POLYPHEMUS/jobs";
    let (_, told) = run(&server, design, line).await;
    assert!(told.starts_with("302"), "{told}");
    server.stop().await;
}
