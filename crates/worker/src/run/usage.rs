//! Holds an attempt at work to the space that it may take: what its folders hold is counted again and
//! again, and the attempt is ended when it is too much.

use super::program::bytes_in_words;
use crate::stop::{Stop, StopReason};
use crate::workspace::AttemptFolder;
use polyphemus_artifacts::workspace::{Usage, UsageLimits, Window, WorkspaceError};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;

/// Between two counts.
const EVERY: Duration = Duration::from_secs(1);
/// Of the time that passes, at most one part in so many is spent on counting.
const SHARE: u32 = 50;

/// Counts what an attempt takes.
#[derive(Debug)]
pub(super) struct Gauge {
    /// Each with the name that it has for the job.
    windows: Vec<(&'static str, Window)>,
    limits: UsageLimits,
    /// What was too much, in words.
    pub(super) excess: Arc<OnceLock<String>>,
}

impl Gauge {
    /// To be made before a program of the job runs.
    pub(super) fn new(folder: &AttemptFolder, limits: UsageLimits) -> Result<Self, WorkspaceError> {
        let open = |(name, path): (&'static str, PathBuf)| Ok((name, Window::open(&path)?));
        let board = Some(("board: ", folder.board())).filter(|(_, board)| board.exists());
        let folders = [
            ("", folder.job()),
            ("home directory: ", folder.home()),
            ("/tmp: ", folder.temporary()),
        ];
        Ok(Self {
            windows: folders
                .into_iter()
                .chain(board)
                .map(open)
                .collect::<Result<_, WorkspaceError>>()?,
            limits,
            excess: Arc::default(),
        })
    }

    /// Watches until it is too much; to be dropped when the programs have ended.
    pub(super) async fn watch(self, stop: Stop) {
        let gauge = Arc::new(self);
        let mut pause = EVERY;
        loop {
            tokio::time::sleep(pause).await;
            let counting = gauge.clone();
            let begun = Instant::now();
            let Ok(usage) = spawn_blocking(move || counting.count()).await else {
                // The runtime ends, and the attempt with it.
                return;
            };
            if usage.exceeds(&gauge.limits) {
                // Nobody else writes it.
                let _ = gauge.excess.set(in_words(&usage, &gauge.limits));
                stop.set(StopReason::WorkspaceFull);
                return;
            }
            pause = EVERY.max(begun.elapsed() * SHARE);
        }
    }

    fn count(&self) -> Usage {
        let mut all = Usage::default();
        for (name, window) in &self.windows {
            let left = UsageLimits {
                bytes: self.limits.bytes.saturating_sub(all.bytes),
                entries: self.limits.entries.saturating_sub(all.entries),
            };
            let one = window.measure(&left);
            all.bytes += one.bytes;
            all.entries += one.entries;
            let most = all.largest.as_ref().map_or(0, |(_, bytes)| *bytes);
            if let Some((path, bytes)) = one.largest.filter(|(_, bytes)| *bytes >= most) {
                all.largest = Some((format!("{name}{path}"), bytes));
            }
            if all.exceeds(&self.limits) {
                break;
            }
        }
        all
    }
}

fn in_words(usage: &Usage, limits: &UsageLimits) -> String {
    let what = if usage.bytes > limits.bytes {
        format!(
            "the files of the stage took more than the {} that this worker allows while a stage runs \
             (WORKSPACE_LIMIT_BYTES): at least {} in {} files and directories",
            bytes_in_words(limits.bytes),
            bytes_in_words(usage.bytes),
            usage.entries
        )
    } else {
        format!(
            "the stage made more than the {} files and directories that this worker allows while a stage runs \
             (WORKSPACE_LIMIT_FILES)",
            limits.entries
        )
    };
    let largest = usage.largest.as_ref().map_or_else(String::new, |(path, bytes)| {
        format!("; the largest seen is `{path}` with {}", bytes_in_words(*bytes))
    });
    format!(
        "{what}{largest}. Have the design write less or delete what it no longer needs, or ask the worker's \
         operator for more, then enter the stage again with `polyphemus retry`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_say_which_limit_how_much_and_where() {
        let limits = UsageLimits {
            bytes: 1 << 30,
            entries: 10,
        };
        let usage = |bytes, entries| Usage {
            bytes,
            entries,
            largest: Some(("build/x.log".into(), 1 << 20)),
        };
        let much = in_words(&usage(3 << 30, 4), &limits);
        assert!(
            much.contains("the 1 GiB") && much.contains("at least 3 GiB in 4"),
            "{much}"
        );
        assert!(much.contains("`build/x.log` with 1 MiB"), "{much}");
        let many = in_words(&usage(5, 11), &limits);
        assert!(
            many.contains("WORKSPACE_LIMIT_FILES") && many.contains("10 files"),
            "{many}"
        );
    }
}
