//! How every JSON report is opened: only the fields a parser names are kept, and an error says where.

use serde::Deserialize;
use serde_json::error::Category;

use crate::{ReportError, Source};

/// Reads a file that is one JSON document and nothing else.
pub(crate) fn whole<'de, T: Deserialize<'de>>(
    source: Source<'_>,
    content: &'de [u8],
) -> Result<T, ReportError> {
    serde_json::from_slice(content).map_err(|error| explain(source, content, &error))
}

/// Reads the JSON document that a file begins with, whatever follows it.
pub(crate) fn leading<'de, T: Deserialize<'de>>(
    source: Source<'_>,
    content: &'de [u8],
) -> Result<T, ReportError> {
    let mut document = serde_json::Deserializer::from_slice(content);
    T::deserialize(&mut document).map_err(|error| explain(source, content, &error))
}

fn explain(source: Source<'_>, content: &[u8], error: &serde_json::Error) -> ReportError {
    match error.classify() {
        Category::Eof => source.truncated(error.line(), error.column()),
        Category::Syntax if ends_within_a_number(content, error) => {
            source.truncated(error.line(), error.column())
        }
        Category::Io | Category::Syntax | Category::Data => source.malformed(error),
    }
}

/// serde_json calls `0.` at the end of a file an invalid number, not an early end.
fn ends_within_a_number(content: &[u8], error: &serde_json::Error) -> bool {
    let last_line = content.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let lines = 1 + content.iter().filter(|byte| **byte == b'\n').count();
    let at_the_end = (error.line(), error.column()) == (lines, last_line.len());
    at_the_end && last_line.last().is_some_and(|byte| b".eE+-".contains(byte))
}
