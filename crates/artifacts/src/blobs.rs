//! Blobs: contents stored once under their BLAKE3 hash, on a local folder (durable) or in memory
//! (for a laptop's trial and for tests). The only way by which contents come in and go out.

mod error;
mod folder;
mod journal;
mod put;
mod read;
mod staged;
mod verify;
mod writer;

pub use error::BlobError;
pub use journal::Replayed;
pub use read::ByteStream;
pub(crate) use writer::{BlobWriter, store_bytes};

use crate::tree::Tree;
use bytes::Bytes;
use folder::Folder;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use journal::Journal;
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path as Key};
use polyphemus_core::{BlobHash, TreeHash};
use staged::Staged;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::runtime::Handle;

/// Bytes moved from one thread to another, or read from a file, at a time.
pub(crate) const CHUNK_BYTES: usize = 1024 * 1024;

/// A store of blobs; a clone is another handle on the same store.
#[derive(Debug, Clone)]
pub struct Blobs {
    place: Place,
    /// By which small contents become durable together; the folder's owner has it.
    journal: Option<Arc<Journal>>,
    /// Contents that this handle alone knows of.
    staged: Option<Arc<Staged>>,
}

#[derive(Debug, Clone)]
enum Place {
    Folder(Arc<Folder>),
    Objects(Arc<dyn ObjectStore>),
}

/// A stored blob as [`Blobs::list`] gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub hash: BlobHash,
    pub size_bytes: u64,
    /// When it was stored or last asked for by [`Blobs::missing`] or a `put` of the same content.
    pub modified: SystemTime,
}

impl Blobs {
    /// Opens the folder, creating what is missing of it, and deletes what a crash left unfinished a
    /// day ago or earlier. Blocks for some milliseconds; meant for the start of a program.
    pub fn open_folder(path: &Path) -> Result<Self, BlobError> {
        Ok(Self {
            place: Place::Folder(Arc::new(Folder::open(path)?)),
            journal: None,
            staged: None,
        })
    }

    /// Opens the folder beside the process that it belongs to, changing nothing in it: for reading only.
    /// Blocks for a moment.
    pub fn open_beside(path: &Path) -> Result<Self, BlobError> {
        Ok(Self {
            place: Place::Folder(Arc::new(Folder::beside(path)?)),
            journal: None,
            staged: None,
        })
    }

    /// As [`Blobs::open_folder`], for the one process that owns the folder: makes whole what a crash has
    /// cut off, and from then on small contents share their syncs. Others may open the same folder with
    /// [`Blobs::open_folder`] meanwhile.
    pub fn open_journaled(path: &Path) -> Result<(Self, Replayed), BlobError> {
        let folder = Arc::new(Folder::open(path)?);
        let (journal, replayed) = Journal::open(&folder)?;
        let blobs = Self {
            place: Place::Folder(folder),
            journal: Some(Arc::new(journal)),
            staged: None,
        };
        Ok((blobs, replayed))
    }

    /// A store that ends with the program.
    pub fn memory() -> Self {
        Self {
            place: Place::Objects(Arc::new(object_store::memory::InMemory::new())),
            journal: None,
            staged: None,
        }
    }

    /// The folder it stores in, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Folder(folder) => Some(folder.root()),
            Place::Objects(_) => None,
        }
    }

    /// Whether the blob is there; its age stays.
    pub async fn has(&self, hash: &BlobHash) -> Result<bool, BlobError> {
        Ok(self.size(hash).await?.is_some())
    }

    /// The size of a blob in bytes; `None` if it is not there.
    pub async fn size(&self, hash: &BlobHash) -> Result<Option<u64>, BlobError> {
        if let Some(held) = self.held(hash) {
            return Ok(Some(held.len() as u64));
        }
        match &self.place {
            Place::Folder(folder) => {
                let (folder, hash) = (folder.clone(), hash.clone());
                blocking(move || Ok(folder.stat(&hash)?.map(|(size_bytes, _)| size_bytes))).await
            }
            Place::Objects(objects) => match objects.head(&key(hash)).await {
                Ok(meta) => Ok(Some(meta.size)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            },
        }
    }

    /// Those of `hashes` that are not there, each once. The age of the others begins anew, so that a
    /// collection spares them until the sender has sent the rest.
    pub async fn missing(&self, hashes: &[BlobHash]) -> Result<Vec<BlobHash>, BlobError> {
        let mut wanted = hashes.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        wanted.retain(|hash| self.held(hash).is_none());
        if wanted.is_empty() {
            return Ok(wanted);
        }
        match &self.place {
            Place::Folder(folder) => {
                let folder = folder.clone();
                blocking(move || {
                    let mut missing = Vec::new();
                    for hash in wanted {
                        if !folder.refresh(&hash)? {
                            missing.push(hash);
                        }
                    }
                    Ok(missing)
                })
                .await
            }
            Place::Objects(objects) => {
                let mut missing = Vec::new();
                for hash in wanted {
                    // An object gets a new time by being copied onto itself.
                    match objects.copy(&key(&hash), &key(&hash)).await {
                        Ok(()) => {}
                        Err(object_store::Error::NotFound { .. }) => missing.push(hash),
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(missing)
            }
        }
    }

    /// Stores the text of a tree; its files are the caller's to store, before or after.
    pub async fn put_tree(&self, tree: &Tree) -> Result<TreeHash, BlobError> {
        Ok(self.put(tree.encode()).await?.into())
    }

    pub async fn get_tree(&self, hash: &TreeHash) -> Result<Tree, BlobError> {
        let hash = BlobHash::from(hash.clone());
        let text = self.get(&hash).await?;
        Tree::decode(&text).map_err(|source| BlobError::Tree { hash, source })
    }

    /// `Ok` if every file of the tree is there, else [`BlobError::Missing`] with one that is not.
    pub async fn verify_complete(&self, tree: &Tree) -> Result<(), BlobError> {
        let hashes: Vec<_> = tree.entries().iter().map(|entry| entry.hash.clone()).collect();
        match self.missing(&hashes).await?.into_iter().next() {
            None => Ok(()),
            Some(hash) => Err(BlobError::Missing(hash)),
        }
    }

    /// Deletes a blob; one that is not there is no error.
    pub async fn delete(&self, hash: &BlobHash) -> Result<(), BlobError> {
        self.remove(hash, None).await.map(|_| ())
    }

    /// Deletes a blob unless it was stored or refreshed at or after `unless_since`. Gives the bytes
    /// freed, or `None` when it stayed or was not there.
    pub(crate) async fn remove(
        &self,
        hash: &BlobHash,
        unless_since: Option<SystemTime>,
    ) -> Result<Option<u64>, BlobError> {
        match &self.place {
            Place::Folder(folder) => {
                let (folder, hash) = (folder.clone(), hash.clone());
                blocking(move || folder.remove(&hash, unless_since)).await
            }
            Place::Objects(objects) => match objects.head(&key(hash)).await {
                Ok(meta)
                    if unless_since.is_some_and(|bound| SystemTime::from(meta.last_modified) >= bound) =>
                {
                    Ok(None)
                }
                Ok(meta) => {
                    objects.delete(&key(hash)).await?;
                    Ok(Some(meta.size))
                }
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            },
        }
    }

    /// All blobs, in no certain order; those stored or deleted meanwhile may be among them or not. Those
    /// that have no file yet are not ([`Blobs::lay_all_open`]).
    pub fn list(&self) -> stream::BoxStream<'static, Result<Listed, BlobError>> {
        match &self.place {
            Place::Folder(folder) => {
                let folder = folder.clone();
                stream::iter(0..=255u8)
                    .then(move |shard| {
                        let folder = folder.clone();
                        blocking(move || folder.list_shard(shard))
                    })
                    .map_ok(|blobs| stream::iter(blobs).map(Ok))
                    .try_flatten()
                    .boxed()
            }
            Place::Objects(objects) => objects
                .list(None)
                .map_err(BlobError::from)
                .try_filter_map(|meta| async move {
                    let hash = meta.location.as_ref().replace('/', "").parse().ok();
                    let modified = SystemTime::from(meta.last_modified);
                    Ok(hash.map(|hash| Listed {
                        hash,
                        size_bytes: meta.size,
                        modified,
                    }))
                })
                .boxed(),
        }
    }

    /// Whether the blob is there with this size; if so its age begins anew. Blocks.
    pub(crate) fn keep(&self, hash: &BlobHash, size_bytes: u64) -> Result<bool, BlobError> {
        if self.held(hash).is_some() {
            return Ok(true);
        }
        match &self.place {
            Place::Folder(folder) => folder.keep(hash, size_bytes),
            Place::Objects(_) => {
                let missing = self.missing(std::slice::from_ref(hash));
                Ok(Handle::current().block_on(missing)?.is_empty())
            }
        }
    }

    async fn put_object(&self, hash: &BlobHash, content: Bytes) -> Result<(), BlobError> {
        match &self.place {
            Place::Objects(objects) => {
                objects.put(&key(hash), content.into()).await?;
                Ok(())
            }
            Place::Folder(_) => self.put(content).await.map(|_| ()),
        }
    }
}

/// Runs `work` on a thread for blocking work.
pub(crate) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<BlobError> + Send + 'static,
{
    joined(tokio::task::spawn_blocking(work).await)
}

/// A task's own result; its panic goes on here, and one given up at shutdown is an error.
pub(crate) fn joined<T, E: From<BlobError>>(
    task: Result<Result<T, E>, tokio::task::JoinError>,
) -> Result<T, E> {
    match task.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(result) => result,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => Err(BlobError::ShuttingDown.into()),
    }
}

fn key(hash: &BlobHash) -> Key {
    let (shard, name) = hash.as_str().split_at(2);
    Key::from_iter([shard, name])
}
