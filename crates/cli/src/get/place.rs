//! Where a job's file may be put. A server names the paths, so that each is held against the rules of
//! trees, and no symlink in the target folder is followed.

use crate::Failure;
use polyphemus_artifacts::path;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The place of a file below a folder.
///
/// # Errors
/// `Failure::Damaged` when the path could lead out of the folder.
pub fn place(folder: &Path, file: &str) -> Result<PathBuf, Failure> {
    path::check(file).map_err(|fault| {
        Failure::Damaged(format!(
            "the server names a file {file:?}, which is no path below a folder: {fault}; nothing was written"
        ))
    })?;
    Ok(folder.join(file))
}

/// Makes the folder and the directories below it that a file needs.
///
/// # Errors
/// `Failure::Local` when a directory cannot be made, or what stands in its place is a symlink or a file.
pub fn make_folders(folder: &Path, file: &str) -> Result<(), Failure> {
    let failed = |path: &Path| {
        let what = format!("the directory {} cannot be made", path.display());
        move |error| Failure::local(what, error)
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    for parent in path::parents(file) {
        let directory = folder.join(parent);
        match fs::create_dir(&directory) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let is_directory = directory.symlink_metadata().map_err(failed(&directory))?.is_dir();
                if !is_directory {
                    let reason =
                        "a symlink or file stands in its place; remove it, or choose another folder with -o";
                    return Err(failed(&directory)(io::Error::other(reason)));
                }
            }
            Err(error) => return Err(failed(&directory)(error)),
        }
    }
    Ok(())
}
