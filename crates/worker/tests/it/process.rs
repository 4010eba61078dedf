//! The limits of a step, its output and its end as they are told.

use crate::step::{Bench, MANY, finish, marker, processes_with, supervisor};
use polyphemus_worker::Sandbox;
use polyphemus_worker::process::{End, Process, ProcessError};
use polyphemus_worker::stop::Stop;
use std::os::unix::fs::symlink;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn both_outputs_come_in_their_order() {
    let bench = Bench::new(Sandbox::Auto).await;
    let (finished, output) = bench
        .sh("echo 1; echo 2 >&2; echo 3; read x || echo no input; exit 7")
        .await;
    assert_eq!(finished.end, End::Exited { code: 7 });
    assert_eq!(output, "1\n2\n3\nno input\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_signal_that_ended_a_program_is_told_in_and_out_of_the_sandbox() {
    for sandbox in [Sandbox::Off, Sandbox::Required] {
        let bench = Bench::new(sandbox).await;
        let (finished, _) = bench.sh("kill -SEGV $$").await;
        assert_eq!(finished.end, End::Signalled { signal: 11 }, "{sandbox:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_takes_too_long_is_stopped() {
    let bench = Bench::new(Sandbox::Auto).await;
    let marker = marker();
    let (finished, output) = bench
        .limited(
            &format!("echo begun; sleep {marker}"),
            Duration::from_secs(3),
            1 << 20,
        )
        .await;
    assert_eq!((finished.end, output.as_str()), (End::TimeLimit, "begun\n"));
    assert!(finished.took < crate::server::BOUND);
    assert_eq!(processes_with(&marker), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_prints_too_much_is_stopped_at_the_byte() {
    let bench = Bench::new(Sandbox::Auto).await;
    let (finished, output) = bench.limited("yes", Duration::from_secs(30), 100_001).await;
    assert_eq!((finished.end, output.len()), (End::OutputLimit, 100_001));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_grows_too_large_ends_the_step() {
    let mut bench = Bench::new(Sandbox::Auto).await;
    bench.file_limit_bytes = 1 << 20;
    let (finished, _) = bench.sh("exec head -c 3000000 /dev/zero > big").await;
    assert_eq!(finished.end, End::Signalled { signal: 25 });
    assert_eq!(
        std::fs::metadata(bench.attempt.job().join("big")).unwrap().len(),
        1 << 20
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn processor_time_and_memory_are_measured() {
    let bench = Bench::new(Sandbox::Auto).await;
    let (finished, _) = bench
        .sh("head -c 50000000 /dev/zero | tail -c 40000000 > /dev/null; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")
        .await;
    assert!(finished.peak_bytes > 40_000_000, "{finished:?}");
    assert!(finished.cpu > Duration::from_millis(20), "{finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_output_goes_to_a_file_but_never_through_a_link() {
    let bench = Bench::new(Sandbox::Auto).await;
    let outside = bench.folder.path().join("outside");
    std::fs::write(&outside, "precious").unwrap();
    symlink(&outside, bench.attempt.job().join("out")).unwrap();
    symlink(bench.folder.path(), bench.attempt.job().join("away")).unwrap();
    assert!(bench.attempt.place("away/outside").is_err());
    let mut order = bench.order("echo result; echo trouble >&2");
    // The worker takes away what lies there; without that, the supervisor refuses.
    order.stdout_to = Some(bench.attempt.job().join("out"));
    let process = Process::start(&supervisor(), order.clone(), None).await.unwrap();
    let (refused, _) = finish(process, MANY, &Stop::default()).await;
    assert!(matches!(refused, Err(ProcessError::NotStarted(_))), "{refused:?}");
    order.stdout_to = Some(bench.attempt.place("out").unwrap());
    let process = Process::start(&supervisor(), order, None).await.unwrap();
    let (finished, output) = finish(process, MANY, &Stop::default()).await;
    assert_eq!(finished.unwrap().end, End::Exited { code: 0 });
    assert_eq!(output, "trouble\n");
    assert_eq!(
        std::fs::read_to_string(bench.attempt.job().join("out")).unwrap(),
        "result\n"
    );
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "precious");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_be_started_is_named() {
    let bench = Bench::new(Sandbox::Off).await;
    let mut order = bench.order("true");
    order.argv = vec!["/nonexistent/yosys".into()];
    let process = Process::start(&supervisor(), order, None).await.unwrap();
    let (finished, _) = finish(process, MANY, &Stop::default()).await;
    assert!(
        finished
            .unwrap_err()
            .to_string()
            .contains("`/nonexistent/yosys` could not be started")
    );
}
