//! Finds the files of a directory without following a symlink.

use super::WorkspaceError;
use super::snapshot::{Notes, Work, kind_name, reason};
use crate::blobs::blocking;
use crate::path;
use crate::unpack::Limits;
use rustix::fs::FileType;
use std::sync::Arc;

/// A file or symlink found in the directory.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: String,
    pub(super) symlink: bool,
}

/// All files and symlinks that are wanted, never entering a symlink.
pub(super) async fn walk(
    work: &Arc<Work>,
    discard: &(dyn Fn(&str) -> bool + Send + Sync),
    notes: &mut Notes,
) -> Result<Vec<Found>, WorkspaceError> {
    let mut found = Vec::new();
    let mut directories = vec![String::new()];
    let mut seen = 0;
    while let Some(directory) = directories.pop() {
        let (shared, at) = (
            work.clone(),
            if directory.is_empty() {
                ".".to_owned()
            } else {
                directory.clone()
            },
        );
        let items = match blocking(move || Ok::<_, WorkspaceError>(shared.root.list(&at))).await? {
            Ok(items) => items,
            Err(error) if directory.is_empty() => {
                return Err(WorkspaceError::io("list", &work.root.display(""), error));
            }
            Err(error) => {
                notes.add(format!(
                    "the directory `{directory}` was left out: {}",
                    reason(error)
                ));
                continue;
            }
        };
        for item in items {
            let name = item.name.as_encoded_bytes().escape_ascii();
            let shown = if directory.is_empty() {
                name.to_string()
            } else {
                format!("{directory}/{name}")
            };
            seen += 1;
            if seen > work.limits.entries {
                return Err(WorkspaceError::TooManyEntries {
                    path: shown,
                    limit: work.limits.entries,
                });
            }
            let Some(name) = item.name.to_str() else {
                notes.add(format!("`{shown}` was left out: its name is not UTF-8"));
                continue;
            };
            let path = if directory.is_empty() {
                name.to_owned()
            } else {
                format!("{directory}/{name}")
            };
            if let Some(fault) = fault(&path, &work.limits) {
                notes.add(format!("`{shown}` was left out: {fault}"));
                continue;
            }
            if discard(&path) {
                continue;
            }
            match item.kind() {
                FileType::Directory => directories.push(path),
                FileType::RegularFile => found.push(Found { path, symlink: false }),
                FileType::Symlink => found.push(Found { path, symlink: true }),
                kind => notes.add(format!("`{shown}` was left out: it is a {}", kind_name(kind))),
            }
        }
    }
    Ok(found)
}

/// Why a path of a workspace cannot stand in a tree.
pub(super) fn fault(path: &str, limits: &Limits) -> Option<String> {
    if let Err(fault) = path::check(path) {
        return Some(format!("its name cannot be kept: {fault}"));
    }
    if path.len() > limits.name_bytes {
        return Some(format!(
            "its path is longer than the {} bytes allowed",
            limits.name_bytes
        ));
    }
    let deep = path.split('/').count() > limits.depth;
    deep.then(|| format!("it lies deeper than the {} directories allowed", limits.depth))
}
