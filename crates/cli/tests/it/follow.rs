//! Following a job over connections that break.

use crate::card::job;
use crate::program::{command, failure, run, stdout};
use crate::stand_in::{self, StandIn};
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

const ID: &str = "abcdefghijk";

fn get(path: &str) -> String {
    format!("GET /api/v1/jobs/{ID}{path}")
}

fn log(offset: u64, text: &str) -> (&'static str, serde_json::Value) {
    let end = offset + text.len() as u64;
    ("log", json!({"offset": offset, "end": end, "text": text}))
}

fn end(state: &str) -> (&'static str, serde_json::Value) {
    ("end", json!({"job_state": state}))
}

#[test]
fn a_broken_log_goes_on_at_the_very_byte() {
    let mut cut = stand_in::events(&[log(0, "häl")]);
    // An event that was cut off in its middle does not count.
    cut.extend(b"event: log\ndata: {\"offset\":4,\"end\":9,\"te");
    let server = StandIn::start(vec![
        (get("/log/events?offset=0"), cut),
        (get("/log/events?offset=4"), stand_in::events(&[])),
        (
            get("/log/events?offset=4"),
            stand_in::events(&[log(4, "lo\n"), log(7, "world\n"), end("done")]),
        ),
    ]);
    let output = run(&["logs", ID, "--follow", "--server", &server.url]);
    let (code, stderr) = failure(&output);
    assert_eq!(
        (code, stdout(&output).as_str()),
        (0, "hällo\nworld\n"),
        "{stderr}"
    );
    assert!(stderr.contains("the log goes on at byte 4"), "{stderr}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn events_that_repeat_what_was_sent_print_nothing_twice() {
    let server = StandIn::start(vec![
        (
            get("/log/events?offset=0"),
            stand_in::events(&[log(0, "one\n"), log(0, "one\n"), log(2, "e\ntwo\n"), end("done")]),
        ),
        (get("/log?offset=4"), stand_in::bytes(b"two\n")),
    ]);
    let output = run(&["logs", ID, "--follow", "--server", &server.url]);
    assert_eq!((failure(&output).0, stdout(&output).as_str()), (0, "one\ntwo\n"));
}

#[test]
fn bytes_that_an_event_cannot_carry_come_from_the_log_itself() {
    let raw = b"a\xff\xfe\x1b[31mb\n";
    let length = raw.len() as u64;
    let event = json!({"offset": 0, "end": length, "text": String::from_utf8_lossy(raw)});
    let server = StandIn::start(vec![
        (
            get("/log/events?offset=0"),
            stand_in::events(&[("log", event), end("done")]),
        ),
        (get("/log?offset=0"), stand_in::bytes(raw)),
    ]);
    let output = run(&["logs", ID, "--follow", "--server", &server.url]);
    assert_eq!(output.stdout, raw);
}

#[test]
fn the_exit_code_of_wait_is_the_verdict() {
    for (state, expected) in [("done", 0), ("failed", 1), ("cancelled", 1)] {
        let mut job = job();
        job["state"] = json!(state);
        let server = StandIn::start(vec![
            (get("/events?after=0"), stand_in::events(&[end(state)])),
            (get(""), stand_in::json(&job)),
        ]);
        let output = run(&["wait", ID, "--server", &server.url]);
        assert_eq!(failure(&output).0, expected);
        assert_eq!(stdout(&output), format!("{ID} {state}\n"));
    }
}

#[test]
fn submit_with_follow_gives_log_and_verdict_and_the_id_on_standard_error() {
    let mut job = job();
    job["state"] = json!("failed");
    let server = StandIn::start(vec![
        (
            "POST /api/v1/jobs".to_owned(),
            stand_in::json(&json!({"id": ID, "notes": ["mind the gap"]})),
        ),
        (
            get("/log/events?offset=0"),
            stand_in::events(&[log(0, "building\n"), end("failed")]),
        ),
        (get(""), stand_in::json(&job)),
    ]);
    let design = tempfile::tempdir().expect("a folder");
    std::fs::write(design.path().join("top.v"), "module top; endmodule\n").expect("a file");
    let path = design
        .path()
        .to_str()
        .expect("a temporary folder has a plain name");
    let output = run(&["submit", path, "--follow", "--server", &server.url]);
    let (code, stderr) = failure(&output);
    assert_eq!((code, stdout(&output).as_str()), (1, "building\n"), "{stderr}");
    for part in [
        "packed 1 file",
        "note: mind the gap",
        &format!("{ID}\n"),
        "does_not_fit.bin",
    ] {
        assert!(stderr.contains(part), "{part} is not in\n{stderr}");
    }
}

#[test]
fn a_reader_that_has_had_enough_ends_the_log_quietly() {
    let text = "a line of a long log\n".repeat(20_000);
    let server = StandIn::start(vec![(get("/log?offset=0"), stand_in::bytes(text.as_bytes()))]);
    let mut child = command(&["logs", ID, "--server", &server.url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut first = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    BufReader::new(stdout)
        .read_line(&mut first)
        .expect("a line comes");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(first, "a line of a long log\n");
    assert_eq!(failure(&output), (0, String::new()));
}
