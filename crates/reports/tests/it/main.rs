//! Reads what the real tools wrote (`tests/fixtures`), and files that no tool would write.

mod hostile;
mod icetime;
mod nextpnr;
mod summary;
mod yosys;

use polyphemus_core::report::{Report, ReportFormat};
use polyphemus_reports::ReportError;

/// The bytes of a file of `tests/fixtures`.
fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("the fixture is in the repository")
}

/// The numbers of a file of `tests/fixtures`.
fn report(format: ReportFormat, name: &str) -> Report {
    read(format, name, &fixture(name)).expect("a tool wrote this file")
}

fn read(format: ReportFormat, name: &str, content: &[u8]) -> Result<Report, ReportError> {
    polyphemus_reports::read(format, name, content)
}
