//! `stat -json`.

use polyphemus_core::report::ReportFormat::YosysStat;
use polyphemus_reports::ReportError;

use crate::{fixture, read, report};

#[test]
fn the_cells_of_the_design_are_counted_by_kind() {
    insta::assert_json_snapshot!(report(YosysStat, "yosys-0.23.stat.json"));
}

#[test]
fn modules_are_counted_as_often_as_they_are_used() {
    // Below the top and in the top: 8 + 5 tables for iCE40, 1 + 5 for ECP5.
    for (name, table, used) in [
        ("yosys-0.23-hierarchy.stat.json", "SB_LUT4", 13),
        ("yosys-0.70-hierarchy.stat.json", "LUT4", 6),
    ] {
        let report = report(YosysStat, name);
        let tables = report
            .utilisation
            .iter()
            .find(|kind| kind.resource == table)
            .unwrap();
        assert_eq!(tables.used, used, "{name}");
        assert!(
            report.utilisation.iter().all(|kind| kind.resource != "tally"),
            "{name}: a module is no cell"
        );
    }
}

#[test]
fn what_is_no_hardware_is_not_counted() {
    let content = String::from_utf8(fixture("yosys-0.70.stat.json")).unwrap();
    assert!(content.contains("$scopeinfo"));
    insta::assert_json_snapshot!(report(YosysStat, "yosys-0.70.stat.json"));
}

#[test]
fn text_around_the_document_is_passed_over() {
    let document = fixture("yosys-0.23.stat.json");
    let surrounded = [
        b"\n3.51. Printing statistics {x}.\n\n",
        document.as_slice(),
        b"\nEnd of script.\n",
    ]
    .concat();
    assert_eq!(
        read(YosysStat, "stat.json", &surrounded).unwrap(),
        read(YosysStat, "stat.json", &document).unwrap(),
    );
}

#[test]
fn a_place_is_named_in_lines_of_the_file_and_not_of_the_document() {
    let error = read(
        YosysStat,
        "stat.json",
        b"Printing\nstatistics\n{\n  \"modules\": {\n",
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            ReportError::Truncated {
                line: 5,
                column: 0,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_single_module_is_the_design_when_no_top_is_known() {
    // The stray comma is Yosys 0.23's own: it stands before the design that it leaves out.
    let content = br#"{"modules":{"\\a":{"num_cells":3,"num_cells_by_type":{"SB_LUT4":3}}},
}

"#;
    let report = read(YosysStat, "stat.json", content).unwrap();
    assert_eq!(report.utilisation[0].used, 3);
}

#[test]
fn several_modules_without_a_top_are_not_added_up() {
    let content = fixture("yosys-0.23-no-top.stat.json");
    insta::assert_snapshot!(read(YosysStat, "stat.json", &content).unwrap_err());
}
