//! Makes the tree of an archive whose contents are stored.

use super::{Content, Limits, UnpackError, Unpacked, links};
use crate::path;
use crate::tree::{Entry, Tree};
use std::collections::{HashMap, HashSet};

/// Puts copies in the place of links, takes a single top-level directory away, makes the tree.
pub(super) fn assemble(
    contents: Vec<(String, Content)>,
    mut directories: HashSet<String>,
    dropped: u64,
    limits: &Limits,
) -> Result<Unpacked, UnpackError> {
    let mut links = HashMap::new();
    let mut files = HashMap::new();
    let mut same = Vec::new();
    for (path, content) in contents {
        directories.extend(path::parents(&path).map(str::to_owned));
        match content {
            Content::Link { target } => drop(links.insert(path, target)),
            Content::Same { of } => same.push((path, of)),
            Content::Stored {
                hash,
                size_bytes,
                mode,
            } => {
                files.insert(
                    path.clone(),
                    Entry {
                        path,
                        mode,
                        size_bytes,
                        hash,
                    },
                );
            }
        }
    }
    for (path, of) in &same {
        let file: Option<&Entry> = files.get(of);
        let file = file.ok_or_else(|| UnpackError::HardLink {
            name: path.clone(),
            target: of.clone(),
        })?;
        let copy = Entry {
            path: path.clone(),
            ..file.clone()
        };
        files.insert(path.clone(), copy);
    }
    let mut entries: Vec<Entry> = files.values().cloned().collect();
    let mut copies = Vec::new();
    for (link, target) in &links {
        let is_directory = |path: &str| path.is_empty() || directories.contains(path);
        let file = links::resolve(link, &links, |path| files.get(path), is_directory).map_err(|fault| {
            UnpackError::Symlink {
                name: link.clone(),
                target: target.clone(),
                fault,
            }
        })?;
        copies.push(link.as_str());
        entries.push(Entry {
            path: link.clone(),
            ..file.clone()
        });
    }
    check_size(&entries, limits)?;
    let mut notes = Vec::new();
    if dropped > 0 {
        notes.push(format!(
            "{dropped} entries that macOS adds (`__MACOSX`, `.DS_Store`) were left out"
        ));
    }
    if !same.is_empty() {
        notes.push(format!("{} hard links became copies of their files", same.len()));
    }
    copies.sort_unstable();
    notes.extend(
        copies
            .iter()
            .map(|link| format!("the symlink `{link}` became a copy of its file")),
    );
    if let Some(top) = collapse(&mut entries, &directories) {
        notes.push(format!(
            "the only top-level directory, `{top}`, was taken away: what it holds moved up"
        ));
    }
    Ok(Unpacked {
        tree: Tree::from_entries(entries)?,
        notes,
    })
}

/// Whoever writes the tree to a disk needs the room of each copy.
fn check_size(entries: &[Entry], limits: &Limits) -> Result<(), UnpackError> {
    let mut total = 0u64;
    for entry in entries {
        total = total.saturating_add(entry.size_bytes);
        if total > limits.total_bytes {
            return Err(UnpackError::too_large(&entry.path, limits, false));
        }
    }
    Ok(())
}

/// Takes away the directory that holds everything, if there is one, and names it.
fn collapse(entries: &mut [Entry], directories: &HashSet<String>) -> Option<String> {
    let (top, _) = entries.first()?.path.split_once('/')?;
    let top = top.to_owned();
    let inside = |path: &str| {
        path.strip_prefix(top.as_str())
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let all = entries.iter().all(|entry| inside(&entry.path))
        && directories.iter().all(|path| *path == top || inside(path));
    if !all {
        return None;
    }
    for entry in entries {
        entry.path.drain(..=top.len());
    }
    Some(top)
}
