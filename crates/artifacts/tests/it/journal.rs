//! Small contents of the folder's owner: durable together, and whole again after a crash.

use crate::blobs::{blob_path, hash_of, noise};
use bytes::Bytes;
use polyphemus_artifacts::{BlobError, BlobHash, Blobs, Replayed, collect};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn open(folder: &TempDir) -> (Blobs, Replayed) {
    Blobs::open_journaled(&folder.path().join("blobs")).unwrap()
}

/// Puts so many contents and gives up the store, which has not synced their files.
async fn put(folder: &TempDir, count: usize) -> Vec<BlobHash> {
    let (blobs, replayed) = open(folder);
    assert_eq!(replayed, Replayed::default());
    let contents = (0..count).map(|number| noise(number * 61)).collect();
    blobs.put_many(contents).await.unwrap()
}

fn lose(folder: &TempDir, hash: &BlobHash) {
    std::fs::remove_file(blob_path(&folder.path().join("blobs"), hash)).unwrap();
}

fn segment(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("blobs/journal/0")
}

async fn assert_whole(blobs: &Blobs, hashes: &[BlobHash]) {
    for (number, hash) in hashes.iter().enumerate() {
        assert_eq!(blobs.get(hash).await.unwrap(), noise(number * 61));
    }
}

#[tokio::test]
async fn files_that_a_power_loss_took_are_made_again() {
    let folder = TempDir::new().unwrap();
    let hashes = put(&folder, 100).await;
    for hash in &hashes[..40] {
        lose(&folder, hash);
    }
    for hash in &hashes[40..70] {
        std::fs::write(blob_path(&folder.path().join("blobs"), hash), "").unwrap();
    }
    let (blobs, replayed) = open(&folder);
    // The empty content is whole where its file is empty, and it was among the lost.
    assert_eq!(
        replayed,
        Replayed {
            restored: 70,
            damaged: 0
        }
    );
    assert_whole(&blobs, &hashes).await;
    drop(blobs);
    let (_, replayed) = open(&folder);
    assert_eq!(
        replayed,
        Replayed::default(),
        "what was made again needs no journal any more"
    );
}

#[tokio::test]
async fn a_torn_or_damaged_entry_costs_no_other_content() {
    let folder = TempDir::new().unwrap();
    let hashes = put(&folder, 50).await;
    let mut journal = std::fs::read(segment(&folder)).unwrap();
    let content = noise(20 * 61);
    let at = journal
        .windows(content.len())
        .position(|part| part == content)
        .unwrap();
    journal[at] ^= 1;
    // The last entry is torn, as if the crash had come before it was answered.
    let torn = journal.len() - 20;
    std::fs::write(segment(&folder), &journal[..torn]).unwrap();
    for hash in &hashes {
        lose(&folder, hash);
    }
    let (blobs, replayed) = open(&folder);
    assert_eq!(
        replayed,
        Replayed {
            restored: 48,
            damaged: 2
        }
    );
    let missing = blobs.missing(&hashes).await.unwrap();
    assert_eq!(missing.len(), 2);
    assert!(missing.contains(&hashes[20]));
    // What is lost is named, and comes back when it is sent again.
    assert!(matches!(blobs.get(&hashes[20]).await, Err(BlobError::Missing(hash)) if hash == hashes[20]));
    blobs.put(content.clone()).await.unwrap();
    assert_eq!(blobs.get(&hashes[20]).await.unwrap(), content);
}

#[tokio::test]
async fn a_content_collected_while_in_the_journal_can_be_stored_again_and_collected_again() {
    let folder = TempDir::new().unwrap();
    let (blobs, _) = open(&folder);
    let hash = blobs.put(noise(5)).await.unwrap();
    let later = SystemTime::now() + 2 * DAY;
    assert_eq!(collect(&blobs, [], DAY, later).await.unwrap().deleted, 1);
    assert!(!blobs.has(&hash).await.unwrap());
    blobs.put(noise(5)).await.unwrap();
    assert_eq!(blobs.get(&hash).await.unwrap(), noise(5));
    assert_eq!(collect(&blobs, [], DAY, later).await.unwrap().deleted, 1);
    drop(blobs);
    // Its entry is still there: it is back after a restart, as young as a new one, and can go again.
    let (blobs, replayed) = open(&folder);
    assert_eq!(
        replayed,
        Replayed {
            restored: 1,
            damaged: 0
        }
    );
    assert_eq!(collect(&blobs, [], DAY, SystemTime::now()).await.unwrap().kept, 1);
    assert_eq!(collect(&blobs, [], DAY, later).await.unwrap().deleted, 1);
}

#[tokio::test]
async fn a_journal_that_is_full_is_written_over_when_its_files_are_durable() {
    let folder = TempDir::new().unwrap();
    let (blobs, _) = open(&folder);
    let contents: Vec<Bytes> = (0..1000).map(|number| noise(60_000 + number)).collect();
    let hashes = blobs.put_many(contents.clone()).await.unwrap();
    drop(blobs);
    let size: u64 = ["0", "1"]
        .iter()
        .map(|name| {
            folder
                .path()
                .join("blobs/journal")
                .join(name)
                .metadata()
                .unwrap()
                .len()
        })
        .sum();
    assert!((30 << 20..45 << 20).contains(&size), "{size}");
    let (blobs, replayed) = open(&folder);
    assert_eq!(replayed, Replayed::default());
    for (hash, content) in hashes.iter().zip(contents) {
        assert_eq!(blobs.get(hash).await.unwrap(), content);
    }
}

#[tokio::test]
async fn staged_contents_are_stored_by_their_commit_and_not_before() {
    let folder = TempDir::new().unwrap();
    let (owner, _) = open(&folder);
    for blobs in [owner, Blobs::memory()] {
        let staged = blobs.staged();
        let small = staged.put(noise(100)).await.unwrap();
        // Beyond what is held, contents are stored at once.
        let large = staged.put(noise(100_000)).await.unwrap();
        assert!(blobs.has(&large).await.unwrap());
        assert!(!blobs.has(&small).await.unwrap());
        assert_eq!(staged.get(&small).await.unwrap(), noise(100));
        assert_eq!(staged.missing(&[small.clone(), large.clone()]).await.unwrap(), []);
        drop(staged.clone());
        staged.commit().await.unwrap();
        assert_eq!(blobs.get(&small).await.unwrap(), noise(100));
        assert_eq!(staged.get(&small).await.unwrap(), noise(100));
        let dropped = blobs.staged();
        dropped.put(noise(200)).await.unwrap();
        drop(dropped);
        assert!(!blobs.has(&hash_of(&noise(200))).await.unwrap());
    }
}

#[tokio::test]
async fn another_process_sees_what_was_stored_as_files() {
    let folder = TempDir::new().unwrap();
    let (owner, _) = open(&folder);
    let hash = owner.put(noise(1000)).await.unwrap();
    let path: &Path = owner.folder().unwrap();
    let beside = Blobs::open_folder(path).unwrap();
    assert_eq!(beside.get(&hash).await.unwrap(), noise(1000));
    let theirs = beside.put(noise(2000)).await.unwrap();
    assert_eq!(owner.get(&theirs).await.unwrap(), noise(2000));
}

/// Commits so many staged contents at once; no one of them is as large as any other. All but one of those
/// that are new have no file then.
async fn commit(blobs: &Blobs, count: usize) -> Vec<BlobHash> {
    let staged = blobs.staged();
    let contents = (0..count).map(|number| noise(number * 61)).collect();
    let hashes = staged.put_many(contents).await.unwrap();
    staged.commit().await.unwrap();
    hashes
}

/// What a kill would leave of the folder now: first the journal, since files are still being made of it.
fn copy(folder: &TempDir) -> TempDir {
    let (from, copy) = (folder.path().join("blobs"), TempDir::new().unwrap());
    let to = copy.path().join("blobs");
    let shards = (0..=255).map(|shard| format!("{shard:02x}"));
    for name in std::iter::once("journal".to_owned()).chain(shards) {
        std::fs::create_dir_all(to.join(&name)).unwrap();
        for file in std::fs::read_dir(from.join(&name)).unwrap() {
            let file = file.unwrap().file_name();
            std::fs::copy(from.join(&name).join(&file), to.join(&name).join(&file)).unwrap();
        }
    }
    copy
}

fn has_file(folder: &TempDir, hash: &BlobHash) -> bool {
    blob_path(&folder.path().join("blobs"), hash).exists()
}

#[tokio::test]
async fn what_was_committed_is_there_for_its_owner_with_or_without_a_file() {
    let folder = TempDir::new().unwrap();
    let (owner, _) = open(&folder);
    let hashes = commit(&owner, 40).await;
    assert_eq!(owner.missing(&hashes).await.unwrap(), []);
    for (number, hash) in hashes.iter().enumerate() {
        assert_eq!(owner.size(hash).await.unwrap(), Some(number as u64 * 61));
        assert_eq!(owner.verify(hash).await.unwrap(), Some(number as u64 * 61));
    }
    assert_whole(&owner, &hashes).await;
    // Stored once more, and for others to see at once.
    owner.put(noise(61)).await.unwrap();
    assert!(has_file(&folder, &hashes[1]));
    owner.delete(&hashes[2]).await.unwrap();
    assert!(!owner.has(&hashes[2]).await.unwrap());
}

#[tokio::test]
async fn what_was_committed_and_has_no_file_yet_survives_a_kill() {
    let folder = TempDir::new().unwrap();
    let (owner, _) = open(&folder);
    let hashes = commit(&owner, 60).await;
    let killed = copy(&folder);
    let (blobs, replayed) = open(&killed);
    assert_eq!(replayed.damaged, 0);
    assert!(hashes.iter().all(|hash| has_file(&killed, hash)));
    assert_whole(&blobs, &hashes).await;
}

#[tokio::test]
async fn what_was_committed_is_collected_like_everything_else() {
    let folder = TempDir::new().unwrap();
    let (owner, _) = open(&folder);
    let hashes = commit(&owner, 50).await;
    owner.lay_all_open().await.unwrap();
    let later = SystemTime::now() + 2 * DAY;
    assert_eq!(collect(&owner, [], DAY, later).await.unwrap().deleted, 50);
    assert_eq!(owner.missing(&hashes).await.unwrap().len(), 50);
}

#[tokio::test]
async fn who_reads_beside_the_owner_finds_what_has_no_file_yet() {
    let folder = TempDir::new().unwrap();
    let (owner, _) = open(&folder);
    let first = commit(&owner, 10).await;
    let beside = Blobs::open_beside(owner.folder().unwrap()).unwrap();
    assert_whole(&beside, &first).await;
    // Also what comes later, whatever it has seen before.
    let all = commit(&owner, 30).await;
    assert_eq!(beside.size(&all[29]).await.unwrap(), Some(29 * 61));
    assert_whole(&beside, &all).await;
    let absent = hash_of(b"never stored");
    assert!(!beside.has(&absent).await.unwrap());
    assert!(matches!(beside.get(&absent).await, Err(BlobError::Missing(hash)) if hash == absent));
}

#[tokio::test]
async fn a_tree_is_laid_open_to_those_who_share_the_folder() {
    let folder = TempDir::new().unwrap();
    let (owner, _) = open(&folder);
    let staged = owner.staged();
    let hash = staged.put(noise(500)).await.unwrap();
    let entry = polyphemus_artifacts::Entry {
        path: "top.v".into(),
        mode: polyphemus_artifacts::Mode::File,
        size_bytes: 500,
        hash: hash.clone(),
    };
    let tree = polyphemus_artifacts::Tree::from_entries(vec![entry]).unwrap();
    let tree_hash = staged.put_tree(&tree).await.unwrap();
    staged.commit().await.unwrap();
    owner.lay_open(&tree_hash).await.unwrap();
    let other = Blobs::open_folder(owner.folder().unwrap()).unwrap();
    assert_eq!(other.get_tree(&tree_hash).await.unwrap(), tree);
    assert_eq!(other.get(&hash).await.unwrap(), noise(500));
}

#[tokio::test]
async fn what_was_committed_gets_its_file_when_nothing_else_is_to_be_done_and_at_the_end() {
    let folder = TempDir::new().unwrap();
    let (owner, _) = open(&folder);
    let hashes = commit(&owner, 20).await;
    let until = std::time::Instant::now() + Duration::from_secs(120);
    while !hashes.iter().all(|hash| has_file(&folder, hash)) {
        assert!(std::time::Instant::now() < until, "the files are not made");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let last = commit(&owner, 30).await;
    drop(owner);
    assert!(last.iter().all(|hash| has_file(&folder, hash)));
    assert_eq!(open(&folder).1, Replayed::default());
}

#[tokio::test]
async fn a_journal_full_of_contents_without_files_is_written_over_when_they_have_them() {
    let folder = TempDir::new().unwrap();
    let (owner, _) = open(&folder);
    let contents: Vec<Bytes> = (0..1000).map(|number| noise(60_000 + number)).collect();
    let mut hashes = Vec::new();
    for some in contents.chunks(16) {
        let staged = owner.staged();
        hashes.extend(staged.put_many(some.to_vec()).await.unwrap());
        staged.commit().await.unwrap();
    }
    let killed = copy(&folder);
    for blobs in [owner, open(&killed).0] {
        for (hash, content) in hashes.iter().zip(&contents) {
            assert_eq!(blobs.get(hash).await.unwrap(), *content);
        }
    }
}
