//! Between trees and directories: writes a tree into a workspace, makes a tree of one, and looks into one
//! at work. What runs
//! in a workspace is not trusted: no symlink in it is ever followed out of it.

mod beneath;
mod materialise;
mod snapshot;
mod walk;
mod window;

pub use materialise::materialise;
pub use snapshot::{Snapshot, snapshot};
pub use window::{ListLimits, Listing, LookError, Seen, SeenPart, Usage, UsageLimits, Window};

use crate::blobs::BlobError;
use crate::tree::TreeError;
use std::io;
use std::path::{Path, PathBuf};

/// Files handled at once; more than processors, because small files wait for their fsync.
const FILES_AT_ONCE: usize = 16;

#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error("the directory {} is not empty; a tree is written into an empty one", .dir.display())]
    NotEmpty { dir: PathBuf },
    /// The tree was made wrongly; making it again from the files cures it.
    #[error(
        "the tree says that `{path}` has {expected_bytes} bytes, and its content has {actual_bytes}; make the tree again"
    )]
    WrongSize {
        path: String,
        expected_bytes: u64,
        actual_bytes: u64,
    },
    #[error(
        "the file `{path}` is larger than the {limit_bytes} bytes allowed for a file; make it smaller or delete it at the stage's end"
    )]
    FileTooLarge { path: String, limit_bytes: u64 },
    #[error(
        "the files are larger than the {limit_bytes} bytes allowed together (at `{path}`); delete what is not a result at the stage's end"
    )]
    TotalTooLarge { path: String, limit_bytes: u64 },
    #[error(
        "there are more than the {limit} files and directories allowed (at `{path}`); delete what is not a result at the stage's end"
    )]
    TooManyEntries { path: String, limit: u64 },
    #[error("no space is left for {}; free some and try again", .place.display())]
    NoSpace { place: PathBuf },
    #[error("could not {doing} {}", .place.display())]
    Io {
        doing: &'static str,
        place: PathBuf,
        source: io::Error,
    },
    #[error("the files make no tree")]
    Tree(#[from] TreeError),
    /// A content could not be read from the store or written to it.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl WorkspaceError {
    fn io(doing: &'static str, place: &Path, source: impl Into<io::Error>) -> Self {
        let (source, place) = (source.into(), place.to_owned());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { place },
            _ => Self::Io { doing, place, source },
        }
    }
}
