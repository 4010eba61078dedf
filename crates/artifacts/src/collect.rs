//! Deletes the blobs that no live tree refers to: mark from the trees, sweep the store.

use crate::blobs::{BlobError, Blobs};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use polyphemus_core::{BlobHash, TreeHash};
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

/// Deletions that run at once.
const DELETIONS_AT_ONCE: usize = 8;
/// Trees that are read at once.
const READS_AT_ONCE: usize = 8;

/// What a collection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Blobs that stay, because they are reachable or too young.
    pub kept: u64,
    pub deleted: u64,
    pub freed_bytes: u64,
}

/// Deletes every blob that no tree of `live` holds and that was neither stored nor asked for within
/// `older_than` before `now`.
///
/// `older_than` must be longer than the time from a blob's upload to the moment its tree is among
/// the live ones. Each deletion stands alone: dropped in the middle, this has done less, nothing
/// wrong. A live tree that cannot be read ends it before the first deletion, for what that tree
/// holds is then unknown.
pub async fn collect(
    blobs: &Blobs,
    live: impl IntoIterator<Item = TreeHash> + Send,
    older_than: Duration,
    now: SystemTime,
) -> Result<Collected, BlobError> {
    // Before the epoch's beginning nothing is stored: then nothing is old enough.
    let bound = now.checked_sub(older_than).unwrap_or(SystemTime::UNIX_EPOCH);
    let reachable = &mark(blobs, live.into_iter().collect()).await?;
    blobs
        .list()
        .map_ok(|listed| async move {
            if listed.modified >= bound || reachable.contains(&listed.hash) {
                return Ok(None);
            }
            blobs.remove(&listed.hash, Some(bound)).await
        })
        .try_buffer_unordered(DELETIONS_AT_ONCE)
        .try_fold(Collected::default(), |mut sum, freed| async move {
            match freed {
                Some(freed_bytes) => {
                    sum.deleted += 1;
                    sum.freed_bytes += freed_bytes;
                }
                None => sum.kept += 1,
            }
            Ok(sum)
        })
        .await
}

/// What [`collect`] would do now, without doing it.
pub async fn survey(
    blobs: &Blobs,
    live: impl IntoIterator<Item = TreeHash> + Send,
    older_than: Duration,
    now: SystemTime,
) -> Result<Collected, BlobError> {
    let bound = now.checked_sub(older_than).unwrap_or(SystemTime::UNIX_EPOCH);
    let reachable = mark(blobs, live.into_iter().collect()).await?;
    let mut sum = Collected::default();
    let mut listed = blobs.list();
    while let Some(listed) = listed.try_next().await? {
        if listed.modified >= bound || reachable.contains(&listed.hash) {
            sum.kept += 1;
        } else {
            sum.deleted += 1;
            sum.freed_bytes += listed.size_bytes;
        }
    }
    Ok(sum)
}

async fn mark(blobs: &Blobs, live: HashSet<TreeHash>) -> Result<HashSet<BlobHash>, BlobError> {
    let mut reachable: HashSet<BlobHash> = live.iter().cloned().map(BlobHash::from).collect();
    let mut trees = stream::iter(live)
        .map(|hash| async move { blobs.get_tree(&hash).await })
        .buffer_unordered(READS_AT_ONCE);
    while let Some(tree) = trees.try_next().await? {
        reachable.extend(tree.entries().iter().map(|entry| entry.hash.clone()));
    }
    Ok(reachable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[tokio::test]
    async fn a_blob_asked_for_after_it_was_listed_is_spared() {
        let dir = tempfile::TempDir::new().unwrap();
        for blobs in [Blobs::open_folder(dir.path()).unwrap(), Blobs::memory()] {
            let hash = blobs.put(Bytes::from_static(b"listed as old")).await.unwrap();
            let bound = SystemTime::now() - Duration::from_secs(60);
            assert_eq!(blobs.remove(&hash, Some(bound)).await.unwrap(), None);
            assert!(blobs.has(&hash).await.unwrap());
            let bound = SystemTime::now() + Duration::from_secs(60);
            assert_eq!(blobs.remove(&hash, Some(bound)).await.unwrap(), Some(13));
        }
    }
}
