//! Collection: what is reachable or young stays, the rest goes.

use crate::blobs::{blob_path, folder, hash_of};
use bytes::Bytes;
use polyphemus_artifacts::{BlobError, Blobs, Collected, Entry, Mode, Tree, TreeHash, collect};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn tree_of(blobs: &Blobs, contents: &[&'static str]) -> TreeHash {
    let mut entries = Vec::new();
    for content in contents {
        let hash = blobs.put(Bytes::from_static(content.as_bytes())).await.unwrap();
        let (path, size_bytes) = (format!("{content}.v"), content.len() as u64);
        entries.push(Entry {
            path,
            mode: Mode::File,
            size_bytes,
            hash,
        });
    }
    blobs
        .put_tree(&Tree::from_entries(entries).unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn only_what_is_old_and_unreachable_is_deleted() {
    let (_dir, on_disk) = folder();
    for blobs in [on_disk, Blobs::memory()] {
        let live = tree_of(&blobs, &["shared", "live"]).await;
        tree_of(&blobs, &["shared", "dead"]).await;
        let now = SystemTime::now();
        let young = collect(&blobs, [live.clone()], DAY, now).await.unwrap();
        assert_eq!(
            young,
            Collected {
                kept: 5,
                deleted: 0,
                freed_bytes: 0
            }
        );

        let later = now + DAY + Duration::from_secs(60);
        let done = collect(&blobs, [live.clone()], DAY, later).await.unwrap();
        assert_eq!((done.kept, done.deleted), (3, 2));
        let tree = blobs.get_tree(&live).await.unwrap();
        blobs.verify_complete(&tree).await.unwrap();
        assert!(!blobs.has(&hash_of(b"dead")).await.unwrap());
        let again = collect(&blobs, [live], DAY, later).await.unwrap();
        assert_eq!(
            again,
            Collected {
                kept: 3,
                deleted: 0,
                freed_bytes: 0
            }
        );
    }
}

#[tokio::test]
async fn what_was_asked_for_lately_is_spared() {
    let (_dir, blobs) = folder();
    let hash = blobs.put(Bytes::from_static(b"upload under way")).await.unwrap();
    let path = blob_path(blobs.folder().unwrap(), &hash);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - 3 * DAY).unwrap();
    blobs.missing(std::slice::from_ref(&hash)).await.unwrap();
    let done = collect(&blobs, [], DAY, SystemTime::now()).await.unwrap();
    assert_eq!((done.kept, done.deleted), (1, 0));
    file.set_modified(SystemTime::now() - 3 * DAY).unwrap();
    let done = collect(&blobs, [], DAY, SystemTime::now()).await.unwrap();
    assert_eq!(
        done,
        Collected {
            kept: 0,
            deleted: 1,
            freed_bytes: 16
        }
    );
}

#[tokio::test]
async fn a_live_tree_that_cannot_be_read_stops_it_before_the_first_deletion() {
    let (_dir, blobs) = folder();
    let live = tree_of(&blobs, &["precious"]).await;
    let path = blob_path(blobs.folder().unwrap(), &live.clone().into());
    std::fs::write(path, "polyphemus-tree 1\n").unwrap();
    let later = SystemTime::now() + 10 * DAY;
    let stopped = collect(&blobs, [live.clone()], DAY, later).await;
    assert!(matches!(stopped, Err(BlobError::Corrupt { .. })));
    blobs.delete(&live.clone().into()).await.unwrap();
    let stopped = collect(&blobs, [live], DAY, later).await;
    assert!(matches!(stopped, Err(BlobError::Missing(_))));
    assert!(blobs.has(&hash_of(b"precious")).await.unwrap());
}
