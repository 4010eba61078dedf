//! What can go wrong with a blob, told apart by what the caller can do about it.

use crate::tree::TreeError;
use polyphemus_core::BlobHash;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// It was never stored here, or was collected: fetch or send it again.
    #[error("the content {0} is not in this store; send it again")]
    Missing(BlobHash),
    /// What is stored under this hash has another hash: delete it and store it again.
    #[error(
        "the content stored as {hash} is damaged (its bytes have another hash); delete it and store it again"
    )]
    Corrupt { hash: BlobHash },
    /// What was sent is not what it was said to be; nothing was stored.
    #[error("the content sent as {expected} has the hash {actual}; nothing was stored, send it again")]
    Mismatch { expected: BlobHash, actual: BlobHash },
    /// More was sent than allowed; nothing was stored.
    #[error("the content is larger than the {limit_bytes} bytes allowed; nothing was stored")]
    TooLarge { limit_bytes: u64 },
    /// The sender broke off; nothing was stored.
    #[error("the content broke off before its end; nothing was stored, send it again")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Disk or quota is full.
    #[error("no space is left in {}; free some and try again", .place.display())]
    NoSpace { place: PathBuf },
    #[error("could not {doing} {}", .place.display())]
    Io {
        doing: &'static str,
        place: PathBuf,
        source: io::Error,
    },
    /// The object store (not the local folder) failed.
    #[error("the object store failed")]
    Store(#[from] object_store::Error),
    /// The blob under a tree's hash is no tree.
    #[error("the content {hash} is no tree")]
    Tree { hash: BlobHash, source: TreeError },
    /// The program is ending, so that the work was given up.
    #[error("the store is shutting down; try again when it is back")]
    ShuttingDown,
}

impl BlobError {
    /// Sorts an I/O error while `doing` something to `place`.
    pub(crate) fn io(doing: &'static str, place: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace {
                place: place.to_owned(),
            },
            _ => Self::Io {
                doing,
                place: place.to_owned(),
                source,
            },
        }
    }

    /// The same once more, for another one of those whose contents were written together.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::NoSpace { place } => Self::NoSpace { place: place.clone() },
            Self::Io { doing, place, source } => Self::Io {
                doing,
                place: place.clone(),
                source: match source.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => source.kind().into(),
                },
            },
            // Nothing else comes of writing several contents at once.
            _ => Self::ShuttingDown,
        }
    }
}
