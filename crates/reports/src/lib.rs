//! Exists because several programs link it: the files that tools write, turned into numbers. Pure
//! parsers, one file for each tool; the bytes come in as an argument and are never trusted.

mod bounded;
mod clock_name;
mod error;
mod icetime;
mod json;
mod nextpnr;
mod nextpnr_log;
mod resource;
mod summary;
mod yosys;

pub use error::ReportError;
pub use summary::{Summary, ToolFigure, summary};

use polyphemus_core::report::{Clock, Figure, Report, ReportFormat, Utilisation};

/// The largest file that is read. The largest real one is a log of a few MiB; the bound keeps a
/// hostile file from taking time or memory.
pub const MAX_SIZE_BYTES: usize = 64 * 1024 * 1024;

/// Reads the numbers out of a file that a tool wrote.
///
/// `file` is the file's path relative to the workspace; it is only carried into the report and the
/// messages. The content may be anything: this neither panics nor takes longer than one pass over it.
///
/// # Errors
/// [`ReportError`] when the file is empty, too large, cut off, not of this format, or holds numbers
/// that cannot be. A nextpnr log without numbers is no error: nextpnr may have ended before it had any.
pub fn read(format: ReportFormat, file: &str, content: &[u8]) -> Result<Report, ReportError> {
    let source = Source { format, file };
    if content.len() > MAX_SIZE_BYTES {
        return Err(source.too_large(content.len()));
    }
    if content.trim_ascii().is_empty() {
        return Err(source.empty());
    }
    let numbers = match format {
        ReportFormat::YosysStat => yosys::read(source, content),
        ReportFormat::NextpnrReport => nextpnr::read(source, content),
        ReportFormat::NextpnrLog => nextpnr_log::read(source, content),
        ReportFormat::IcetimeJson => icetime::read_json(source, content),
        ReportFormat::IcetimeText => icetime::read_text(source, content),
    }?;
    Ok(Report {
        format,
        tool: format.tool().to_owned(),
        file: file.to_owned(),
        utilisation: numbers.utilisation,
        clocks: numbers.clocks,
        figures: numbers.figures,
    })
}

/// Which file is being read: what every message names.
#[derive(Debug, Clone, Copy)]
struct Source<'a> {
    format: ReportFormat,
    file: &'a str,
}

/// What a parser finds in its file.
#[derive(Debug, Default)]
struct Numbers {
    utilisation: Vec<Utilisation>,
    clocks: Vec<Clock>,
    figures: Vec<Figure>,
}
