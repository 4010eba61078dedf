//! Writes a tree into a directory.

use super::beneath::Root;
use super::{FILES_AT_ONCE, WorkspaceError};
use crate::blobs::{BlobError, Blobs, CHUNK_BYTES, blocking};
use crate::path;
use crate::tree::{Entry, Mode, Tree};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use polyphemus_core::BlobHash;
use rustix::fs::{Mode as Permissions, OFlags};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where a tree is being written.
#[derive(Debug)]
struct Target {
    root: Root,
    /// Whether the filesystem shares extents between files (btrfs, xfs); false once it said no.
    clones: AtomicBool,
}

/// Writes the files of `tree` into the empty directory `dir`, checking each content against its
/// hash. They are copies, sharing extents where the filesystem can, and never hard links: a job
/// may write to them. Not synced: a workspace does not outlive its attempt. After an error, or
/// dropped in the middle, the directory is half-filled and is to be deleted.
pub async fn materialise(tree: &Tree, blobs: &Blobs, dir: &Path) -> Result<(), WorkspaceError> {
    let parents = tree.entries().iter().flat_map(|entry| path::parents(&entry.path));
    // Sorted, so that each directory comes after its parent.
    let directories: BTreeSet<String> = parents.map(str::to_owned).collect();
    let dir = dir.to_owned();
    let target = blocking(move || {
        let root = Root::open(&dir)?;
        let found = root
            .list(".")
            .map_err(|error| WorkspaceError::io("list", &dir, error))?;
        if !found.is_empty() {
            return Err(WorkspaceError::NotEmpty { dir });
        }
        for path in &directories {
            root.make_directory(path)
                .map_err(|error| WorkspaceError::io("make the directory", &root.display(path), error))?;
        }
        Ok(Arc::new(Target {
            root,
            clones: AtomicBool::new(true),
        }))
    })
    .await?;
    stream::iter(tree.entries().iter().cloned())
        .map(|entry| write_file(entry, blobs.clone(), target.clone()))
        .buffer_unordered(FILES_AT_ONCE)
        .try_collect()
        .await
}

async fn write_file(entry: Entry, blobs: Blobs, target: Arc<Target>) -> Result<(), WorkspaceError> {
    let content = match blobs.folder() {
        Some(_) => None,
        None => Some(blobs.get(&entry.hash).await?),
    };
    blocking(move || {
        let file = target.create(&entry)?;
        let written = match (content, blobs.open_local(&entry.hash)?) {
            (None, Some(source)) => target.copy(&entry, source, file)?,
            (content, _) => {
                let content = content.unwrap_or_default();
                let place = target.root.display(&entry.path);
                (&file)
                    .write_all(&content)
                    .map_err(|error| WorkspaceError::io("write", &place, error))?;
                content.len() as u64
            }
        };
        if written == entry.size_bytes {
            return Ok(());
        }
        let (expected_bytes, path) = (entry.size_bytes, entry.path);
        Err(WorkspaceError::WrongSize {
            path,
            expected_bytes,
            actual_bytes: written,
        })
    })
    .await
}

impl Target {
    fn create(&self, entry: &Entry) -> Result<File, WorkspaceError> {
        let mode = match entry.mode {
            Mode::File => Permissions::from_raw_mode(0o644),
            Mode::Executable => Permissions::from_raw_mode(0o755),
        };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let file = self.root.open_at(&entry.path, flags, mode);
        let place = || self.root.display(&entry.path);
        file.map(File::from)
            .map_err(|error| WorkspaceError::io("create", &place(), error))
    }

    /// Copies a blob's file, hashing what it copies. There is no use for copy_file_range: the bytes
    /// must come through here to be hashed, and sharing extents is what it would add.
    fn copy(&self, entry: &Entry, mut source: File, mut file: File) -> Result<u64, WorkspaceError> {
        let place = self.root.display(&entry.path);
        let cloned = entry.size_bytes > 0
            && self.clones.load(Ordering::Relaxed)
            && match rustix::fs::ioctl_ficlone(&file, &source) {
                Ok(()) => true,
                Err(_) => {
                    self.clones.store(false, Ordering::Relaxed);
                    false
                }
            };
        let mut hasher = blake3::Hasher::new();
        let mut written = 0u64;
        let size = usize::try_from(entry.size_bytes).unwrap_or(CHUNK_BYTES);
        let mut buffer = vec![0; size.saturating_add(1).min(CHUNK_BYTES)];
        loop {
            // What was cloned is read back, for that is what the job will see.
            let read = if cloned {
                file.read(&mut buffer)
            } else {
                source.read(&mut buffer)
            };
            let count = match read {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(WorkspaceError::io("read the content of", &place, error)),
            };
            hasher.update(&buffer[..count]);
            written += count as u64;
            if !cloned {
                file.write_all(&buffer[..count])
                    .map_err(|error| WorkspaceError::io("write", &place, error))?;
            }
        }
        if BlobHash::from_bytes(*hasher.finalize().as_bytes()) != entry.hash {
            return Err(BlobError::Corrupt {
                hash: entry.hash.clone(),
            }
            .into());
        }
        Ok(written)
    }
}
