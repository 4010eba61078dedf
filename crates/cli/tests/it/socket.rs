//! The Unix socket in the instance directory: workers and commands of the same machine find the
//! server by it, without address and without token.

use crate::program::{PROGRAM, command, failure, run, stdout};
use polyphemus_testkit::{TestServer, wait};
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(60);

/// A process of this test, ended in peace at its end.
struct Role(Child);

impl Role {
    fn start(log: &Path, arguments: &[&str]) -> Self {
        let mut command = command(arguments);
        let log = fs::File::create(log).expect("a log");
        command.stdout(Stdio::null()).stderr(log);
        Self(command.spawn().expect("it runs"))
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let asked = std::process::Command::new("kill")
            .arg(self.0.id().to_string())
            .status();
        assert!(asked.is_ok_and(|asked| asked.success()), "it runs until now");
        assert!(self.0.wait().is_ok());
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

fn design(folder: &Path) -> &Path {
    fs::write(folder.join("Makefile"), "all:\n\t@echo building\n").expect("a file");
    folder
}

#[test]
fn only_the_owner_opens_the_socket_and_a_dead_servers_is_replaced() {
    let mut server = TestServer::start(PROGRAM, &["--no-worker"]);
    let socket = server.instance().join("polyphemus.sock");
    let is = fs::metadata(&socket).expect("it is there");
    assert!(is.file_type().is_socket());
    assert_eq!(is.mode() & 0o777, 0o600);
    for named in [
        text(&server.instance()).to_owned(),
        format!("unix:{}", socket.display()),
    ] {
        let output = run(&["jobs", "--server", &named]);
        assert_eq!(failure(&output).0, 0, "{output:?}");
    }
    server.kill();
    assert!(socket.exists(), "nobody could remove it");
    let (code, stderr) = failure(&run(&["jobs", "--server", text(&server.instance())]));
    assert_eq!(code, 3, "{stderr}");
    assert!(
        stderr.contains("unix:") && stderr.contains("is it running"),
        "{stderr}"
    );
    server.restart();
    let output = run(&["jobs", "--server", text(&server.instance())]);
    assert_eq!(failure(&output).0, 0, "{output:?}");
}

#[test]
fn what_is_no_socket_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let instance = folder.path().join("instance");
    fs::create_dir(&instance).expect("a folder");
    fs::write(instance.join("polyphemus.sock"), "mine").expect("a file");
    let output = run(&[
        "serve",
        "--no-worker",
        "--listen",
        "127.0.0.1:0",
        "--instance",
        text(&instance),
    ]);
    let (code, stderr) = failure(&output);
    assert_eq!(code, 3, "{stderr}");
    assert!(
        stderr.contains("polyphemus.sock is there, and it is no socket"),
        "{stderr}"
    );
    assert_eq!(
        fs::read_to_string(instance.join("polyphemus.sock")).expect("it is there"),
        "mine"
    );
}

#[tokio::test]
async fn a_worker_of_the_directory_waits_for_its_server_and_works_by_its_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    // Longer than the address of a socket may be.
    let instance = folder.path().join("i".repeat(110));
    let log = folder.path().join("worker.err");
    let worker = Role::start(
        &log,
        &["worker", text(&instance), "-s", "unpack", "make_f1", "-p"],
    );
    let said = |what: &'static str| {
        let log = log.clone();
        move || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            async move { if text.contains(what) { Ok(()) } else { Err(text) } }
        }
    };
    wait::until(
        BOUND,
        "the worker misses its server",
        said("no stage can be claimed now"),
    )
    .await;
    fs::write(instance.join("polyphemus.cfg"), "WORKER_THREADS = False\n").expect("the settings");
    let server = Role::start(
        &folder.path().join("server.err"),
        &["serve", "--instance", text(&instance), "--listen", "127.0.0.1:0"],
    );
    let design = design(folder.path());
    let server_at = text(&instance);
    wait::until(BOUND, "the server", || async {
        match run(&["jobs", "--server", server_at]).status.code() {
            Some(0) => Ok(()),
            code => Err(format!("{code:?}")),
        }
    })
    .await;
    let output = run(&[
        "submit",
        text(design),
        "-o",
        "estimate=1",
        "-f",
        "--server",
        server_at,
    ]);
    assert!(stdout(&output).contains("building"), "{output:?}");
    let workers = stdout(&run(&["workers", "--json", "--server", server_at]));
    assert!(!workers.contains("embedded"), "{workers}");
    assert!(
        !instance.join("work/blobs").exists(),
        "contents are shared, not copied"
    );
    drop(worker);
    drop(server);
    let text = fs::read_to_string(&log).expect("its log");
    assert!(text.contains("--poll changes nothing"), "{text}");
    assert!(
        !instance.join("polyphemus.sock").exists(),
        "the server took its socket away"
    );
}

#[test]
fn a_worker_that_would_only_unpack_says_that_there_is_nothing_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let instance = folder.path().join("instance");
    let log = folder.path().join("worker.err");
    let worker = Role::start(&log, &["worker", text(&instance), "--stages", "unpack"]);
    let begin = std::time::Instant::now();
    while !fs::read_to_string(&log)
        .unwrap_or_default()
        .contains("has no work any more")
    {
        assert!(begin.elapsed() < BOUND, "it says nothing");
        std::thread::yield_now();
    }
    drop(worker);
}
