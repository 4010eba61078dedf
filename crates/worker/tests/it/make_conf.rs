//! The dry run before the make of a Makefile design: what it tells, and what its failure means.

use crate::server::{Server, Worker};
use polyphemus_core::cause::CauseKind;
use polyphemus_core::job::JobState;
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(10);
const OPTIONS: [(&str, &str); 4] = [
    ("make", "1"),
    ("skipexec", "1"),
    ("platform", "zed"),
    ("directives", "$(shell echo 0)"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_dry_run_tells_the_makefiles_variables_before_the_build() {
    let server = Server::start(LEASE).await;
    let worker = Worker::start(&server.url(), |_| {});
    let makefile = "TARGET_FREQ := 300\nDEVICE = $(PLATFORM)_rev1\n$(info read)\nexe:\n\t@echo building >&2; \
                    echo '#!/bin/sh' > $(TARGET); chmod +x $(TARGET)\n";
    let id = server.submit(&[("Makefile", makefile)], &OPTIONS).await;
    let job = server.finished(&id).await;
    let log = server.log(&id).await;
    assert_eq!(job.state, JobState::Done, "{log}");
    let told = &job.stages[0].make_conf;
    for (name, value) in [
        ("TARGET_FREQ", "300"),
        ("DEVICE", "$(PLATFORM)_rev1"),
        ("PLATFORM", "zed"),
        ("ESTIMATE", "0"),
        ("TARGET", "exe"),
        ("DIRECTIVES", "$$(shell echo 0)"),
    ] {
        assert_eq!(told.get(name).map(String::as_str), Some(value), "{told:?}");
    }
    assert_eq!(told.len(), 6, "{told:?}");
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text} in {log}"));
    let command = "'DIRECTIVES=$$(shell echo 0)'";
    assert!(at(&format!("{command} --dry-run --print-data-base\n")) < at("make conf added {'DEVICE': '"));
    assert!(at("make conf added {'DEVICE': '") < at(&format!("{command}\n")));
    assert!(at(&format!("{command}\n")) < at("\nbuilding\n"));
    // What the dry run prints to standard output is not shown: make alone read it aloud.
    assert_eq!(log.matches("\nread\n").count(), 1, "{log}");
    assert!(!log.contains("Make data base"), "{log}");
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_that_fails_fails_the_stage_and_says_so() {
    let server = Server::start(LEASE).await;
    let worker = Worker::start(&server.url(), |_| {});
    let makefile = "$(shell echo x >> read)\nexe: missing.cpp\n\ttouch built\n";
    let id = server.submit(&[("Makefile", makefile)], &OPTIONS).await;
    let job = server.finished(&id).await;
    let cause = job.stages[0].cause.clone().unwrap();
    assert_eq!(
        (job.state, cause.kind),
        (JobState::Failed, CauseKind::SourceError)
    );
    assert!(
        cause
            .message
            .starts_with("the dry run (`--dry-run --print-data-base`), which comes first"),
        "{cause:?}"
    );
    assert!(cause.line.unwrap().contains("No rule to make target"));
    assert_eq!(
        server.file(&id, "read").await,
        b"x\n",
        "make itself was not started"
    );
    worker.end().await;
}
