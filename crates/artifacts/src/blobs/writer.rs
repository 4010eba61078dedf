//! Writes one blob whose hash is not known before its end. The only way into the store;
//! blocks, and is called on the threads for blocking work.

use super::folder::Folder;
use super::{BlobError, Blobs, Place};
use bytes::Bytes;
use polyphemus_core::BlobHash;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Contents up to this size are hashed before a file is made, so that one already there costs no write.
const HELD_BYTES: usize = 256 * 1024;
/// After this many bytes the disk is told to begin, so that the sync at the end finds little left.
const FLUSH_EVERY_BYTES: u64 = 16 * 1024 * 1024;
/// The most that is written ahead of the disk.
const AHEAD_BYTES: u64 = 128 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct BlobWriter {
    blobs: Blobs,
    hasher: blake3::Hasher,
    size_bytes: u64,
    held: Vec<u8>,
    unfinished: Option<Unfinished>,
}

/// A file not yet published; dropped, it is deleted.
#[derive(Debug)]
struct Unfinished {
    folder: Arc<Folder>,
    file: File,
    path: PathBuf,
    flushed_bytes: u64,
    /// Has what was written before brought to the disk, while more is written.
    flushing: Option<JoinHandle<io::Result<()>>>,
    published: bool,
}

impl BlobWriter {
    pub(crate) fn new(blobs: &Blobs) -> Self {
        Self {
            blobs: blobs.clone(),
            hasher: blake3::Hasher::new(),
            size_bytes: 0,
            held: Vec::new(),
            unfinished: None,
        }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(crate) fn write(&mut self, chunk: &[u8]) -> Result<(), BlobError> {
        self.hasher.update(chunk);
        self.size_bytes += chunk.len() as u64;
        let Place::Folder(folder) = &self.blobs.place else {
            self.held.extend_from_slice(chunk);
            return Ok(());
        };
        if let Some(unfinished) = &mut self.unfinished {
            return unfinished.write(chunk, self.size_bytes);
        }
        if self.held.len() + chunk.len() <= HELD_BYTES {
            self.held.extend_from_slice(chunk);
            return Ok(());
        }
        let mut unfinished = Unfinished::create(folder)?;
        unfinished.write(&self.held, 0)?;
        unfinished.write(chunk, self.size_bytes)?;
        self.held = Vec::new();
        self.unfinished = Some(unfinished);
        Ok(())
    }

    /// Stores what was written, unless it is there already.
    pub(crate) fn finish(mut self) -> Result<(BlobHash, u64), BlobError> {
        let hash = self.hash();
        self.store(&hash)?;
        Ok((hash, self.size_bytes))
    }

    /// Stores what was written only if it has the hash `expected`.
    pub(crate) fn finish_as(mut self, expected: &BlobHash) -> Result<(), BlobError> {
        let actual = self.hash();
        if actual != *expected {
            return Err(BlobError::Mismatch {
                expected: expected.clone(),
                actual,
            });
        }
        self.store(&actual)
    }

    fn hash(&self) -> BlobHash {
        BlobHash::from_bytes(*self.hasher.finalize().as_bytes())
    }

    fn store(&mut self, hash: &BlobHash) -> Result<(), BlobError> {
        let folder = match &self.blobs.place {
            Place::Folder(folder) => folder,
            Place::Objects(_) => {
                let content = Bytes::from(std::mem::take(&mut self.held));
                if self.blobs.store_together(hash, &content)? {
                    return Ok(());
                }
                return tokio::runtime::Handle::current().block_on(self.blobs.put_object(hash, content));
            }
        };
        let Some(mut unfinished) = self.unfinished.take() else {
            let content = Bytes::from(std::mem::take(&mut self.held));
            return store_held(&self.blobs, folder, hash, &content);
        };
        if folder.keep(hash, self.size_bytes)? {
            return Ok(());
        }
        unfinished.publish(hash)
    }
}

impl Unfinished {
    fn create(folder: &Arc<Folder>) -> Result<Self, BlobError> {
        let (file, path) = folder.create_unfinished()?;
        Ok(Self {
            folder: folder.clone(),
            file,
            path,
            flushed_bytes: 0,
            flushing: None,
            published: false,
        })
    }

    fn write(&mut self, chunk: &[u8], size_bytes: u64) -> Result<(), BlobError> {
        self.file
            .write_all(chunk)
            .map_err(|error| BlobError::io("write", &self.path, error))?;
        let ahead_bytes = size_bytes.saturating_sub(self.flushed_bytes);
        let is_flushing = self.flushing.as_ref().is_some_and(|one| !one.is_finished());
        if ahead_bytes < FLUSH_EVERY_BYTES || is_flushing && ahead_bytes < AHEAD_BYTES {
            return Ok(());
        }
        self.flushed()?;
        let flush = self.file.try_clone().and_then(|file| {
            let thread = std::thread::Builder::new().name("blobs-flush".into());
            thread.spawn(move || file.sync_data())
        });
        self.flushing = Some(flush.map_err(|error| BlobError::io("write to disk", &self.path, error))?);
        self.flushed_bytes = size_bytes;
        Ok(())
    }

    /// Waits for the flush that runs. The kernel tells an error of the disk only once, so that it must not
    /// be overheard.
    fn flushed(&mut self) -> Result<(), BlobError> {
        let Some(flushing) = self.flushing.take() else {
            return Ok(());
        };
        match flushing.join() {
            Ok(flushed) => flushed.map_err(|error| BlobError::io("write to disk", &self.path, error)),
            // A thread that panicked has not flushed.
            Err(_) => Err(BlobError::ShuttingDown),
        }
    }

    fn publish(&mut self, hash: &BlobHash) -> Result<(), BlobError> {
        self.flushed()?;
        self.folder.publish(&self.file, &self.path, hash)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be deleted now is deleted as a leftover when the store is next opened.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Stores `content` in one go, without copying it. Blocks.
pub(crate) fn store_bytes(blobs: &Blobs, content: &Bytes) -> Result<BlobHash, BlobError> {
    let hash = BlobHash::from_bytes(*blake3::hash(content).as_bytes());
    match &blobs.place {
        Place::Objects(_) => {
            if !blobs.store_together(&hash, content)? {
                tokio::runtime::Handle::current().block_on(blobs.put_object(&hash, content.clone()))?;
            }
        }
        Place::Folder(folder) => store_held(blobs, folder, &hash, content)?,
    }
    Ok(hash)
}

/// Stores a content that is in memory, if it is not there already.
fn store_held(
    blobs: &Blobs,
    folder: &Arc<Folder>,
    hash: &BlobHash,
    content: &Bytes,
) -> Result<(), BlobError> {
    if blobs.store_together(hash, content)? || folder.keep(hash, content.len() as u64)? {
        return Ok(());
    }
    let mut unfinished = Unfinished::create(folder)?;
    unfinished.write(content, 0)?;
    unfinished.publish(hash)
}
