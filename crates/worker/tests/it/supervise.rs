//! Whatever a step does and whoever dies: nothing of it is left.

use crate::server::BOUND;
use crate::step::{Bench, MANY, finish, marker, processes_with, supervisor};
use polyphemus_testkit::wait;
use polyphemus_worker::Sandbox;
use polyphemus_worker::process::{End, Process};
use polyphemus_worker::stop::{Stop, StopReason};
use std::time::Instant;

/// Leaves a grandchild in a session of its own that ignores SIGTERM and keeps the output open.
fn stubborn(marker: &str) -> String {
    format!(
        "trap '' TERM; (setsid sh -c \"trap '' TERM; sleep {marker}.1; sleep {marker}.2\" &) ; echo begun; "
    )
}

async fn gone(marker: &str) {
    wait::until(BOUND, "the end of all processes", || async {
        match processes_with(marker) {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?}")),
        }
    })
    .await;
}

/// Waits for the program itself, not for the sandbox that is about to start it.
async fn there(marker: &str) {
    wait::until(BOUND, "the beginning of the processes", || async {
        let found = processes_with(marker);
        let begun = found.iter().any(|line| line.starts_with("sleep "));
        if begun { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_ends_leaves_no_process_behind_and_nobody_waits_for_its_open_output() {
    for sandbox in [Sandbox::Off, Sandbox::Required] {
        let bench = Bench::new(sandbox).await;
        let marker = marker();
        let begun = Instant::now();
        let (finished, output) = bench
            .sh(&format!("{} sleep 0.2; exit 3", stubborn(&marker)))
            .await;
        assert_eq!(finished.end, End::Exited { code: 3 });
        assert_eq!(output, "begun\n");
        assert_eq!(processes_with(&marker), Vec::<String>::new());
        assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_step_is_killed_when_the_grace_period_is_over() {
    for sandbox in [Sandbox::Off, Sandbox::Required] {
        let bench = Bench::new(sandbox).await;
        let marker = marker();
        let process = bench
            .start(&format!("{} sleep {marker}.3", stubborn(&marker)))
            .await;
        let stop = Stop::default();
        let stopper = stop.clone();
        let waiter = marker.clone();
        let (_, (finished, _)) = tokio::join!(
            async move {
                there(&waiter).await;
                stopper.set(StopReason::Cancelled);
            },
            finish(process, MANY, &stop)
        );
        assert_eq!(finished.unwrap().end, End::Stopped(StopReason::Cancelled));
        assert_eq!(processes_with(&marker), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_step_has_time_for_its_last_words() {
    for sandbox in [Sandbox::Off, Sandbox::Required] {
        let bench = Bench::new(sandbox).await;
        let process = bench
            .start("trap 'echo last words; exit 0' TERM; echo begun; while :; do sleep 0.01; done")
            .await;
        let stop = Stop::default();
        let mut output = Vec::new();
        let finished = process
            .finish(MANY, &stop, |bytes| {
                output.extend_from_slice(bytes);
                stop.set(StopReason::Shutdown);
                Ok(())
            })
            .await;
        assert_eq!(finished.unwrap().end, End::Stopped(StopReason::Shutdown));
        // The shell may tell of the sleep that was ended too.
        let output = String::from_utf8(output).unwrap();
        assert!(output.ends_with("last words\n"), "{output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_dies_with_its_worker() {
    for sandbox in [Sandbox::Off, Sandbox::Required] {
        let bench = Bench::new(sandbox).await;
        let marker = marker();
        let process = bench
            .start(&format!("{} sleep {marker}.3", stubborn(&marker)))
            .await;
        there(&marker).await;
        // The end of the supervisor's input, as when the worker is killed.
        drop(process);
        gone(&marker).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_dies_with_its_supervisor() {
    for sandbox in [Sandbox::Off, Sandbox::Required] {
        let bench = Bench::new(sandbox).await;
        let marker = marker();
        let process = bench.start(&format!("exec sleep {marker}.3")).await;
        there(&marker).await;
        let supervisor = supervisor_of(&marker);
        rustix::process::kill_process(supervisor, rustix::process::Signal::KILL).unwrap();
        gone(&marker).await;
        let (finished, _) = finish(process, MANY, &Stop::default()).await;
        assert!(finished.unwrap_err().to_string().contains("the supervisor died"));
    }
}

/// The parent of the first of the step's processes.
fn supervisor_of(marker: &str) -> rustix::process::Pid {
    let mut found: Vec<i32> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(marker))
        })
        .collect();
    found.sort_unstable();
    let status = std::fs::read_to_string(format!("/proc/{}/status", found[0])).unwrap();
    let parent = status
        .lines()
        .find_map(|line| line.strip_prefix("PPid:"))
        .unwrap();
    rustix::process::Pid::from_raw(parent.trim().parse().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_multiply_are_all_killed() {
    let bench = Bench::new(Sandbox::Off).await;
    let marker = marker();
    let script = format!(
        "trap '' TERM; for i in $(seq 8); do (setsid sh -c 'while :; do sleep {marker}.9 & sleep 0.05; done' &); done; sleep 0.3"
    );
    let (finished, _) = bench.sh(&script).await;
    assert_eq!(finished.end, End::Exited { code: 0 });
    assert_eq!(processes_with(&marker), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_that_is_not_there_is_named() {
    let bench = Bench::new(Sandbox::Off).await;
    let missing = vec!["/nonexistent/polyphemus".into(), "supervise".into()];
    let error = Process::start(&missing, bench.order("true"), None)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("/nonexistent/polyphemus"), "{error}");
    assert!(supervisor()[0].to_string_lossy().ends_with("role"));
}
