//! `polyphemus config`, and that `serve` does what its settings say.

use crate::program::{command, failure, stdout};
use polyphemus_testkit::wait;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

fn instance(settings: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("polyphemus.cfg"), settings).expect("a file");
    folder
}

fn with_instance(arguments: &[&str], folder: &Path) -> Command {
    let mut command = command(arguments);
    command.arg("--instance").arg(folder);
    command
}

fn ran(mut command: Command) -> Output {
    command.output().expect("the program runs")
}

/// A server that is ended when its test is.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line comes");
        let url = line
            .trim()
            .trim_start_matches("Polyphemus is ready at ")
            .to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(asked.is_ok_and(|status| status.success()));
        assert!(self.child.wait().expect("it ends").success());
    }
}

#[test]
fn every_setting_is_shown_with_where_it_comes_from() {
    let folder = instance("# ours\nEXECUTABLE_NAME = 'host'\nPOLL_MODE = False\n");
    let mut command = with_instance(&["config"], folder.path());
    let output = ran({
        command.env("POLYPHEMUS_LEASE_SECONDS", "60");
        command
    });
    let (code, stderr) = failure(&output);
    assert_eq!(code, 0, "{stderr}");
    let folder = folder.path().to_str().expect("a plain name");
    insta::assert_snapshot!(format!("{}{}", stdout(&output), stderr.replace(folder, "DIR")));
}

#[test]
fn the_settings_as_json_are_values_with_their_places() {
    let folder = instance("PARALLELISM_MAKE = 3\n");
    let mut command = with_instance(&["config", "--json"], folder.path());
    command.env("POLYPHEMUS_SIMULATE", "ice40-hx8k");
    let document: Value = serde_json::from_str(&stdout(&ran(command))).expect("a document");
    let settings = document["settings"].as_array().expect("a list");
    let one = |name: &str| {
        settings
            .iter()
            .find(|one| one["name"] == name)
            .expect("it is listed")
            .clone()
    };
    assert_eq!(one("PARALLELISM_MAKE")["value"], 3);
    assert_eq!(one("PARALLELISM_MAKE")["from"]["file"]["line"], 1);
    assert_eq!(
        one("SIMULATE")["from"]["environment"]["variable"],
        "POLYPHEMUS_SIMULATE"
    );
    assert_eq!(one("LISTEN")["from"], "default");
    assert!(one("POLL_MODE")["idle"].is_string());
}

#[test]
fn the_example_is_a_file_of_settings() {
    let example = stdout(&ran(command(&["config", "--example"])));
    let folder = instance(&example);
    let output = ran(with_instance(&["config"], folder.path()));
    let (code, stderr) = failure(&output);
    assert_eq!(code, 0, "{stderr}");
    assert!(!stdout(&output).contains(" default"), "{}", stdout(&output));
}

#[test]
fn no_server_starts_with_a_wrong_setting() {
    let cases = [
        (
            "\nLISTNE = '127.0.0.1:0'",
            "line 2: there is no setting LISTNE; did you mean LISTEN?",
        ),
        (
            "SIMULATE = ['vcu118']\nLISTEN = '127.0.0.1:0'",
            "line 1: SIMULATE: ",
        ),
        ("LISTEN = '127.0.0.1'", "line 1: LISTEN cannot be `127.0.0.1`: "),
        (
            "LISTEN = exec('rm')",
            "line 1, at `exec('rm')`: not a value that can be read here",
        ),
    ];
    for (settings, expected) in cases {
        let folder = instance(settings);
        let (code, stderr) = failure(&ran(with_instance(&["serve"], folder.path())));
        assert_eq!(code, 2, "{stderr}");
        assert!(
            stderr.contains("polyphemus.cfg") && stderr.contains(expected),
            "{stderr}"
        );
        assert!(!folder.path().join("polyphemus.db").exists(), "{settings}");
    }
}

#[test]
fn a_server_does_what_its_file_says() {
    let folder = instance("LISTEN = '127.0.0.1:0'\nWORKER_THREADS = False\nUPLOAD_LIMIT_BYTES = 1_000\n");
    let server = Server::start(with_instance(&["serve"], folder.path()));
    let workers = stdout(&ran(command(&["workers", "--json", "--server", &server.url])));
    let workers: Value = serde_json::from_str(&workers).expect("a document");
    assert_eq!(workers.as_array().map(Vec::len), Some(0), "{workers}");
    let design = tempfile::tempdir().expect("a folder");
    let noise: String = (0..4000u32)
        .map(|i| format!("{:x}", i.wrapping_mul(2_654_435_761)))
        .collect();
    fs::write(design.path().join("Makefile"), format!("all:\n# {noise}\n")).expect("a file");
    let path = design.path().to_str().expect("a plain name");
    let (code, stderr) = failure(&ran(command(&["submit", path, "--server", &server.url])));
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("1000 bytes") || stderr.contains("too large"),
        "{stderr}"
    );
}

#[tokio::test]
async fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
    let folder = instance("LISTEN = '192.0.2.1:1'\nSIMULATE = ['vcu118']\nWORKER_THREADS = False\n");
    let mut command_line = with_instance(
        &["serve", "--listen", "127.0.0.1:0", "--simulate", "ice40-hx1k"],
        folder.path(),
    );
    command_line
        .env("POLYPHEMUS_LISTEN", "0.0.0.0:1")
        .env("POLYPHEMUS_WORKER_THREADS", "True");
    let server = Server::start(command_line);
    // The worker inside comes when it has looked for its tools.
    wait::until(Duration::from_secs(60), "the worker inside", async || {
        let workers = stdout(&ran(command(&["workers", "--json", "--server", &server.url])));
        if workers.contains("ice40-hx1k") {
            Ok(())
        } else {
            Err(workers)
        }
    })
    .await;
}
