//! Tar archives: as people make them they become trees, and hostile ones are refused by name.

use crate::blobs::{folder, noise};
use crate::hostile::message_of;
use crate::tarball::{Item, blocks, directory, file, gzip, item, link, record, tar, zstd};
use crate::unpack::{paths, unpack_as};
use polyphemus_artifacts::unpack::LinkFault;
use polyphemus_artifacts::{Blobs, Format, Limits, Mode, UnpackError, Unpacked};
use std::process::Command;

async fn unpack(bytes: &[u8]) -> Result<Unpacked, UnpackError> {
    unpack_as(Format::Tar, bytes, &Blobs::memory(), &Limits::default()).await
}

async fn refused(bytes: &[u8], fits: impl Fn(&UnpackError) -> bool, words: &[&str]) {
    let error = unpack(bytes).await.expect_err("it should be refused");
    assert!(fits(&error), "{error:?}");
    message_of(&error, words);
}

macro_rules! is {
    ($pattern:pat $(if $guard:expr)?) => {
        |error: &UnpackError| matches!(error, $pattern $(if $guard)?)
    };
}

/// What the program `tar` makes of a folder, with these arguments before the names.
fn packed(folder: &std::path::Path, arguments: &str) -> Vec<u8> {
    let script = format!("tar {arguments}");
    let made = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .output();
    let made = made.expect("the tests need bash and tar");
    assert!(made.status.success(), "{script}: {made:?}");
    made.stdout
}

#[tokio::test]
async fn what_gnu_tar_packs_is_read_in_each_of_its_formats() {
    let dir = tempfile::TempDir::new().unwrap();
    let deep = format!("proj/{}", ["a-rather-long-directory-name"; 6].join("/"));
    std::fs::create_dir_all(dir.path().join(&deep)).unwrap();
    let long = format!("{deep}/{}.v", "n".repeat(120));
    let (big, small) = (noise(700_000), noise(3_000));
    std::fs::write(dir.path().join(&long), &big).unwrap();
    std::fs::write(dir.path().join("proj/Makefile"), &small).unwrap();
    std::fs::hard_link(dir.path().join("proj/Makefile"), dir.path().join("proj/same")).unwrap();
    std::os::unix::fs::symlink(&long[5..], dir.path().join("proj/top.v")).unwrap();
    for arguments in [
        "--format=gnu -cf - proj",
        "--format=posix -cf - proj",
        "--format=posix -cf - -C proj .",
        "--format=gnu -b1 -cf - proj",
    ] {
        let (_dir, blobs) = folder();
        let bytes = packed(dir.path(), arguments);
        for (format, bytes) in [
            (Format::Tar, bytes.clone()),
            (Format::TarGz, gzip(&bytes)),
            (Format::TarZst, zstd(&bytes)),
        ] {
            let unpacked = unpack_as(format, &bytes, &blobs, &Limits::default())
                .await
                .unwrap();
            let read = |path: &str| unpacked.tree.get(path).unwrap().hash.clone();
            assert_eq!(
                paths(&unpacked),
                ["Makefile", &long[5..], "same", "top.v"],
                "{arguments}"
            );
            assert_eq!(blobs.get(&read("top.v")).await.unwrap(), big, "{arguments}");
            assert_eq!(blobs.get(&read("same")).await.unwrap(), small, "{arguments}");
        }
    }
}

#[tokio::test]
async fn names_in_extended_headers_count_and_their_sizes_too() {
    let long = format!("{}/x.v", "d".repeat(200));
    let pax = record("path", &long) + &record("size", "5") + &record("comment", "a\nb=c");
    let bytes = tar(&[
        item(b'g', "pax_global_header", record("comment", "0123abcd")),
        item(b'x', "PaxHeader", pax),
        Item {
            declared_bytes: Some(0),
            ..file("short", "12345")
        },
        item(b'L', "././@LongLink", format!("{long}2\0")),
        Item {
            kind: b'7',
            ..file("short", "6")
        },
    ]);
    let unpacked = unpack(&bytes).await.unwrap();
    assert_eq!(paths(&unpacked), ["x.v", "x.v2"]);
    assert_eq!(unpacked.tree.get("x.v").unwrap().size_bytes, 5);
}

#[tokio::test]
async fn a_single_directory_collapses_even_beside_what_macos_adds_to_a_tar() {
    let double = b"\x00\x05\x16\x07\x00\x02junk";
    let bytes = tar(&[
        file("./._proj", double),
        directory("./proj/"),
        file("./proj/._top.v", double),
        file("./proj/top.v", "module"),
        file("./proj/._mine", "a file whose name begins so"),
        file("./proj/.DS_Store", "junk"),
        file("./__MACOSX/x", "junk"),
    ]);
    let unpacked = unpack(&bytes).await.unwrap();
    assert_eq!(paths(&unpacked), ["._mine", "top.v"]);
    assert!(
        unpacked.notes[0].starts_with("4 entries that macOS adds"),
        "{:?}",
        unpacked.notes
    );
}

#[tokio::test]
async fn only_the_executable_bit_of_a_mode_is_kept() {
    let with = |name, mode| Item {
        mode,
        ..file(name, "x")
    };
    let bytes = tar(&[
        with("suid", 0o6755),
        with("plain", 0o4644),
        with("sticky", 0o1666),
    ]);
    let tree = unpack(&bytes).await.unwrap().tree;
    let modes: Vec<Mode> = tree.entries().iter().map(|entry| entry.mode).collect();
    assert_eq!(
        modes,
        [Mode::File, Mode::File, Mode::Executable],
        "plain, sticky, suid"
    );
    assert!(
        !String::from_utf8(tree.encode().to_vec())
            .unwrap()
            .contains("6755")
    );
}

#[tokio::test]
async fn a_hard_link_is_the_file_before_it_or_refused() {
    let bytes = tar(&[
        Item {
            mode: 0o755,
            ..file("./d/a", "content")
        },
        link(b'1', "./d/b", "./d/a"),
        link(b'1', "./c", "d/b"),
    ]);
    let unpacked = unpack(&bytes).await.unwrap();
    assert_eq!(paths(&unpacked), ["c", "d/a", "d/b"]);
    let first = unpacked.tree.get("d/a").unwrap();
    for copy in ["c", "d/b"] {
        let copy = unpacked.tree.get(copy).unwrap();
        assert_eq!((&copy.hash, copy.mode), (&first.hash, Mode::Executable));
    }
    assert!(
        unpacked.notes.iter().any(|note| note.contains("2 hard links")),
        "{:?}",
        unpacked.notes
    );
    for target in ["later", "/etc/passwd", "../x", "l", "nowhere", "", "me"] {
        let bytes = tar(&[
            file("a", ""),
            link(b'2', "l", "a"),
            link(b'1', "me", target),
            file("later", ""),
        ]);
        refused(
            &bytes,
            is!(UnpackError::HardLink { .. }),
            &["\"me\"", "--hard-dereference"],
        )
        .await;
    }
}

#[tokio::test]
async fn a_symlink_of_a_tar_is_treated_as_one_of_a_zip() {
    let bytes = tar(&[link(b'2', "p/l", "d/f"), file("p/d/f", "x")]);
    assert_eq!(paths(&unpack(&bytes).await.unwrap()), ["d/f", "l"]);
    for (target, fault) in [
        ("/etc/passwd", LinkFault::Absolute),
        ("../../etc/passwd", LinkFault::Leaves),
        ("nowhere", LinkFault::Dangling),
        ("d", LinkFault::Directory),
        ("l", LinkFault::Loop),
        ("", LinkFault::Unreadable),
    ] {
        let bytes = tar(&[file("d/f", "x"), link(b'2', "l", target)]);
        let fits = |error: &UnpackError| matches!(error, UnpackError::Symlink { fault: found, .. } if *found == fault);
        refused(&bytes, fits, &["\"l\"", "symlink"]).await;
    }
    let through = tar(&[link(b'2', "d", "/etc"), file("d/passwd", "x")]);
    refused(&through, is!(UnpackError::FileAsDirectory { .. }), &[]).await;
}

#[tokio::test]
async fn links_do_not_multiply_a_file_beyond_what_a_tree_may_hold() {
    let mut items = vec![file("a", noise(1000))];
    items.extend((0..50).map(|number| link(b'1', &format!("h{number}"), "a")));
    items.extend((0..50).map(|number| link(b'2', &format!("s{number}"), "a")));
    let limits = Limits {
        total_bytes: 100_999,
        ..Limits::default()
    };
    let error = unpack_as(Format::Tar, &tar(&items), &Blobs::memory(), &limits)
        .await
        .unwrap_err();
    assert!(matches!(error, UnpackError::TotalTooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn devices_pipes_and_sparse_files_of_a_tar_are_refused_by_name() {
    for (kind, words) in [
        (b'3', "character device"),
        (b'4', "block device"),
        (b'6', "named pipe"),
        (b'D', "unknown kind"),
        (b'M', "unknown kind"),
    ] {
        let bytes = tar(&[file("ok", ""), item(kind, "dev/x", "")]);
        refused(&bytes, is!(UnpackError::Special { .. }), &["dev/x", words]).await;
    }
    let dir = tempfile::TempDir::new().unwrap();
    let sparse = std::fs::File::create(dir.path().join("holes")).unwrap();
    sparse.set_len(1 << 20).unwrap();
    for arguments in ["--format=gnu -S -cf - holes", "--format=posix -S -cf - holes"] {
        let bytes = packed(dir.path(), arguments);
        refused(&bytes, is!(UnpackError::Sparse { .. }), &["holes", "--sparse"]).await;
    }
}

#[tokio::test]
async fn names_in_a_tar_that_lead_elsewhere_are_refused() {
    let entry = |name: &[u8]| tar(&[file("ok", ""), file(name, "evil")]);
    refused(
        &entry(b"/etc/passwd"),
        is!(UnpackError::Absolute { .. }),
        &["/etc/passwd"],
    )
    .await;
    refused(
        &entry(b"a/../../evil"),
        is!(UnpackError::Parent { .. }),
        &["`..`"],
    )
    .await;
    refused(&entry(b".//etc/passwd"), is!(UnpackError::Absolute { .. }), &[]).await;
    refused(
        &entry(b"a\\b"),
        is!(UnpackError::Backslash { .. }),
        &["backslash"],
    )
    .await;
    refused(
        &entry(b"caf\xe9.v"),
        is!(UnpackError::NotUtf8 { .. }),
        &["caf\\xe9.v"],
    )
    .await;
    refused(&entry(b"a\nb"), is!(UnpackError::Name { .. }), &["control"]).await;
    let turned = "a\u{202e}v.exe".as_bytes();
    refused(
        &entry(turned),
        is!(UnpackError::Name { .. }),
        &["direction", "\\u{202e}"],
    )
    .await;
    let pax = |path: &str| tar(&[item(b'x', "x", record("path", path)), file("fine", "evil")]);
    refused(&pax("../evil"), is!(UnpackError::Parent { .. }), &[]).await;
    refused(&pax("/evil"), is!(UnpackError::Absolute { .. }), &[]).await;
    refused(&pax("a\nb"), is!(UnpackError::Name { .. }), &["control"]).await;
    let up = tar(&[directory("../up/"), file("a", "")]);
    refused(&up, is!(UnpackError::Parent { .. }), &[]).await;
}

#[tokio::test]
async fn names_in_a_tar_that_clash_are_refused() {
    let twice = tar(&[file("a", "1"), file("./a", "2")]);
    refused(&twice, is!(UnpackError::Duplicate { .. }), &["\"a\"", "twice"]).await;
    let case = tar(&[file("Top.v", "1"), file("top.v", "2")]);
    refused(&case, is!(UnpackError::CaseCollision { .. }), &["Top.v", "top.v"]).await;
    let both = tar(&[file("a/b", "1"), file("a", "2")]);
    refused(
        &both,
        is!(UnpackError::FileAsDirectory { .. }),
        &["\"a\"", "\"a/b\""],
    )
    .await;
}

#[tokio::test]
async fn a_tar_cut_off_anywhere_is_refused() {
    let items = [file("a", noise(700)), file("b", "content of b")];
    let (open, whole) = (blocks(&items), tar(&items));
    let cut = [
        1,
        511,
        512,
        513,
        1300,
        1536,
        2047,
        open.len() - 1,
        open.len(),
        open.len() + 511,
    ];
    for end in cut {
        let error = unpack(&whole[..end]).await.expect_err("it is cut off");
        assert!(
            end < 512 || matches!(error, UnpackError::Truncated { .. }),
            "{end}: {error:?}"
        );
    }
    refused(
        &open,
        is!(UnpackError::Truncated { .. }),
        &["mark at its end", "send it again"],
    )
    .await;
    unpack(&whole[..open.len() + 512])
        .await
        .expect("one block of zeros ends it as well");
    for (format, bytes) in [(Format::TarGz, gzip(&whole)), (Format::TarZst, zstd(&whole))] {
        for end in [4, 30, bytes.len() / 2, bytes.len() - 1] {
            let blobs = Blobs::memory();
            let error = unpack_as(format, &bytes[..end], &blobs, &Limits::default())
                .await
                .unwrap_err();
            assert!(
                matches!(error, UnpackError::Truncated { .. }),
                "{format} {end}: {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_damaged_tar_is_refused() {
    let whole = tar(&[file("a", "1"), file("b", "2")]);
    let mut bytes = whole.clone();
    bytes[1024] ^= 1;
    refused(&bytes, is!(UnpackError::DamagedArchive { .. }), &["checksum"]).await;
    let joined = [whole.clone(), whole.clone()].concat();
    refused(
        &joined,
        is!(UnpackError::DamagedArchive { .. }),
        &["behind its end"],
    )
    .await;
    let with_content = tar(&[file("a", "1"), item(b'2', "l", "content")]);
    refused(&with_content, is!(UnpackError::Damaged { .. }), &["\"l\""]).await;
    let mut bytes = gzip(&whole);
    let at = bytes.len() - 6;
    bytes[at] ^= 1;
    let error = unpack_as(Format::TarGz, &bytes, &Blobs::memory(), &Limits::default()).await;
    assert!(
        matches!(error, Err(UnpackError::DamagedArchive { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_file_is_what_its_name_says_or_refused() {
    let whole = tar(&[file("a", "1")]);
    let contents = [
        (
            Format::Zip,
            crate::archive::zip(&[crate::archive::file("a", "1")]),
        ),
        (Format::Tar, whole.clone()),
        (Format::TarGz, gzip(&whole)),
        (Format::TarZst, zstd(&whole)),
    ];
    for (named, _) in &contents {
        for (found, bytes) in &contents {
            let result = unpack_as(*named, bytes, &Blobs::memory(), &Limits::default()).await;
            let Err(error) = result else {
                assert_eq!(named, found);
                continue;
            };
            assert!(
                matches!(error, UnpackError::Mismatch { .. }),
                "{named}, {found}: {error:?}"
            );
            message_of(
                &error,
                &[&named.to_string(), &found.to_string(), found.extension()],
            );
        }
    }
    for format in [Format::Zip, Format::Tar, Format::TarGz, Format::TarZst] {
        for (bytes, word) in [
            (&b""[..], "empty"),
            (&[b'x'; 2000], "pack the design with"),
            (b"\xfd7zXZ\0rest", "compressed with xz"),
            (b"7z\xbc\xaf\x27\x1crest", "7-Zip"),
            (b"Salted__rest", "encrypted"),
        ] {
            let error = unpack_as(format, bytes, &Blobs::memory(), &Limits::default())
                .await
                .unwrap_err();
            message_of(&error, &[word]);
        }
    }
    let text = gzip(&[b'x'; 2000]);
    let error = unpack_as(Format::TarGz, &text, &Blobs::memory(), &Limits::default())
        .await
        .unwrap_err();
    message_of(
        &error,
        &[
            "not a tar archive compressed with gzip",
            "what is compressed in it",
        ],
    );
}

#[tokio::test]
async fn an_archive_whose_name_says_nothing_is_known_by_its_content() {
    let (whole, blobs, limits) = (tar(&[file("a", "1")]), Blobs::memory(), Limits::default());
    let zip = crate::archive::zip(&[crate::archive::file("a", "1")]);
    for bytes in [whole.clone(), gzip(&whole), zstd(&whole), zip] {
        let (_dir, path) = crate::archive::saved(&bytes);
        let unpacked = polyphemus_artifacts::unpack(&path, None, &blobs, &limits).await;
        assert_eq!(paths(&unpacked.unwrap()), ["a"]);
    }
    let (_dir, path) = crate::archive::saved(b"BZh91AY");
    let refused = polyphemus_artifacts::unpack(&path, None, &blobs, &limits).await;
    message_of(&refused.unwrap_err(), &["bzip2"]);
}

#[tokio::test]
async fn a_tar_without_files_is_refused() {
    for items in [&[][..], &[directory("d/")], &[file("__MACOSX/x", "")]] {
        refused(&tar(items), is!(UnpackError::Empty), &["no file"]).await;
    }
}

#[tokio::test]
async fn each_limit_is_kept_for_a_tar() {
    let bytes = tar(&[file("one/two/three", "12345"), file("b", "1234567")]);
    let limits = Limits {
        total_bytes: 12,
        file_bytes: 7,
        entries: 2,
        depth: 3,
        ratio: 1,
        name_bytes: 13,
    };
    let within = |limits: Limits| {
        let bytes = bytes.clone();
        async move { unpack_as(Format::Tar, &bytes, &Blobs::memory(), &limits).await }
    };
    within(limits.clone()).await.unwrap();
    type Lowered = (fn(&mut Limits), fn(&UnpackError) -> bool);
    let lower: [Lowered; 5] = [
        (|low| low.total_bytes = 11, is!(UnpackError::TotalTooLarge { .. })),
        (|low| low.file_bytes = 6, is!(UnpackError::FileTooLarge { .. })),
        (|low| low.entries = 1, is!(UnpackError::TooManyEntries { .. })),
        (|low| low.depth = 2, is!(UnpackError::TooDeep { .. })),
        (|low| low.name_bytes = 12, is!(UnpackError::NameTooLong { .. })),
    ];
    for (number, (change, fits)) in lower.into_iter().enumerate() {
        let mut low = limits.clone();
        change(&mut low);
        let error = within(low).await.expect_err("a limit is passed");
        assert!(fits(&error), "{number}: {error:?}");
    }
}

#[tokio::test]
async fn a_compressed_tar_bomb_is_stopped_while_it_unpacks() {
    let limits = Limits {
        ratio: 100,
        ..Limits::default()
    };
    // In a file, and behind the end, where nobody looks.
    let zeros = Item {
        declared_bytes: Some(80 << 20),
        ..file("zeros", "")
    };
    let (in_a_file, behind) = (blocks(&[zeros]), tar(&[file("a", "1")]));
    // Both formats are read on where a compressed part ends and another one begins.
    let zeros = vec![0; 2 << 20];
    let swollen = |begin: Vec<u8>, zeros: Vec<u8>| [begin, zeros.repeat(33)].concat();
    for (format, bytes) in [
        (Format::TarGz, swollen(gzip(&in_a_file), gzip(&zeros))),
        (Format::TarZst, swollen(zstd(&behind), zstd(&zeros))),
    ] {
        let blobs = Blobs::memory();
        let error = unpack_as(format, &bytes, &blobs, &limits).await.unwrap_err();
        assert!(matches!(error, UnpackError::Bomb { .. }), "{error:?}");
        message_of(&error, &["100 times"]);
    }
    let long_name = tar(&[item(b'L', "././@LongLink", vec![b'a'; 2 << 20]), file("a", "1")]);
    refused(&long_name, is!(UnpackError::DamagedArchive { .. }), &["metadata"]).await;
}

#[tokio::test]
async fn a_window_that_takes_too_much_memory_is_refused() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    std::io::Write::write_all(&mut encoder, &tar(&[file("a", noise(3000))])).unwrap();
    let bytes = encoder.finish().unwrap();
    let error = unpack_as(Format::TarZst, &bytes, &Blobs::memory(), &Limits::default())
        .await
        .unwrap_err();
    assert!(matches!(error, UnpackError::Window { .. }), "{error:?}");
    message_of(&error, &["32 MiB", "--long"]);
}
