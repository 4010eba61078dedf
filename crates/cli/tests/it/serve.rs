//! The role `serve`, and a whole job by the command line alone.

use crate::program::{PROGRAM, command, failure, run, run_in, stdout};
use polyphemus_testkit::TestServer;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// A design of a Makefile alone, whose program ends with this code.
fn design(exit_code: u8) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let makefile = format!(
        "all:\n\t@echo building\n\tprintf '#!/bin/sh\\necho PASS ran\\nexit {exit_code}\\n' > exe\n\tchmod +x exe\n"
    );
    fs::write(folder.path().join("Makefile"), makefile).expect("a file");
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder has a plain name")
}

#[test]
fn only_this_machine_can_reach_a_server_without_tokens() {
    let folder = tempfile::tempdir().expect("a folder");
    for address in ["0.0.0.0:", "[::]:"] {
        let listen = format!("{address}0");
        let (code, stderr) = failure(&run(&[
            "serve",
            "--listen",
            &listen,
            "--instance",
            text(folder.path()),
        ]));
        assert_eq!(code, 2, "{stderr}");
        for part in [
            address,
            "no tokens yet",
            "polyphemus token add",
            ":127.0.0.1:",
            "reverse proxy",
        ] {
            assert!(stderr.contains(part), "{part} is not in {stderr}");
        }
    }
}

#[test]
fn a_taken_port_and_a_folder_that_cannot_be_are_told() {
    let server = TestServer::start(PROGRAM, &["--no-worker"]);
    let taken = server.url().replace("http://", "");
    let instance = server.instance();
    let (code, stderr) = failure(&run(&[
        "serve",
        "--listen",
        &taken,
        "--instance",
        "/no/such/place",
    ]));
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("cannot be listened on"), "{stderr}");
    let (code, stderr) = failure(&run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--instance",
        text(&instance),
    ]));
    assert_eq!(code, 3, "{stderr}");
    assert!(
        stderr.contains(text(&instance)) && stderr.contains("because:"),
        "{stderr}"
    );
}

#[test]
fn one_line_says_that_the_server_is_ready_and_one_signal_ends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["serve", "--no-worker", "--log-json", "--listen", "127.0.0.1:0"];
    let mut child = command(&arguments)
        .env("POLYPHEMUS_DIR", folder.path().join("from-the-variable"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line comes");
    let port = line.strip_prefix("Polyphemus is ready at http://127.0.0.1:");
    let port = port
        .and_then(|rest| rest.strip_suffix("/\n"))
        .expect("the line that scripts know");
    assert!(port.parse::<u16>().is_ok_and(|port| port > 0), "{line}");
    let killed = std::process::Command::new("kill")
        .arg(child.id().to_string())
        .status();
    assert!(killed.expect("there is a program `kill`").success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("it ends");
    let output = child.wait_with_output().expect("it ends");
    let (code, stderr) = failure(&output);
    assert_eq!((code, rest.as_str()), (0, ""), "{stderr}");
    for line in stderr.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
    assert!(stderr.contains("stopping"), "{stderr}");
    assert!(folder.path().join("from-the-variable/polyphemus.db").is_file());
}

#[test]
fn a_job_goes_in_and_its_files_come_out() {
    let server = TestServer::start(PROGRAM, &[]);
    let (url, folder) = (server.url(), design(0));
    let output = run(&[
        "submit",
        text(folder.path()),
        "--name",
        "hello",
        "-f",
        "--server",
        &url,
    ]);
    let (code, stderr) = failure(&output);
    assert_eq!(code, 0, "{stderr}{}", stdout(&output));
    assert!(stdout(&output).contains("building\n"), "{}", stdout(&output));
    assert!(stderr.contains("hello") && stderr.contains("passed"), "{stderr}");

    let here = tempfile::tempdir().expect("a folder");
    let output = run_in(
        here.path(),
        &["get", "last", "exe", "-o", "results", "--server", &url],
    );
    assert_eq!(failure(&output).0, 0, "{output:?}");
    let exe = here.path().join("results/exe");
    assert!(fs::metadata(&exe).expect("it is there").permissions().mode() & 0o100 != 0);
    assert!(
        fs::read_to_string(&exe)
            .expect("it is text")
            .starts_with("#!/bin/sh")
    );

    let jobs: Value =
        serde_json::from_str(&stdout(&run(&["jobs", "--json", "--server", &url]))).expect("JSON");
    assert_eq!(
        (&jobs["jobs"][0]["title"], &jobs["jobs"][0]["state"]),
        (&"hello".into(), &"done".into())
    );
    let page = format!(
        "{url}/jobs/{}.html",
        jobs["jobs"][0]["id"].as_str().expect("an id")
    );
    let logs = stdout(&run(&["logs", &page]));
    assert!(logs.contains("building\n"), "{logs}");
    let rest = stdout(&run(&["logs", &page, "--follow", "--from", "10"]));
    assert_eq!(rest, logs[10..]);
}

#[test]
fn an_archive_is_handed_in_as_it_is_also_from_standard_input() {
    let server = TestServer::start(PROGRAM, &[]);
    let (url, folder) = (server.url(), design(0));
    let archives = tempfile::tempdir().expect("a folder");
    let archive = archives.path().join("my.design.tar.gz");
    let tar = |arguments: &[&str]| {
        let packed = std::process::Command::new("tar")
            .args(arguments)
            .arg("-C")
            .arg(folder.path())
            .arg(".")
            .output();
        let packed = packed.expect("the tests need tar");
        assert!(packed.status.success(), "{packed:?}");
        packed.stdout
    };
    tar(&["-czf", text(&archive)]);
    let output = run(&["submit", text(&archive), "--server", &url]);
    assert_eq!(failure(&output).0, 0, "{output:?}");
    let mut piped = command(&["submit", "-", "-f", "--server", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = piped.stdin.take().expect("it is piped");
    std::io::Write::write_all(&mut stdin, &tar(&["-cf", "-"])).expect("it is read");
    drop(stdin);
    let output = piped.wait_with_output().expect("it ends");
    assert_eq!(failure(&output).0, 0, "{output:?}");
    let jobs: Value =
        serde_json::from_str(&stdout(&run(&["jobs", "--json", "--server", &url]))).expect("JSON");
    let titles = [&jobs["jobs"][0]["title"], &jobs["jobs"][1]["title"]];
    assert_eq!(titles, [&Value::from(""), &Value::from("my.design")]);
    let (code, stderr) = failure(&run(&["submit", "-", "--server", &url]));
    assert!(
        code == 2 && stderr.contains("no archive") && stderr.contains(".tar.zst"),
        "{stderr}"
    );
}

#[test]
fn a_job_that_is_over_is_renamed_listed_and_deleted() {
    let server = TestServer::start(PROGRAM, &[]);
    let (url, folder) = (server.url(), design(0));
    let said = |arguments: &[&str]| {
        let output = run(&[arguments, &["--server", &url]].concat());
        assert_eq!(failure(&output).0, 0, "{arguments:?}: {output:?}");
        stdout(&output)
    };
    said(&["submit", text(folder.path()), "--name", "one", "-f"]);
    let id = said(&["submit", text(folder.path()), "--name", "two", "-f", "--json"]);
    let id: Value = serde_json::from_str(&id).expect("JSON");
    let id = id["id"].as_str().expect("an id");
    assert_eq!(said(&["rename", id, "the second"]), format!("{id} the second\n"));
    for filter in [
        &["--name", "the second"][..],
        &[
            "--state",
            "done,failed",
            "--flow",
            "open",
            "--since",
            "1h",
            "--limit",
            "1",
        ],
    ] {
        let jobs = said(&[&["jobs", "--json"], filter].concat());
        let jobs: Value = serde_json::from_str(&jobs).expect("JSON");
        assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(1), "{jobs}");
        assert_eq!(jobs["jobs"][0]["title"], "the second");
    }
    assert_eq!(said(&["jobs", "--until", "2020-01-01"]), "");
    let queue: Value = serde_json::from_str(&said(&["queue", "--json"])).expect("JSON");
    assert_eq!(queue, serde_json::json!({"stages": [], "more": false}));
    assert_eq!(said(&["delete", id]), format!("{id} deleted\n"));
    let (code, stderr) = failure(&run(&["delete", id, "--server", &url]));
    assert!(code == 2 && stderr.contains("there is no job"), "{stderr}");
    let jobs: Value = serde_json::from_str(&said(&["jobs", "--json"])).expect("JSON");
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(1), "{jobs}");
}

#[test]
fn the_id_stands_alone_and_a_failed_job_is_told_by_the_exit_code() {
    let server = TestServer::start(PROGRAM, &[]);
    let (url, folder) = (server.url(), design(7));
    let output = run(&["submit", text(folder.path()), "--server", &url]);
    let id = stdout(&output).trim_end().to_owned();
    assert_eq!((id.len(), stdout(&output)), (11, format!("{id}\n")));
    let output = run(&["wait", &id, "--server", &url]);
    assert_eq!(
        (failure(&output).0, stdout(&output)),
        (1, format!("{id} failed\n"))
    );
    let shown = stdout(&run(&["show", &id, "--server", &url]));
    assert!(
        shown.contains("cause") && shown.contains("exit code 7"),
        "{shown}"
    );
    let output = run(&["cancel", &id, "--server", &url]);
    assert_eq!(
        failure(&output).0,
        2,
        "a job that is over cannot be cancelled: {output:?}"
    );
    let output = run(&[
        "submit",
        text(folder.path()),
        "-o",
        "colour=red",
        "--server",
        &url,
    ]);
    let (code, stderr) = failure(&output);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("colour"), "{stderr}");
}

#[test]
fn a_server_whose_log_cannot_be_written_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux has /dev/full");
    let instance = folder.path().join("instance");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--instance", text(&instance)];
    let mut server = command(&arguments)
        .stdout(Stdio::piped())
        .stderr(full)
        .spawn()
        .expect("the server starts");
    let mut ready = String::new();
    BufReader::new(server.stdout.take().expect("its output is piped"))
        .read_line(&mut ready)
        .expect("its output is text");
    let url = ready
        .split_whitespace()
        .find(|word| word.starts_with("http://"))
        .expect("it names its address")
        .trim_end_matches('/')
        .to_owned();
    let design = design(0);
    let submitted = run(&[
        "submit",
        "--server",
        &url,
        text(design.path()),
        "-o",
        "mode=sw_emu",
        "--follow",
    ]);
    let submitted = submitted.status;
    // The signal alone ends it, and in peace: that is logged, too.
    let pid = server.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .arg(&pid)
            .status()
            .is_ok_and(|status| status.success())
    );
    let ended = server.wait().expect("it ends");
    assert!(submitted.success() && ended.success(), "{submitted}, {ended}");
}
