//! Turns an archive into a tree. The archive is hostile until shown otherwise: its entries stream
//! into blobs and never touch a path, names are checked before contents, and what counts is the
//! bytes really unpacked, not what the archive says of itself.

mod archive;
mod assemble;
mod directory;
mod error;
mod format;
mod incoming;
pub(crate) mod links;
mod names;
mod reader;
mod tar;
mod zip;

pub use archive::Archive;
pub use error::{LinkFault, UnpackError};
pub use format::{Format, HEAD_BYTES};
pub use incoming::{Incoming, IncomingError};

use crate::blobs::{Blobs, blocking};
use crate::tree::{Mode, Tree};
use polyphemus_core::BlobHash;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Files stored at once; more than processors, because small files wait for their fsync.
const FILES_AT_ONCE: usize = 16;
const CHUNK_BYTES: usize = 256 * 1024;
/// Below this many unpacked bytes any ratio is harmless.
const RATIO_FROM_BYTES: u64 = 64 * 1024 * 1024;

/// What an archive or a workspace may hold at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files together, unpacked.
    pub total_bytes: u64,
    /// Bytes of one file, unpacked.
    pub file_bytes: u64,
    /// Files and directories.
    pub entries: u64,
    /// Components of a path.
    pub depth: usize,
    /// Unpacked bytes for each packed byte, once 64 MiB are unpacked.
    pub ratio: u64,
    /// Bytes of a path.
    pub name_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total_bytes: 8 << 30,
            file_bytes: 4 << 30,
            entries: 200_000,
            depth: 64,
            ratio: 1000,
            name_bytes: crate::path::PATH_BYTES,
        }
    }
}

/// An unpacked archive; all blobs of the tree are stored, the text of the tree itself is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    pub tree: Tree,
    /// What was done beyond plain unpacking, in sentences for the sender.
    pub notes: Vec<String>,
}

/// An open archive, whose content is of the format that its name says.
#[derive(Debug)]
struct Source {
    archive: Archive,
    format: Format,
}

/// Stores the files of the archive at `archive` as blobs and gives their tree. A single top-level
/// directory is taken away, links to files of the archive become copies, and what macOS adds is
/// dropped; each of them is noted. `named` is the format that its name promises; without one its
/// beginning tells. On an error some blobs may be stored that nothing refers to; a
/// collection removes them.
pub async fn unpack(
    archive: &Path,
    named: Option<Format>,
    blobs: &Blobs,
    limits: &Limits,
) -> Result<Unpacked, UnpackError> {
    let path = archive.to_owned();
    let archive: Archive = blocking::<_, UnpackError>(move || Archive::open(&path)).await?;
    unpack_archive(archive, named, blobs, limits).await
}

/// As [`unpack`], of one that is open.
pub async fn unpack_archive(
    archive: Archive,
    named: Option<Format>,
    blobs: &Blobs,
    limits: &Limits,
) -> Result<Unpacked, UnpackError> {
    let is_in_memory = archive.is_in_memory();
    let settle = move || -> Result<Source, UnpackError> {
        let format = Format::settle(named, &archive).map_err(|source| UnpackError::Archive { source })??;
        Ok(Source { archive, format })
    };
    let source = if is_in_memory {
        settle()
    } else {
        blocking(settle).await
    }?;
    match source.format {
        Format::Zip => zip::unpack(source, blobs, limits).await,
        Format::Tar | Format::TarGz | Format::TarZst => tar::unpack(source, blobs, limits).await,
    }
}

/// What became of an entry.
#[derive(Debug)]
enum Content {
    Stored {
        hash: BlobHash,
        size_bytes: u64,
        mode: Mode,
    },
    /// A symlink, with the text that it holds.
    Link { target: String },
    /// A hard link to the file at this path of the archive.
    Same { of: String },
}

/// What an archive has unpacked to so far.
#[derive(Debug)]
struct Budget {
    limits: Limits,
    archive_bytes: u64,
    unpacked_bytes: AtomicU64,
}

impl Budget {
    fn new(limits: &Limits, archive_bytes: u64) -> Self {
        Self {
            limits: limits.clone(),
            archive_bytes,
            unpacked_bytes: AtomicU64::new(0),
        }
    }

    /// Counts `more` bytes of the file `name`, which has unpacked to `file_bytes` by now.
    fn spend(&self, name: &str, file_bytes: u64, more: u64) -> Result<(), UnpackError> {
        let total = self.unpacked_bytes.fetch_add(more, Ordering::Relaxed) + more;
        if file_bytes > self.limits.file_bytes {
            return Err(UnpackError::too_large(name, &self.limits, true));
        }
        if total > self.limits.total_bytes {
            return Err(UnpackError::too_large(name, &self.limits, false));
        }
        self.check_ratio(name, total, self.archive_bytes)
    }

    fn check_ratio(&self, name: &str, unpacked_bytes: u64, packed_bytes: u64) -> Result<(), UnpackError> {
        let ratio = self.limits.ratio;
        if unpacked_bytes > RATIO_FROM_BYTES && unpacked_bytes / ratio.max(1) > packed_bytes {
            return Err(UnpackError::Bomb {
                name: name.to_owned(),
                ratio,
            });
        }
        Ok(())
    }
}

/// Stops the threads of an unpacking that failed or that the caller gave up.
#[derive(Debug, Clone, Default)]
struct Stop(Arc<AtomicBool>);

impl Stop {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// The text of a symlink.
fn link_target(name: &str, target: Vec<u8>) -> Result<String, UnpackError> {
    let unreadable = |target: String| UnpackError::Symlink {
        name: name.to_owned(),
        target,
        fault: LinkFault::Unreadable,
    };
    match String::from_utf8(target) {
        Ok(target)
            if !target.is_empty() && !target.contains('\0') && target.len() <= crate::path::PATH_BYTES =>
        {
            Ok(target)
        }
        Ok(target) => Err(unreadable(target.chars().take(100).collect())),
        Err(error) => Err(unreadable(error.as_bytes().escape_ascii().to_string())),
    }
}
