//! A window into a directory whose job is hostile, and into one that changes.

use super::*;
use rustix::fs::{CWD, mkfifoat};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use tempfile::TempDir;

const ALL: ListLimits = ListLimits {
    files: 1000,
    path_bytes: 1 << 20,
    entries: 10_000,
    time: Duration::from_secs(60),
};

fn paths(listing: &Listing) -> Vec<&str> {
    listing.files.iter().map(|file| file.path.as_str()).collect()
}

fn write(dir: &TempDir, path: &str, content: &str) {
    let path = dir.path().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

#[test]
fn the_files_that_a_tree_would_hold_are_listed_and_read() {
    let dir = TempDir::new().unwrap();
    write(&dir, "b/report.txt", "half done");
    write(&dir, "a", "1");
    std::fs::set_permissions(dir.path().join("a"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let window = Window::open(dir.path()).unwrap();
    let listing = window.list(&Limits::default(), &ALL);
    assert_eq!(paths(&listing), ["a", "b/report.txt"]);
    assert!(!listing.truncated);
    assert_eq!(listing.files[0].mode, Mode::Executable);
    assert_eq!(listing.files[1].size_bytes, 9);
    assert!(listing.files[1].modified_ms > 1_600_000_000_000);
    let part = window.read("b/report.txt", 5, 3).unwrap();
    assert_eq!((part.content.as_slice(), part.size_bytes), (&b"don"[..], 9));
    assert_eq!(window.read("b/report.txt", 100, 3).unwrap().content, b"");
}

#[test]
fn no_link_pipe_or_name_leads_out_or_holds_the_look_up() {
    let outside = TempDir::new().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let dir = TempDir::new().unwrap();
    write(&dir, "real", "inside");
    symlink("real", dir.path().join("link")).unwrap();
    symlink(outside.path().join("secret"), dir.path().join("out")).unwrap();
    symlink(outside.path(), dir.path().join("folder")).unwrap();
    symlink("../../etc/passwd", dir.path().join("up")).unwrap();
    symlink("loop", dir.path().join("loop")).unwrap();
    symlink("pipe", dir.path().join("to-pipe")).unwrap();
    symlink("/proc/self/environ", dir.path().join("magic")).unwrap();
    mkfifoat(CWD, dir.path().join("pipe"), Permissions::from_raw_mode(0o600)).unwrap();
    write(&dir, "bad\nname", "x");
    write(&dir, "back\\slash", "x");
    let window = Window::open(dir.path()).unwrap();
    assert_eq!(paths(&window.list(&Limits::default(), &ALL)), ["link", "real"]);
    assert_eq!(window.read("link", 0, 100).unwrap().content, b"inside");
    let hostile = [
        "out",
        "folder/secret",
        "folder",
        "up",
        "loop",
        "to-pipe",
        "magic",
        "pipe",
        "../secret",
        "/etc/passwd",
        "",
        ".",
        "real/..",
        "real/x",
        "none",
        "bad\nname",
    ];
    for path in hostile {
        let refused = window.read(path, 0, 100);
        assert!(
            matches!(refused, Err(LookError::NotThere(_))),
            "{path:?}: {refused:?}"
        );
    }
}

#[test]
fn a_look_at_a_pipe_does_not_wake_who_waits_to_write_to_it() {
    let dir = TempDir::new().unwrap();
    let pipe = dir.path().join("pipe");
    mkfifoat(CWD, &pipe, Permissions::from_raw_mode(0o600)).unwrap();
    let window = Window::open(dir.path()).unwrap();
    window.read("pipe", 0, 10).unwrap_err();
    window.list(&Limits::default(), &ALL);
    // Without a reader a non-blocking open for writing fails with ENXIO: nobody has opened it to read.
    let flags = OFlags::WRONLY | OFlags::NONBLOCK;
    let opened = rustix::fs::openat(CWD, &pipe, flags, Permissions::empty());
    assert_eq!(opened.map(drop), Err(Errno::NXIO));
}

#[test]
fn a_directory_that_the_job_exchanges_is_never_looked_into() {
    let dir = TempDir::new().unwrap();
    write(&dir, "job/mine", "x");
    write(&dir, "other/theirs", "x");
    let window = Window::open(&dir.path().join("job")).unwrap();
    std::fs::rename(dir.path().join("job"), dir.path().join("gone")).unwrap();
    symlink("other", dir.path().join("job")).unwrap();
    assert_eq!(paths(&window.list(&Limits::default(), &ALL)), ["mine"]);
}

#[test]
fn a_listing_is_bounded_and_says_so() {
    let dir = TempDir::new().unwrap();
    for number in 0..50 {
        write(&dir, &format!("d{}/{number}", number % 5), "x");
    }
    let window = Window::open(dir.path()).unwrap();
    let look = |limits: ListLimits| window.list(&Limits::default(), &limits);
    assert_eq!(look(ALL).files.len(), 50);
    let few = look(ListLimits { files: 10, ..ALL });
    assert!(few.truncated && few.files.len() == 10, "{few:?}");
    assert!(look(ListLimits { entries: 20, ..ALL }).truncated);
    assert!(
        look(ListLimits {
            path_bytes: 30,
            ..ALL
        })
        .truncated
    );
    let late = ListLimits {
        time: Duration::ZERO,
        ..ALL
    };
    assert!(look(late).truncated);
}

#[test]
fn what_lies_in_a_directory_whose_name_is_no_utf_8_is_measured_and_not_listed() {
    let dir = TempDir::new().unwrap();
    let hidden = dir.path().join(std::ffi::OsStr::from_bytes(b"a\xff/b\xfe"));
    std::fs::create_dir_all(&hidden).unwrap();
    std::fs::write(hidden.join("waves.vcd"), vec![1; 100_000]).unwrap();
    for without in [false, true] {
        let mut window = Window::open(dir.path()).unwrap();
        if without {
            window.root = window.root.without_openat2();
        }
        let no_limit = UsageLimits {
            bytes: u64::MAX,
            entries: u64::MAX,
        };
        let usage = window.measure(&no_limit);
        assert!(usage.bytes >= 100_000 && usage.entries == 3, "{usage:?}");
        let (largest, _) = usage.largest.unwrap();
        assert!(largest.ends_with("/waves.vcd"), "{largest}");
        assert_eq!(paths(&window.list(&Limits::default(), &ALL)), Vec::<&str>::new());
    }
}

#[test]
fn a_path_that_is_too_long_to_be_looked_at_is_too_much() {
    let dir = TempDir::new().unwrap();
    let name = "d".repeat(200);
    let mut at = rustix::fs::open(dir.path(), OFlags::DIRECTORY, Permissions::empty()).unwrap();
    for _ in 0..25 {
        rustix::fs::mkdirat(&at, &name, Permissions::from_raw_mode(0o755)).unwrap();
        at = rustix::fs::openat(&at, &name, OFlags::DIRECTORY, Permissions::empty()).unwrap();
    }
    let limits = UsageLimits {
        bytes: 1 << 30,
        entries: 1000,
    };
    let usage = Window::open(dir.path()).unwrap().measure(&limits);
    assert!(usage.exceeds(&limits), "{usage:?}");
    assert!(usage.largest.unwrap().0.ends_with("(a path that is too long)"));
}

#[test]
fn a_directory_is_measured_by_what_it_takes_on_the_disk() {
    let dir = TempDir::new().unwrap();
    write(&dir, "small", "x");
    write(&dir, "deep/large", &"x".repeat(300_000));
    let sparse = File::create(dir.path().join("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    let window = Window::open(dir.path()).unwrap();
    let no_limit = UsageLimits {
        bytes: u64::MAX,
        entries: u64::MAX,
    };
    let usage = window.measure(&no_limit);
    assert_eq!(usage.entries, 4);
    assert!((300_000..10_000_000).contains(&usage.bytes), "{usage:?}");
    assert_eq!(usage.largest.as_ref().unwrap().0, "deep/large");
    assert_eq!(window.read("sparse", 1 << 39, 4).unwrap().content, [0; 4]);
    let few = UsageLimits {
        entries: 2,
        ..no_limit
    };
    assert!(window.measure(&few).exceeds(&few));
    let little = UsageLimits {
        bytes: 100_000,
        ..no_limit
    };
    assert!(window.measure(&little).exceeds(&little));
}
