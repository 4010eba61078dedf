//! Builds tar archives byte by byte, so that a test can write what no tar program writes.

use std::io::Write as _;

/// One header with what follows it; every field can be made wrong.
#[derive(Debug, Clone)]
pub struct Item {
    pub name: Vec<u8>,
    pub kind: u8,
    pub mode: u32,
    pub target: Vec<u8>,
    pub content: Vec<u8>,
    pub declared_bytes: Option<u64>,
}

pub fn item(kind: u8, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Item {
    Item {
        name: name.as_ref().to_vec(),
        kind,
        mode: 0o644,
        target: Vec::new(),
        content: content.as_ref().to_vec(),
        declared_bytes: None,
    }
}

pub fn file(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Item {
    item(b'0', name, content)
}

pub fn directory(name: &str) -> Item {
    item(b'5', name, "")
}

/// A symlink (`2`) or a hard link (`1`).
pub fn link(kind: u8, name: &str, target: &str) -> Item {
    Item {
        target: target.into(),
        ..item(kind, name, "")
    }
}

/// A record of a PAX header.
pub fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length += 1;
    }
    format!("{length} {key}={value}\n")
}

/// The items, without the mark at the end.
pub fn blocks(items: &[Item]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for item in items {
        bytes.extend(header(item));
        bytes.extend(&item.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes
}

/// A whole archive.
pub fn tar(items: &[Item]) -> Vec<u8> {
    let mut bytes = blocks(items);
    bytes.extend([0; 1024]);
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn header(item: &Item) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, most: usize, text: &[u8]| {
        let length = text.len().min(most);
        block[at..at + length].copy_from_slice(&text[..length]);
    };
    put(0, 100, &item.name);
    put(100, 8, format!("{:07o}", item.mode).as_bytes());
    put(108, 8, b"0000000");
    put(116, 8, b"0000000");
    let size = item.declared_bytes.unwrap_or(item.content.len() as u64);
    put(124, 12, format!("{size:011o}").as_bytes());
    put(136, 12, b"00000000000");
    put(156, 1, &[item.kind]);
    put(157, 100, &item.target);
    put(257, 8, b"ustar\x0000");
    seal(&mut block);
    block
}

/// Makes the checksum of a header right.
pub fn seal(block: &mut [u8]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}
