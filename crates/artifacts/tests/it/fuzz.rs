//! Fuzz targets of unpacking: whatever an archive is, nothing panics, nothing takes long, and what
//! comes out is a tree that can be stored, shown and written to a disk.

use crate::archive::{self, Raw, zip};
use crate::tarball::{Item, file, gzip, item, record, seal, tar, zstd};
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

/// Mostly names that are fine, for one that is not ends the archive; few letters, so that they meet.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let evil = "(\\.\\./|/|\\./|[ab]/|b\\\\|\n|\u{202e}|__MACOSX/|\\._){1,2}[ab.]{0,2}/?";
    prop_oneof![
        24 => "([a-d]/){0,2}[a-dA]{1,3}".prop_map(String::into_bytes),
        3 => evil.prop_map(String::into_bytes),
        1 => "(a/){0,8}b{0,310}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
}

/// What a link leads to.
fn target() -> impl Strategy<Value = Vec<u8>> {
    let near = "(\\.\\./|\\./){0,2}([a-d]/){0,1}[a-d]{1,2}";
    prop_oneof![2 => near.prop_map(String::into_bytes), 1 => name()]
}

fn zip_entry() -> impl Strategy<Value = Raw> {
    let rare = |usual: u16| prop_oneof![40 => Just(usual), 1 => any::<u16>()];
    let kind = prop_oneof![9 => Just(0o100_644u16), 1 => Just(0o120_777)].prop_flat_map(rare);
    let made_by = prop_oneof![Just(archive::UNIX), Just(archive::DOS)];
    let method = rare(0);
    let header_of = prop_oneof![30 => Just(None), 1 => (0..3usize).prop_map(Some)];
    let size = prop_oneof![30 => Just(None), 1 => any::<u32>().prop_map(Some)];
    (name(), target(), kind, made_by, method, header_of, size).prop_map(
        |(name, content, mode, made_by, method, header_of, declared_bytes)| Raw {
            mode: u32::from(mode),
            made_by,
            method,
            header_of,
            declared_bytes,
            ..archive::file(name, content)
        },
    )
}

fn tar_link(kind: u8) -> impl Strategy<Value = Item> {
    (name(), target()).prop_map(move |(name, target)| Item {
        target,
        ..item(kind, name, "")
    })
}

fn tar_item() -> impl Strategy<Value = Item> {
    let keys = &[
        "path",
        "linkpath",
        "size",
        "GNU.sparse.major",
        "GNU.sparse.map",
        "comment",
    ][..];
    let pax = (prop::sample::select(keys), name())
        .prop_map(|(key, value)| item(b'x', "pax", record(key, &String::from_utf8_lossy(&value))));
    let content = prop_oneof![
        8 => "[ab./0-9]{0,9}".prop_map(String::into_bytes),
        1 => Just(b"\x00\x05\x16\x07".to_vec()),
        1 => prop::collection::vec(Just(7), 500..1100),
    ]
    .boxed();
    let size =
        prop_oneof![9 => Just(None), 1 => any::<u64>().prop_map(|size| Some(size >> 31)), 1 => Just(Some(0))];
    let wild =
        (any::<u8>(), name(), content.clone(), size).prop_map(|(kind, name, content, declared_bytes)| Item {
            declared_bytes,
            ..item(kind, name, content)
        });
    prop_oneof![
        20 => (name(), content, any::<u16>()).prop_map(|(name, content, mode)| Item {
            mode: u32::from(mode),
            ..file(name, content)
        }),
        3 => name().prop_map(|name| item(b'5', [&name[..], b"/"].concat(), "")),
        2 => tar_link(b'2'),
        2 => tar_link(b'1'),
        3 => pax,
        2 => name().prop_map(|name| item(b'L', "././@LongLink", name)),
        1 => wild,
    ]
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
