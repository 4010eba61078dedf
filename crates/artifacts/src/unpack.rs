//! Turns a zip archive into a tree. The archive is hostile until shown otherwise: its entries stream
//! into blobs and never touch a path, names are checked before contents, and what counts is the
//! bytes really unpacked, not what the archive says of itself.

mod assemble;
mod directory;
mod error;
pub(crate) mod links;
mod reader;

pub use error::{LinkFault, UnpackError};

use crate::blobs::{BlobError, BlobWriter, Blobs, blocking, joined};
use crate::tree::{Mode, Tree};
use directory::{Directory, Kind, Member};
use polyphemus_core::BlobHash;
use reader::ArchiveReader;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::task::JoinSet;
use zip::ZipReadOptions;
use zip::read::HasZipMetadata as _;
use zip::result::ZipError;

/// Entries unpacked at once; more than processors, because small files wait for their fsync.
const ENTRIES_AT_ONCE: usize = 16;
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

/// One archive being unpacked by several threads.
#[derive(Debug)]
struct Unpacking {
    blobs: Blobs,
    limits: Limits,
    file: Arc<File>,
    archive_bytes: u64,
    members: Vec<Member>,
    next: AtomicUsize,
    unpacked_bytes: AtomicU64,
    stopped: AtomicBool,
}

/// Stops the threads of an unpacking that failed or that the caller gave up.
struct StopOnDrop(Arc<Unpacking>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

/// What became of a member.
#[derive(Debug)]
enum Content {
    Stored {
        hash: BlobHash,
        size_bytes: u64,
        mode: Mode,
    },
    Link {
        target: String,
    },
}

/// Stores the files of the zip archive `archive` as blobs and gives their tree. A single top-level
/// directory is taken away, symlinks to files of the archive become copies, and what macOS adds is
/// dropped; each of them is noted. On an error some blobs may be stored that nothing refers to; a
/// collection removes them.
pub async fn unpack_zip(archive: &Path, blobs: &Blobs, limits: &Limits) -> Result<Unpacked, UnpackError> {
    let (path, blobs, limits) = (archive.to_owned(), blobs.clone(), limits.clone());
    let (unpacking, directories, dropped) = blocking(move || {
        let failed = |source| UnpackError::Archive {
            archive: path.clone(),
            source,
        };
        let file = Arc::new(File::open(&path).map_err(failed)?);
        let archive_bytes = file.metadata().map_err(failed)?.len();
        let reader = ArchiveReader::new(file.clone(), archive_bytes);
        let Directory {
            members,
            directories,
            dropped,
        } = directory::read(reader, archive_bytes, &limits)?;
        if members.is_empty() {
            return Err(UnpackError::Empty);
        }
        let (next, unpacked_bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
        let stopped = AtomicBool::new(false);
        let unpacking = Unpacking {
            blobs,
            limits,
            file,
            archive_bytes,
            members,
            next,
            unpacked_bytes,
            stopped,
        };
        Ok((Arc::new(unpacking), directories, dropped))
    })
    .await?;
    let _stop = StopOnDrop(unpacking.clone());
    let mut threads = JoinSet::new();
    for _ in 0..unpacking.members.len().min(ENTRIES_AT_ONCE) {
        let unpacking = unpacking.clone();
        threads.spawn_blocking(move || unpacking.run());
    }
    let mut contents = Vec::with_capacity(unpacking.members.len());
    while let Some(done) = threads.join_next().await {
        contents.extend(joined(done)?);
    }
    assemble::assemble(&unpacking.members, contents, directories, dropped)
}

impl Unpacking {
    /// Takes one member after the other until none is left.
    fn run(&self) -> Result<Vec<(usize, Content)>, UnpackError> {
        let mut reader = ArchiveReader::new(self.file.clone(), self.archive_bytes);
        let mut buffer = Vec::new();
        let mut contents = Vec::new();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(member) = self.members.get(index) else {
                return Ok(contents);
            };
            contents.push((index, self.unpack(member, &mut reader, &mut buffer)?));
        }
    }

    fn unpack(
        &self,
        member: &Member,
        reader: &mut ArchiveReader,
        buffer: &mut Vec<u8>,
    ) -> Result<Content, UnpackError> {
        let name = &member.path;
        let damaged = |error: ZipError| UnpackError::entry(name, error.into());
        let begins = member.entry.get_metadata().data_start(reader).map_err(damaged)?;
        let packed_bytes = member.entry.compressed_size();
        if begins
            .checked_add(packed_bytes)
            .is_none_or(|end| end > member.ends_before)
        {
            return Err(UnpackError::Overlap { name: name.clone() });
        }
        let options = ZipReadOptions::new();
        let mut content = member
            .entry
            .as_ref()
            .with_reader(reader, options)
            .map_err(damaged)?;
        let declared_bytes = member.entry.size();
        let mode = match member.kind {
            Kind::Symlink => return read_link(name, content),
            Kind::File(mode) => mode,
        };
        buffer.resize(CHUNK_BYTES, 0);
        let mut writer = BlobWriter::new(&self.blobs);
        loop {
            match content.read(buffer) {
                Ok(0) => break,
                Ok(_) if self.stopped.load(Ordering::Relaxed) => return Err(BlobError::ShuttingDown.into()),
                Ok(count) => {
                    self.account(
                        name,
                        packed_bytes,
                        writer.size_bytes() + count as u64,
                        count as u64,
                    )?;
                    writer.write(&buffer[..count])?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(UnpackError::entry(name, error)),
            }
        }
        if writer.size_bytes() != declared_bytes {
            let why = format!(
                "it says it has {declared_bytes} bytes and has {}",
                writer.size_bytes()
            );
            return Err(UnpackError::Damaged {
                name: name.clone(),
                why,
            });
        }
        let (hash, size_bytes) = writer.finish()?;
        Ok(Content::Stored {
            hash,
            size_bytes,
            mode,
        })
    }

    /// Counts `more` bytes of a member that has now unpacked to `member_bytes`.
    fn account(&self, name: &str, packed: u64, member_bytes: u64, more: u64) -> Result<(), UnpackError> {
        let total = self.unpacked_bytes.fetch_add(more, Ordering::Relaxed) + more;
        if member_bytes > self.limits.file_bytes {
            return Err(UnpackError::too_large(name, &self.limits, true));
        }
        if total > self.limits.total_bytes {
            return Err(UnpackError::too_large(name, &self.limits, false));
        }
        let swells = |unpacked: u64, packed: u64| {
            unpacked > RATIO_FROM_BYTES && unpacked / self.limits.ratio.max(1) > packed
        };
        if swells(member_bytes, packed) || swells(total, self.archive_bytes) {
            return Err(UnpackError::Bomb {
                name: name.to_owned(),
                ratio: self.limits.ratio,
            });
        }
        Ok(())
    }
}

fn read_link(name: &str, content: impl io::Read) -> Result<Content, UnpackError> {
    let mut target = Vec::new();
    let longest = crate::path::PATH_BYTES as u64 + 1;
    content
        .take(longest)
        .read_to_end(&mut target)
        .map_err(|error| UnpackError::entry(name, error))?;
    match String::from_utf8(target) {
        Ok(target) if !target.is_empty() && !target.contains('\0') && target.len() < longest as usize => {
            Ok(Content::Link { target })
        }
        Ok(target) => Err(unreadable(name, target.chars().take(100).collect())),
        Err(error) => Err(unreadable(name, error.as_bytes().escape_ascii().to_string())),
    }
}

fn unreadable(name: &str, target: String) -> UnpackError {
    UnpackError::Symlink {
        name: name.to_owned(),
        target,
        fault: LinkFault::Unreadable,
    }
}
