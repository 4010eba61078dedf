//! Tokens by the command line: made before there is a server, shown once, taken from each place.

use crate::program::{command, failure, run, stdout};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

/// A server that others can reach, and its port.
fn start(instance: &str, log: &Path) -> (Child, String) {
    let arguments = [
        "serve",
        "--no-worker",
        "--listen",
        "0.0.0.0:0",
        "--instance",
        instance,
    ];
    let log = fs::File::create(log).expect("a log");
    let mut child = command(&arguments)
        .env("POLYPHEMUS_LOG", "debug")
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("it runs");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout).read_line(&mut line).expect("it is ready");
    let port = line
        .trim()
        .trim_end_matches('/')
        .rsplit_once(':')
        .expect("an address")
        .1
        .to_owned();
    (child, port)
}

#[test]
fn a_token_opens_the_server_to_others_and_is_never_logged() {
    let folder = tempfile::tempdir().expect("a folder");
    let instance = folder.path().join("instance");
    let (code, stderr) = failure(&run(&["token", "list", "--instance", text(&instance)]));
    assert!(code == 2 && stderr.contains("there is no instance"), "{stderr}");
    fs::create_dir(&instance).expect("a folder");
    let add = |name, role| {
        run(&[
            "token",
            "add",
            name,
            "--role",
            role,
            "--instance",
            text(&instance),
        ])
    };
    let output = add("alice", "user");
    assert_eq!(failure(&output).0, 0, "{output:?}");
    let token = stdout(&output).trim().to_owned();
    assert!(
        token.starts_with("polyphemus_") && failure(&output).1.contains("not shown again"),
        "{output:?}"
    );

    let log = folder.path().join("log");
    let (mut server, port) = start(text(&instance), &log);
    let url = format!("http://127.0.0.1:{port}");
    let (code, stderr) = failure(&run(&["jobs", "--server", &url]));
    assert!(code == 2 && stderr.contains("POLYPHEMUS_TOKEN"), "{stderr}");
    let file = folder.path().join("token");
    fs::write(&file, format!("{token}\n")).expect("a file");
    let with_file = run(&["jobs", "--server", &url, "--token-file", text(&file)]);
    assert_eq!(failure(&with_file).0, 0, "{with_file:?}");
    let with_variable = command(&["jobs", "--server", &url])
        .env("POLYPHEMUS_TOKEN", &token)
        .output();
    assert!(with_variable.expect("it runs").status.success());
    let in_address = format!("http://me:{token}@127.0.0.1:{port}");
    let with_address = command(&["jobs"]).env("POLYPHEMUS", &in_address).output();
    assert!(with_address.expect("it runs").status.success());

    let while_it_runs = add("bob", "operator");
    assert_eq!(failure(&while_it_runs).0, 0, "{while_it_runs:?}");
    let bob = stdout(&while_it_runs).trim().to_owned();
    let revoked = command(&["token", "revoke", "alice", "--server", &url])
        .env("POLYPHEMUS_TOKEN", &bob)
        .output();
    assert!(revoked.expect("it runs").status.success());
    let (code, stderr) = failure(&run(&["jobs", "--server", &in_address]));
    assert!(
        code == 2 && stderr.contains("revoked") && !stderr.contains(&token),
        "{stderr}"
    );
    let listed = stdout(&run(&["token", "list", "--json", "--instance", text(&instance)]));
    assert!(
        listed.contains("alice") && listed.contains("revoked_ms") && !listed.contains(&token),
        "{listed}"
    );

    let asked = std::process::Command::new("kill")
        .arg(server.id().to_string())
        .status();
    assert!(asked.is_ok_and(|asked| asked.success()) && server.wait().is_ok());
    let log = fs::read_to_string(&log).expect("the log");
    assert!(
        log.contains("a token was revoked") && !log.contains(&token) && !log.contains(&bob),
        "{log}"
    );
}
