//! Which files of a directory belong to the design.

use crate::Failure;
use ignore::{DirEntry, WalkBuilder};
use polyphemus_artifacts::path;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What version control and file managers keep beside a design.
const NEVER: [&str; 8] = [
    ".git",
    ".hg",
    ".svn",
    ".bzr",
    ".jj",
    "CVS",
    ".DS_Store",
    "__MACOSX",
];

/// A file to pack.
#[derive(Debug)]
pub(super) struct Source {
    /// In the archive: relative, separated by `/`.
    pub(super) path: String,
    pub(super) file: PathBuf,
    pub(super) executable: bool,
}

#[derive(Debug)]
pub(super) struct Found {
    /// Sorted by path.
    pub(super) sources: Vec<Source>,
    pub(super) notes: Vec<String>,
}

pub(super) fn walk(directory: &Path) -> Result<Found, Failure> {
    let root = directory
        .canonicalize()
        .map_err(|error| Failure::local(format!("{} cannot be read", directory.display()), error))?;
    let left_out = Arc::new(Mutex::new(Vec::new()));
    let mut sources = Vec::new();
    for entry in walker(&root, left_out.clone()).build() {
        match entry {
            Ok(entry) => {
                warn_of_ignore_file(&entry, &left_out);
                sources.extend(source(&root, &entry, &left_out)?);
            }
            Err(error) => excuse(&root, error, &left_out)?,
        }
    }
    sources.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let mut notes = std::mem::take(&mut *lock(&left_out));
    notes.sort_unstable();
    Ok(Found { sources, notes })
}

type Notes = Arc<Mutex<Vec<String>>>;

fn walker(root: &Path, notes: Notes) -> WalkBuilder {
    let mut builder = WalkBuilder::new(root);
    builder
        .hidden(false)
        // What is handed in depends on the design's own files, not on who hands it in.
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .add_custom_ignore_filename(".polyphemusignore")
        .follow_links(true);
    let root = root.to_owned();
    builder.filter_entry(move |entry| {
        let name = entry.file_name();
        if entry.depth() > 0 && NEVER.iter().any(|never| name == *never) {
            return false;
        }
        !entry.path_is_symlink() || stays_inside(&root, entry.path(), &notes)
    });
    builder
}

/// Symlinks are followed only inside of the design, and not into what is never packed.
fn stays_inside(root: &Path, link: &Path, notes: &Notes) -> bool {
    let relative = link.strip_prefix(root).unwrap_or(link).display();
    let note = match link.canonicalize() {
        Ok(target) => match target.strip_prefix(root) {
            Ok(inside) if !is_never(inside) => return true,
            Ok(inside) => format!(
                "the symlink {relative} was left out: it leads to {}",
                inside.display()
            ),
            Err(_) => format!(
                "the symlink {relative} was left out: it leads out of the design, to {}",
                target.display()
            ),
        },
        Err(error) => format!("the symlink {relative} was left out: it leads nowhere ({error})"),
    };
    lock(notes).push(note);
    false
}

fn is_never(inside: &Path) -> bool {
    inside.components().any(|component| match component {
        Component::Normal(name) => NEVER.iter().any(|never| name == *never),
        _ => false,
    })
}

fn source(root: &Path, entry: &DirEntry, notes: &Notes) -> Result<Option<Source>, Failure> {
    let unreadable = |error: ignore::Error| {
        let error = error
            .into_io_error()
            .unwrap_or_else(|| io::Error::other("it cannot be looked at"));
        Failure::local(format!("{} cannot be read", entry.path().display()), error)
    };
    let metadata: Metadata = entry.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Ok(None);
    }
    let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
    if !metadata.is_file() {
        lock(notes).push(format!(
            "{} was left out: it is neither a file nor a directory",
            relative.display()
        ));
        return Ok(None);
    }
    let unfit = |why: &str| {
        Failure::Usage(format!(
            "{} cannot be handed in: {why}; rename it, or name it in .polyphemusignore",
            entry.path().display()
        ))
    };
    let name = relative.to_str().ok_or_else(|| unfit("its name is no UTF-8"))?;
    path::check(name).map_err(|fault| unfit(&fault.to_string()))?;
    Ok(Some(Source {
        path: name.to_owned(),
        file: entry.path().to_owned(),
        executable: metadata.permissions().mode() & 0o100 != 0,
    }))
}

/// An ignore file of which a line is wrong still counts with its other lines.
fn warn_of_ignore_file(entry: &DirEntry, notes: &Notes) {
    if let Some(error) = entry.error() {
        lock(notes).push(format!("a line of an ignore file does not count: {error}"));
    }
}

/// Symlinks that lead nowhere or back to a directory above them are left out; all else is an error.
fn excuse(root: &Path, error: ignore::Error, notes: &Notes) -> Result<(), Failure> {
    let path = path_of(&error).unwrap_or_else(|| root.to_owned());
    let is_link = path
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.is_symlink());
    if is_link {
        let relative = path.strip_prefix(root).unwrap_or(&path).display();
        lock(notes).push(format!(
            "the symlink {relative} was left out: it leads nowhere, or to a directory that holds it"
        ));
        return Ok(());
    }
    let message = error.to_string();
    let source = error.into_io_error().unwrap_or_else(|| io::Error::other(message));
    Err(Failure::local(
        format!("{} cannot be read", path.display()),
        source,
    ))
}

fn path_of(error: &ignore::Error) -> Option<PathBuf> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path.clone()),
        ignore::Error::Loop { child, .. } => Some(child.clone()),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

fn lock(notes: &Notes) -> std::sync::MutexGuard<'_, Vec<String>> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}
