//! The designs that are submitted: zip archives made here, stored and not deflated, so that making
//! one costs next to nothing, and the form that carries them.

use crc32fast::Hasher;
use std::io::{self, Write};

const DATA: &str = "data.bin";

/// What the first instruction of a job prints, with the nanoseconds since 1970 behind it.
pub const MARK: &str = "polyphemus-load-begins=";

const BOUNDARY: &str = "polyphemus-load-7f3a91c2";
/// The time of every file in an archive (1980-01-01 00:00), as MS-DOS has it.
const TIME: [u8; 4] = [0, 0, 0x21, 0];

pub const FORM: &str = "multipart/form-data; boundary=polyphemus-load-7f3a91c2";

/// A file of an archive whose content is `repeats` times `block`, each with its number in front.
#[derive(Debug)]
pub struct Large {
    block: Vec<u8>,
    repeats: u64,
    crc: u32,
}

/// An archive with a Makefile that compiles nothing and says when it was reached.
pub fn trivial(number: &str) -> Vec<u8> {
    small_zip(&[("Makefile", makefile(number).as_bytes())])
}

/// `number` makes it distinct.
fn makefile(number: &str) -> String {
    format!("# {number}\nall:\n\t@echo {MARK}$$(date +%s%N)\n.PHONY: all\n")
}

/// The form of a small archive with these options.
pub fn form(archive: &[u8], options: &[(&str, &str)]) -> Vec<u8> {
    let mut body = before(options);
    body.extend_from_slice(archive);
    body.extend_from_slice(after().as_bytes());
    body
}

fn before(options: &[(&str, &str)]) -> Vec<u8> {
    let mut text = String::new();
    for (name, value) in options {
        text +=
            &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    text += &format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"design.zip\"\r\n\
         Content-Type: application/zip\r\n\r\n"
    );
    text.into_bytes()
}

fn after() -> String {
    format!("\r\n--{BOUNDARY}--\r\n")
}

/// An archive of small files.
pub fn small_zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let at = zip.len() as u32;
        let crc = crc(content);
        zip.extend(local(name, crc, content.len() as u32));
        zip.extend_from_slice(content);
        directory.extend(central(name, crc, content.len() as u32, at));
    }
    let end = end(files.len() as u16, directory.len() as u32, zip.len() as u32);
    zip.extend(directory);
    zip.extend(end);
    zip
}

impl Large {
    /// About `size_mb` million bytes that nothing compresses; at most 4,000.
    pub fn new(size_mb: u64) -> io::Result<Self> {
        const BLOCK: usize = 1_000_000;
        let mut block = vec![0; BLOCK];
        getrandom::fill(&mut block).map_err(|error| io::Error::other(error.to_string()))?;
        let mut large = Self {
            block,
            repeats: size_mb.min(4000),
            crc: 0,
        };
        let mut hasher = Hasher::new();
        large.write_content(&mut |piece| {
            hasher.update(piece);
            Ok(())
        })?;
        large.crc = hasher.finalize();
        Ok(large)
    }

    pub fn size_bytes(&self) -> u64 {
        self.repeats * self.block.len() as u64
    }

    /// The length of what [`Large::write_form`] writes.
    pub fn form_bytes(&self, options: &[(&str, &str)]) -> u64 {
        let (head, tail) = self.around(options);
        (head.len() + tail.len()) as u64 + self.size_bytes()
    }

    pub fn write_form(&self, options: &[(&str, &str)], to: &mut dyn Write) -> io::Result<()> {
        let (head, tail) = self.around(options);
        to.write_all(&head)?;
        self.write_content(&mut |piece| to.write_all(piece))?;
        to.write_all(&tail)
    }

    /// Distinct contents, so that a server that stores blocks once gains nothing.
    fn write_content(&self, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        for number in 0..self.repeats {
            let number = number.to_le_bytes();
            each(&number)?;
            each(&self.block[number.len()..])?;
        }
        Ok(())
    }

    /// What stands before the content and behind it.
    fn around(&self, options: &[(&str, &str)]) -> (Vec<u8>, Vec<u8>) {
        let (name, content) = ("Makefile", makefile("large").into_bytes());
        let crc = crc(&content);
        let (small, size) = (content.len() as u32, self.size_bytes() as u32);
        let mut head = before(options);
        let form_bytes = head.len();
        head.extend(local(name, crc, small));
        head.extend_from_slice(&content);
        let at = (head.len() - form_bytes) as u32;
        head.extend(local(DATA, self.crc, size));
        let directory_at = (head.len() - form_bytes) as u64 + self.size_bytes();
        let mut tail = central(name, crc, small, 0);
        tail.extend(central(DATA, self.crc, size, at));
        tail.extend(end(2, tail.len() as u32, directory_at as u32));
        tail.extend_from_slice(after().as_bytes());
        (head, tail)
    }
}

fn crc(content: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(content);
    hasher.finalize()
}

/// The three records of a zip archive (APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16), for files that are stored.
fn local(name: &str, crc: u32, size: u32) -> Vec<u8> {
    let mut record = b"PK\x03\x04\x14\0\0\0\0\0".to_vec();
    record.extend(sizes(name, crc, size));
    record.extend(0u16.to_le_bytes());
    record.extend_from_slice(name.as_bytes());
    record
}

fn central(name: &str, crc: u32, size: u32, at: u32) -> Vec<u8> {
    const REGULAR_FILE: u32 = 0o100_644 << 16;
    // Made on Unix, so that the mode counts.
    let mut record = b"PK\x01\x02\x14\x03\x14\0\0\0\0\0".to_vec();
    record.extend(sizes(name, crc, size));
    // No extra field, no comment, the first disk, no internal attributes.
    record.extend([0; 8]);
    record.extend(REGULAR_FILE.to_le_bytes());
    record.extend(at.to_le_bytes());
    record.extend_from_slice(name.as_bytes());
    record
}

/// The part that both records of a file share: from its time to the length of its name.
fn sizes(name: &str, crc: u32, size: u32) -> Vec<u8> {
    let mut record = TIME.to_vec();
    for number in [crc, size, size] {
        record.extend(number.to_le_bytes());
    }
    record.extend((name.len() as u16).to_le_bytes());
    record
}

fn end(files: u16, directory_bytes: u32, directory_at: u32) -> Vec<u8> {
    let mut record = b"PK\x05\x06\0\0\0\0".to_vec();
    record.extend(files.to_le_bytes());
    record.extend(files.to_le_bytes());
    record.extend(directory_bytes.to_le_bytes());
    record.extend(directory_at.to_le_bytes());
    record.extend(0u16.to_le_bytes());
    record
}
