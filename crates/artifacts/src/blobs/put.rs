//! The ways in: bytes, files and streams.

use super::{BlobError, BlobWriter, Blobs, CHUNK_BYTES, Place, blocking, joined, writer};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use polyphemus_core::BlobHash;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Writes of one call that run at once, so that their fsyncs share the disk's commits.
const WRITES_AT_ONCE: usize = 16;

impl Blobs {
    /// Stores `content`; when this returns it is durable. Writes nothing if it is there already.
    pub async fn put(&self, content: Bytes) -> Result<BlobHash, BlobError> {
        if self.can_hold([content.len() as u64]) {
            return writer::store_bytes(self, &content);
        }
        let blobs = self.clone();
        blocking(move || writer::store_bytes(&blobs, &content)).await
    }

    /// Stores many contents, up to 16 at once; their hashes come in the same order.
    pub async fn put_many(&self, contents: Vec<Bytes>) -> Result<Vec<BlobHash>, BlobError> {
        stream::iter(contents)
            .map(|content| self.put(content))
            .buffered(WRITES_AT_ONCE)
            .try_collect()
            .await
    }

    /// Stores a copy of a file, reading it once in constant memory. Gives its hash and its size in
    /// bytes as read.
    pub async fn put_file(&self, path: &Path) -> Result<(BlobHash, u64), BlobError> {
        let (blobs, path) = (self.clone(), path.to_owned());
        blocking(move || {
            let file = File::open(&path).map_err(|error| BlobError::io("open", &path, error))?;
            store_file(&blobs, file, &path)
        })
        .await
    }

    /// Stores a file that the caller gives up: nobody may write to it any more, and it is gone when
    /// this returns `Ok`. On the store's own filesystem it is renamed instead of copied.
    pub async fn put_file_owned(&self, path: &Path) -> Result<(BlobHash, u64), BlobError> {
        let (blobs, path) = (self.clone(), path.to_owned());
        blocking(move || store_file_owned(&blobs, &path)).await
    }

    /// Stores a stream of chunks if it has the hash `expected` and at most `limit_bytes`; otherwise
    /// stores nothing. Holds some 2 MiB, writing one while the next arrives. Gives the size in bytes.
    pub async fn put_stream<E>(
        &self,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
        expected: &BlobHash,
        limit_bytes: u64,
    ) -> Result<u64, BlobError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut content = std::pin::pin!(content);
        let mut writing = Writing::Idle(Box::new(BlobWriter::new(self)));
        let (mut batch, mut batch_bytes, mut size_bytes) = (Vec::new(), 0, 0u64);
        while let Some(chunk) = content.next().await {
            let chunk = chunk.map_err(|error| BlobError::Interrupted(error.into()))?;
            size_bytes += chunk.len() as u64;
            if size_bytes > limit_bytes {
                return Err(BlobError::TooLarge { limit_bytes });
            }
            batch_bytes += chunk.len();
            batch.push(chunk);
            if batch_bytes >= CHUNK_BYTES {
                writing = writing.write(std::mem::take(&mut batch)).await?;
                batch_bytes = 0;
            }
        }
        let mut writer = writing.idle().await?;
        let expected = expected.clone();
        blocking(move || {
            batch.iter().try_for_each(|chunk| writer.write(chunk))?;
            writer.finish_as(&expected)
        })
        .await?;
        Ok(size_bytes)
    }
}

/// What [`Blobs::put_stream`] does with its writer: the next batch arrives while one is written.
enum Writing {
    Idle(Box<BlobWriter>),
    Busy(tokio::task::JoinHandle<Result<Box<BlobWriter>, BlobError>>),
}

impl Writing {
    async fn write(self, batch: Vec<Bytes>) -> Result<Self, BlobError> {
        let mut writer = self.idle().await?;
        Ok(Self::Busy(tokio::task::spawn_blocking(move || {
            batch.iter().try_for_each(|chunk| writer.write(chunk))?;
            Ok(writer)
        })))
    }

    async fn idle(self) -> Result<Box<BlobWriter>, BlobError> {
        match self {
            Self::Idle(writer) => Ok(writer),
            Self::Busy(task) => joined(task.await),
        }
    }
}

/// Stores what can still be read of `file`; `path` is its name in errors. Blocks.
fn store_file(blobs: &Blobs, file: File, path: &Path) -> Result<(BlobHash, u64), BlobError> {
    let mut writer = BlobWriter::new(blobs);
    each_chunk(file, path, |chunk| writer.write(chunk))?;
    writer.finish()
}

/// The hash and the size in bytes of what can still be read of `file`. Blocks.
fn hash_file(file: File, path: &Path) -> Result<(BlobHash, u64), BlobError> {
    let (mut hasher, mut size_bytes) = (blake3::Hasher::new(), 0u64);
    each_chunk(file, path, |chunk| {
        hasher.update(chunk);
        size_bytes += chunk.len() as u64;
        Ok(())
    })?;
    Ok((BlobHash::from_bytes(*hasher.finalize().as_bytes()), size_bytes))
}

fn each_chunk(
    mut file: File,
    path: &Path,
    mut each: impl FnMut(&[u8]) -> Result<(), BlobError>,
) -> Result<(), BlobError> {
    let known = file.metadata().map_or(CHUNK_BYTES as u64, |meta| meta.len());
    // One byte more than a small file, so that its end shows in the second read.
    let mut buffer = vec![0; CHUNK_BYTES.min(usize::try_from(known).unwrap_or(CHUNK_BYTES) + 1)];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => each(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(BlobError::io("read", path, error)),
        }
    }
}

fn store_file_owned(blobs: &Blobs, path: &Path) -> Result<(BlobHash, u64), BlobError> {
    let open = || File::open(path).map_err(|error| BlobError::io("open", path, error));
    let stored = match &blobs.place {
        Place::Objects(_) => store_file(blobs, open()?, path)?,
        Place::Folder(folder) => {
            let (hash, size_bytes) = hash_file(open()?, path)?;
            if folder.keep(&hash, size_bytes)? {
                (hash, size_bytes)
            } else {
                match folder.publish(&open()?, path, &hash) {
                    Ok(()) => return Ok((hash, size_bytes)),
                    Err(BlobError::Io { source, .. }) if source.kind() == io::ErrorKind::CrossesDevices => {
                        store_file(blobs, open()?, path)?
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    };
    std::fs::remove_file(path).map_err(|error| BlobError::io("delete", path, error))?;
    Ok(stored)
}
