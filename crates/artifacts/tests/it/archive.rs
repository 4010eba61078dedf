//! Builds zip archives byte by byte, so that a test can write what no zip program writes.

use std::path::PathBuf;
use tempfile::TempDir;

/// "Version made by": the upper byte is the system.
pub const UNIX: u16 = 3 << 8 | 30;
pub const DOS: u16 = 20;
pub const NTFS: u16 = 10 << 8 | 30;

/// One stored entry; every field of the headers can be made wrong.
#[derive(Debug, Clone)]
pub struct Raw {
    pub name: Vec<u8>,
    pub content: Vec<u8>,
    pub made_by: u16,
    pub flags: u16,
    pub method: u16,
    pub mode: u32,
    pub crc: Option<u32>,
    pub declared_bytes: Option<u32>,
    /// Points to the local header of this entry of the archive instead of its own.
    pub header_of: Option<usize>,
}

pub fn file(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Raw {
    Raw {
        name: name.as_ref().to_vec(),
        content: content.as_ref().to_vec(),
        made_by: UNIX,
        flags: 0,
        method: 0,
        mode: 0o100_644,
        crc: None,
        declared_bytes: None,
        header_of: None,
    }
}

pub fn symlink(name: &str, target: &str) -> Raw {
    Raw {
        mode: 0o120_777,
        ..file(name, target)
    }
}

/// The bytes of an archive of `entries`.
pub fn zip(entries: &[Raw]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut begins = Vec::new();
    for entry in entries {
        begins.push(bytes.len() as u32);
        bytes.extend(b"PK\x03\x04\x14\x00");
        common(&mut bytes, entry);
        bytes.extend(&entry.name);
        bytes.extend(&entry.content);
    }
    let directory = bytes.len() as u32;
    for (index, entry) in entries.iter().enumerate() {
        bytes.extend(b"PK\x01\x02");
        bytes.extend(entry.made_by.to_le_bytes());
        bytes.extend(20u16.to_le_bytes());
        common(&mut bytes, entry);
        bytes.extend([0; 6]); // comment length, disk, internal attributes
        bytes.extend((entry.mode << 16).to_le_bytes());
        bytes.extend(begins[entry.header_of.unwrap_or(index).min(begins.len() - 1)].to_le_bytes());
        bytes.extend(&entry.name);
    }
    let directory_bytes = bytes.len() as u32 - directory;
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend((entries.len() as u16).to_le_bytes());
    bytes.extend((entries.len() as u16).to_le_bytes());
    bytes.extend(directory_bytes.to_le_bytes());
    bytes.extend(directory.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

/// The fields that local header and directory share, from the flags to the extra field's length.
fn common(bytes: &mut Vec<u8>, entry: &Raw) {
    bytes.extend(entry.flags.to_le_bytes());
    bytes.extend(entry.method.to_le_bytes());
    bytes.extend([0, 0, 0x21, 0]); // midnight of 1980-01-01
    bytes.extend(entry.crc.unwrap_or_else(|| crc32(&entry.content)).to_le_bytes());
    bytes.extend((entry.content.len() as u32).to_le_bytes());
    bytes.extend(
        entry
            .declared_bytes
            .unwrap_or(entry.content.len() as u32)
            .to_le_bytes(),
    );
    bytes.extend((entry.name.len() as u16).to_le_bytes());
    bytes.extend([0; 2]);
}

fn crc32(content: &[u8]) -> u32 {
    !content.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ ((crc & 1) * 0xedb8_8320)
        })
    })
}

/// `bytes` as a file in a folder of its own.
pub fn saved(bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("code.zip");
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}
