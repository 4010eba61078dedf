//! The final word of several reports.

use polyphemus_core::report::Report;
use polyphemus_core::report::ReportFormat::{IcetimeJson, IcetimeText, NextpnrLog, NextpnrReport, YosysStat};
use polyphemus_reports::{Summary, summary};

use crate::report;

fn whole_build() -> Vec<Report> {
    vec![
        report(NextpnrLog, "hx1k-missed.nextpnr.log"),
        report(IcetimeJson, "icetime.json"),
        report(YosysStat, "yosys-0.23.stat.json"),
        report(IcetimeText, "icetime.rpt"),
        report(NextpnrReport, "hx1k-missed.report.json"),
    ]
}

#[test]
fn a_whole_build_is_summed_up() {
    insta::assert_json_snapshot!(summary(&whole_build()));
}

#[test]
fn the_order_of_different_formats_does_not_matter() {
    let mut reports = whole_build();
    reports.reverse();
    assert_eq!(summary(&reports), summary(&whole_build()));
}

#[test]
fn a_missed_clock_is_a_missed_build() {
    assert_eq!(summary(&whole_build()).timing_met(), Some(false));
    assert_eq!(
        summary(&[report(NextpnrReport, "hx1k.report.json")]).timing_met(),
        Some(true)
    );
    assert_eq!(
        summary(&[report(YosysStat, "yosys-0.23.stat.json")]).timing_met(),
        None
    );
}

#[test]
fn without_nextpnrs_report_its_log_says_what_does_not_fit() {
    let reports = [
        report(YosysStat, "yosys-0.23.stat.json"),
        report(NextpnrLog, "hx1k-does-not-fit.nextpnr.log"),
    ];
    let summary = summary(&reports);
    let overfull: Vec<&str> = summary.overfull().map(|kind| kind.resource.as_str()).collect();
    assert_eq!(overfull, ["ICESTORM_RAM"]);
}

#[test]
fn synthesis_alone_gives_cells_without_a_part() {
    let summary = summary(&[report(YosysStat, "yosys-0.23.stat.json")]);
    assert!(summary.utilisation.iter().all(|kind| kind.available.is_none()));
    assert!(!summary.utilisation.is_empty());
}

#[test]
fn a_later_report_of_the_same_format_counts() {
    let reports = [
        report(NextpnrReport, "hx1k-missed.report.json"),
        report(NextpnrReport, "hx1k.report.json"),
    ];
    assert_eq!(summary(&reports).timing_met(), Some(true));
}

#[test]
fn no_reports_give_an_empty_summary() {
    assert_eq!(summary(&[]), Summary::default());
}
