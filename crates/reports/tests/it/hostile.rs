//! Files that no tool would write: an error, or harmless, but never a panic and never long.

use std::time::{Duration, Instant};

use polyphemus_core::report::ReportFormat;
use polyphemus_core::report::ReportFormat::{IcetimeJson, IcetimeText, NextpnrLog, NextpnrReport, YosysStat};
use polyphemus_reports::{MAX_SIZE_BYTES, ReportError};
use proptest::prelude::*;

use crate::{fixture, read};

const ALL: [(ReportFormat, &str); 5] = [
    (YosysStat, "yosys-0.23.stat.json"),
    (NextpnrReport, "hx1k.report.json"),
    (NextpnrLog, "hx1k.nextpnr.log"),
    (IcetimeJson, "icetime.json"),
    (IcetimeText, "icetime.rpt"),
];
const JSON: [(ReportFormat, &str); 3] = [ALL[0], ALL[1], ALL[3]];

/// Generous for a debug build on a busy machine; what takes quadratic time takes hours.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_json_report_cut_off_anywhere_names_the_place() {
    for (format, name) in JSON {
        let content = fixture(name);
        let end = content.trim_ascii_end().len();
        for length in 1..end {
            let Some(cut) = content.get(..length).filter(|cut| !cut.trim_ascii().is_empty()) else {
                continue;
            };
            let error = read(format, name, cut).expect_err("it is cut off");
            assert!(
                matches!(error, ReportError::Truncated { .. }),
                "{name} cut to {length}: {error:?}"
            );
        }
    }
    insta::assert_snapshot!(read(IcetimeJson, "icetime.json", b"[\n  [\n    { \"net\"").unwrap_err());
}

#[test]
fn a_file_beyond_the_bound_is_not_read() {
    let content = vec![b' '; MAX_SIZE_BYTES + 1];
    for (format, name) in ALL {
        assert!(matches!(
            read(format, name, &content),
            Err(ReportError::TooLarge { .. })
        ));
    }
}

#[test]
fn deep_nesting_is_refused_or_passed_over() {
    let deep = "[".repeat(4_000_000);
    let ignored = format!(r#"{{"fmax":{{}},"utilization":{{}},"x":{deep}"#);
    for (format, name) in JSON {
        for content in [&deep, &"{\"a\":".repeat(1_000_000), &ignored] {
            assert!(read(format, name, content.as_bytes()).is_err());
        }
    }
}

#[test]
fn a_report_with_a_million_names_is_refused() {
    let names: Vec<String> = (0..1_000_000)
        .map(|n| format!(r#""{n}":{{"used":1,"available":2}}"#))
        .collect();
    let content = format!(r#"{{"fmax":{{}},"utilization":{{{}}}}}"#, names.join(","));
    insta::assert_snapshot!(read(NextpnrReport, "report.json", content.as_bytes()).unwrap_err());
    let clocks: String = (0..100_000)
        .map(|n| format!("Info: Max frequency for clock '{n}': 1.00 MHz\n"))
        .collect();
    assert!(matches!(
        read(NextpnrLog, "l", clocks.as_bytes()),
        Err(ReportError::Malformed { .. })
    ));
}

#[test]
fn a_huge_name_does_not_come_into_a_message() {
    let name = "ä".repeat(1_000_000);
    for content in [
        format!(r#"{{"fmax":{{"{name}":{{}}}}}}"#),
        format!(r#"{{"fmax":"{name}"}}"#),
    ] {
        let error = read(NextpnrReport, "report.json", content.as_bytes()).unwrap_err();
        assert!(error.to_string().len() < 1000, "{error}");
        assert!(error.to_string().contains("at line 1 column"), "{error}");
    }
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    for number in ["-1", "NaN", "1e999", "-0.5", "\"12\"", "Infinity", "[]"] {
        let fmax = format!(r#"{{"utilization":{{}},"fmax":{{"c":{{"achieved":{number},"constraint":1}}}}}}"#);
        let used = format!(r#"{{"fmax":{{}},"utilization":{{"X":{{"used":{number},"available":1}}}}}}"#);
        let delay = format!(r#"[[{{"delay_ns":{number}}}]]"#);
        let cells = format!(r#"{{"modules":{{"a":{{"num_cells_by_type":{{"X":{number}}}}}}}}}"#);
        for (format, content) in [
            (NextpnrReport, fmax),
            (NextpnrReport, used),
            (IcetimeJson, delay),
            (YosysStat, cells),
        ] {
            let error = read(format, "f", content.as_bytes()).expect_err(&content);
            assert!(matches!(error, ReportError::Malformed { .. }), "{error:?}");
        }
    }
    for line in ["nan", "-1.00", "inf", "1e9", "99999999999999999999.00"] {
        let log = format!("Info: Max frequency for clock 'c': {line} MHz (PASS at 1.00 MHz)\n");
        assert!(
            read(NextpnrLog, "l", log.as_bytes()).unwrap().clocks.is_empty(),
            "{line}"
        );
        let text = format!("Total path delay: {line} ns (1.00 MHz)\n");
        assert!(read(IcetimeText, "t", text.as_bytes()).is_err(), "{line}");
    }
}

#[test]
fn the_largest_hostile_files_take_no_long_time() {
    let patterns: [&[u8]; 8] = [
        b"{",
        b"[[",
        b"[[],",
        b"\n{",
        b"Info: Max frequency for clock '''': 1.00 MHz (",
        b"Total path delay: 1",
        b"Info: Device utilisation:\nInfo: a: 1/ 1 1%\n",
        b"\xff",
    ];
    let started = Instant::now();
    for pattern in patterns {
        let content = pattern.repeat(8 * 1024 * 1024 / pattern.len());
        for (format, name) in ALL {
            // Whether it is an error depends on the format; that it ends is what counts.
            let _ = read(format, name, &content);
        }
    }
    assert!(started.elapsed() < LONG, "{:?}", started.elapsed());
}

proptest! {
    #[test]
    fn a_report_with_damaged_bytes_never_panics(
        which in 0..ALL.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let (format, name) = ALL[which];
        let mut content = fixture(name);
        for (at, byte) in damage {
            let at = at.index(content.len());
            content[at] = byte;
        }
        if let Ok(report) = read(format, name, &content) {
            let amounts = report.clocks.iter().map(|clock| clock.achieved_mhz);
            let amounts = amounts.chain(report.figures.iter().map(|figure| figure.value));
            for amount in amounts {
                prop_assert!(amount.is_finite() && amount >= 0.0);
            }
        }
    }

    #[test]
    fn any_bytes_at_all_never_panic(content in prop::collection::vec(any::<u8>(), 0..512)) {
        for (format, name) in ALL {
            let _ = read(format, name, &content);
        }
    }
}
