//! Archives that are refused, each by its own name and with a sentence that says what to do.

use crate::archive::{DOS, Raw, file, symlink, zip};
use crate::unpack::{unpack, unpack_into};
use polyphemus_artifacts::unpack::LinkFault;
use polyphemus_artifacts::{Blobs, Limits, UnpackError};
use std::io::Write;

/// Refused with an error that `fits`, whose message holds all of `words` and no control character.
async fn refused(bytes: &[u8], fits: impl Fn(&UnpackError) -> bool, words: &[&str]) {
    limited(bytes, &Limits::default(), fits, words).await;
}

async fn limited(bytes: &[u8], limits: &Limits, fits: impl Fn(&UnpackError) -> bool, words: &[&str]) {
    let error = unpack_into(bytes, &Blobs::memory(), limits)
        .await
        .expect_err("it should be refused");
    assert!(fits(&error), "{error:?}");
    message_of(&error, words);
}

/// The message holds all of `words` and nothing that a terminal would obey.
pub fn message_of(error: &UnpackError, words: &[&str]) {
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
    let is_shown =
        |c: char| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(message.chars().all(is_shown), "{message:?}");
}

macro_rules! is {
    ($pattern:pat $(if $guard:expr)?) => {
        |error: &UnpackError| matches!(error, $pattern $(if $guard)?)
    };
}

#[tokio::test]
async fn what_is_no_zip_archive_is_said_to_be_none() {
    refused(b"", is!(UnpackError::NoBytes), &["empty", "send it"]).await;
    refused(
        b"hello, this is no archive",
        is!(UnpackError::NotAnArchive { .. }),
        &["zip -r"],
    )
    .await;
    refused(&[b'P'; 100_000], is!(UnpackError::NotAnArchive { .. }), &[]).await;
    let gzip = b"\x1f\x8b\x08gzip";
    refused(
        gzip,
        is!(UnpackError::Mismatch { .. }),
        &["a zip archive", "gzip", ".tar.gz"],
    )
    .await;
    refused(
        b"Rar!\x1a\x07\x01",
        is!(UnpackError::Foreign { .. }),
        &["RAR", ".tar.zst"],
    )
    .await;
}

#[tokio::test]
async fn an_archive_cut_off_anywhere_is_refused() {
    let whole = zip(&[file("a", "content of a"), file("b", "content of b")]);
    for end in 4..whole.len() {
        assert!(unpack(&whole[..end]).await.is_err(), "cut at {end}");
    }
    refused(
        &whole[..60],
        is!(UnpackError::Truncated { .. }),
        &["send it again"],
    )
    .await;
    refused(
        &whole[..whole.len() - 1],
        is!(UnpackError::Truncated { .. }),
        &["cut off"],
    )
    .await;
}

#[tokio::test]
async fn an_archive_without_files_is_refused() {
    refused(&zip(&[]), is!(UnpackError::Empty), &["no file"]).await;
    refused(
        &zip(&[file("d/", ""), file("__MACOSX/x", "")]),
        is!(UnpackError::Empty),
        &[],
    )
    .await;
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let entry = |name: &str| zip(&[file("ok", ""), file(name, "evil")]);
    refused(
        &entry("/etc/passwd"),
        is!(UnpackError::Absolute { .. }),
        &["/etc/passwd", "absolute"],
    )
    .await;
    refused(&entry("/etc/"), is!(UnpackError::Absolute { .. }), &[]).await;
    refused(
        &entry("../evil"),
        is!(UnpackError::Parent { .. }),
        &["../evil", "`..`"],
    )
    .await;
    refused(&entry("a/../../evil"), is!(UnpackError::Parent { .. }), &[]).await;
    refused(&entry("../d/"), is!(UnpackError::Parent { .. }), &[]).await;
    refused(
        &entry("a\\..\\b"),
        is!(UnpackError::Backslash { .. }),
        &["backslash"],
    )
    .await;
    refused(&entry("a//b"), is!(UnpackError::Name { .. }), &["empty"]).await;
    refused(
        &entry("a\nb\x1b[31m"),
        is!(UnpackError::Name { .. }),
        &["control", "a\\nb"],
    )
    .await;
    refused(&entry("a\0b"), is!(UnpackError::Name { .. }), &["control"]).await;
    refused(&entry(&"x".repeat(256)), is!(UnpackError::Name { .. }), &["255"]).await;
    let windows = |name: &str| {
        zip(&[Raw {
            made_by: DOS,
            ..file(name, "")
        }])
    };
    refused(&windows("..\\evil"), is!(UnpackError::Parent { .. }), &[]).await;
    refused(&windows("C:\\evil"), is!(UnpackError::Absolute { .. }), &[]).await;
    refused(&windows("\\\\host\\evil"), is!(UnpackError::Absolute { .. }), &[]).await;
    refused(
        &zip(&[file(b"caf\xe9.v", "")]),
        is!(UnpackError::NotUtf8 { .. }),
        &["caf\\xe9.v"],
    )
    .await;
}

#[tokio::test]
async fn names_that_clash_are_refused() {
    let twice = zip(&[file("a", "1"), file("a", "2")]);
    refused(&twice, is!(UnpackError::Duplicate { .. }), &["\"a\"", "twice"]).await;
    refused(
        &zip(&[file("a", "1"), file("./a", "2")]),
        is!(UnpackError::Duplicate { .. }),
        &[],
    )
    .await;
    let case = zip(&[file("Top.v", "1"), file("top.v", "2")]);
    refused(
        &case,
        is!(UnpackError::CaseCollision { .. }),
        &["Top.v", "top.v", "rename"],
    )
    .await;
    let both = zip(&[file("a", "1"), file("a/b", "2")]);
    refused(
        &both,
        is!(UnpackError::FileAsDirectory { .. }),
        &["\"a\"", "\"a/b\""],
    )
    .await;
    refused(
        &zip(&[file("a", "1"), file("a/", "")]),
        is!(UnpackError::FileAsDirectory { .. }),
        &[],
    )
    .await;
    refused(
        &zip(&[file("a", "1"), file("a/d/", "")]),
        is!(UnpackError::FileAsDirectory { .. }),
        &[],
    )
    .await;
}

#[tokio::test]
async fn devices_and_the_like_are_refused_by_name() {
    for (mode, kind) in [
        (0o010_644, "named pipe"),
        (0o020_644, "character device"),
        (0o060_644, "block device"),
        (0o140_644, "socket"),
        (0o150_644, "unknown kind"),
    ] {
        let bytes = zip(&[
            file("ok", ""),
            Raw {
                mode,
                ..file("dev/x", "")
            },
        ]);
        refused(&bytes, is!(UnpackError::Special { .. }), &["dev/x", kind]).await;
    }
}

#[tokio::test]
async fn symlinks_to_anything_but_a_file_inside_are_refused() {
    let link = |target: &str| {
        zip(&[
            file("d/f", "x"),
            symlink("d/l", target),
            symlink("d/m", "l"),
            file("e", ""),
        ])
    };
    for (target, fault) in [
        ("/etc/passwd", LinkFault::Absolute),
        ("../../etc/passwd", LinkFault::Leaves),
        ("nowhere", LinkFault::Dangling),
        ("../d", LinkFault::Directory),
        ("..", LinkFault::Directory),
        ("m", LinkFault::Loop),
        ("l", LinkFault::Loop),
        ("", LinkFault::Unreadable),
        ("a\0b", LinkFault::Unreadable),
    ] {
        let fits = |error: &UnpackError| matches!(error, UnpackError::Symlink { fault: found, .. } if *found == fault);
        refused(&link(target), fits, &["d/", "symlink", "replace it"]).await;
    }
    refused(&link(&"x".repeat(5000)), is!(UnpackError::Symlink { .. }), &[]).await;
    // A link that a path goes through is a directory to nobody.
    let through = zip(&[symlink("d", "/etc"), file("d/passwd", "x")]);
    refused(&through, is!(UnpackError::FileAsDirectory { .. }), &[]).await;
}

#[tokio::test]
async fn damaged_and_unreadable_entries_are_refused_by_name() {
    let with = |entry: Raw| zip(&[file("ok", "fine"), entry]);
    let checksum = with(Raw {
        crc: Some(1),
        ..file("bad", "content")
    });
    refused(
        &checksum,
        is!(UnpackError::Checksum { .. }),
        &["\"bad\"", "checksum"],
    )
    .await;
    let encrypted = with(Raw {
        flags: 1,
        ..file("secret", "content")
    });
    refused(
        &encrypted,
        is!(UnpackError::Encrypted { .. }),
        &["\"secret\"", "password"],
    )
    .await;
    let method = with(Raw {
        method: 12,
        ..file("bz", "content")
    });
    refused(&method, is!(UnpackError::Method { .. }), &["\"bz\"", "deflate"]).await;
    let garbage = with(Raw {
        method: 8,
        ..file("bad", "this is no deflate stream")
    });
    refused(&garbage, is!(UnpackError::Damaged { .. }), &["\"bad\""]).await;
    let shorter = with(Raw {
        declared_bytes: Some(3),
        ..file("bad", "content")
    });
    refused(&shorter, is!(UnpackError::Damaged { .. }), &["\"bad\""]).await;
    let longer = with(Raw {
        declared_bytes: Some(30),
        ..file("bad", "content")
    });
    refused(&longer, is!(UnpackError::Damaged { .. }), &["\"bad\"", "30"]).await;
}

#[tokio::test]
async fn entries_that_share_bytes_are_refused() {
    let same = zip(&[
        file("a", "x"),
        Raw {
            header_of: Some(0),
            ..file("b", "x")
        },
    ]);
    refused(&same, is!(UnpackError::Overlap { .. }), &["shares bytes"]).await;
    // The first entry's content holds the second's local header, as in Fifield's bomb.
    let inner = zip(&[file("b", "inner")]);
    let mut bytes = zip(&[file("a", &inner[..36]), file("b", "inner")]);
    let directory = bytes
        .windows(4)
        .rposition(|bytes| bytes == b"PK\x01\x02")
        .unwrap();
    bytes[directory + 42..directory + 46].copy_from_slice(&31u32.to_le_bytes());
    refused(
        &bytes,
        is!(UnpackError::Overlap { name } if name == "a"),
        &["\"a\""],
    )
    .await;
}

#[tokio::test]
async fn each_limit_is_kept() {
    let bytes = zip(&[file("one/two/three", "12345"), file("b", "1234567")]);
    let limits = Limits {
        total_bytes: 12,
        file_bytes: 7,
        entries: 2,
        depth: 3,
        ratio: 1,
        name_bytes: 13,
    };
    unpack_into(&bytes, &Blobs::memory(), &limits).await.unwrap();
    let lower = |change: fn(&mut Limits)| {
        let mut limits = limits.clone();
        change(&mut limits);
        limits
    };
    let low = lower(|limits| limits.total_bytes = 11);
    limited(
        &bytes,
        &low,
        is!(UnpackError::TotalTooLarge { .. }),
        &["11 bytes"],
    )
    .await;
    let low = lower(|limits| limits.file_bytes = 6);
    limited(
        &bytes,
        &low,
        is!(UnpackError::FileTooLarge { .. }),
        &["\"b\"", "6 bytes"],
    )
    .await;
    let low = lower(|limits| limits.entries = 1);
    limited(
        &bytes,
        &low,
        is!(UnpackError::TooManyEntries { .. }),
        &["more than the 1 entries"],
    )
    .await;
    let low = lower(|limits| limits.depth = 2);
    limited(&bytes, &low, is!(UnpackError::TooDeep { .. }), &["one/two/three"]).await;
    let low = lower(|limits| limits.name_bytes = 12);
    limited(&bytes, &low, is!(UnpackError::NameTooLong { .. }), &["12 bytes"]).await;
}

#[tokio::test]
async fn an_archive_bomb_is_stopped_while_it_unpacks() {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer
        .start_file("zeros", zip::write::SimpleFileOptions::default())
        .unwrap();
    for _ in 0..80 {
        writer.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let limits = Limits {
        ratio: 500,
        ..Limits::default()
    };
    limited(
        &bytes,
        &limits,
        is!(UnpackError::Bomb { .. }),
        &["zeros", "500 times"],
    )
    .await;
}

#[tokio::test]
async fn a_file_full_of_signatures_is_refused_without_holding_them() {
    for (signature, end) in [
        (b"PK\x01\x02", &b"PK\x05\x06"[..]),
        (b"PK\x06\x06", b"PK\x06\x07"),
    ] {
        let mut bytes = signature.repeat(4 << 20);
        bytes.extend(end);
        bytes.extend([0xff; 18]);
        assert!(unpack(&bytes).await.is_err());
    }
}
