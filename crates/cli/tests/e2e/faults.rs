//! Those of the original's twenty faults that need processes to show: its commands, its worker, what
//! its builds left behind. The others are in the tests of the server's HTTP.

use crate::{PROGRAM, start};
use polyphemus_core::CauseKind;
use polyphemus_testkit::{TestServer, wait};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Longer than any of these jobs takes on a slow machine.
const BOUND: Duration = Duration::from_secs(120);
/// How long a silent program is listened to.
const SILENCE: Duration = Duration::from_millis(1500);

/// A design that is only a Makefile.
fn design(makefile: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("Makefile"), makefile).expect("a file");
    folder
}

/// A server that has read these settings.
fn start_with(settings: &str, arguments: &[&str]) -> TestServer {
    let mut server = start(arguments);
    server.kill();
    std::fs::write(server.instance().join("polyphemus.cfg"), settings).expect("the settings");
    server.restart();
    server
}

/// 1: with the commands of the README, and the defaults of the settings, no job was ever begun.
#[tokio::test]
async fn fault_01_a_server_and_a_worker_of_its_own_do_a_job_whatever_poll_mode_says() {
    for poll_mode in ["True", "False"] {
        let server = start_with(&format!("POLL_MODE = {poll_mode}\n"), &["--no-worker"]);
        let worker = server.worker(&["--name", "apart"]);
        let id = server.submit(
            design("all:\n\t@echo built\n").path(),
            &["make=1", "mode=estimate"],
        );
        let job = server.finished(&id, BOUND).await;
        assert_eq!(job.state.as_str(), "done", "{:?}", job.stages);
        drop(worker);
    }
}

/// 10: a limit of time killed the direct child only; what that had started lived on.
#[tokio::test]
async fn fault_10_a_build_that_takes_too_long_leaves_no_process() {
    let server = start_with("SYNTHESIS_TIMEOUT = 2\n", &[]);
    let makefile =
        "all:\n\t@(setsid sh -c 'trap \"\" TERM HUP; sleep 4711' &) ; echo begun; sh -c 'sleep 4712; true'\n";
    let id = server.submit(design(makefile).path(), &["make=1", "mode=estimate"]);
    let job = server.finished(&id, BOUND).await;
    let cause = job.stages[0].cause.clone().expect("it failed");
    assert_eq!(cause.kind, CauseKind::TimeLimit, "{cause:?}");
    assert!(server.log(&id).await.contains("begun"));
    wait::until(BOUND, "the end of its processes", || async {
        let mut left = server.processes();
        left.retain(|found| found.command.contains("sleep 471"));
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
}

/// 14: the list page failed where the server was not started in a git checkout.
#[test]
fn fault_14_a_server_that_is_started_in_an_empty_folder_shows_its_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(PROGRAM)
        .args([
            "serve",
            "--no-worker",
            "--listen",
            "127.0.0.1:0",
            "--instance",
            "instance",
        ])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("standard output is piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let address = line
        .trim()
        .rsplit("http://")
        .next()
        .expect("an address")
        .trim_end_matches('/')
        .to_owned();
    let mut page = String::new();
    let asked = TcpStream::connect(&address).and_then(|mut stream| {
        let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut page)
    });
    child.kill().expect("the server can be killed");
    child.wait().expect("the server has ended");
    asked.expect("the server answers");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
}

/// 16: make expanded what stood in the options of a job.
#[tokio::test]
async fn fault_16_make_runs_nothing_that_an_option_says() {
    let server = start(&[]);
    let makefile = "$(info told: $(DIRECTIVES))\nall:\n\t@echo built\n";
    let id = server.submit(
        design(makefile).path(),
        &[
            "make=1",
            "mode=estimate",
            "directives=$(shell touch pwned)${shell touch pwned}",
        ],
    );
    let job = server.finished(&id, BOUND).await;
    let log = server.log(&id).await;
    assert_eq!(job.state.as_str(), "done", "{log}");
    assert!(
        log.contains("told: $(shell touch pwned)${shell touch pwned}"),
        "{log}"
    );
    let files = server.client().files(&id).await.expect("the job's files").files;
    assert!(files.iter().all(|file| !file.path.contains("pwned")), "{files:?}");
}

/// 18: a folder that was missing was told as a command that was not found.
#[tokio::test]
async fn fault_18_what_is_missing_is_told_by_its_own_name() {
    let server = start(&[]);
    let id = server.submit(
        design("all:\n\t@no-such-tool --go\n").path(),
        &["make=1", "mode=estimate"],
    );
    let job = server.finished(&id, BOUND).await;
    let cause = job.stages[0].cause.clone().expect("it failed");
    let told = format!("{cause:?}");
    assert!(told.contains("no-such-tool"), "{told}");
    let missing_folder = design("all:\n\t@cd no-such-folder && make\n");
    let id = server.submit(missing_folder.path(), &["make=1", "mode=estimate"]);
    let job = server.finished(&id, BOUND).await;
    assert_eq!(job.state.as_str(), "failed");
    let log = server.log(&id).await;
    assert!(
        log.contains("no-such-folder") && !log.contains("command"),
        "{log}"
    );
}

/// 20: an idle worker wrote 170,000 lines a day.
#[tokio::test]
async fn fault_20_who_has_nothing_to_do_says_nothing() {
    let server = start(&[]);
    // Its worker has come, and has said what it has to say.
    let client = server.client();
    wait::until(BOUND, "a worker", || async {
        match client.workers().await {
            Ok(workers) if !workers.is_empty() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let id = server.submit(design("all:\n\t@true\n").path(), &["make=1", "mode=estimate"]);
    server.finished(&id, BOUND).await;
    let before = server.errors();
    // Silence can only be listened to. In this time the original wrote four lines.
    tokio::time::sleep(SILENCE).await;
    assert_eq!(server.errors(), before);
}
