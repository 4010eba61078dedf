//! The files of a stage while it runs, seen through the server.

use crate::server::{BOUND, Server, Worker};
use polyphemus_api::ClientError;
use polyphemus_core::job::JobId;
use polyphemus_testkit::wait;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Makes files, then waits until somebody writes to the named pipe `gate`.
const BUILD: &str = "mkfifo gate; mkdir -p out; echo half done > out/report.txt; echo 0123456789 > ten; \
    ln -s /etc/passwd secret; ln -s ten alias; ln -s gate to-gate; printf x > .hidden; echo written; \
    cat gate; echo all done > out/report.txt";

async fn get(server: &Server, path: &str, range: Option<&str>) -> reqwest::Response {
    let mut request = reqwest::Client::new().get(format!("{}{path}", server.url()));
    if let Some(range) = range {
        request = request.header("range", range);
    }
    request.send().await.unwrap()
}

async fn text(server: &Server, path: &str) -> String {
    let response = get(server, path, None).await;
    assert_eq!(response.status(), 200, "{path}");
    response.text().await.unwrap()
}

/// Lets a job go on that waits at its gate.
async fn open_gate(worker: &Worker, id: &JobId) {
    let gate = worker
        .folder
        .path()
        .join(format!("workers/tester/attempts/{id}-make-1/job/gate"));
    tokio::task::spawn_blocking(move || std::fs::write(gate, "go\n"))
        .await
        .unwrap()
        .unwrap();
}

/// The status and the sentence of a refusal; 0 where it is none.
fn refused(error: ClientError) -> (u16, String) {
    match error {
        ClientError::Refused { status, detail } => (status, detail.message),
        error => (0, error.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_running_stage_are_listed_and_read_and_marked() {
    let server = Server::start(Duration::from_secs(30)).await;
    let worker = Worker::start(&server.url(), |_| {});
    let id = server.submit_script(BUILD).await;
    server.logged(&id, "written").await;
    let files = server.client().running_files(&id).await.unwrap();
    let paths: Vec<&str> = files.files.iter().map(|file| file.path.as_str()).collect();
    let expected = [
        ".hidden",
        "Makefile",
        "alias",
        "out/report.txt",
        "run.sh",
        "script.sh",
        "ten",
    ];
    assert_eq!(paths, expected);
    assert_eq!((files.stage.as_str(), files.attempt), ("make", 1));
    assert!(!files.committed && !files.truncated);
    assert_eq!(files.files[3].size_bytes, 10);

    let whole = get(
        &server,
        &format!("/api/v1/jobs/{id}/running/files/out/report.txt"),
        None,
    )
    .await;
    assert_eq!(whole.headers()["polyphemus-committed"], "no");
    assert_eq!(whole.headers()["cache-control"], "no-store");
    assert_eq!(whole.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(whole.headers()["x-content-type-options"], "nosniff");
    assert_eq!(whole.text().await.unwrap(), "half done\n");
    let part = get(
        &server,
        &format!("/api/v1/jobs/{id}/running/files/ten"),
        Some("bytes=-4"),
    )
    .await;
    assert_eq!(
        (part.status().as_u16(), &part.headers()["content-range"]),
        (206, &"bytes 7-10/11".parse().unwrap())
    );
    assert_eq!(part.text().await.unwrap(), "789\n");
    let behind = get(
        &server,
        &format!("/api/v1/jobs/{id}/running/files/ten"),
        Some("bytes=11-"),
    )
    .await;
    assert_eq!(behind.status(), 416);

    for hostile in [
        "secret",
        "gate",
        "to-gate",
        "out",
        "none",
        "..%2f..%2flog",
        "out%2f..%2ften",
        "%2fetc%2fpasswd",
    ] {
        let answer = get(
            &server,
            &format!("/api/v1/jobs/{id}/running/files/{hostile}"),
            None,
        )
        .await;
        assert_eq!(answer.status(), 404, "{hostile}");
    }
    // Whoever looked at the pipe has not woken the job that waits there.
    assert_eq!(server.client().job(&id).await.unwrap().stages[0].state, "running");

    open_gate(&worker, &id).await;
    server.finished(&id).await;
    let (status, message) = refused(server.client().running_files(&id).await.unwrap_err());
    assert_eq!(status, 409, "{message}");
    assert!(
        message.contains("no stage of job") && message.contains("/files"),
        "{message}"
    );
    assert_eq!(server.file(&id, "out/report.txt").await, b"all done\n");
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_originals_routes_and_the_page_show_what_a_running_stage_has_made() {
    let server = Server::start(Duration::from_secs(30)).await;
    let worker = Worker::start(&server.url(), |_| {});
    let id = server.submit_script(BUILD).await;
    server.logged(&id, "written").await;
    let paths: Vec<String> =
        serde_json::from_str(&text(&server, &format!("/jobs/{id}/files")).await).unwrap();
    assert!(paths.contains(&"code/out/report.txt".to_owned()), "{paths:?}");
    assert!(!paths.contains(&"code/.hidden".to_owned()), "{paths:?}");
    let report = format!("/jobs/{id}/files/code/out/report.txt");
    assert_eq!(text(&server, &report).await, "half done\n");
    let page = text(&server, &format!("/jobs/{id}/files.html")).await;
    assert!(
        page.contains("not committed") && page.contains("report.txt"),
        "{page}"
    );
    open_gate(&worker, &id).await;
    server.finished(&id).await;
    assert_eq!(text(&server, &report).await, "all done\n");
    assert!(
        !text(&server, &format!("/jobs/{id}/files.html"))
            .await
            .contains("not committed")
    );
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_comes_in_many_parts_and_a_cancel_cuts_it_off_at_once() {
    let server = Server::start(Duration::from_secs(30)).await;
    let worker = Worker::start(&server.url(), |_| {});
    let script =
        "head -c 3000000 /dev/urandom > large; truncate -s 12G giant; mkfifo gate; echo written; cat gate";
    let id = server.submit_script(script).await;
    server.logged(&id, "written").await;
    let whole = get(&server, &format!("/api/v1/jobs/{id}/running/files/large"), None).await;
    let whole = whole.bytes().await.unwrap();
    let job = worker
        .folder
        .path()
        .join(format!("workers/tester/attempts/{id}-make-1/job"));
    assert!(
        whole == std::fs::read(job.join("large")).unwrap(),
        "{} bytes",
        whole.len()
    );
    let mut giant = get(&server, &format!("/api/v1/jobs/{id}/running/files/giant"), None).await;
    assert_eq!(giant.headers()["content-length"], (12u64 << 30).to_string());
    assert!(giant.chunk().await.unwrap().is_some());
    server.client().cancel(&id).await.unwrap();
    let cut = async {
        while let Some(chunk) = giant.chunk().await? {
            assert!(!chunk.is_empty());
        }
        Ok::<_, reqwest::Error>(())
    };
    let cut = tokio::time::timeout(BOUND, cut).await.unwrap();
    assert!(cut.is_err(), "an answer that is not whole must not look like one");
    assert_eq!(server.finished(&id).await.state.as_str(), "cancelled");
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_when_the_worker_dies_is_told_and_waits_not_longer_than_its_lease() {
    let server = Server::start(Duration::from_secs(3)).await;
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_polyphemus-worker-role"))
        .args(["worker", &server.url(), "doomed"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let id = server.submit_script("mkfifo gate; echo written; cat gate").await;
    server.logged(&id, "written").await;
    assert!(!server.client().running_files(&id).await.unwrap().files.is_empty());
    child.kill().await.unwrap();
    let begun = std::time::Instant::now();
    let (status, message) = refused(server.client().running_files(&id).await.unwrap_err());
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(status, 409, "{message}");
    assert!(
        message.contains("attempt 1") && message.contains("has ended"),
        "{message}"
    );
    server.client().cancel(&id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_takes_more_than_its_space_is_ended_and_told_what_took_it() {
    let server = Server::start(Duration::from_secs(30)).await;
    let worker = Worker::start(&server.url(), |config| {
        config.limits.workspace.bytes = 20 << 20;
        config.limits.workspace.entries = 1000;
    });
    let much = "mkdir build; head -c 30000000 /dev/zero > build/waves.vcd; mkfifo gate; cat gate";
    let many = "mkdir many; for i in $(seq 1100); do : > many/$i; done; mkfifo gate; cat gate";
    let (much, many) = (server.submit_script(much).await, server.submit_script(many).await);
    let cause = |job: polyphemus_api::job::Job| job.stages[0].cause.clone().unwrap();
    let much = cause(server.finished(&much).await);
    assert_eq!(much.kind, polyphemus_core::CauseKind::OutputLimit, "{much:?}");
    assert!(
        much.message.contains("20 MiB") && much.message.contains("`build/waves.vcd` with 28."),
        "{much:?}"
    );
    let many = cause(server.finished(&many).await);
    assert!(many.message.contains("1000 files and directories"), "{many:?}");
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_a_full_disk_takes_nothing_and_says_so() {
    let server = Server::start(Duration::from_secs(30)).await;
    let worker = Worker::start(&server.url(), |config| config.min_free_bytes = u64::MAX);
    let id = server.submit_script("echo hello").await;
    let client = server.client();
    let refuses = wait::until(BOUND, "the worker's refusal", || async {
        let workers = client.workers().await.map_err(|error| error.to_string())?;
        let told = workers.iter().find_map(|worker| worker.refuses.clone());
        told.ok_or_else(|| format!("{workers:?}"))
    })
    .await;
    assert!(refuses.contains("MIN_FREE_BYTES"), "{refuses}");
    let job = client.job(&id).await.unwrap();
    let waiting = job.stages[0].waiting_for.clone().unwrap();
    assert!(
        waiting.contains("tester") && waiting.contains("free"),
        "{waiting}"
    );
    assert_eq!(job.stages[0].state, "queued");
    worker.end().await;
}
