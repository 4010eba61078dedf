//! Lists of fixed values.

use crate::card::job;
use jiff::tz::TimeZone;
use polyphemus_api::job::{Job, JobRow};
use polyphemus_api::worker::Worker;
use polyphemus_cli::palette::Palette;
use polyphemus_cli::{files, jobs, moment, show, workers};
use serde_json::json;

const NOW_MS: i64 = 1_700_000_100_000;

#[test]
fn jobs_stand_in_columns() {
    let row = |id: &str, title: &str, state: &str, took_ms: Option<i64>| {
        let submitted_ms = 1_700_000_000_000_i64;
        json!({
            "id": id, "title": title, "state": state, "flow": "open", "mode": "hw_emu",
            "submitted_ms": submitted_ms, "finished_ms": took_ms.map(|took_ms| submitted_ms + took_ms),
        })
    };
    let rows: Vec<JobRow> = serde_json::from_value(json!([
        row("abcdefghijk", "blinky", "done", Some(900)),
        row(
            "bcdefghijkl",
            "Türme 塔\nof \u{202e}Hanoi",
            "fpga_executing",
            None
        ),
        row("cdefghijklm", "", "failed", Some(90_061_000)),
    ]))
    .expect("good rows");
    insta::assert_snapshot!(jobs::table(&rows, NOW_MS, &TimeZone::UTC).render(Palette::PLAIN));
}

#[test]
fn stages_stand_in_columns() {
    let mut job: Job = serde_json::from_value(job()).expect("a good job");
    job.stages[1].worker = None;
    job.stages[1].started_ms = None;
    insta::assert_snapshot!(show::stages(&job, NOW_MS).render(Palette::PLAIN));
}

#[test]
fn workers_stand_in_columns() {
    let workers: Vec<Worker> = serde_json::from_value(json!([
        {"id": "embedded-lab-1", "labels": ["tool:yosys=0.23", "fpga:ice40-hx8k"], "seen_ms": NOW_MS - 1500,
         "running": [{"job": "abcdefghijk", "stage": "make", "attempt": 2}]},
        {"id": "other", "labels": [], "seen_ms": NOW_MS + 10, "running": []},
    ]))
    .expect("good workers");
    insta::assert_snapshot!(workers::table(&workers, NOW_MS).render(Palette::PLAIN));
}

#[test]
fn files_stand_in_columns() {
    let files: Vec<_> = serde_json::from_value(json!([
        {"path": "build/top.bin", "size_bytes": 135_100, "executable": false, "hash": "ab".repeat(32)},
        {"path": "exe", "size_bytes": 12, "executable": true, "hash": "cd".repeat(32)},
    ]))
    .expect("good files");
    insta::assert_snapshot!(files::table(&files).render(Palette::PLAIN));
}

#[test]
fn sizes_and_durations_are_read_at_a_glance() {
    let sizes = [0, 1023, 1024, 1536, 20 << 20, 5 << 40].map(moment::size);
    assert_eq!(
        sizes,
        ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "20.0 MiB", "5.0 TiB"]
    );
    let durations = [-5, 0, 950, 12_345, 185_000, 7_500_000, 273_600_000].map(moment::duration);
    let expected = [
        "0.0 s",
        "0.0 s",
        "0.9 s",
        "12 s",
        "3 min 05 s",
        "2 h 05 min",
        "3 d 04 h",
    ];
    assert_eq!(durations, expected);
}
