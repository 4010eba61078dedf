//! The exclusive lock of a device on this machine: one device, one attempt, even when two workers run.
//!
//! It is `flock(2)` on a file that is never removed: the kernel lets go of it when the holder dies, however it dies.
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Held as long as this value lives. The descriptor is closed on exec, so that no child keeps the lock.
#[derive(Debug)]
pub struct DeviceLock {
    file: File,
    path: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("device {device} is held by {holder}; wait until that attempt has ended, or end that process")]
    Held { device: String, holder: String },
    #[error(
        "device {device} cannot be locked because {path} cannot be used; give this user the right to write there, or set another lock folder"
    )]
    Unusable {
        device: String,
        path: PathBuf,
        source: io::Error,
    },
}

impl DeviceLock {
    /// Takes the lock of `device` or fails at once. `folder` is made when missing; every worker of this machine has
    /// to be given the same one. `holder` is for people: it is shown to whoever finds the device taken.
    pub fn acquire(folder: &Path, device: &str, holder: &str) -> Result<Self, LockError> {
        let path = folder.join(file_name(device));
        let unusable = |source| LockError::Unusable {
            device: device.to_owned(),
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held {
                    device: device.to_owned(),
                    holder: read_holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        write_holder(&mut file, holder).map_err(unusable)?;
        Ok(Self { file, path })
    }

    /// The file that carries the lock.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DeviceLock {
    /// Closing is not enough: a process that is just being started by another thread has a copy of the descriptor
    /// until its exec, and the lock lives as long as any copy. Unlocking ends it for all of them.
    fn drop(&mut self) {
        // It cannot fail for an open file (flock(2)), and the descriptor is closed right after.
        let _ = self.file.unlock();
    }
}

fn write_holder(file: &mut File, holder: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    let one_line: String = holder
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    writeln!(file, "process {} ({one_line})", std::process::id())
}

/// The holder writes its line after it has the lock, so a reader may come before the line.
fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    match (&*file).take(400).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        Ok(_) => "a process that has just taken it".to_owned(),
        Err(error) => format!("a process that cannot be named ({error})"),
    }
}

/// A name that stays inside the folder whatever the id is; different ids get different names.
fn file_name(device: &str) -> String {
    let mut name = String::from("device-");
    for byte in device.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' => {
                name.push(char::from(byte))
            }
            other => name.push_str(&format!("%{other:02x}")),
        }
    }
    name.push_str(".lock");
    name
}
