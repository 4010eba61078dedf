//! Trees become directories and directories trees, whatever a job has left in them.

use crate::blobs::{blob_path, folder, hash_of, noise};
use polyphemus_artifacts::{
    BlobError, Blobs, Entry, Limits, Mode, Snapshot, Tree, WorkspaceError, materialise, snapshot,
};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use tempfile::TempDir;

fn write(dir: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn make_executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

async fn snap(dir: &Path, blobs: &Blobs) -> Snapshot {
    snapshot(dir, blobs, &Tree::default(), &|_| false, &Limits::default())
        .await
        .unwrap()
}

fn paths(snapshot: &Snapshot) -> Vec<&str> {
    snapshot
        .tree
        .entries()
        .iter()
        .map(|entry| entry.path.as_str())
        .collect()
}

fn noted(snapshot: &Snapshot, words: &[&str]) -> bool {
    snapshot
        .notes
        .iter()
        .any(|note| words.iter().all(|word| note.contains(word)))
}

#[tokio::test]
async fn a_tree_written_and_read_back_is_the_same() {
    let (_dir, on_disk) = folder();
    for blobs in [on_disk, Blobs::memory()] {
        let first = TempDir::new().unwrap();
        write(first.path(), "src/top.v", "module top;");
        write(first.path(), "src/deep/er/big", noise(2_500_000));
        write(first.path(), "empty", "");
        write(first.path(), "run.sh", "#!/bin/sh");
        make_executable(&first.path().join("run.sh"));
        fs::create_dir(first.path().join("void")).unwrap();
        let taken = snap(first.path(), &blobs).await;
        assert_eq!(paths(&taken), ["empty", "run.sh", "src/deep/er/big", "src/top.v"]);
        assert_eq!(taken.tree.get("run.sh").unwrap().mode, Mode::Executable);
        assert!(taken.notes.is_empty());

        let second = TempDir::new().unwrap();
        materialise(&taken.tree, &blobs, second.path()).await.unwrap();
        assert_eq!(
            fs::read(second.path().join("src/deep/er/big")).unwrap(),
            noise(2_500_000)
        );
        assert_eq!(snap(second.path(), &blobs).await.tree, taken.tree);
        // A job that writes into its workspace changes no blob.
        write(second.path(), "src/top.v", "changed");
        let hash = &taken.tree.get("src/top.v").unwrap().hash;
        assert_eq!(blobs.get(hash).await.unwrap(), "module top;");
    }
}

#[tokio::test]
async fn a_tree_is_written_only_into_an_empty_directory_and_only_whole() {
    let (_dir, blobs) = folder();
    let hash = blobs.put(noise(5000)).await.unwrap();
    let entry = |size_bytes| Entry {
        path: "a/b".to_owned(),
        mode: Mode::File,
        size_bytes,
        hash: hash.clone(),
    };
    let tree = Tree::from_entries(vec![entry(5000)]).unwrap();
    let target = TempDir::new().unwrap();
    write(target.path(), "there", "");
    let full = materialise(&tree, &blobs, target.path()).await;
    assert!(matches!(full, Err(WorkspaceError::NotEmpty { .. })));

    let lies = Tree::from_entries(vec![entry(4999)]).unwrap();
    let wrong = materialise(&lies, &blobs, TempDir::new().unwrap().path()).await;
    assert!(
        matches!(
            wrong,
            Err(WorkspaceError::WrongSize {
                actual_bytes: 5000,
                ..
            })
        ),
        "{wrong:?}"
    );

    let stored = blob_path(blobs.folder().unwrap(), &hash);
    fs::write(&stored, vec![0; 5000]).unwrap();
    let damaged = materialise(&tree, &blobs, TempDir::new().unwrap().path()).await;
    assert!(matches!(
        damaged,
        Err(WorkspaceError::Blob(BlobError::Corrupt { .. }))
    ));
    fs::remove_file(&stored).unwrap();
    let missing = materialise(&tree, &blobs, TempDir::new().unwrap().path()).await;
    assert!(matches!(
        missing,
        Err(WorkspaceError::Blob(BlobError::Missing(_)))
    ));
}

#[tokio::test]
async fn what_is_no_file_is_left_out_with_a_note() {
    let (outside, dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(outside.path(), "secret", "the server's");
    write(dir.path(), "real/file", "x");
    for (link, target) in [
        ("copy", Path::new("real/file")),
        ("twice", Path::new("copy")),
        ("real/up", Path::new("../copy")),
        ("directory", Path::new("real")),
        ("dangling", Path::new("nowhere")),
        ("loop", Path::new("loop")),
        ("absolute", &outside.path().join("secret")),
        ("leaves", Path::new("../../../../../../../etc/passwd")),
    ] {
        symlink(target, dir.path().join(link)).unwrap();
    }
    rustix::fs::mknodat(
        rustix::fs::CWD,
        dir.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    symlink("pipe", dir.path().join("to-pipe")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let name = std::os::unix::ffi::OsStrExt::from_bytes(b"caf\xe9");
    fs::write(dir.path().join::<&std::ffi::OsStr>(name), "x").unwrap();
    write(dir.path(), "back\\slash", "x");

    let taken = snap(dir.path(), &Blobs::memory()).await;
    assert_eq!(paths(&taken), ["copy", "real/file", "real/up", "twice"]);
    for words in [
        ["`copy`", "became a copy"],
        ["`directory`", "leads to a directory"],
        ["`dangling`", "not there"],
        ["`loop`", "cannot be followed"],
        ["`absolute`", "leads out"],
        ["`leaves`", "leads out"],
        ["`pipe`", "named pipe"],
        ["`to-pipe`", "leads to a named pipe"],
        ["`socket`", "socket"],
        ["caf\\xe9", "UTF-8"],
        ["back\\\\slash", "backslash"],
    ] {
        assert!(noted(&taken, &words), "{words:?} is not in {:#?}", taken.notes);
    }
}

#[tokio::test]
async fn what_is_discarded_is_not_looked_into_and_not_stored() {
    let (_dir, blobs) = folder();
    let dir = TempDir::new().unwrap();
    for path in ["keep", "obj/a.o", "obj/deep/b.o", "x.log"] {
        write(dir.path(), path, path);
    }
    let discard = |path: &str| {
        assert!(!path.starts_with("obj/"), "{path}");
        path == "obj" || path.ends_with(".log")
    };
    let taken = snapshot(dir.path(), &blobs, &Tree::default(), &discard, &Limits::default())
        .await
        .unwrap();
    assert_eq!(paths(&taken), ["keep"]);
    assert!(!blobs.has(&hash_of(b"x.log")).await.unwrap());
}

#[tokio::test]
async fn an_unchanged_file_costs_no_write_and_a_changed_one_of_the_same_size_is_seen() {
    let (_dir, blobs) = folder();
    let dir = TempDir::new().unwrap();
    write(dir.path(), "same", noise(600_000));
    write(dir.path(), "changed", "before");
    let before = snap(dir.path(), &blobs).await.tree;
    let stored = blob_path(blobs.folder().unwrap(), &before.get("same").unwrap().hash);
    let inode = || std::os::unix::fs::MetadataExt::ino(&fs::metadata(&stored).unwrap());
    let first = inode();
    write(dir.path(), "changed", "after!");
    let after = snapshot(dir.path(), &blobs, &before, &|_| false, &Limits::default())
        .await
        .unwrap()
        .tree;
    assert_eq!(inode(), first);
    assert_eq!(after.get("same"), before.get("same"));
    assert_eq!(after.get("changed").unwrap().hash, hash_of(b"after!"));
    assert_eq!(blobs.get(&hash_of(b"after!")).await.unwrap(), "after!");
    // Collected meanwhile, it is stored again.
    blobs.delete(&before.get("same").unwrap().hash).await.unwrap();
    let again = snapshot(dir.path(), &blobs, &after, &|_| false, &Limits::default())
        .await
        .unwrap();
    blobs.verify_complete(&again.tree).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_keeps_to_the_limits() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "a/b/c", "12345");
    write(dir.path(), "d", "1234567");
    let limits = Limits {
        total_bytes: 12,
        file_bytes: 7,
        entries: 4,
        depth: 3,
        ratio: 1,
        name_bytes: 5,
    };
    let take = async |limits: Limits| {
        snapshot(
            dir.path(),
            &Blobs::memory(),
            &Tree::default(),
            &|_| false,
            &limits,
        )
        .await
    };
    assert_eq!(take(limits.clone()).await.unwrap().tree.total_bytes(), 12);
    let total = take(Limits {
        total_bytes: 11,
        ..limits.clone()
    })
    .await;
    assert!(matches!(
        total,
        Err(WorkspaceError::TotalTooLarge { limit_bytes: 11, .. })
    ));
    let file = take(Limits {
        file_bytes: 6,
        ..limits.clone()
    })
    .await;
    assert!(matches!(file, Err(WorkspaceError::FileTooLarge { path, .. }) if path == "d"));
    let entries = take(Limits {
        entries: 3,
        ..limits.clone()
    })
    .await;
    assert!(matches!(entries, Err(WorkspaceError::TooManyEntries { .. })));
    let shallow = take(Limits { depth: 2, ..limits }).await.unwrap();
    assert_eq!(paths(&shallow), ["d"]);
    assert!(noted(&shallow, &["`a/b/c`", "deeper"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_come_go_and_shrink_meanwhile_do_not_stop_a_snapshot() {
    let (_dir, blobs) = folder();
    let dir = TempDir::new().unwrap();
    for number in 0..200 {
        write(
            dir.path(),
            &format!("d{}/f{number}", number % 7),
            noise(number * 50),
        );
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for round in 0.. {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let number = round * 31 % 200;
                let path = dir.path().join(format!("d{}/f{number}", number % 7));
                match round % 3 {
                    0 => drop(fs::remove_file(&path)),
                    1 => fs::write(&path, noise(round % 5000)).unwrap(),
                    _ => drop(
                        fs::File::options()
                            .write(true)
                            .open(&path)
                            .map(|file| file.set_len(3)),
                    ),
                }
            }
        });
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let mut before = Tree::default();
                for _ in 0..10 {
                    let taken = snapshot(dir.path(), &blobs, &before, &|_| false, &Limits::default())
                        .await
                        .unwrap();
                    for entry in taken.tree.entries() {
                        assert_eq!(
                            blobs.get(&entry.hash).await.unwrap().len() as u64,
                            entry.size_bytes
                        );
                    }
                    before = taken.tree;
                }
            });
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
