//! The exit code says who must act, the message what is to be done.

use crate::program::{command, failure, run};
use crate::stand_in::{self, StandIn};
use std::net::TcpListener;

const ID: &str = "abcdefghijk";

/// Where nobody listens: the port was free a moment ago.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("it has an address"))
}

#[test]
fn a_server_that_is_away_is_named_with_what_to_do() {
    let url = nobody();
    for arguments in [
        vec!["jobs"],
        vec!["show", ID],
        vec!["workers"],
        vec!["get", ID],
        vec!["cancel", ID],
        vec!["show", "last"],
    ] {
        let arguments = [arguments, vec!["--server", &url]].concat();
        let (code, stderr) = failure(&run(&arguments));
        assert_eq!(code, 3, "{arguments:?}: {stderr}");
        for part in [
            url.as_str(),
            "Connection refused",
            "polyphemus serve",
            "POLYPHEMUS",
        ] {
            assert!(stderr.contains(part), "{arguments:?}: {part} is not in {stderr}");
        }
    }
}

#[test]
fn the_server_can_be_named_by_the_variable() {
    let url = nobody();
    let output = command(&["jobs"])
        .env("POLYPHEMUS", &url)
        .output()
        .expect("it runs");
    assert!(failure(&output).1.contains(&url));
}

#[test]
fn wrong_use_is_told_from_a_server_that_failed() {
    let cases: [(&[&str], &str); 12] = [
        (&["submit", ".", "-o", "mode"], "KEY=VALUE"),
        (&["submit", ".", "-o", "a=1", "-o", "a=2"], "given twice"),
        (&["submit", ".", "--name", "x", "-o", "hwname=y"], "same thing"),
        (
            &["submit", "/no/such/place"],
            "/no/such/place cannot be handed in",
        ),
        (&["show", "short"], "no job id"),
        (&["show", "http://host/nothing"], "no address of a job's page"),
        (&["jobs", "--state", "asleep"], "fpga_executing"),
        (&["jobs", "--limit", "0"], "1..=1000"),
        (&["jobs", "--server", "host:8000"], "http://127.0.0.1:8000"),
        (&["retry", ID, "--from", "paint"], "make"),
        (&["devices", "--simulate", "abacus"], "ice40-hx8k"),
        (&["paint"], "unrecognized subcommand"),
    ];
    for (arguments, part) in cases {
        let (code, stderr) = failure(&run(arguments));
        assert_eq!(code, 2, "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "{arguments:?}: {part} is not in {stderr}");
    }
}

#[test]
fn a_refusal_is_the_users_business_and_a_failure_the_servers() {
    let request = format!("GET /api/v1/jobs/{ID}");
    for (status, expected) in [(404, 2), (400, 2), (500, 3)] {
        let answer = stand_in::error(status, "there is no such job \u{1b}]0;evil\u{7}");
        let server = StandIn::start(vec![(request.clone(), answer)]);
        let (code, stderr) = failure(&run(&["show", ID, "--server", &server.url]));
        assert_eq!(code, expected);
        assert!(stderr.contains("there is no such job ␛]0;evil␇"), "{stderr}");
    }
}

#[test]
fn what_is_no_polyphemus_is_called_so() {
    let server = StandIn::start(vec![(
        "GET /api/v1/jobs?limit=50".into(),
        stand_in::bytes(b"<html>"),
    )]);
    let (code, stderr) = failure(&run(&["jobs", "--server", &server.url]));
    assert_eq!(code, 3);
    assert!(
        stderr.contains("does not answer as a Polyphemus server does"),
        "{stderr}"
    );
}

#[test]
fn a_directory_without_files_is_not_handed_in() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(".gitignore"), "*\n").expect("a file");
    let path = folder.path().to_str().expect("a plain name");
    let (code, stderr) = failure(&run(&["submit", path, "--server", &nobody()]));
    assert_eq!(code, 2);
    assert!(stderr.contains("nothing to hand in"), "{stderr}");
}

#[test]
fn a_wait_that_is_too_long_has_a_code_of_its_own() {
    // It accepts and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it has an address"));
    let (code, stderr) = failure(&run(&["wait", ID, "--timeout", "0", "--server", &url]));
    assert_eq!(code, 124, "{stderr}");
}
