//! Makes a tree of a directory that a job has worked in.

use super::beneath::Root;
use super::walk::{Found, walk};
use super::{FILES_AT_ONCE, WorkspaceError};
use crate::blobs::{BlobWriter, Blobs, CHUNK_BYTES, blocking};
use crate::tree::{Entry, Mode, Tree};
use crate::unpack::Limits;
use futures::{StreamExt as _, stream};
use polyphemus_core::BlobHash;
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode as Permissions, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Notes kept; a job can make more files that are left out than anyone would read of.
const NOTES: usize = 100;

/// A directory's files as a tree, all of whose blobs are stored; the tree's own text is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub tree: Tree,
    /// What was left out or changed into a copy and why, in sentences for the job's owner.
    pub notes: Vec<String>,
}

/// What becomes of it.
#[derive(Debug)]
enum Outcome {
    Stored(Entry),
    StoredWithNote(Entry, String),
    LeftOut(String),
}

#[derive(Debug, Default)]
pub(super) struct Notes {
    texts: Vec<String>,
    more: usize,
}

/// What the threads of one snapshot share.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) root: Root,
    blobs: Blobs,
    pub(super) limits: Limits,
    total_bytes: AtomicU64,
}

/// Stores the files of `dir` and gives their tree. `discard` is asked for each file and directory by
/// its path; what it discards is not looked into. A file with the content that `previous` has under
/// its path is read but not written. Symlinks to files inside become copies; what is no file, cannot
/// be read or has an illegal name is left out with a note, and so is a file that vanishes meanwhile.
/// Of a file that changes meanwhile, what was read is stored.
pub async fn snapshot(
    dir: &Path,
    blobs: &Blobs,
    previous: &Tree,
    discard: &(dyn Fn(&str) -> bool + Send + Sync),
    limits: &Limits,
) -> Result<Snapshot, WorkspaceError> {
    let dir = dir.to_owned();
    let root = blocking(move || Root::open(&dir)).await?;
    snapshot_of(root, blobs, previous, discard, limits).await
}

async fn snapshot_of(
    root: Root,
    blobs: &Blobs,
    previous: &Tree,
    discard: &(dyn Fn(&str) -> bool + Send + Sync),
    limits: &Limits,
) -> Result<Snapshot, WorkspaceError> {
    let (blobs, limits) = (blobs.clone(), limits.clone());
    let work = Arc::new(Work {
        root,
        blobs,
        limits,
        total_bytes: AtomicU64::new(0),
    });
    let mut notes = Notes::default();
    let found = walk(&work, discard, &mut notes).await?;
    let mut storing = stream::iter(found)
        .map(|found| {
            let (work, before) = (work.clone(), previous.get(&found.path).cloned());
            blocking(move || work.store(found, before))
        })
        .buffered(FILES_AT_ONCE);
    let mut entries = Vec::new();
    while let Some(outcome) = storing.next().await {
        match outcome? {
            Outcome::Stored(entry) => entries.push(entry),
            Outcome::StoredWithNote(entry, note) => {
                entries.push(entry);
                notes.add(note);
            }
            Outcome::LeftOut(note) => notes.add(note),
        }
    }
    Ok(Snapshot {
        tree: Tree::from_entries(entries)?,
        notes: notes.finish(),
    })
}

/// A kind in words, for a note.
pub(super) fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "named pipe",
        FileType::Socket => "socket",
        FileType::CharacterDevice | FileType::BlockDevice => "device",
        FileType::Directory => "directory",
        _ => "file of an unknown kind",
    }
}

/// Why something of a workspace cannot be read, for a note.
pub(super) fn reason(error: Errno) -> String {
    match error {
        Errno::NOENT => "it is not there".to_owned(),
        Errno::LOOP => "it is, or leads through, a symlink that cannot be followed".to_owned(),
        Errno::XDEV => "it leads out of the directory".to_owned(),
        Errno::ACCESS | Errno::PERM => "it may not be read".to_owned(),
        error => format!("it cannot be read ({})", io::Error::from(error)),
    }
}

impl Notes {
    pub(super) fn add(&mut self, note: String) {
        if self.texts.len() < NOTES {
            self.texts.push(note);
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.texts
                .push(format!("{} more were left out or copied", self.more));
        }
        self.texts
    }
}

impl Work {
    fn store(&self, found: Found, before: Option<Entry>) -> Result<Outcome, WorkspaceError> {
        let Found { path, symlink } = found;
        let what = if symlink { "symlink" } else { "file" };
        let left_out = |why: &str| {
            Ok(Outcome::LeftOut(format!(
                "the {what} `{path}` was left out: {why}"
            )))
        };
        // A named pipe put in the file's place must not hold us: O_NONBLOCK.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened: Result<OwnedFd, Errno> = match symlink {
            true => self.root.open_link(&path),
            false => self.root.open_at(&path, flags, Permissions::empty()),
        };
        let file = match opened {
            Ok(fd) => File::from(fd),
            Err(error) => return left_out(&reason(error)),
        };
        let meta = file
            .metadata()
            .map_err(|error| WorkspaceError::io("look at", &self.root.display(&path), error))?;
        if !meta.is_file() {
            let kind = kind_name(FileType::from_raw_mode(meta.mode()));
            return left_out(&format!(
                "it {} a {kind}",
                if symlink { "leads to" } else { "is" }
            ));
        }
        let unchanged = before.filter(|before| before.size_bytes == meta.len());
        let (hash, size_bytes) = match self.content(&path, &file, unchanged)? {
            Ok(content) => content,
            Err(error) => return left_out(&format!("it cannot be read ({error})")),
        };
        let entry = Entry {
            path: path.clone(),
            mode: Mode::from_unix(meta.mode()),
            size_bytes,
            hash,
        };
        Ok(match symlink {
            true => Outcome::StoredWithNote(entry, format!("the symlink `{path}` became a copy of its file")),
            false => Outcome::Stored(entry),
        })
    }

    /// The content's hash and size, once it is in the store. The inner error is one of reading.
    fn content(
        &self,
        path: &str,
        file: &File,
        unchanged: Option<Entry>,
    ) -> Result<Result<(BlobHash, u64), io::Error>, WorkspaceError> {
        if let Some(before) = unchanged {
            let mut hasher = blake3::Hasher::new();
            let mut size_bytes = 0;
            let read = self.each_chunk(path, file, &mut |chunk| {
                hasher.update(chunk);
                size_bytes += chunk.len() as u64;
                Ok(())
            })?;
            if let Err(error) = read {
                return Ok(Err(error));
            }
            let hash = BlobHash::from_bytes(*hasher.finalize().as_bytes());
            if hash == before.hash && self.blobs.keep(&hash, size_bytes)? {
                return Ok(Ok((hash, size_bytes)));
            }
            // It changed: read again, and what counts is what is read then.
            self.total_bytes.fetch_sub(size_bytes, Ordering::Relaxed);
        }
        let mut writer = BlobWriter::new(&self.blobs);
        match self.each_chunk(path, file, &mut |chunk| Ok(writer.write(chunk)?))? {
            Ok(()) => Ok(Ok(writer.finish()?)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Reads the file from its beginning to its present end, holding it to the limits.
    fn each_chunk(
        &self,
        path: &str,
        file: &File,
        each: &mut dyn FnMut(&[u8]) -> Result<(), WorkspaceError>,
    ) -> Result<io::Result<()>, WorkspaceError> {
        let known = file.metadata().map_or(0, |meta| meta.len());
        let size = usize::try_from(known).unwrap_or(CHUNK_BYTES).saturating_add(1);
        let mut buffer = vec![0; size.min(CHUNK_BYTES)];
        let mut position = 0u64;
        loop {
            let count = match file.read_at(&mut buffer, position) {
                Ok(0) => return Ok(Ok(())),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Err(error)),
            };
            position += count as u64;
            let total = self.total_bytes.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
            if position > self.limits.file_bytes {
                let limit_bytes = self.limits.file_bytes;
                return Err(WorkspaceError::FileTooLarge {
                    path: path.to_owned(),
                    limit_bytes,
                });
            }
            if total > self.limits.total_bytes {
                let limit_bytes = self.limits.total_bytes;
                return Err(WorkspaceError::TotalTooLarge {
                    path: path.to_owned(),
                    limit_bytes,
                });
            }
            each(&buffer[..count])?;
        }
    }
}
