//! An archive that has arrived, in memory or as an open file; read at any place, by several at once.

use super::UnpackError;
use crate::blobs::Blobs;
use bytes::Bytes;
use polyphemus_core::BlobHash;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

/// A clone is another handle on the same archive.
#[derive(Debug, Clone)]
pub struct Archive {
    place: Place,
    size_bytes: u64,
}

#[derive(Debug, Clone)]
enum Place {
    Memory(Bytes),
    File(Arc<File>),
    Parted(Arc<Parted>),
}

/// A file with holes in the places of contents that are blobs already.
#[derive(Debug)]
struct Parted {
    rest: File,
    /// In the order of the archive.
    apart: Vec<Apart>,
    blobs: Blobs,
}

/// A content of the archive that became a blob while it arrived.
#[derive(Debug, Clone)]
pub(super) struct Apart {
    pub(super) begins: u64,
    pub(super) size_bytes: u64,
    pub(super) hash: BlobHash,
    /// As zip archives have it.
    pub(super) crc32: u32,
}

impl Archive {
    /// Blocks for a moment.
    pub fn open(path: &Path) -> Result<Self, UnpackError> {
        let file = File::open(path).map_err(|source| UnpackError::Archive { source })?;
        Self::of_file(file).map_err(|source| UnpackError::Archive { source })
    }

    /// The whole of an open file, wherever it stands. Blocks for a moment.
    pub fn of_file(file: File) -> io::Result<Self> {
        Ok(Self {
            size_bytes: file.metadata()?.len(),
            place: Place::File(Arc::new(file)),
        })
    }

    pub fn of_bytes(content: Bytes) -> Self {
        Self {
            size_bytes: content.len() as u64,
            place: Place::Memory(content),
        }
    }

    pub(super) fn parted(rest: File, apart: Vec<Apart>, blobs: Blobs, size_bytes: u64) -> Self {
        let place = match apart.is_empty() {
            true => Place::File(Arc::new(rest)),
            false => Place::Parted(Arc::new(Parted { rest, apart, blobs })),
        };
        Self { place, size_bytes }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Whether reading it waits for no disk.
    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self.place, Place::Memory(_))
    }

    /// The content of exactly this place, if it is a blob already.
    pub(super) fn apart(&self, begins: u64, size_bytes: u64) -> Option<&Apart> {
        let Place::Parted(parted) = &self.place else {
            return None;
        };
        let at = parted.apart.binary_search_by_key(&begins, |one| one.begins);
        at.ok()
            .and_then(|at| parted.apart.get(at))
            .filter(|one| one.size_bytes == size_bytes)
    }

    /// Reads some of what is at `at`; nothing behind the end.
    pub(super) fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        match &self.place {
            Place::File(file) => file.read_at(into, at),
            Place::Parted(parted) => parted.read_at(into, at),
            Place::Memory(content) => {
                let begin = usize::try_from(at).unwrap_or(usize::MAX).min(content.len());
                let rest = &content[begin..];
                let count = rest.len().min(into.len());
                into[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
        }
    }
}

impl Parted {
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let next = self
            .apart
            .partition_point(|one| one.begins + one.size_bytes <= at);
        let most = |end: u64| into.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
        match self.apart.get(next) {
            Some(one) if one.begins <= at => {
                let count = most(one.begins + one.size_bytes);
                // Opened each time: who reads it at all has no ordinary archive.
                let blob = self.blobs.open_local(&one.hash).map_err(io::Error::other)?;
                let blob = blob.ok_or(io::ErrorKind::NotFound)?;
                blob.read_at(&mut into[..count], at - one.begins)
            }
            Some(one) => {
                let count = most(one.begins);
                self.rest.read_at(&mut into[..count], at)
            }
            None => self.rest.read_at(into, at),
        }
    }
}
