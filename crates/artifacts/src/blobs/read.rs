//! Reads blobs back, at once or as a stream, checked against their hash.

use super::journal::Unplaced;
use super::{BlobError, Blobs, CHUNK_BYTES, Place, blocking, key};
use crate::tree::Tree;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::ObjectStoreExt as _;
use polyphemus_core::{BlobHash, TreeHash};
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

/// The chunks of a content.
pub type ByteStream = stream::BoxStream<'static, Result<Bytes, BlobError>>;

impl Blobs {
    /// The whole content, which has matched its hash.
    pub async fn get(&self, hash: &BlobHash) -> Result<Bytes, BlobError> {
        if let Some(held) = self.held(hash) {
            return Ok(held);
        }
        let content = match &self.place {
            Place::Folder(folder) => {
                let (folder, hash) = (folder.clone(), hash.clone());
                return blocking(move || {
                    let content = read_whole(folder.open_blob(&hash)?, &folder.path(&hash))?;
                    verified(content, &hash)
                })
                .await;
            }
            Place::Objects(objects) => {
                objects
                    .get(&key(hash))
                    .await
                    .map_err(|error| absent(error, hash))?
                    .bytes()
                    .await?
            }
        };
        verified(content, hash)
    }

    /// The content in chunks. The last one is withheld until the whole has matched its hash, so that
    /// a damaged content ends in an error and never looks complete.
    pub async fn read(&self, hash: &BlobHash) -> Result<ByteStream, BlobError> {
        let chunks = match self.size(hash).await? {
            Some(size_bytes) => self.read_range(hash, 0..size_bytes).await?,
            None => return Err(BlobError::Missing(hash.clone())),
        };
        let state = (chunks, blake3::Hasher::new(), None::<Bytes>, hash.clone());
        let checked = stream::try_unfold(Some(state), |state| async move {
            let Some((mut chunks, mut hasher, mut held, hash)) = state else {
                return Ok(None);
            };
            loop {
                match chunks.try_next().await? {
                    Some(chunk) => {
                        hasher.update(&chunk);
                        if let Some(ready) = held.replace(chunk) {
                            return Ok(Some((ready, Some((chunks, hasher, held, hash)))));
                        }
                    }
                    None if hasher.finalize() == digest(&hash) => {
                        return Ok(held.map(|last| (last, None)));
                    }
                    None => return Err(BlobError::Corrupt { hash }),
                }
            }
        });
        Ok(checked.boxed())
    }

    /// The bytes `range` of the content, as far as it reaches, in chunks. Not checked: a hash tells
    /// nothing about a part.
    pub async fn read_range(&self, hash: &BlobHash, range: Range<u64>) -> Result<ByteStream, BlobError> {
        if let Some(held) = self.held(hash) {
            let place = |at: u64| usize::try_from(at).unwrap_or(held.len()).min(held.len());
            let part = held.slice(place(range.start)..place(range.end).max(place(range.start)));
            return Ok(stream::iter([Ok(part)]).boxed());
        }
        match &self.place {
            Place::Folder(folder) => {
                let (folder, hash) = (folder.clone(), hash.clone());
                let (file, path) = blocking(move || {
                    Ok::<_, BlobError>((Arc::new(folder.open_blob(&hash)?), folder.path(&hash)))
                })
                .await?;
                let chunks = stream::try_unfold(range, move |rest| {
                    let (file, path) = (file.clone(), path.clone());
                    async move {
                        let chunk = blocking(move || read_at(&file, &path, rest.clone()).map(|c| (c, rest)));
                        let (chunk, rest) = chunk.await?;
                        let next = rest.start + chunk.len() as u64..rest.end;
                        Ok((!chunk.is_empty()).then_some((chunk, next)))
                    }
                });
                Ok(chunks.boxed())
            }
            Place::Objects(objects) => {
                let size_bytes = self
                    .size(hash)
                    .await?
                    .ok_or_else(|| BlobError::Missing(hash.clone()))?;
                let range = range.start.min(size_bytes)..range.end.min(size_bytes);
                if range.is_empty() {
                    return Ok(stream::empty().boxed());
                }
                let part = objects
                    .get_range(&key(hash), range)
                    .await
                    .map_err(|error| absent(error, hash))?;
                Ok(stream::iter([Ok(part)]).boxed())
            }
        }
    }

    /// Has the tree and its files seen by other processes that open the same folder, as what
    /// [`Blobs::commit`] has stored may not be yet.
    pub async fn lay_open(&self, tree: &TreeHash) -> Result<(), BlobError> {
        let Place::Folder(folder) = &self.place else {
            return Ok(());
        };
        if folder.unplaced().is_none_or(Unplaced::is_empty) {
            return Ok(());
        }
        let (folder, hash) = (folder.clone(), BlobHash::from(tree.clone()));
        blocking(move || {
            let text = read_whole(folder.open_blob(&hash)?, &folder.path(&hash))?;
            let tree = Tree::decode(&text).map_err(|source| BlobError::Tree { hash, source })?;
            let mut entries = tree.entries().iter();
            entries.try_for_each(|entry| folder.settle(&entry.hash))
        })
        .await
    }

    /// As [`Blobs::lay_open`], of everything that has no file yet: what has none is not listed.
    pub async fn lay_all_open(&self) -> Result<(), BlobError> {
        let Place::Folder(folder) = &self.place else {
            return Ok(());
        };
        let folder = folder.clone();
        blocking(move || {
            let hashes = folder.unplaced().map(|unplaced| unplaced.some(usize::MAX, None));
            let mut hashes = hashes.unwrap_or_default().into_iter();
            hashes.try_for_each(|hash| folder.settle(&hash))
        })
        .await
    }

    /// The file that holds the blob, when the store is a folder. Its content is not checked. Blocks.
    pub(crate) fn open_local(&self, hash: &BlobHash) -> Result<Option<File>, BlobError> {
        match &self.place {
            Place::Folder(folder) => folder.open_blob(hash).map(Some),
            Place::Objects(_) => Ok(None),
        }
    }
}

fn absent(error: object_store::Error, hash: &BlobHash) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::Missing(hash.clone()),
        error => error.into(),
    }
}

fn verified(content: Bytes, hash: &BlobHash) -> Result<Bytes, BlobError> {
    if blake3::hash(&content) == digest(hash) {
        Ok(content)
    } else {
        Err(BlobError::Corrupt { hash: hash.clone() })
    }
}

pub(super) fn digest(hash: &BlobHash) -> blake3::Hash {
    blake3::Hash::from_hex(hash.as_str()).expect("a BlobHash is 64 hexadecimal digits")
}

fn read_whole(mut file: File, path: &Path) -> Result<Bytes, BlobError> {
    let failed = |error| BlobError::io("read", path, error);
    let size = file.metadata().map_err(failed)?.len();
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.read_to_end(&mut content).map_err(failed)?;
    Ok(content.into())
}

/// Up to one chunk from the beginning of `range`; empty at its end and at the file's.
fn read_at(file: &File, path: &Path, range: Range<u64>) -> Result<Bytes, BlobError> {
    let wanted = range.end.saturating_sub(range.start).min(CHUNK_BYTES as u64);
    let mut chunk = vec![0; usize::try_from(wanted).unwrap_or(CHUNK_BYTES)];
    let mut filled = 0;
    while filled < chunk.len() {
        match file.read_at(&mut chunk[filled..], range.start + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(BlobError::io("read", path, error)),
        }
    }
    chunk.truncate(filled);
    Ok(chunk.into())
}
