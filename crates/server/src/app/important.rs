//! The lines of a log that tell of trouble (`IMPORTANT_WORDS`). Each log is looked through once and
//! only as far as it has grown since; a view that comes before the end gets what is found so far.

use super::{App, AppError};
use polyphemus_api::job::{ImportantLine, ImportantLines};
use polyphemus_core::JobId;
use regex::bytes::Regex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long one view looks on.
const TIME: Duration = Duration::from_millis(150);
/// The most lines of a job; behind them nobody looks.
const LINES: usize = 200;
/// Of a line, in bytes.
const LINE_BYTES: usize = 400;
/// Read at a time, in bytes. A line that is longer is looked at in pieces.
const CHUNK_BYTES: usize = 1 << 20;
/// Jobs whose findings are kept: with the bounds above at most some 20 MB.
const KEPT: usize = 256;

/// What was found in the logs that were looked at last.
#[derive(Debug)]
pub(super) struct Important {
    words: Option<Regex>,
    found: Mutex<HashMap<JobId, Arc<Entry>>>,
    clock: AtomicU64,
}

#[derive(Debug, Default)]
struct Entry {
    found: tokio::sync::Mutex<Found>,
    used: AtomicU64,
}

#[derive(Debug, Default)]
struct Found {
    lines: Vec<ImportantLine>,
    /// Looked through up to here, which is the begin of a line.
    scanned_bytes: u64,
}

impl Important {
    pub(super) fn new(words: Option<Regex>) -> Self {
        Self {
            words,
            found: Mutex::default(),
            clock: AtomicU64::new(0),
        }
    }

    fn entry(&self, job: &JobId) -> Arc<Entry> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= KEPT
            && !found.contains_key(job)
            && let Some(oldest) = found
                .iter()
                .min_by_key(|(_, entry)| entry.used.load(Ordering::Relaxed))
                .map(|(job, _)| job.clone())
        {
            found.remove(&oldest);
        }
        let entry = found.entry(job.clone()).or_default();
        entry.used.store(now, Ordering::Relaxed);
        entry.clone()
    }
}

impl App {
    /// The important lines of the log as far as they were found within a moment.
    pub async fn important_lines(&self, id: &JobId) -> Result<ImportantLines, AppError> {
        let log_bytes = self.log_length(id).await?;
        let important = &self.0.important;
        let Some(words) = &important.words else {
            return Ok(ImportantLines {
                lines: Vec::new(),
                scanned_bytes: log_bytes,
                log_bytes,
                more: false,
            });
        };
        let until = Instant::now() + TIME;
        let entry = important.entry(id);
        // Somebody else looks through the same log now: what he has found comes with the next view.
        let Ok(mut found) = timeout_at(until, entry.found.lock()).await else {
            return Ok(ImportantLines {
                lines: Vec::new(),
                scanned_bytes: 0,
                log_bytes,
                more: false,
            });
        };
        while found.scanned_bytes < log_bytes && found.lines.len() < LINES {
            let from = found.scanned_bytes;
            let chunk = self.log_read(id, from, CHUNK_BYTES).await?;
            let is_end = from + chunk.len() as u64 >= log_bytes;
            let words = words.clone();
            let seen = tokio::task::spawn_blocking(move || look(&words, &chunk, from, is_end));
            let (lines, taken_bytes) = seen
                .await
                .map_err(|error| AppError::Internal(anyhow::Error::new(error)))?;
            let room = LINES - found.lines.len();
            found.lines.extend(lines.into_iter().take(room));
            found.scanned_bytes += taken_bytes;
            // The end of the log is a line that is not ended yet.
            if taken_bytes == 0 || Instant::now() >= until {
                break;
            }
        }
        Ok(ImportantLines {
            lines: found.lines.clone(),
            scanned_bytes: found.scanned_bytes,
            log_bytes,
            more: found.lines.len() == LINES,
        })
    }
}

/// The lines in a chunk at `from` in which the words match, and how many bytes of the chunk are done
/// with: up to the end of its last whole line, or all of it where a line is longer than a chunk.
fn look(words: &Regex, chunk: &[u8], from: u64, is_end: bool) -> (Vec<ImportantLine>, u64) {
    let whole = match chunk.iter().rposition(|byte| *byte == b'\n') {
        Some(last) => last + 1,
        None if is_end => 0,
        None => chunk.len(),
    };
    let mut lines = Vec::new();
    let mut start = 0;
    while start < whole && lines.len() < LINES {
        let rest = &chunk[start..whole];
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = &rest[..length];
        if words.is_match(line) {
            lines.push(ImportantLine {
                offset: from + start as u64,
                text: shown(line),
            });
        }
        start += length + 1;
    }
    (lines, whole as u64)
}

/// A line as it is shown: cut, and without the blanks at its end.
fn shown(line: &[u8]) -> String {
    let cut = &line[..line.len().min(LINE_BYTES)];
    let mut text = String::from_utf8_lossy(cut).trim_end().to_owned();
    if cut.len() < line.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Regex {
        crate::config::site::important(&["warn".to_owned(), "error".to_owned()])
            .unwrap()
            .unwrap()
    }

    #[test]
    fn lines_are_found_with_their_place_and_the_last_one_waits_for_its_end() {
        let log = b"fine\nWarning: a\r\nno\nan error\nnot ended error";
        let (lines, done) = look(&words(), log, 100, true);
        let lines: Vec<(u64, &str)> = lines
            .iter()
            .map(|line| (line.offset, line.text.as_str()))
            .collect();
        assert_eq!(lines, [(105, "Warning: a"), (120, "an error")]);
        assert_eq!(done, 29, "the line that still grows is looked at later");
    }

    #[test]
    fn a_line_without_end_is_looked_at_in_pieces() {
        let long = vec![b'x'; 1000];
        assert_eq!(look(&words(), &long, 0, false).1, 1000);
        assert_eq!(look(&words(), &long, 0, true).1, 0);
        let mut error = b"error ".to_vec();
        error.extend(&long);
        error.push(b'\n');
        let (lines, _) = look(&words(), &error, 0, false);
        assert_eq!(lines[0].text.chars().count(), LINE_BYTES + 1);
    }
}
