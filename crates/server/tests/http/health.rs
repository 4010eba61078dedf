//! What those see who watch a server.

use crate::server::TestServer;
use polyphemus_core::JobState;
use polyphemus_core::stage::StageName;

/// The value of the figure whose line begins so.
fn figure(page: &str, begins: &str) -> f64 {
    let line = page.lines().find(|line| line.starts_with(begins));
    let line = line.unwrap_or_else(|| panic!("no figure {begins} in\n{page}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test]
async fn a_server_is_healthy_as_long_as_its_folders_are_there() {
    let server = TestServer::start().await;
    assert_eq!(server.text("/healthz").await, "ok\n");
    let blobs = server.instance.path().join("blobs");
    let away = server.instance.path().join("away");
    std::fs::rename(&blobs, &away).unwrap();
    let response = server.get("/healthz").await;
    assert_eq!(response.status(), 503);
    let why = response.text().await.unwrap();
    assert!(
        why.contains("/blobs cannot be written") && why.contains("No such file"),
        "{why}"
    );
    std::fs::rename(&away, &blobs).unwrap();
    assert_eq!(server.text("/healthz").await, "ok\n");
    server.stop().await;
}

#[tokio::test]
async fn the_figures_tell_what_jobs_workers_and_requests_do() {
    let server = TestServer::start().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    server.blinky(&[("mode", "estimate")]).await;
    let page = server.text("/metrics").await;
    assert_eq!(figure(&page, "polyphemus_jobs{state=\"make\"}"), 2.0);
    assert_eq!(figure(&page, "polyphemus_queued_stages{stage=\"make\""), 2.0);
    assert!(figure(&page, "polyphemus_queue_age_seconds{stage=\"make\"") < 60.0);
    let assignment = server.claim(StageName::Make).await;
    let page = server.text("/metrics").await;
    assert_eq!(figure(&page, "polyphemus_queued_stages{stage=\"make\""), 1.0);
    assert_eq!(figure(&page, "polyphemus_slots{state=\"busy\"}"), 1.0);
    assert_eq!(figure(&page, "polyphemus_workers{live=\"true\"}"), 1.0);
    server
        .succeed(&assignment, &[("out.bin", b"bits")], Default::default())
        .await;
    server.wait_for(&id, JobState::Done).await;
    let missing = server.get("/jobs/no-such-job").await;
    assert_eq!(missing.status(), 404);
    let page = server.text("/metrics").await;
    let ended = "polyphemus_attempts_total{stage=\"make\",outcome=\"succeeded\",cause=\"\"}";
    assert_eq!(figure(&page, ended), 1.0);
    assert_eq!(figure(&page, "polyphemus_jobs{state=\"done\"}"), 1.0);
    let requests = "polyphemus_requests_total{method=\"GET\",route=\"/jobs/{name}\",status=\"4xx\"}";
    assert_eq!(figure(&page, requests), 1.0);
    assert!(
        !page.contains("no-such-job"),
        "figures of each address would never end"
    );
    assert!(figure(&page, "polyphemus_commit_seconds_count") >= 4.0);
    for positive in [
        "process_resident_memory_bytes",
        "process_open_fds",
        "polyphemus_disk_free_bytes",
    ] {
        assert!(figure(&page, positive) > 0.0, "{positive}");
    }
    server.stop().await;
}
