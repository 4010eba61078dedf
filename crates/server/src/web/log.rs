//! The end of a log as the page shows it before, or without, its script.

use crate::app::App;
use crate::http::error::ApiResult;
use polyphemus_core::job::JobId;

/// Bytes read for each line that is to be shown, on average, and for all of them.
const LINE_BYTES: u64 = 512;
const TAIL_BYTES: u64 = 4 << 20;

/// The last lines of a log.
#[derive(Debug, Default)]
pub(super) struct LogEnd {
    /// Where the shown part begins and ends in the log, in bytes.
    pub(super) start: u64,
    pub(super) end: u64,
    /// The parts of the text by the kind of their lines, in order.
    pub(super) parts: Vec<(Kind, String)>,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Warning,
    Error,
}

impl LogEnd {
    /// Of the log's last `lines`, as far as they are of a common length.
    pub(super) async fn of(app: &App, id: &JobId, lines: usize) -> ApiResult<Self> {
        let length = app.log_length(id).await?;
        let tail_bytes = (lines as u64).saturating_mul(LINE_BYTES).min(TAIL_BYTES);
        let from = length.saturating_sub(tail_bytes);
        let mut bytes = Vec::new();
        while from + (bytes.len() as u64) < length {
            let at = from + bytes.len() as u64;
            let most = usize::try_from(length - at).unwrap_or(usize::MAX);
            let chunk = app.log_read(id, at, most).await?;
            if chunk.is_empty() {
                break;
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Self::cut(from, &bytes, lines))
    }

    /// The last `lines` of `bytes`, which stand at `from` in the log, as far as they are whole
    /// characters: the stream goes on where this ends.
    fn cut(from: u64, bytes: &[u8], lines: usize) -> Self {
        let mut start = if from == 0 { 0 } else { after_newline(bytes) };
        let newlines = bytes[start..]
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, byte)| **byte == b'\n');
        if let Some((at, _)) = newlines.skip(usize::from(bytes.ends_with(b"\n"))).nth(lines - 1) {
            start += at + 1;
        }
        let end = crate::http::event::whole_characters(bytes).max(start);
        let text = String::from_utf8_lossy(&bytes[start..end]);
        Self {
            start: from + start as u64,
            end: from + end as u64,
            parts: parts(&text),
        }
    }
}

impl Kind {
    /// By the words that tools begin or end their messages with.
    fn of(line: &str) -> Self {
        let line = line.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
        if has(&["error:", "error ", "fatal", "failed"]) || line.starts_with("error") {
            Self::Error
        } else if has(&["warning"]) {
            Self::Warning
        } else {
            Self::Plain
        }
    }

    /// For the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Warning => "warn",
            Self::Error => "err",
        }
    }
}

fn after_newline(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1)
}

fn parts(text: &str) -> Vec<(Kind, String)> {
    let mut parts: Vec<(Kind, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let kind = Kind::of(line);
        match parts.last_mut() {
            Some((last, text)) if *last == kind => text.push_str(line),
            _ => parts.push((kind, line.to_owned())),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_shown_and_the_stream_goes_on_behind_them() {
        let text: String = (0..700).map(|line| format!("line {line}\n")).collect();
        let end = LogEnd::cut(0, text.as_bytes(), 500);
        assert!(
            end.parts[0].1.starts_with("line 200\n"),
            "{:?}",
            &end.parts[0].1[..20]
        );
        assert_eq!(end.end, text.len() as u64);
        assert_eq!(end.start, text.find("line 200\n").unwrap() as u64);

        let short = LogEnd::cut(0, "a\nb€".as_bytes(), 500);
        assert_eq!((short.start, short.end), (0, 6));
        let begun = LogEnd::cut(0, &"a\nb€".as_bytes()[..5], 500);
        assert_eq!(
            (begun.start, begun.end),
            (0, 3),
            "a character that is not whole comes with the stream"
        );
        let behind = LogEnd::cut(10, b"rest of a line\nnext\n", 500);
        assert_eq!((behind.start, behind.end), (25, 30));
        assert_eq!(LogEnd::cut(0, b"", 500).parts, []);
    }

    #[test]
    fn lines_that_tell_of_trouble_stand_out() {
        let kinds = [
            "ERROR: Max frequency",
            "Warning: x",
            "2 errors",
            "state changed to failed",
            "Info: ok",
        ]
        .map(Kind::of);
        assert_eq!(
            kinds,
            [Kind::Error, Kind::Warning, Kind::Plain, Kind::Error, Kind::Plain]
        );
    }
}
