//! Contents that are held in memory until it is sure that they are wanted, and then stored together.

use super::journal::{LARGEST_BYTES, Placing};
use super::{BlobError, Blobs, Place, folder::lock};
use bytes::Bytes;
use polyphemus_core::BlobHash;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// What one staging holds at most; beyond it contents are stored at once.
const HELD_BYTES: usize = 1024 * 1024;

/// Small contents that are not stored yet.
#[derive(Debug, Default)]
pub(super) struct Staged {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    contents: HashMap<BlobHash, Bytes>,
    bytes: usize,
}

impl Staged {
    /// Whether the content is held now; otherwise it is the caller's to store.
    pub(super) fn hold(&self, hash: &BlobHash, content: &Bytes) -> bool {
        let mut held = lock(&self.held);
        let size = content.len();
        if held.contents.contains_key(hash) {
            return true;
        }
        if size > LARGEST_BYTES || held.bytes + size > HELD_BYTES {
            return false;
        }
        held.bytes += size;
        held.contents.insert(hash.clone(), content.clone());
        true
    }

    pub(super) fn get(&self, hash: &BlobHash) -> Option<Bytes> {
        lock(&self.held).contents.get(hash).cloned()
    }

    /// Whether contents of these sizes can all be held beside what is.
    fn can_hold(&self, sizes: impl IntoIterator<Item = u64>) -> bool {
        let mut bytes = lock(&self.held).bytes as u64;
        sizes.into_iter().all(|size| {
            bytes = bytes.saturating_add(size);
            size <= LARGEST_BYTES as u64 && bytes <= HELD_BYTES as u64
        })
    }

    fn take(&self) -> Vec<(BlobHash, Bytes)> {
        let held = std::mem::take(&mut *lock(&self.held));
        held.contents.into_iter().collect()
    }
}

impl Blobs {
    /// A handle on the same store that holds small contents in memory until [`Blobs::commit`]; dropped
    /// before, it has not stored them. They can be read through this handle and its clones only.
    pub fn staged(&self) -> Self {
        Self {
            staged: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// Stores what this handle holds; when this returns it is durable, and there for all clones of the
    /// handle it comes from. Other processes that open the folder see it after [`Blobs::lay_open`]. Those
    /// that are there already are young again. Without [`Blobs::staged`] there is nothing to do.
    pub async fn commit(&self) -> Result<(), BlobError> {
        let contents = self
            .staged
            .as_ref()
            .map(|staged| staged.take())
            .unwrap_or_default();
        if contents.is_empty() {
            return Ok(());
        }
        if let Some(journal) = &self.journal {
            return journal
                .put(contents, Placing::Later)?
                .await
                .unwrap_or(Err(BlobError::ShuttingDown));
        }
        let plain = Self {
            staged: None,
            ..self.clone()
        };
        let contents = contents.into_iter().map(|(_, content)| content).collect();
        plain.put_many(contents).await.map(drop)
    }

    /// Whether contents of these sizes would only be held now: to store them waits for nothing.
    pub(crate) fn can_hold(&self, sizes: impl IntoIterator<Item = u64>) -> bool {
        self.staged.as_ref().is_some_and(|staged| staged.can_hold(sizes))
    }

    /// The content, if it is held and not stored yet.
    pub(super) fn held(&self, hash: &BlobHash) -> Option<Bytes> {
        self.staged.as_ref()?.get(hash)
    }

    /// Stores a small content together with others if there is a way; false if the caller must. Blocks.
    pub(super) fn store_together(&self, hash: &BlobHash, content: &Bytes) -> Result<bool, BlobError> {
        if let Some(staged) = &self.staged
            && staged.hold(hash, content)
        {
            return Ok(true);
        }
        match (&self.journal, &self.place) {
            (Some(journal), Place::Folder(_)) if content.len() <= LARGEST_BYTES => {
                let answer = journal.put(vec![(hash.clone(), content.clone())], Placing::Now)?;
                let answer = answer.blocking_recv();
                answer.unwrap_or(Err(BlobError::ShuttingDown)).map(|()| true)
            }
            _ => Ok(false),
        }
    }
}
