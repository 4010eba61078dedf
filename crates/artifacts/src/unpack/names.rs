//! The names of an archive's entries: which can be used, and which cannot be used together.

use super::{Limits, UnpackError};
use crate::path;
use std::collections::HashSet;

/// Where an entry belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The directory that is the archive itself.
    Top,
    /// What macOS adds and nobody wants.
    Dropped,
    Path(String),
}

pub(super) fn text(raw: &[u8]) -> Result<&str, UnpackError> {
    std::str::from_utf8(raw).map_err(|_| UnpackError::NotUtf8 {
        name: raw.escape_ascii().to_string(),
    })
}

/// Checks a name whose components are separated by `/`.
pub(super) fn place(name: &str, is_directory: bool, limits: &Limits) -> Result<Place, UnpackError> {
    if name.len() > limits.name_bytes {
        return Err(UnpackError::NameTooLong {
            name: name.chars().take(100).chain(['…']).collect(),
            limit_bytes: limits.name_bytes,
        });
    }
    let mut path = name;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    if is_directory {
        let trimmed = path.trim_end_matches('/');
        if matches!(trimmed, "" | ".") && !name.starts_with('/') {
            return Ok(Place::Top);
        }
        path = trimmed;
    }
    path::check(path).map_err(|fault| UnpackError::name(name, fault))?;
    if path.split('/').count() > limits.depth {
        return Err(UnpackError::TooDeep {
            name: name.to_owned(),
            limit: limits.depth,
        });
    }
    let is_junk = |component| matches!(component, "__MACOSX" | ".DS_Store");
    if path.split('/').any(is_junk) {
        return Ok(Place::Dropped);
    }
    Ok(Place::Path(path.to_owned()))
}

/// Refuses names that cannot live side by side: `files` are all but the directories.
pub(super) fn check_clashes(files: &[&str], directories: &HashSet<String>) -> Result<(), UnpackError> {
    let mut seen = HashSet::with_capacity(files.len());
    if let Some(twice) = files.iter().find(|path| !seen.insert(**path)) {
        return Err(UnpackError::Duplicate {
            name: (*twice).to_owned(),
        });
    }
    let clash = |file: &str, inside: &str| UnpackError::FileAsDirectory {
        file: file.to_owned(),
        inside: inside.to_owned(),
    };
    if let Some((file, inside)) = path::file_as_directory(files) {
        return Err(clash(file, inside));
    }
    if let Some(both) = directories.iter().find_map(|directory| {
        seen.get(directory.as_str())
            .copied()
            .or_else(|| path::parents(directory).find(|up| seen.contains(up)))
    }) {
        return Err(clash(both, both));
    }
    match path::case_collision(files) {
        Some((first, second)) => Err(UnpackError::CaseCollision {
            first: first.to_owned(),
            second: second.to_owned(),
        }),
        None => Ok(()),
    }
}
