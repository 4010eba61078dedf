//! The result card of jobs that are over.

use polyphemus_cli::card::render;
use polyphemus_cli::palette::Palette;
use polyphemus_cli::server::Server;
use serde_json::{Value, json};

/// A job of two stages that failed in the second.
pub fn job() -> Value {
    json!({
        "id": "abcdefghijk",
        "title": "vector \u{1b}[2Jadder",
        "state": "failed",
        "submitted_ms": 1_700_000_000_000_i64,
        "finished_ms": 1_700_000_083_500_i64,
        "flow": "open",
        "mode": "hw",
        "options": {"mode": "hw", "freq": "100"},
        "decisions": {"top": "vadd"},
        "notes": ["there is no sandbox on this worker"],
        "tree": "1".repeat(64),
        "log_bytes": 4711,
        "stages": [make(), execution()],
    })
}

fn make() -> Value {
    let report = json!({
        "format": "nextpnr_report", "tool": "nextpnr", "file": "build/report.json",
        "utilisation": [
            {"resource": "ICESTORM_LC", "used": 1290, "available": 1280},
            {"resource": "SB_IO", "used": 4, "available": 96},
            {"resource": "SB_PLL", "used": 0, "available": 0},
        ],
        "clocks": [
            {"name": "clk", "achieved_mhz": 124.311, "wanted_mhz": 100.0},
            {"name": "uart_clk", "achieved_mhz": 9.5, "wanted_mhz": 12.0},
            {"name": "free", "achieved_mhz": 50.0},
        ],
    });
    json!({
        "name": "make", "state": "succeeded", "attempts": 1, "needs": ["tool:yosys"],
        "worker": "embedded-lab-1", "started_ms": 1_700_000_001_000_i64, "finished_ms": 1_700_000_013_000_i64,
        "tree": "2".repeat(64), "reports": [report], "bitstream": "build/does_not_fit.bin",
    })
}

fn execution() -> Value {
    json!({
        "name": "run", "state": "failed", "attempts": 2, "needs": ["fpga:ice40-hx8k"],
        "worker": "embedded-lab-1", "started_ms": 1_700_000_014_000_i64, "finished_ms": 1_700_000_083_000_i64,
        "cause": {
            "kind": "test_failed", "step": "host program", "exit_code": 1,
            "message": "The host program says that the design is wrong.\nLook at the first sum that differs.",
            "line": "FAIL sum[3] = 8, not 9",
        },
        "verdict": {"passed": false, "line": "FAIL sum[3] = 8, not 9"},
        "device": "sim-ice40-hx8k-0", "tree": "3".repeat(64),
    })
}

fn card(job: Value, palette: Palette) -> String {
    let server = Server::at("http://fpga.example:9000").expect("a good address");
    let job = serde_json::from_value(job).expect("a good job");
    render(&job, &server, palette)
}

#[test]
fn the_card_of_a_failed_job_names_cause_and_numbers() {
    insta::assert_snapshot!(card(job(), Palette::PLAIN));
}

#[test]
fn the_card_of_a_good_job_is_short() {
    let mut job = job();
    job["state"] = json!("done");
    job["title"] = json!("");
    job["notes"] = json!([]);
    let stage = &mut job["stages"][1];
    stage["state"] = json!("succeeded");
    stage["cause"] = Value::Null;
    stage["verdict"] = json!({"passed": true, "line": "PASS 64 sums"});
    job["stages"][0]["bitstream"] = json!("build/it's top.bin");
    insta::assert_snapshot!(card(job, Palette::PLAIN));
}

#[test]
fn colours_are_ours_and_never_the_jobs() {
    let coloured = card(job(), Palette::COLOURED);
    assert!(
        coloured.contains("\u{1b}[31mFailed\u{1b}[0m after 1 min 23 s"),
        "{coloured}"
    );
    assert!(!coloured.contains("\u{1b}[2J"), "{coloured}");
    assert!(!card(job(), Palette::PLAIN).contains('\u{1b}'));
}
