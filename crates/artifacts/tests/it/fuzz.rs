//! Fuzz targets of unpacking: whatever an archive is, nothing panics, nothing takes long, and what
//! comes out is a tree that can be stored, shown and written to a disk.

use crate::archive::{self, Raw, zip};
use crate::tarball::{Item, gzip, item, record, seal, tar, zstd};
use crate::unpack::unpack_as;
use polyphemus_artifacts::{Blobs, Format, Limits, UnpackError, path};
use polyphemus_testkit::fuzz::{damaged, damages, fuzz};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::collections::HashSet;

const LIMITS: Limits = Limits {
    total_bytes: 4096,
    file_bytes: 2048,
    entries: 12,
    depth: 6,
    ratio: 100,
    name_bytes: 300,
};

const ZIP_WORDS: &[&[u8]] = &[
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x06\x07",
    b"PK\x07\x08",
    b"../",
    b"\xff\xff\xff\xff",
    b"\x01\x00\x1c\x00",
    b"\x75\x70",
    b"\0\0\0\0",
];
const TAR_WORDS: &[&[u8]] = &[
    b"ustar\x0000",
    b"ustar  \0",
    b"77777777777",
    b"\x80\0\0\0\0\0\0\xff",
    b"path=../x\n",
    b"size=",
    b"../",
    b"12 path=/x\n",
    b"GNU.sparse.major=1",
    b"././@LongLink",
    b"L",
    b"K",
    b"x",
    b"g",
    b"S",
    b"\0\0\0\0",
];

fn check(format: Format, bytes: &[u8]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let blobs = Blobs::memory();
        let unpacked = match unpack_as(format, bytes, &blobs, &LIMITS).await {
            Ok(unpacked) => unpacked,
            Err(error) => {
                let ours = matches!(
                    error,
                    UnpackError::Tree(_) | UnpackError::Blob(_) | UnpackError::Archive { .. }
                );
                prop_assert!(!ours, "the archive is at fault, not {error:?}");
                prop_assert!(!error.to_string().contains(char::is_control), "{error}");
                return Ok(());
            }
        };
        let (mut total, mut folded) = (0, HashSet::new());
        for entry in unpacked.tree.entries() {
            prop_assert_eq!(path::check(&entry.path), Ok(()));
            prop_assert!(folded.insert(entry.path.to_lowercase()), "{} twice", entry.path);
            let content = blobs.get(&entry.hash).await.unwrap();
            prop_assert_eq!(content.len() as u64, entry.size_bytes);
            total += entry.size_bytes;
        }
        prop_assert!(total <= LIMITS.total_bytes, "{total} bytes");
        prop_assert!(!unpacked.tree.entries().is_empty());
        prop_assert!(
            !unpacked.notes.concat().contains(char::is_control),
            "{:?}",
            unpacked.notes
        );
        Ok(())
    })
}

/// Few letters, so that names meet; and all that leads elsewhere.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "(\\.\\./|/|\\./|[abAB]/|b\\\\|\n|\u{202e}|__MACOSX/|\\._){0,3}[abAB.]{0,2}/?".prop_map(String::into_bytes),
        1 => "(a/){0,8}b{0,310}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

fn zip_entry() -> impl Strategy<Value = Raw> {
    let mode = prop_oneof![5 => Just(0o100_644), 2 => Just(0o120_777), 1 => any::<u16>().prop_map(u32::from)];
    let made_by = prop_oneof![Just(archive::UNIX), Just(archive::DOS)];
    let method = prop_oneof![9 => Just(0u16), 1 => Just(8u16), 1 => any::<u16>()];
    let header_of = prop_oneof![9 => Just(None), 1 => (0..3usize).prop_map(Some)];
    let size = prop_oneof![12 => Just(None), 1 => any::<u32>().prop_map(Some)];
    (name(), "[ab./]{0,9}", mode, made_by, method, header_of, size).prop_map(
        |(name, content, mode, made_by, method, header_of, declared_bytes)| Raw {
            mode,
            made_by,
            method,
            header_of,
            declared_bytes,
            ..archive::file(name, content)
        },
    )
}

fn tar_item() -> impl Strategy<Value = Item> {
    let kind = prop_oneof![5 => Just(b'0'), 3 => Just(b'2'), 3 => Just(b'1'), 2 => Just(b'5'),
        1 => prop::sample::select(&b"LKxgSV7346DM"[..]), 1 => any::<u8>()];
    let pax = (
        prop::sample::select(&["path", "linkpath", "size", "GNU.sparse.major", "GNU.sparse.map"][..]),
        name(),
    )
        .prop_map(|(key, value)| record(key, &String::from_utf8_lossy(&value)).into_bytes());
    let content = prop_oneof![
        4 => "[ab./0-9]{0,9}".prop_map(String::into_bytes),
        1 => Just(b"\x00\x05\x16\x07".to_vec()),
        1 => prop::collection::vec(Just(7), 500..1100),
        3 => pax,
    ];
    let size = prop_oneof![12 => Just(None), 1 => any::<u64>().prop_map(|size| Some(size >> 31)), 1 => Just(Some(0))];
    (kind, name(), content, name(), any::<u16>(), size).prop_map(
        |(kind, name, content, target, mode, declared_bytes)| Item {
            target,
            mode: u32::from(mode),
            declared_bytes,
            ..item(kind, name, content)
        },
    )
}

/// Makes the checksums right of what still looks like a header, so that the damage is read.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    for block in bytes.chunks_exact_mut(512) {
        if block[257..262] == *b"ustar" {
            seal(block);
        }
    }
    bytes
}

fn tars() -> impl Strategy<Value = Vec<u8>> {
    let items = prop::collection::vec(tar_item(), 0..7);
    (items, damages(TAR_WORDS), any::<bool>()).prop_map(|(items, damages, reseal)| {
        let bytes = damaged(tar(&items), &damages);
        if reseal { resealed(bytes) } else { bytes }
    })
}

#[test]
fn fuzz_zip() {
    let strategy = (prop::collection::vec(zip_entry(), 0..6), damages(ZIP_WORDS));
    fuzz("fuzz_zip", &strategy, |(entries, damages)| {
        check(Format::Zip, &damaged(zip(&entries), &damages))
    });
}

#[test]
fn fuzz_tar() {
    fuzz("fuzz_tar", &tars(), |bytes| check(Format::Tar, &bytes));
}

#[test]
fn fuzz_tar_gz() {
    let strategy = (tars(), damages(&[b"\x1f\x8b\x08", b"\0\0\xff\xff"]));
    fuzz("fuzz_tar_gz", &strategy, |(bytes, damages)| {
        check(Format::TarGz, &damaged(gzip(&bytes), &damages))
    });
}

#[test]
fn fuzz_tar_zst() {
    let strategy = (
        tars(),
        damages(&[b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18\x04\0\0\0"]),
    );
    fuzz("fuzz_tar_zst", &strategy, |(bytes, damages)| {
        check(Format::TarZst, &damaged(zstd(&bytes), &damages))
    });
}
