//! `--report` and `--log`.

use polyphemus_core::report::ReportFormat::{NextpnrLog, NextpnrReport};
use polyphemus_core::report::{Clock, Report};

use crate::{fixture, read, report};

fn clock<'a>(report: &'a Report, name: &str) -> &'a Clock {
    report
        .clocks
        .iter()
        .find(|clock| clock.name == name)
        .expect("the clock is in the report")
}

#[test]
fn a_report_gives_cells_against_the_part_and_clocks_against_the_wish() {
    insta::assert_json_snapshot!(report(NextpnrReport, "hx1k.report.json"));
}

#[test]
fn an_ecp5_report_shows_its_own_kinds_and_the_users_clocks() {
    insta::assert_json_snapshot!(report(NextpnrReport, "ecp5-25k.report.json"));
}

#[test]
fn report_and_log_of_one_run_agree() {
    for part in ["hx1k", "hx1k-missed", "ecp5-25k"] {
        let exact = report(NextpnrReport, &format!("{part}.report.json"));
        let rounded = report(NextpnrLog, &format!("{part}.nextpnr.log"));
        assert_eq!(exact.utilisation, rounded.utilisation, "{part}");
        assert_eq!(exact.clocks.len(), rounded.clocks.len(), "{part}");
        for clock_exactly in &exact.clocks {
            let clock_rounded = clock(&rounded, &clock_exactly.name);
            assert!(
                (clock_exactly.achieved_mhz - clock_rounded.achieved_mhz).abs() < 0.01,
                "{part}"
            );
            assert_eq!(clock_exactly.wanted_mhz, clock_rounded.wanted_mhz, "{part}");
        }
    }
}

#[test]
fn a_log_gives_the_same_numbers_rounded() {
    insta::assert_json_snapshot!(report(NextpnrLog, "hx1k.nextpnr.log"));
}

#[test]
fn a_missed_wish_is_seen_in_report_and_log() {
    for (format, name) in [
        (NextpnrReport, "hx1k-missed.report.json"),
        (NextpnrLog, "hx1k-missed.nextpnr.log"),
    ] {
        let report = report(format, name);
        assert_eq!(clock(&report, "clk").met(), Some(false), "{name}");
        assert_eq!(clock(&report, "ser_clk").met(), Some(true), "{name}");
    }
}

#[test]
fn the_last_max_frequency_of_a_clock_counts() {
    // 352.86 after placement, 312.01 after routing, and then in a line that begins with ERROR.
    let report = report(NextpnrLog, "hx1k-missed.nextpnr.log");
    assert_eq!(clock(&report, "clk").achieved_mhz, 312.01);
}

#[test]
fn a_miss_that_rounding_hides_stays_a_miss() {
    let log = b"Info: Max frequency for clock 'clk': 80.00 MHz (FAIL at 80.00 MHz)\n";
    let report = read(NextpnrLog, "nextpnr.log", log).unwrap();
    assert_eq!(clock(&report, "clk").met(), Some(false));
}

#[test]
fn the_log_of_a_design_that_does_not_fit_says_what_it_takes() {
    insta::assert_json_snapshot!(report(NextpnrLog, "hx1k-does-not-fit.nextpnr.log"));
}

#[test]
fn counts_before_packing_are_no_utilisation() {
    let log = b"Info: Logic utilisation before packing:\nInfo:     LUT4s:  86/24288     0%\n\n\
        Info: Device utilisation:\nInfo: \t  TRELLIS_COMB:   111/24288     0%\n\nInfo:  LATER: 1/ 2  50%\n";
    let report = read(NextpnrLog, "nextpnr.log", log).unwrap();
    let kinds: Vec<&str> = report
        .utilisation
        .iter()
        .map(|kind| kind.resource.as_str())
        .collect();
    assert_eq!(kinds, ["TRELLIS_COMB"]);
}

#[test]
fn a_log_that_ended_early_has_no_numbers_and_is_no_error() {
    let report = read(NextpnrLog, "nextpnr.log", b"ERROR: failed to open PCF file\n").unwrap();
    assert!(report.utilisation.is_empty() && report.clocks.is_empty());
}

#[test]
fn a_log_with_bytes_that_are_no_utf8_is_read_all_the_same() {
    let log = [b"Info: \xff\xfe\n".as_slice(), &fixture("hx1k.nextpnr.log")].concat();
    assert_eq!(
        read(NextpnrLog, "n", &log).unwrap(),
        read(NextpnrLog, "n", &fixture("hx1k.nextpnr.log")).unwrap()
    );
}

#[test]
fn a_clock_without_limit_or_wish_is_no_number() {
    let content = br#"{"critical_paths":[],"utilization":{},
        "fmax":{"a":{"achieved":null,"constraint":12},"b":{"achieved":50.5,"constraint":null}}}"#;
    let report = read(NextpnrReport, "report.json", content).unwrap();
    assert_eq!(
        report.clocks,
        [Clock {
            name: "b".to_owned(),
            achieved_mhz: 50.5,
            wanted_mhz: None
        }]
    );
}

#[test]
fn the_critical_path_runs_from_register_to_register() {
    let path = |from: &str, to: &str, ns: f64| {
        format!(r#"{{"from":"{from}","to":"{to}","path":[{{"delay":1.5}},{{"delay":{ns}}}]}}"#)
    };
    let paths = [
        path("<async>", "posedge clk", 90.0),
        path("posedge clk", "posedge clk", 5.0),
        path("posedge clk", "posedge clk", 4.0),
        path("posedge clk", "<async>", 80.0),
    ];
    let content = format!(
        r#"{{"critical_paths":[{}],"fmax":{{}},"utilization":{{}}}}"#,
        paths.join(",")
    );
    let report = read(NextpnrReport, "report.json", content.as_bytes()).unwrap();
    assert_eq!(report.figures[0].value, 6.5);
}
