//! One device, one attempt.
use std::fs::{self, File};
use std::process::{Command, Stdio};

use polyphemus_device::{DeviceLock, LockError};
use tempfile::TempDir;

#[test]
fn a_device_is_held_by_one_and_the_error_says_by_whom() {
    let folder = TempDir::new().unwrap();
    let lock = DeviceLock::acquire(folder.path(), "usb-0403:6010-1-1", "attempt 7\nof a job").unwrap();
    let error = DeviceLock::acquire(folder.path(), "usb-0403:6010-1-1", "attempt 8").unwrap_err();
    let LockError::Held { holder, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(
        holder,
        format!("process {} (attempt 7 of a job)", std::process::id())
    );
    DeviceLock::acquire(folder.path(), "usb-0403:6010-1-2", "another board").unwrap();
    drop(lock);
    DeviceLock::acquire(folder.path(), "usb-0403:6010-1-1", "attempt 8").unwrap();
}

#[test]
fn a_child_of_the_holder_does_not_hold_it() {
    let folder = TempDir::new().unwrap();
    let lock = DeviceLock::acquire(folder.path(), "board", "me").unwrap();
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    drop(lock);
    let again = DeviceLock::acquire(folder.path(), "board", "me");
    child.kill().unwrap();
    child.wait().unwrap();
    again.unwrap();
}

#[test]
fn a_holder_that_is_killed_lets_go() {
    let folder = TempDir::new().unwrap();
    let path = DeviceLock::acquire(folder.path(), "board", "me")
        .unwrap()
        .path()
        .to_owned();
    // flock(1) takes the lock of its own open file and waits; killing it is the death of a holder.
    let mut holder = Command::new("flock")
        .args([path.to_str().unwrap(), "sh", "-c", "echo held; exec sleep 60"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut said).unwrap();
    let held = DeviceLock::acquire(folder.path(), "board", "me");
    assert!(matches!(held, Err(LockError::Held { .. })));
    // The shell became sleep, which inherited the lock from flock: both have to go.
    let sleeper = children(holder.id());
    for pid in sleeper {
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    holder.wait().unwrap();
    DeviceLock::acquire(folder.path(), "board", "me").unwrap();
}

#[test]
fn no_id_leads_out_of_the_folder() {
    let folder = TempDir::new().unwrap();
    let inner = folder.path().join("locks");
    for id in ["../x", "/etc/passwd", "a/b", "", "..", "%2f", "ü"] {
        let lock = DeviceLock::acquire(&inner, id, "me").unwrap();
        assert_eq!(lock.path().parent(), Some(inner.as_path()), "{id}");
    }
    assert_eq!(fs::read_dir(&inner).unwrap().count(), 7);
}

#[test]
fn a_link_in_the_folder_is_not_followed() {
    let folder = TempDir::new().unwrap();
    let target = folder.path().join("precious");
    fs::write(&target, "precious").unwrap();
    std::os::unix::fs::symlink(&target, folder.path().join("device-board.lock")).unwrap();
    let error = DeviceLock::acquire(folder.path(), "board", "me").unwrap_err();
    assert!(matches!(error, LockError::Unusable { .. }), "{error}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    File::open(&target).unwrap();
}

fn children(pid: u32) -> Vec<rustix::process::Pid> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    text.split_whitespace()
        .map(|pid| rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap())
        .collect()
}
