//! The pages in a real browser: what a person sees, the live log included, which only a script shows.

use crate::{designs, start};
use std::process::Command;
use std::time::Duration;

/// The page as Chromium has built it after its scripts have run.
fn page(url: &str) -> String {
    let profile = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args(["--virtual-time-budget=8000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .output()
        .expect("chromium is installed (tools/install-tools test)");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn the_pages_show_jobs_logs_and_files() {
    let server = start(&[]);
    let hostile = designs::folder(&[(
        "Makefile",
        "all:\n\t@echo '<script>document.title=\"owned\"</script>'\n\t@printf '#!/bin/sh\\necho TEST PASSED\\n' > exe; chmod +x exe\n",
    )]);
    let id = server.submit(hostile.path(), &["mode=sw_emu", "hwname=<b>bold</b>"]);
    server.finished(&id, Duration::from_secs(60)).await;

    let list = page(&server.url());
    assert!(list.contains(id.as_str()), "{list}");
    assert!(
        list.contains("&lt;b&gt;bold&lt;/b&gt;") && !list.contains("<b>bold</b>"),
        "{list}"
    );
    assert!(
        list.contains("type=\"file\""),
        "the list has a form to upload: {list}"
    );

    let job = page(&format!("{}/jobs/{id}.html", server.url()));
    assert!(job.contains("TEST PASSED"), "the log is shown: {job}");
    assert!(!job.contains("<title>owned"), "a log never runs: {job}");
    assert!(job.contains("&lt;script&gt;"), "{job}");

    let files = page(&format!("{}/jobs/{id}/files.html", server.url()));
    assert!(files.contains("Makefile"), "{files}");
}
