//! Blobs: stored once, verified when read, never half there.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use polyphemus_artifacts::{BlobError, BlobHash, Blobs, Entry, Mode, Tree};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

pub fn hash_of(content: &[u8]) -> BlobHash {
    BlobHash::from_bytes(*blake3::hash(content).as_bytes())
}

pub fn blob_path(folder: &Path, hash: &BlobHash) -> PathBuf {
    folder.join(&hash.as_str()[..2]).join(&hash.as_str()[2..])
}

pub fn folder() -> (TempDir, Blobs) {
    let dir = TempDir::new().unwrap();
    let blobs = Blobs::open_folder(&dir.path().join("blobs")).unwrap();
    (dir, blobs)
}

/// Bytes that do not repeat, so that a mixed-up chunk changes the hash.
pub fn noise(size: usize) -> Bytes {
    let mut content = vec![0; size];
    blake3::Hasher::new()
        .update(&size.to_le_bytes())
        .finalize_xof()
        .fill(&mut content);
    content.into()
}

fn set_age(path: &Path, age: Duration) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

fn unfinished(blobs: &Blobs) -> usize {
    std::fs::read_dir(blobs.folder().unwrap().join("unfinished"))
        .unwrap()
        .count()
}

const SIZES: [usize; 6] = [0, 1, 4096, 262_144, 262_145, 3_333_333];

#[tokio::test]
async fn what_is_put_by_any_way_comes_back_by_any_way() {
    let (_dir, folder) = folder();
    for blobs in [folder, Blobs::memory()] {
        for size in SIZES {
            let content = noise(size);
            let hash = blobs.put(content.clone()).await.unwrap();
            assert_eq!(hash, hash_of(&content));
            assert_eq!(blobs.get(&hash).await.unwrap(), content);
            let chunks: Vec<Bytes> = blobs.read(&hash).await.unwrap().try_collect().await.unwrap();
            assert_eq!(chunks.concat(), content);
            let part: Vec<Bytes> = blobs
                .read_range(&hash, 1..2_000_000)
                .await
                .unwrap()
                .try_collect()
                .await
                .unwrap();
            assert_eq!(part.concat(), content[size.min(1)..size.min(2_000_000)]);
            assert_eq!(blobs.size(&hash).await.unwrap(), Some(size as u64));
            blobs.delete(&hash).await.unwrap();
            assert!(!blobs.has(&hash).await.unwrap());
            assert!(matches!(blobs.get(&hash).await, Err(BlobError::Missing(_))));
            assert!(matches!(
                blobs.read(&hash).await.err(),
                Some(BlobError::Missing(_))
            ));
        }
    }
}

#[tokio::test]
async fn files_and_streams_are_stored_like_bytes() {
    let (dir, folder) = folder();
    for blobs in [folder, Blobs::memory()] {
        for size in SIZES {
            let content = noise(size);
            let (path, hash) = (dir.path().join("file"), hash_of(&content));
            std::fs::write(&path, &content).unwrap();
            assert_eq!(blobs.put_file(&path).await.unwrap(), (hash.clone(), size as u64));
            assert_eq!(blobs.get(&hash).await.unwrap(), content);
            assert!(path.exists());
            blobs.delete(&hash).await.unwrap();

            // The second time it is there already; it is gone from its place all the same.
            for _ in 0..2 {
                std::fs::write(&path, &content).unwrap();
                assert_eq!(
                    blobs.put_file_owned(&path).await.unwrap(),
                    (hash.clone(), size as u64)
                );
                assert_eq!(blobs.get(&hash).await.unwrap(), content);
                assert!(!path.exists());
            }
            blobs.delete(&hash).await.unwrap();

            let chunks = stream::iter(
                content
                    .chunks(70_000)
                    .map(Bytes::copy_from_slice)
                    .map(Ok::<_, Infallible>),
            );
            assert_eq!(
                blobs.put_stream(chunks, &hash, size as u64).await.unwrap(),
                size as u64
            );
            assert_eq!(blobs.get(&hash).await.unwrap(), content);
            blobs.delete(&hash).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_not_what_it_should_be_stores_nothing() {
    let (_dir, blobs) = folder();
    let content = noise(2_500_000);
    let chunks = || {
        stream::iter(
            content
                .chunks(100_000)
                .map(Bytes::copy_from_slice)
                .map(Ok::<_, Infallible>),
        )
    };
    let other = hash_of(b"something else");
    let mismatch = blobs.put_stream(chunks(), &other, u64::MAX).await;
    assert!(matches!(mismatch, Err(BlobError::Mismatch { actual, .. }) if actual == hash_of(&content)));
    let too_large = blobs.put_stream(chunks(), &hash_of(&content), 2_499_999).await;
    assert!(matches!(
        too_large,
        Err(BlobError::TooLarge {
            limit_bytes: 2_499_999
        })
    ));
    let broken = chunks()
        .map_err(|_| "")
        .chain(stream::iter([Err("the line went dead")]));
    let broken = blobs.put_stream(broken, &hash_of(&content), u64::MAX).await;
    assert!(
        matches!(broken, Err(BlobError::Interrupted(cause)) if cause.to_string() == "the line went dead")
    );
    assert_eq!(blobs.list().count().await, 0);
    // The batch still being written when its stream broke off is dropped by its own thread.
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while unfinished(&blobs) > 0 {
        assert!(std::time::Instant::now() < until, "an unfinished file stays");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_damaged_blob_is_never_handed_out_as_whole() {
    let (_dir, blobs) = folder();
    for size in [1, 5000, 2_500_000] {
        let content = noise(size);
        let hash = blobs.put(content.clone()).await.unwrap();
        let mut damaged = content.to_vec();
        damaged[size / 2] ^= 1;
        std::fs::write(blob_path(blobs.folder().unwrap(), &hash), damaged).unwrap();
        assert!(matches!(blobs.get(&hash).await, Err(BlobError::Corrupt { hash: named }) if named == hash));
        let mut chunks = blobs.read(&hash).await.unwrap();
        let mut got = 0;
        let end = loop {
            match chunks.next().await {
                Some(Ok(chunk)) => got += chunk.len(),
                end => break end,
            }
        };
        assert!(matches!(end, Some(Err(BlobError::Corrupt { .. }))), "{end:?}");
        assert!(got < size);
    }
}

#[tokio::test]
async fn a_blob_of_the_wrong_size_is_replaced_and_a_good_one_is_not_written_again() {
    let (_dir, blobs) = folder();
    let content = noise(10_000);
    let hash = blobs.put(content.clone()).await.unwrap();
    let path = blob_path(blobs.folder().unwrap(), &hash);
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap());
    let first = inode(&path);
    blobs.put(content.clone()).await.unwrap();
    assert_eq!(inode(&path), first);
    std::fs::write(&path, &content[..9_999]).unwrap();
    blobs.put(content.clone()).await.unwrap();
    assert_eq!(blobs.get(&hash).await.unwrap(), content);
}

#[tokio::test]
async fn asking_for_what_is_missing_makes_the_rest_young_again() {
    let (_dir, folder) = folder();
    let old = Duration::from_secs(100_000);
    let hash = folder.put(noise(10)).await.unwrap();
    set_age(&blob_path(folder.folder().unwrap(), &hash), old);
    for blobs in [folder, Blobs::memory()] {
        blobs.put(noise(10)).await.unwrap();
        let absent = hash_of(b"absent");
        let asked = [absent.clone(), hash.clone(), absent.clone(), hash.clone()];
        assert_eq!(blobs.missing(&asked).await.unwrap(), [absent]);
        let listed: Vec<_> = blobs.list().try_collect().await.unwrap();
        assert_eq!(
            (listed.len(), &listed[0].hash, listed[0].size_bytes),
            (1, &hash, 10)
        );
        assert!(listed[0].modified > SystemTime::now() - old / 2);
    }
}

#[tokio::test]
async fn many_at_once_come_back_in_their_order() {
    let (_dir, blobs) = folder();
    let contents: Vec<Bytes> = (0..100).map(|number| noise(number * 37)).collect();
    let hashes = blobs.put_many(contents.clone()).await.unwrap();
    assert_eq!(
        hashes,
        contents
            .iter()
            .map(|content| hash_of(content))
            .collect::<Vec<_>>()
    );
    assert_eq!(blobs.list().count().await, 100);
    assert_eq!(unfinished(&blobs), 0);
}

#[tokio::test]
async fn a_tree_is_complete_when_all_its_files_are_there() {
    let blobs = Blobs::memory();
    let entry = |path: &str, content: &[u8]| Entry {
        path: path.to_owned(),
        mode: Mode::File,
        size_bytes: content.len() as u64,
        hash: hash_of(content),
    };
    let tree = Tree::from_entries(vec![entry("a", b"one"), entry("b", b"two")]).unwrap();
    let hash = blobs.put_tree(&tree).await.unwrap();
    assert_eq!(hash, tree.hash());
    assert_eq!(blobs.get_tree(&hash).await.unwrap(), tree);
    blobs.put(Bytes::from_static(b"one")).await.unwrap();
    let incomplete = blobs.verify_complete(&tree).await;
    assert!(matches!(incomplete, Err(BlobError::Missing(hash)) if hash == hash_of(b"two")));
    blobs.put(Bytes::from_static(b"two")).await.unwrap();
    blobs.verify_complete(&tree).await.unwrap();
    let no_tree = blobs.get_tree(&hash_of(b"one").into()).await;
    assert!(matches!(no_tree, Err(BlobError::Tree { .. })));
}

#[tokio::test]
async fn opening_a_folder_removes_what_a_crash_left_and_nothing_that_is_being_written() {
    let (_dir, blobs) = folder();
    let root = blobs.folder().unwrap();
    std::fs::write(root.join("unfinished/1-0"), "half").unwrap();
    let content = noise(3_000_000);
    let hash = hash_of(&content);
    let begin = stream::iter([Ok::<_, Infallible>(content.slice(..2_000_000))]);
    let (go_on, wait) = tokio::sync::oneshot::channel();
    let rest = stream::once(async {
        wait.await.unwrap();
        Ok(content.slice(2_000_000..))
    });
    let reopened = async {
        while unfinished(&blobs) < 2 {
            tokio::task::yield_now().await;
        }
        Blobs::open_folder(root).unwrap();
        assert_eq!(unfinished(&blobs), 1, "the one that is being written");
        go_on.send(()).unwrap();
    };
    let (stored, ()) = tokio::join!(blobs.put_stream(begin.chain(rest), &hash, u64::MAX), reopened);
    assert_eq!(stored.unwrap(), 3_000_000);
    assert_eq!(unfinished(&blobs), 0);
    assert!(blobs.has(&hash).await.unwrap());
}
