//! Archives whose large contents become blobs while they arrive: the answer is the one that the whole file
//! would get, whatever was done to it.

use crate::archive::{Raw, file, zip};
use crate::blobs::{folder, noise};
use crate::unpack::{paths, unpack_as};
use polyphemus_artifacts::{Archive, Blobs, Format, Incoming, Limits, UnpackError, Unpacked, unpack_archive};
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;

/// The archive as it arrives in pieces, and how much of it was written to the file.
async fn arrived(bytes: &[u8], piece: usize, blobs: &Blobs, large_bytes: u64) -> (Archive, u64) {
    let (bytes, blobs) = (bytes.to_vec(), blobs.clone());
    let take = move || {
        let rest = tempfile::tempfile().unwrap();
        let seen: File = rest.try_clone().unwrap();
        let limits = Limits::default();
        let mut incoming = Incoming::new(rest, Some(Format::Zip), &blobs, &limits, large_bytes);
        for piece in bytes.chunks(piece) {
            incoming.write(piece).unwrap();
        }
        let archive = incoming.finish().unwrap();
        (archive, seen.metadata().unwrap().blocks() * 512)
    };
    tokio::task::spawn_blocking(take).await.unwrap()
}

async fn unpacked(archive: Archive, blobs: &Blobs) -> Result<Unpacked, UnpackError> {
    unpack_archive(archive, Some(Format::Zip), blobs, &Limits::default()).await
}

#[tokio::test]
async fn large_contents_are_blobs_before_the_archive_is_here() {
    let (_dir, blobs) = folder();
    let large = noise(9 * 1024 * 1024);
    let bytes = zip(&[
        file("before", "small"),
        file("large.bin", &large),
        file("after", "small too"),
    ]);
    let (archive, written_bytes) = arrived(&bytes, 1_000_003, &blobs, Incoming::LARGE_BYTES).await;
    assert!(written_bytes < 1024 * 1024, "{written_bytes}");
    let unpacked = unpacked(archive, &blobs).await.unwrap();
    assert_eq!(paths(&unpacked), ["after", "before", "large.bin"]);
    for (name, content) in [("before", &b"small"[..]), ("large.bin", &large)] {
        let entry = unpacked.tree.get(name).unwrap();
        assert_eq!(blobs.get(&entry.hash).await.unwrap(), content);
        assert_eq!(entry.size_bytes, content.len() as u64);
    }
}

/// Both ways to the answer, of which one has the whole file.
async fn same(bytes: &[u8], blobs: &Blobs) -> String {
    let whole = told(unpack_as(Format::Zip, bytes, blobs, &Limits::default()).await);
    for piece in [bytes.len().max(1), 7] {
        let (archive, _) = arrived(bytes, piece, blobs, 16).await;
        assert_eq!(
            told(unpacked(archive, blobs).await),
            whole,
            "in pieces of {piece}"
        );
    }
    whole
}

fn told(result: Result<Unpacked, UnpackError>) -> String {
    match result {
        Ok(unpacked) => format!("{:?}", unpacked),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_damaged_archive_gets_the_answer_that_the_whole_file_gets() {
    let (_dir, blobs) = folder();
    let whole = zip(&[
        file("d/one", "a content of more than sixteen bytes"),
        file("d/two", "tiny"),
        file("d/three", "the last of them, large as well"),
    ]);
    let good = same(&whole, &blobs).await;
    let mut answers = 0;
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x41;
        answers += usize::from(same(&damaged, &blobs).await != good);
    }
    assert!(answers > 100, "{answers}");
    for end in (0..whole.len()).step_by(5) {
        assert_ne!(same(&whole[..end], &blobs).await, good, "cut at {end}");
    }
}

#[tokio::test]
async fn an_archive_that_says_one_thing_in_passing_and_another_at_its_end_fools_nobody() {
    let (_dir, blobs) = folder();
    let large = "a content of more than sixteen bytes";
    // Its directory does not name the first entry.
    let hidden = {
        let whole = zip(&[file("hidden", large), file("shown", large)]);
        let first = whole.windows(4).position(|part| part == b"PK\x01\x02").unwrap();
        let mut hidden = whole[..first].to_vec();
        hidden.extend(&whole[first + 46 + "hidden".len()..]);
        let end = hidden.len() - 22;
        hidden[end + 8] = 1;
        hidden[end + 10] = 1;
        let length = (end - first) as u32;
        hidden[end + 12..end + 16].copy_from_slice(&length.to_le_bytes());
        hidden
    };
    let told = same(&hidden, &blobs).await;
    assert!(told.contains("shown") && !told.contains("\"hidden"), "{told}");
    // The content of an entry is an archive itself, whose entries are in no directory.
    let inner = zip(&[file("evil", large)]);
    let told = same(&zip(&[file("inner.zip", &inner)]), &blobs).await;
    assert!(told.contains("inner.zip") && !told.contains("evil"), "{told}");
    // A link with so long a text that it was taken for a file in passing.
    let link = Raw {
        mode: 0o120_777,
        ..file("link", "a/target/of/more/than/sixteen/bytes")
    };
    let told = same(&zip(&[link, file("ok", large)]), &blobs).await;
    assert!(told.contains("symlink"), "{told}");
}
