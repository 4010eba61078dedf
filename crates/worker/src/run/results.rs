//! What is kept of a workspace when the steps have ended: numbers from reports, and its files as a tree.

use super::stage::Fault;
use crate::workspace::AttemptFolder;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use polyphemus_artifacts::workspace::{Snapshot, WorkspaceError, snapshot as snapshot_of};
use polyphemus_artifacts::{Blobs, Limits, Tree};
use polyphemus_core::cause::{Cause, CauseKind};
use polyphemus_core::report::{Report, ReportFile};
use std::fs::Permissions;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Reads the numbers out of the files that are there. A file that is missing is worth a note only
/// after a success.
pub(super) fn read_reports(
    files: &[ReportFile],
    folder: &AttemptFolder,
    succeeded: bool,
) -> (Vec<Report>, Vec<String>) {
    let (mut reports, mut notes) = (Vec::new(), Vec::new());
    for ReportFile {
        path,
        format,
        optional,
    } in files
    {
        let Some(found) = folder.find(path).filter(|found| found.is_file()) else {
            if succeeded && !optional {
                notes.push(format!("no numbers from `{path}`: the file was not made"));
            }
            continue;
        };
        let read = read_bounded(&found).map_err(|error| error.to_string());
        let read = read.and_then(|content| {
            polyphemus_reports::read(*format, path, &content).map_err(|error| error.to_string())
        });
        match read {
            Ok(report) => reports.push(report),
            // A tool that failed leaves empty and broken files; its failure says enough.
            Err(_) if !succeeded => {}
            Err(error) => notes.push(format!("no numbers from `{path}`: {error}")),
        }
    }
    (reports, notes)
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    std::fs::File::open(path)?
        .take(polyphemus_reports::MAX_SIZE_BYTES as u64 + 1)
        .read_to_end(&mut content)?;
    Ok(content)
}

/// Stores the files of the workspace, but for those that the plan discards.
pub(super) async fn snapshot(
    folder: &AttemptFolder,
    blobs: &Blobs,
    input: &Tree,
    discard: &[String],
    limits: &Limits,
) -> Result<Snapshot, Fault> {
    let discard = globs(discard).map_err(|error| Fault::trouble("read what the plan discards", &error))?;
    let is_discarded = |path: &str| discard.is_match(path);
    open_up(&folder.job());
    snapshot_of(&folder.job(), blobs, input, &is_discarded, limits)
        .await
        .map_err(|error| match error {
            WorkspaceError::FileTooLarge { .. }
            | WorkspaceError::TotalTooLarge { .. }
            | WorkspaceError::TooManyEntries { .. }
            | WorkspaceError::Tree(_) => Fault::Failed(Cause::new(
                CauseKind::OutputLimit,
                format!(
                    "the files that the stage left cannot be kept: {}",
                    crate::backoff::chain(&error)
                ),
            )),
            error => Fault::trouble("keep the files that the stage left", &error),
        })
}

/// A job may have taken away its own right to look into its directory, and with it ours.
fn open_up(job: &Path) {
    if let Err(error) = std::fs::set_permissions(job, Permissions::from_mode(0o755)) {
        // Whether it can be read shows when it is.
        tracing::debug!(path = %job.display(), %error, "the directory of a job keeps its permissions");
    }
}

fn globs(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
    }
    set.build()
}
