//! Whole scenarios against a server that fails now and then.

use crate::stand_in::{plain, serve};
use polyphemus_load::probe::Probe;
use polyphemus_load::sample::Spread;
use polyphemus_load::{Args, Figure, Scenario, scenario};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn measure(server: String, scenarios: Vec<Scenario>) -> Vec<Figure> {
    let spread = Spread {
        p50: Duration::from_millis(1),
        ..Spread::default()
    };
    let machine = Probe {
        sync: spread,
        spawn: spread,
        write_mb_s: 100.0,
    };
    let args = Args {
        server,
        scenarios,
        clients: Some(4),
        jobs: Some(20),
        ..Args::default()
    };
    scenario::measure_against(&args, &machine).unwrap()
}

fn find<'a>(figures: &'a [Figure], what: &str) -> &'a Figure {
    let found = figures.iter().find(|figure| figure.what.contains(what));
    found.unwrap_or_else(|| panic!("no `{what}` in {figures:#?}"))
}

#[test]
fn a_submission_that_the_server_fails_at_is_counted_and_not_timed() {
    let asked = AtomicUsize::new(0);
    let url = serve(move |first| {
        assert!(first.starts_with("POST /jobs "), "{first}");
        match asked.fetch_add(1, Ordering::Relaxed) % 4 {
            0 => plain("500 Internal Server Error", "out of order"),
            _ => plain("200 OK", "abcdefghijk\n"),
        }
    });
    let figures = measure(url, vec![Scenario::Submit]);
    let failed = find(&figures, "/jobs was answered 500: out of order");
    assert_eq!(failed.value, 5.0);
    assert!(failed.is_error());
    let rate = find(&figures, "accepted, 4 clients");
    assert!(rate.value > 0.0 && rate.ratio.is_some(), "{rate:?}");
}

#[test]
fn jobs_that_end_badly_are_no_jobs_that_are_done() {
    let url = serve(|first| match first.starts_with("POST") {
        true => plain("200 OK", "abcdefghijk"),
        false => plain("200 OK", r#"{"name": "abcdefghijk", "state": "failed"}"#),
    });
    let figures = measure(url, vec![Scenario::Jobs]);
    assert_eq!(find(&figures, "of them done").what, "0 of them done");
    assert_eq!(find(&figures, "a job ended as failed").value, 20.0);
}

#[test]
fn a_server_that_hangs_up_is_told_as_that() {
    let figures = measure(serve(|_| None), vec![Scenario::Lists]);
    let failed = find(&figures, "the connection broke");
    assert!(failed.is_error() && failed.value == 20.0, "{failed:?}");
}
