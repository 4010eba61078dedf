//! Getting files from servers that cannot be trusted, and choosing among them.

use crate::program::{failure, run_in, stdout};
use crate::stand_in::{self, StandIn};
use polyphemus_api::job::JobFile;
use polyphemus_cli::get::{choice, place};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const ID: &str = "abcdefghijk";

fn hash(content: &[u8]) -> String {
    blake3::hash(content).to_hex().to_string()
}

/// A server with one file that it announces with this hash.
fn server(path: &str, content: &[u8], hash: &str, executable: bool) -> StandIn {
    let file = json!({"path": path, "size_bytes": content.len(), "executable": executable, "hash": hash});
    let files = json!({"tree": "0".repeat(64), "of": "make", "files": [file]});
    StandIn::start(vec![
        (format!("GET /api/v1/jobs/{ID}/files"), stand_in::json(&files)),
        (
            format!("GET /api/v1/jobs/{ID}/files/{path}"),
            stand_in::bytes(content),
        ),
    ])
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    entries
        .map(|entry| {
            entry
                .expect("it can be read")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn paths_that_lead_out_of_the_folder_are_refused() {
    let folder = Path::new("/tmp/results");
    for path in [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "a//b",
        ".",
        "a\\..\\b",
        "a\nb",
        "",
    ] {
        let refused = place::place(folder, path);
        assert!(refused.is_err(), "{path:?} was placed at {refused:?}");
    }
    let placed = place::place(folder, "build/top.bin").expect("a good path");
    assert_eq!(placed, Path::new("/tmp/results/build/top.bin"));
}

#[test]
fn a_server_that_names_such_a_path_gets_nothing_written() {
    let outer = tempfile::tempdir().expect("a folder");
    let inner = outer.path().join("inner");
    fs::create_dir(&inner).expect("a folder");
    let server = server("../x", b"evil", &hash(b"evil"), false);
    let output = run_in(&inner, &["get", ID, "-o", "results", "--server", &server.url]);
    let (code, stderr) = failure(&output);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("nothing was written"), "{stderr}");
    assert_eq!(
        (names(outer.path()), names(&inner)),
        (vec!["inner".to_owned()], vec![])
    );
}

#[test]
fn a_symlink_in_the_folder_is_not_followed() {
    let outer = tempfile::tempdir().expect("a folder");
    let elsewhere = outer.path().join("elsewhere");
    fs::create_dir_all(outer.path().join("results")).expect("a folder");
    fs::create_dir(&elsewhere).expect("a folder");
    std::os::unix::fs::symlink(&elsewhere, outer.path().join("results/build")).expect("a symlink");
    let server = server("build/top.bin", b"bits", &hash(b"bits"), false);
    let output = run_in(
        outer.path(),
        &["get", ID, "-o", "results", "--server", &server.url],
    );
    assert_eq!(failure(&output).0, 2, "{output:?}");
    assert!(names(&elsewhere).is_empty());
}

#[test]
fn a_file_comes_whole_with_its_bit_and_in_the_place_of_a_symlink() {
    let folder = tempfile::tempdir().expect("a folder");
    let precious = folder.path().join("precious");
    fs::write(&precious, "mine").expect("a file");
    fs::create_dir(folder.path().join("results")).expect("a folder");
    std::os::unix::fs::symlink(&precious, folder.path().join("results/exe")).expect("a symlink");
    let server = server("exe", b"#!/bin/sh\n", &hash(b"#!/bin/sh\n"), true);
    let output = run_in(
        folder.path(),
        &["get", ID, "-o", "results", "--server", &server.url],
    );
    let (code, stderr) = failure(&output);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains("1 file, 10 B, all as their BLAKE3 hashes say"),
        "{stderr}"
    );
    let exe = folder.path().join("results/exe");
    let metadata = exe.symlink_metadata().expect("it is there");
    assert!(metadata.is_file() && metadata.permissions().mode() & 0o100 != 0);
    assert_eq!(fs::read(&exe).expect("it can be read"), b"#!/bin/sh\n");
    assert_eq!(fs::read_to_string(&precious).expect("it can be read"), "mine");
}

#[test]
fn a_file_that_is_not_what_its_hash_says_does_not_appear() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server("top.bin", b"other", &hash(b"bits"), false);
    let output = run_in(
        folder.path(),
        &["get", ID, "-o", "results", "--server", &server.url],
    );
    let (code, stderr) = failure(&output);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("its BLAKE3 hash should be"), "{stderr}");
    assert!(names(&folder.path().join("results")).is_empty());
}

#[test]
fn one_file_can_be_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server("a.json", b"{}\n", &hash(b"{}\n"), false);
    let output = run_in(
        folder.path(),
        &["get", ID, "a.json", "-o", "-", "--server", &server.url],
    );
    assert_eq!((failure(&output).0, stdout(&output).as_str()), (0, "{}\n"));
    assert!(names(folder.path()).is_empty());
}

#[test]
fn files_are_named_by_path_directory_or_glob() {
    let paths = ["Makefile", "build/a.bin", "build/sub/b.bin", "we[i]rd", "top.v"];
    let file = |path: &&str| JobFile {
        path: (*path).to_owned(),
        size_bytes: 0,
        executable: false,
        hash: hash(b"").parse().expect("a hash"),
    };
    let files: Vec<JobFile> = paths.iter().map(file).collect();
    let choose = |words: &[&str]| -> Result<Vec<String>, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let chosen = choice::choose(&files, &words).map_err(|error| error.to_string())?;
        Ok(chosen.into_iter().map(|file| file.path.clone()).collect())
    };
    let all: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
    assert_eq!(choose(&[]), Ok(all));
    assert_eq!(
        choose(&["build/"]),
        Ok(vec!["build/a.bin".to_owned(), "build/sub/b.bin".to_owned()])
    );
    assert_eq!(choose(&["build/*.bin"]), Ok(vec!["build/a.bin".to_owned()]));
    assert_eq!(
        choose(&["**/b.bin", "top.v"]),
        Ok(vec!["build/sub/b.bin".to_owned(), "top.v".to_owned()])
    );
    assert_eq!(choose(&["we[i]rd"]), Ok(vec!["we[i]rd".to_owned()]));
    assert_eq!(
        choose(&["a.bin"]),
        Err("the job has no file `a.bin`; there is build/a.bin".to_owned())
    );
}
