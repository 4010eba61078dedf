//! Archives as people make them become trees.

use crate::archive::{DOS, NTFS, Raw, file, saved, symlink, zip};
use crate::blobs::{folder, noise};
use polyphemus_artifacts::{Blobs, Format, Limits, Mode, UnpackError, Unpacked};
use proptest::prelude::*;
use std::io::Write;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

pub async fn unpack(bytes: &[u8]) -> Result<Unpacked, UnpackError> {
    unpack_into(bytes, &Blobs::memory(), &Limits::default()).await
}

pub async fn unpack_into(bytes: &[u8], blobs: &Blobs, limits: &Limits) -> Result<Unpacked, UnpackError> {
    unpack_as(Format::Zip, bytes, blobs, limits).await
}

pub async fn unpack_as(
    format: Format,
    bytes: &[u8],
    blobs: &Blobs,
    limits: &Limits,
) -> Result<Unpacked, UnpackError> {
    let (_dir, path) = saved(bytes);
    polyphemus_artifacts::unpack(&path, Some(format), blobs, limits).await
}

pub fn paths(unpacked: &Unpacked) -> Vec<&str> {
    unpacked
        .tree
        .entries()
        .iter()
        .map(|entry| entry.path.as_str())
        .collect()
}

#[tokio::test]
async fn files_come_out_as_they_went_in_whatever_the_method() {
    let (_dir, blobs) = folder();
    let contents = [
        ("top.v", noise(100)),
        ("data/big.hex", noise(3_000_000)),
        ("empty", noise(0)),
    ];
    for method in [
        CompressionMethod::Stored,
        CompressionMethod::Deflated,
        CompressionMethod::Zstd,
    ] {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in &contents {
            let mode = if *name == "top.v" { 0o755 } else { 0o644 };
            let options = SimpleFileOptions::default()
                .compression_method(method)
                .unix_permissions(mode);
            writer
                .start_file(*name, options.large_file(*name == "empty"))
                .unwrap();
            writer.write_all(content).unwrap();
        }
        let bytes = writer.finish().unwrap().into_inner();
        let unpacked = unpack_into(&bytes, &blobs, &Limits::default()).await.unwrap();
        assert_eq!(paths(&unpacked), ["data/big.hex", "empty", "top.v"]);
        for (name, content) in &contents {
            let entry = unpacked.tree.get(name).unwrap();
            assert_eq!(blobs.get(&entry.hash).await.unwrap(), content);
            assert_eq!(entry.size_bytes, content.len() as u64);
            assert_eq!(entry.mode == Mode::Executable, *name == "top.v");
        }
        assert!(unpacked.notes.is_empty());
    }
}

#[tokio::test]
async fn archives_that_info_zip_writes_to_a_pipe_are_read() {
    let dir = tempfile::TempDir::new().unwrap();
    std::fs::create_dir_all(dir.path().join("src/deep")).unwrap();
    std::fs::write(dir.path().join("src/deep/top.v"), noise(200_000)).unwrap();
    std::fs::write(dir.path().join("Makefile"), "all:\n").unwrap();
    // Into a pipe zip writes data descriptors; of an input of unknown size it makes a zip64 entry.
    let big = noise(200_000);
    for (script, path) in [
        ("zip -qr - . | cat", "src/deep/top.v"),
        ("zip -q - - <src/deep/top.v | cat", "-"),
    ] {
        let made = std::process::Command::new("bash")
            .args(["-c", script])
            .current_dir(&dir)
            .output();
        let made = made.expect("the tests need bash and zip (Debian: apt install zip)");
        assert!(made.status.success() && made.stderr.is_empty(), "{made:?}");
        let blobs = Blobs::memory();
        let unpacked = unpack_into(&made.stdout, &blobs, &Limits::default())
            .await
            .unwrap();
        assert_eq!(unpacked.tree.get("Makefile").is_some(), path != "-");
        let entry = unpacked.tree.get(path).unwrap();
        assert_eq!(blobs.get(&entry.hash).await.unwrap(), big);
    }
}

#[tokio::test]
async fn a_zip64_end_of_the_directory_is_read() {
    let mut bytes = zip(&[file("a", "1"), file("b/c", "22")]);
    let end = bytes.split_off(bytes.len() - 22);
    let record_at = bytes.len() as u64;
    bytes.extend(b"PK\x06\x06");
    bytes.extend(44u64.to_le_bytes());
    bytes.extend([45, 3, 45, 0]);
    bytes.extend([0; 8]); // this disk, the directory's disk
    for field in [&end[8..10], &end[10..12], &end[12..16], &end[16..20]] {
        let mut wide = [0; 8];
        wide[..field.len()].copy_from_slice(field);
        bytes.extend(wide);
    }
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(record_at.to_le_bytes());
    bytes.extend(1u32.to_le_bytes());
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([0xff; 12]);
    bytes.extend([0; 2]);
    assert_eq!(paths(&unpack(&bytes).await.unwrap()), ["a", "b/c"]);
}

#[tokio::test]
async fn an_archive_with_the_longest_comment_is_read() {
    let mut bytes = zip(&[file("a", noise(200_000))]);
    let length = bytes.len();
    bytes[length - 2..].copy_from_slice(&[0xff; 2]);
    bytes.extend(vec![b'c'; 65_535]);
    assert_eq!(paths(&unpack(&bytes).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn a_single_directory_collapses_even_beside_what_macos_adds() {
    let bytes = zip(&[
        file("proj/", ""),
        file("proj/top.v", "module"),
        file("proj/proj/x", "x"),
        file("proj/.DS_Store", "junk"),
        file("__MACOSX/proj/._top.v", "junk"),
    ]);
    let unpacked = unpack(&bytes).await.unwrap();
    assert_eq!(paths(&unpacked), ["proj/x", "top.v"]);
    assert_eq!(unpacked.notes.len(), 2, "{:?}", unpacked.notes);
    assert!(unpacked.notes[1].contains("`proj`"));

    for others in [file("other", ""), file("empty/", "")] {
        let unpacked = unpack(&zip(&[file("proj/top.v", "module"), others]))
            .await
            .unwrap();
        assert!(unpacked.tree.get("proj/top.v").is_some());
        assert!(unpacked.notes.is_empty());
    }
}

#[tokio::test]
async fn names_that_programs_write_in_other_ways_mean_the_same() {
    let windows = [
        Raw {
            made_by: DOS,
            mode: 0,
            ..file("src\\top.v", "a")
        },
        Raw {
            made_by: NTFS,
            mode: 0,
            ..file("src\\sub\\", "")
        },
        file("./Makefile", "b"),
        file("./", ""),
    ];
    let unpacked = unpack(&zip(&windows)).await.unwrap();
    assert_eq!(paths(&unpacked), ["Makefile", "src/top.v"]);
}

#[tokio::test]
async fn symlinks_to_files_of_the_archive_become_copies() {
    let bytes = zip(&[
        Raw {
            mode: 0o100_755,
            ..file("p/tools/run.sh", "#!/bin/sh")
        },
        symlink("p/a/b/run", "../../tools/./run.sh"),
        symlink("p/again", "a/b/run"),
    ]);
    let unpacked = unpack(&bytes).await.unwrap();
    assert_eq!(paths(&unpacked), ["a/b/run", "again", "tools/run.sh"]);
    let original = unpacked.tree.get("tools/run.sh").unwrap().clone();
    for copy in ["a/b/run", "again"] {
        let copy = unpacked.tree.get(copy).unwrap();
        assert_eq!((&copy.hash, copy.mode), (&original.hash, Mode::Executable));
    }
    assert!(unpacked.notes.iter().any(|note| note.contains("`p/again`")));
}

/// Whatever comes out is whole: every blob is there and matches.
async fn assert_sound(result: Result<Unpacked, UnpackError>, blobs: &Blobs) {
    if let Ok(unpacked) = result {
        for entry in unpacked.tree.entries() {
            polyphemus_artifacts::path::check(&entry.path).unwrap();
            let content = blobs.get(&entry.hash).await.unwrap();
            assert_eq!(content.len() as u64, entry.size_bytes);
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

fn any_entry() -> impl Strategy<Value = Raw> {
    let name = prop_oneof![
        "(\\.\\./|/|\\./|a/|b\\\\|\\n){0,3}[abAB.]{0,3}/?",
        proptest::collection::vec(any::<u8>(), 0..12)
            .prop_map(|name| String::from_utf8_lossy(&name).into_owned()),
    ];
    let kind = prop_oneof![4 => Just(0o100_644), 1 => Just(0o120_777), 1 => any::<u16>().prop_map(u32::from)];
    let method = prop_oneof![8 => Just(0u16), 1 => Just(8u16), 1 => any::<u16>()];
    (
        name,
        "[a/.]{0,6}",
        kind,
        prop_oneof![Just(DOS), Just(768)],
        method,
        0..20u16,
    )
        .prop_map(|(name, content, mode, made_by, method, flags)| Raw {
            mode,
            made_by,
            method,
            flags: if flags < 16 { 0 } else { flags },
            ..file(name, content)
        })
}

/// An archive with all that a careful sender's may have.
fn careful() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    writer.add_directory("p/", options).unwrap();
    writer.start_file("p/top.v", options).unwrap();
    writer.write_all(&noise(300).repeat(3)).unwrap();
    writer
        .start_file(
            "p/x",
            options
                .compression_method(CompressionMethod::Stored)
                .large_file(true),
        )
        .unwrap();
    writer.write_all(b"stored").unwrap();
    writer.add_symlink("p/l", "x", options).unwrap();
    writer.finish().unwrap().into_inner()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_archive_yields_an_illegal_path(entries in proptest::collection::vec(any_entry(), 0..6)) {
        block_on(async {
            let blobs = Blobs::memory();
            let result = unpack_into(&zip(&entries), &blobs, &Limits::default()).await;
            assert_sound(result, &blobs).await;
        });
    }

    #[test]
    fn damage_never_panics_and_never_yields_other_contents(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        keep in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        block_on(async {
            let mut bytes = careful();
            for (at, with) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= with;
            }
            if cut {
                bytes.truncate(keep.index(bytes.len()));
            }
            let blobs = Blobs::memory();
            let result = unpack_into(&bytes, &blobs, &Limits::default()).await;
            assert_sound(result, &blobs).await;
        });
    }
}
