//! Makes the tree of an archive whose contents are stored.

use super::directory::Member;
use super::{Content, UnpackError, Unpacked, links};
use crate::path;
use crate::tree::{Entry, Tree};
use std::collections::{HashMap, HashSet};

/// Puts copies in the place of symlinks, takes a single top-level directory away, makes the tree.
pub(super) fn assemble(
    members: &[Member],
    contents: Vec<(usize, Content)>,
    mut directories: HashSet<String>,
    dropped: u64,
) -> Result<Unpacked, UnpackError> {
    let mut links = HashMap::new();
    let mut files = HashMap::new();
    for (index, content) in contents {
        let path = members[index].path.clone();
        directories.extend(path::parents(&path).map(str::to_owned));
        match content {
            Content::Link { target } => drop(links.insert(path, target)),
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
    let mut notes = Vec::new();
    if dropped > 0 {
        notes.push(format!(
            "{dropped} entries that macOS adds (`__MACOSX`, `.DS_Store`) were left out"
        ));
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
