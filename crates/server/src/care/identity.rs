//! What tells instances apart, wherever their folders are moved to: a random word in the file
//! `identity`. Backups of one are not mixed with those of another by it.

use crate::app::AppError;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

pub(super) const FILE: &str = "identity";

/// The instance's identity, which is made where there is none yet.
pub(crate) fn identity(instance: &Path) -> Result<String, AppError> {
    let path = instance.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(AppError::io("read", &path, error));
        }
        // Empty: the power went between making and writing it, before anybody could know it.
        _ => {}
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| AppError::Internal(error.into()))?;
    let mut word = String::with_capacity(32);
    for byte in bytes {
        write!(word, "{byte:02x}").expect("writing to a String cannot fail");
    }
    write_durably(&path, format!("{word}\n").as_bytes())
        .map_err(|error| AppError::io("write", &path, error))?;
    Ok(word)
}

/// The whole content under this name, or what was there before: on the disk when this returns.
pub(super) fn write_durably(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
