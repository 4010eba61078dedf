//! What is handed in of a directory.

use polyphemus_cli::pack::{Packed, pack};
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use zip::ZipArchive;

fn design(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, content) in files {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().expect("it has one")).expect("a folder");
        fs::write(file, content).expect("a file");
    }
    folder
}

fn names(packed: &Packed) -> Vec<String> {
    let archive = packed.archive.try_clone().expect("it can be cloned");
    let archive = ZipArchive::new(archive).expect("a zip archive");
    (0..archive.len())
        .map(|index| {
            let name = archive
                .name_for_index(index)
                .expect("the index is below the length");
            name.expect("a name that can be read").into_owned()
        })
        .collect()
}

fn bytes(mut packed: Packed) -> Vec<u8> {
    let mut bytes = Vec::new();
    packed.archive.read_to_end(&mut bytes).expect("it can be read");
    assert_eq!(bytes.len() as u64, packed.archive_bytes);
    bytes
}

fn packed(folder: &Path) -> Packed {
    pack(folder).expect("it can be packed")
}

#[test]
fn ignore_files_are_honoured_and_version_control_stays_here() {
    let folder = design(&[
        ("top.v", "module top; endmodule"),
        ("build/old.bin", "x"),
        (".gitignore", "build/\n*.vcd\n!keep.vcd\n"),
        ("dump.vcd", "x"),
        ("keep.vcd", "x"),
        ("sub/.ignore", "secret\n"),
        ("sub/secret", "x"),
        ("sub/open", "x"),
        (".polyphemusignore", "notes.txt\n"),
        ("notes.txt", "x"),
        (".hidden", "x"),
        (".git/config", "x"),
        ("sub/.git", "gitdir: elsewhere"),
        (".svn/x", "x"),
        (".DS_Store", "x"),
    ]);
    let packed = packed(folder.path());
    let expected = [
        ".gitignore",
        ".hidden",
        ".polyphemusignore",
        "keep.vcd",
        "sub/.ignore",
        "sub/open",
        "top.v",
    ];
    assert_eq!(names(&packed), expected);
    assert_eq!((packed.files, packed.notes.len()), (7, 0));
}

#[test]
fn the_same_files_give_the_same_archive() {
    let files = [("b/x.v", "1"), ("a.v", "2"), ("b.v", "3"), ("run.sh", "4")];
    let mut reversed = files;
    reversed.reverse();
    let (one, other) = (design(&files), design(&reversed));
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = fs::File::options()
        .append(true)
        .open(other.path().join("a.v"))
        .expect("a file");
    file.set_modified(old).expect("its time can be set");
    fs::set_permissions(other.path().join("b.v"), fs::Permissions::from_mode(0o600))
        .expect("its mode can be set");
    assert_eq!(bytes(packed(one.path())), bytes(packed(other.path())));
    fs::set_permissions(other.path().join("run.sh"), fs::Permissions::from_mode(0o755))
        .expect("its mode can be set");
    assert_ne!(
        bytes(packed(one.path())),
        bytes(packed(other.path())),
        "the executable bit counts"
    );
}

#[test]
fn content_and_executable_bit_arrive() {
    let folder = design(&[("run.sh", "#!/bin/sh\n"), ("top.v", "x")]);
    fs::set_permissions(folder.path().join("run.sh"), fs::Permissions::from_mode(0o700))
        .expect("its mode can be set");
    let packed = packed(folder.path());
    assert_eq!(packed.total_bytes, 11);
    let mut archive = ZipArchive::new(packed.archive).expect("a zip archive");
    let mut mode = |name| {
        archive
            .by_name(name)
            .expect("it is there")
            .unix_mode()
            .map(|mode| mode & 0o777)
    };
    assert_eq!((mode("run.sh"), mode("top.v")), (Some(0o755), Some(0o644)));
    let mut content = String::new();
    let mut entry = archive.by_name("run.sh").expect("it is there");
    entry.read_to_string(&mut content).expect("it can be read");
    assert_eq!(content, "#!/bin/sh\n");
}

#[test]
fn symlinks_are_followed_inside_only() {
    let outside = design(&[("secret", "x")]);
    let folder = design(&[("rtl/top.v", "x"), ("a.v", "x"), (".git/config", "x")]);
    let link = |target: &Path, name: &str| symlink(target, folder.path().join(name)).expect("a symlink");
    link(Path::new("rtl/top.v"), "alias.v");
    link(Path::new("rtl"), "more");
    link(&outside.path().join("secret"), "leak");
    link(outside.path(), "leaks");
    link(Path::new("nowhere"), "dangling");
    link(Path::new(".git"), "history");
    link(Path::new(".."), "rtl/loop");
    let packed = packed(folder.path());
    assert_eq!(names(&packed), ["a.v", "alias.v", "more/top.v", "rtl/top.v"]);
    for name in ["leak ", "leaks ", "dangling ", "history ", "loop "] {
        let told = packed.notes.iter().any(|note| note.contains(name));
        assert!(told, "{name}is not in {:?}", packed.notes);
    }
}

#[test]
fn a_design_in_a_single_directory_keeps_it() {
    // The server takes a single directory at the top away, once.
    let folder = design(&[("rtl/top.v", "x"), ("rtl/sub/a.v", "x")]);
    let inner = folder.path().join("blinky");
    fs::create_dir(&inner).expect("a folder");
    fs::rename(folder.path().join("rtl"), inner.join("rtl")).expect("it can be moved");
    assert_eq!(names(&packed(&inner)), ["blinky/rtl/sub/a.v", "blinky/rtl/top.v"]);
}

#[test]
fn names_that_cannot_be_sent_are_told_before_anything_is() {
    let folder = design(&[("top.v", "x"), ("back\\slash", "x")]);
    let refused = pack(folder.path()).expect_err("no path of a tree");
    assert!(
        refused.to_string().contains("back\\slash cannot be handed in"),
        "{refused}"
    );
}
