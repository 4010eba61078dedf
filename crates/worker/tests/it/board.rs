//! A virtual board: a real bitstream executed behind a serial port that a host program talks to.

use crate::server::{Server, Worker};
use polyphemus_core::cause::CauseKind;
use polyphemus_core::job::JobState;
use polyphemus_device::simulate;
use polyphemus_worker::Sandbox;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Synthesis and the compiling of the board take seconds on a quiet machine.
const BUILD: Duration = Duration::from_secs(400);

fn example(name: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name);
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let files = files.filter(|file| file.path().is_file());
    files
        .map(|file| {
            let name = file.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(file.path()).unwrap())
        })
        .collect()
}

fn borrowed(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_program_in_its_own_sandbox_talks_to_the_executed_bitstream() {
    let server = Server::start(Duration::from_secs(30)).await;
    let worker = Worker::start(&server.url(), |config| {
        config.sandbox = Sandbox::Required;
        config.devices = simulate::parse("ice40-hx1k").unwrap();
    });
    let id = server
        .submit(&borrowed(&example("vadd")), &[("mode", "hw")])
        .await;
    let job = server.finished_within(&id, BUILD).await;
    let log = server.log(&id).await;
    assert_eq!(job.state, JobState::Done, "{:?}\n{log}", job.stages);
    let run = &job.stages[1];
    assert_eq!(run.device.as_deref(), Some("sim-ice40-hx1k-0"));
    assert!(
        run.verdict.as_ref().is_some_and(|verdict| verdict.passed),
        "{log}"
    );
    let summary = log.lines().find_map(simulate::Summary::parse).unwrap();
    assert!(summary.bytes_from_host > 0 && summary.bytes_to_host > 0, "{log}");
    assert!(job.stages[0].bitstream.is_some() && !job.stages[0].reports.is_empty());
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_bitstream_is_not_executable_and_not_tried_again() {
    let server = Server::start(Duration::from_secs(30)).await;
    let worker = Worker::start(&server.url(), |config| {
        config.devices = simulate::parse("ice40-hx1k").unwrap();
    });
    let makefile = "# MODE\nall:\n\tmkdir -p build; echo nonsense > build/top.bin\nrun:\n\ttrue\n";
    let files = [("Makefile", makefile), ("top.pcf", "set_io clk 21\n")];
    let options = [("mode", "hw"), ("device", "hx1k"), ("package", "tq144")];
    let id = server.submit(&files, &options).await;
    let job = server.finished(&id).await;
    let cause = job.stages[1].cause.clone().unwrap();
    assert_eq!(
        cause.kind,
        CauseKind::NotExecutable,
        "{cause:?}\n{}",
        server.log(&id).await
    );
    assert_eq!(job.stages[1].attempts, 1);
    let locks: PathBuf = worker.folder.path().join("devices");
    assert!(locks.read_dir().unwrap().count() == 1, "one lock for one board");
    worker.end().await;
}
