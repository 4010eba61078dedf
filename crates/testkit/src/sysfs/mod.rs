//! Machines with boards, as folders: `sys` and `dev` written after what the drivers show, whole or broken.
mod family;
mod xrt;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub use family::{AmiCard, DflCard, Transcoder};
pub use xrt::XrtCard;

/// A machine of its own; its folders go when it goes.
#[derive(Debug)]
pub struct Machine {
    folder: TempDir,
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// A machine without boards.
    pub fn new() -> Self {
        let machine = Self {
            folder: TempDir::with_prefix("polyphemus-machine-").expect("a folder can be made"),
        };
        for folder in [
            "sys/bus/pci/devices",
            "sys/devices/pci0000:00",
            "sys/class/misc",
            "dev",
        ] {
            fs::create_dir_all(machine.folder.path().join(folder)).expect("a folder can be made");
        }
        machine
    }

    pub fn sys(&self) -> PathBuf {
        self.folder.path().join("sys")
    }

    pub fn dev(&self) -> PathBuf {
        self.folder.path().join("dev")
    }

    /// Where a PCI function's attributes are.
    pub fn pci(&self, address: &str) -> PathBuf {
        self.sys().join("devices/pci0000:00").join(address)
    }

    /// A PCI function with its ids, linked from the bus as in sysfs.
    pub fn function(&self, address: &str, vendor: &str, device: &str) -> PathBuf {
        let folder = self.pci(address);
        write(&folder.join("vendor"), &format!("0x{vendor}"));
        write(&folder.join("device"), &format!("0x{device}"));
        let link = self.sys().join("bus/pci/devices").join(address);
        if fs::symlink_metadata(&link).is_err() {
            symlink(&folder, link).expect("a link can be made");
        }
        folder
    }

    /// Takes a PCI function away at once, as when a card falls off the bus.
    pub fn unplug(&self, address: &str) {
        fs::remove_file(self.sys().join("bus/pci/devices").join(address)).expect("the function was there");
        fs::remove_dir_all(self.pci(address)).expect("the function was there");
    }

    /// Sets an attribute of a PCI function, in place as a driver does.
    pub fn set(&self, address: &str, attribute: &str, value: &str) {
        write(&self.pci(address).join(attribute), value);
    }

    pub fn remove(&self, address: &str, attribute: &str) {
        let path = self.pci(address).join(attribute);
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.expect("the attribute was there");
    }

    /// Makes an attribute an error for everyone, root included: a folder cannot be read.
    pub fn make_unreadable(&self, address: &str, attribute: &str) {
        let path = self.pci(address).join(attribute);
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path).expect("a folder can be made");
    }

    /// Makes whoever reads an attribute wait until [`Machine::let_go`].
    pub fn make_hang(&self, address: &str, attribute: &str) {
        let path = self.pci(address).join(attribute);
        let _ = fs::remove_file(&path);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe can be made");
    }

    /// Ends the wait of whoever reads, with this value for it and for those after.
    pub fn let_go(&self, address: &str, attribute: &str, value: &str) {
        let path = self.pci(address).join(attribute);
        let aside = path.with_extension("hung");
        fs::rename(&path, &aside).expect("the pipe was there");
        write(&path, value);
        // Opened for reading too, so that it neither waits nor fails where nobody reads any more.
        let mut pipe = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&aside)
            .expect("the pipe can be opened");
        writeln!(pipe, "{value}").expect("a pipe takes a line");
        fs::remove_file(aside).expect("the pipe was there");
    }

    /// A character device below `dev`; returns its numbers as sysfs shows them. Where this user may not make one, it
    /// is a link to the null device, with that one's numbers.
    pub fn node(&self, name: &str, major: u32, minor: u32) -> String {
        let path = self.dev().join(name);
        fs::create_dir_all(path.parent().expect("a node has a folder")).expect("a folder can be made");
        let _ = fs::remove_file(&path);
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP;
        match mknodat(CWD, &path, FileType::CharacterDevice, mode, makedev(major, minor)) {
            Ok(()) => format!("{major}:{minor}"),
            Err(_) => {
                symlink("/dev/null", &path).expect("a link can be made");
                "1:3".to_owned()
            }
        }
    }

    pub fn remove_node(&self, name: &str) {
        fs::remove_file(self.dev().join(name)).expect("the node was there");
    }
}

/// Writes an attribute with the line end that drivers put, in place where it is there.
pub(crate) fn write(path: &Path, value: &str) {
    fs::create_dir_all(path.parent().expect("an attribute has a folder")).expect("a folder can be made");
    fs::write(path, format!("{value}\n")).expect("an attribute can be written");
}
