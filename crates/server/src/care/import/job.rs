//! One job of the original: its archive, its folder and its log as blobs, trees and a log of ours.

use super::{Found, outcome};
use crate::app::{App, AppError, now_ms};
use crate::care::CareError;
use crate::care::import::info;
use polyphemus_artifacts::{Format, Tree, UnpackError, WorkspaceError, snapshot, unpack};
use polyphemus_core::flow::Flow;
use polyphemus_core::{JobId, TreeHash};
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Of a log, read at once.
const PART: usize = 1 << 20;

/// What was handed in, and what was made of it.
#[derive(Debug)]
pub(super) struct Trees {
    pub(super) source: Tree,
    pub(super) source_hash: TreeHash,
    pub(super) result: Option<TreeHash>,
}

/// Takes the job over. Gives what could not be taken, in sentences.
pub(super) async fn take(app: &App, found: &Found, flow: Flow) -> Result<Vec<String>, CareError> {
    let mut notes = Vec::new();
    let trees = trees(app, &found.folder, &mut notes).await?;
    let finished_ms = log(app, &found.id, &found.folder, &mut notes)
        .await?
        .unwrap_or(found.info.started_ms)
        .max(found.info.started_ms);
    let import = outcome::of(app, found, flow, trees, &notes, finished_ms).await?;
    app.0.store.job_import(import).await?;
    Ok(notes)
}

async fn trees(app: &App, folder: &Path, notes: &mut Vec<String>) -> Result<Trees, CareError> {
    let blobs = app.blobs();
    let source = source(app, &folder.join("code.zip"), notes).await?;
    let code = folder.join("code");
    let result = match fs::symlink_metadata(&code) {
        Ok(meta) if meta.is_dir() => {
            let empty = Tree::default();
            let limits = &app.config().limits;
            let previous = source.as_ref().unwrap_or(&empty);
            match snapshot(&code, blobs, previous, &|_| false, limits).await {
                Ok(taken) => {
                    notes.extend(taken.notes);
                    Some(taken.tree)
                }
                Err(WorkspaceError::Blob(error)) => return Err(error.into()),
                Err(error @ WorkspaceError::NoSpace { .. }) => return Err(no_space(&error)),
                Err(error) => {
                    notes.push(format!("its folder `code` cannot be read: {error}"));
                    None
                }
            }
        }
        Ok(_) => {
            notes.push("its `code` is no folder, and is left out".to_owned());
            None
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            notes.push(format!("its folder `code` cannot be read: {error}"));
            None
        }
    };
    let result_hash = match &result {
        Some(tree) => Some(blobs.put_tree(tree).await?),
        None => None,
    };
    // Without the archive what the build left is the nearest to what was handed in.
    let source = source.or(result).unwrap_or_else(|| {
        notes.push("it has neither a readable code.zip nor a folder `code`, so it has no files".to_owned());
        Tree::default()
    });
    Ok(Trees {
        source_hash: blobs.put_tree(&source).await?,
        source,
        result: result_hash,
    })
}

async fn source(app: &App, archive: &Path, notes: &mut Vec<String>) -> Result<Option<Tree>, CareError> {
    match info::open(archive) {
        Ok(_) => {}
        Err(error) => {
            notes.push(format!("its code.zip cannot be read: {error}"));
            return Ok(None);
        }
    }
    match unpack(archive, Some(Format::Zip), app.blobs(), &app.config().limits).await {
        Ok(unpacked) => Ok(Some(unpacked.tree)),
        Err(UnpackError::Blob(error)) => Err(error.into()),
        Err(error) => {
            notes.push(format!("its code.zip is not taken: {error}"));
            Ok(None)
        }
    }
}

/// Copies the log, durably, and gives the time of its last line.
async fn log(
    app: &App,
    id: &JobId,
    folder: &Path,
    notes: &mut Vec<String>,
) -> Result<Option<i64>, CareError> {
    let place = app.0.logs.path(id);
    match fs::remove_file(&place) {
        // Of an import that was broken off before the job's rows were there.
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(CareError::io("remove the unfinished log", &place)(error));
        }
        _ => {}
    }
    let mut log = app.0.logs.lock(id).await;
    let path = folder.join("log.txt");
    let mut written_ms = None;
    match info::open(&path) {
        Ok(mut file) => {
            let modified = file.metadata().and_then(|meta| meta.modified());
            written_ms = modified
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
                .and_then(|since| i64::try_from(since.as_millis()).ok());
            let mut part = vec![0; PART];
            loop {
                match file.read(&mut part).map_err(CareError::io("read", &path))? {
                    0 => break,
                    count => log.append(part[..count].to_vec().into()).await?,
                };
            }
        }
        Err(error) => notes.push(format!("its log.txt cannot be read: {error}")),
    }
    let mut lines = vec!["imported from an instance of the original".to_owned()];
    lines.extend(notes.iter().map(|note| format!("note: {note}")));
    log.append_lines(now_ms(), &lines).await?;
    log.sync().await?;
    Ok(written_ms)
}

fn no_space(error: &WorkspaceError) -> CareError {
    CareError::App(AppError::NoSpace(error.to_string()))
}
