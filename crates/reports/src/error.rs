//! Why a tool's file gave no numbers: what is wrong with which file, and what to do about it.

use std::fmt::Display;

use crate::{MAX_SIZE_BYTES, Source};

/// A reason is quoted from the file's own words; it is cut to this many characters.
const MAX_REASON_CHARS: usize = 200;

/// A file that gave no numbers. The build's files are as they are: no second reading cures it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Nothing, or only white space. icetime opens its report before it reads its input, so an
    /// error of it leaves the file empty.
    #[error(
        "{file} is empty: {tool} ended before it wrote any numbers. \
         The job's log says why; correct that and build again"
    )]
    Empty { file: String, tool: &'static str },

    #[error(
        "{file} has {size_bytes} bytes, and reports are read up to {MAX_SIZE_BYTES}: \
         it is hardly what {tool} wrote. Look at what writes this file"
    )]
    TooLarge {
        file: String,
        tool: &'static str,
        size_bytes: usize,
    },

    /// The JSON ends too early.
    #[error(
        "{file} is cut off at line {line}, column {column}: {tool} was stopped while it wrote, \
         or the disk was full. See the job's log and build again"
    )]
    Truncated {
        file: String,
        tool: &'static str,
        line: usize,
        column: usize,
    },

    /// Not JSON, or not of the shape that the tool writes; the reason names the place.
    #[error(
        "{file} is not a report as {tool} writes it: {reason}. \
         Check that the flow names the right file and that nothing else writes to it"
    )]
    Malformed {
        file: String,
        tool: &'static str,
        reason: String,
    },

    /// The file is whole but lacks what it is read for.
    #[error("{file} holds no {what}, though it should be a report of {tool}. {remedy}")]
    Missing {
        file: String,
        tool: &'static str,
        what: &'static str,
        remedy: &'static str,
    },
}

impl Source<'_> {
    pub(crate) fn empty(self) -> ReportError {
        ReportError::Empty {
            file: self.file.to_owned(),
            tool: self.format.tool(),
        }
    }

    pub(crate) fn too_large(self, size_bytes: usize) -> ReportError {
        ReportError::TooLarge {
            file: self.file.to_owned(),
            tool: self.format.tool(),
            size_bytes,
        }
    }

    pub(crate) fn truncated(self, line: usize, column: usize) -> ReportError {
        ReportError::Truncated {
            file: self.file.to_owned(),
            tool: self.format.tool(),
            line,
            column,
        }
    }

    pub(crate) fn malformed(self, reason: impl Display) -> ReportError {
        let mut reason = reason.to_string();
        if let Some((end, _)) = reason.char_indices().nth(MAX_REASON_CHARS) {
            // The place stands at the end, the quoted text in the middle.
            let place = reason.rfind(" at line ").filter(|&at| at >= end);
            let place = place.map(|at| reason.split_off(at)).unwrap_or_default();
            reason.truncate(end);
            reason = format!("{reason}…{place}");
        }
        ReportError::Malformed {
            file: self.file.to_owned(),
            tool: self.format.tool(),
            reason,
        }
    }

    pub(crate) fn missing(self, what: &'static str, remedy: &'static str) -> ReportError {
        ReportError::Missing {
            file: self.file.to_owned(),
            tool: self.format.tool(),
            what,
            remedy,
        }
    }
}
