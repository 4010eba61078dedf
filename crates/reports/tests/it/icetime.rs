//! `icetime -j` and `icetime -r`.

use polyphemus_core::report::ReportFormat::{IcetimeJson, IcetimeText};
use polyphemus_reports::ReportError;

use crate::{read, report};

#[test]
fn json_gives_the_arrival_of_the_signal_and_the_frequency() {
    insta::assert_json_snapshot!(report(IcetimeJson, "icetime.json"));
}

#[test]
fn text_gives_icetimes_own_words() {
    insta::assert_json_snapshot!(report(IcetimeText, "icetime.rpt"));
}

#[test]
fn the_longest_of_several_paths_counts() {
    let json = br#"[[{"delay_ns":1.0},{"delay_ns":4.0}],[],[{"delay_ns":2.5}]]"#;
    assert_eq!(read(IcetimeJson, "i", json).unwrap().figures[0].value, 4.0);
    let text = b"Total path delay: 4.00 ns (250.00 MHz)\nTotal path delay: 2.50 ns (400.00 MHz)\n";
    assert_eq!(read(IcetimeText, "i", text).unwrap().figures[1].value, 250.0);
}

#[test]
fn the_empty_file_that_an_error_leaves_is_told_apart() {
    for format in [IcetimeJson, IcetimeText] {
        let error = read(format, "icetime.json", b"").unwrap_err();
        assert!(matches!(error, ReportError::Empty { .. }), "{error:?}");
    }
    insta::assert_snapshot!(read(IcetimeJson, "icetime.json", b" \n").unwrap_err());
}

#[test]
fn a_report_without_a_path_is_no_zero() {
    for (format, content) in [
        (IcetimeJson, "[[]]"),
        (IcetimeJson, "[]"),
        (IcetimeText, "icetime report\n"),
    ] {
        let error = read(format, "icetime", content.as_bytes()).unwrap_err();
        assert!(
            matches!(error, ReportError::Missing { .. }),
            "{content}: {error:?}"
        );
    }
}

#[test]
fn a_path_that_takes_no_time_has_no_frequency() {
    let json = read(IcetimeJson, "i", br#"[[{"delay_ns":0.0}]]"#).unwrap();
    let text = read(IcetimeText, "i", b"Total path delay: 0.00 ns (inf MHz)\n").unwrap();
    assert_eq!(json.figures, text.figures);
    assert_eq!(json.figures.len(), 1);
}
