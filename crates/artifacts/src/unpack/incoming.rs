//! An archive while it arrives: large contents that are packed as they are become blobs at once, so that
//! they are written once and hashed as they come; everything else goes into a file, which has holes in
//! their places.
//!
//! What the archive says while it arrives is only a guess at what its directory will say. Where that says
//! otherwise, the archive is read as if it lay in the file as a whole ([`Archive`]), so that the answer to
//! a strange one is the same.

mod headers;

use super::archive::Apart;
use super::{Archive, Format, Limits};
use crate::blobs::{BlobError, BlobWriter, Blobs};
use headers::Headers;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// All its methods block.
#[derive(Debug)]
pub struct Incoming {
    rest: File,
    blobs: Blobs,
    headers: Headers,
    /// What is being stored now.
    storing: Option<Storing>,
    apart: Vec<Apart>,
    size_bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum IncomingError {
    #[error("the archive could not be written to the disk")]
    Rest(#[from] io::Error),
    #[error("a content of the archive could not be stored")]
    Blob(#[from] BlobError),
}

#[derive(Debug)]
struct Storing {
    writer: BlobWriter,
    crc: crc32fast::Hasher,
    begins: u64,
    left_bytes: u64,
}

impl Incoming {
    /// What is large: a sync of its own, one after the other, costs little beside its bytes.
    pub const LARGE_BYTES: u64 = 8 * 1024 * 1024;

    /// `rest` is an empty file that nobody else writes to. Contents of fewer than `large_bytes` go into it.
    pub fn new(rest: File, named: Option<Format>, blobs: &Blobs, limits: &Limits, large_bytes: u64) -> Self {
        let is_zip = named.is_none_or(|format| format == Format::Zip);
        // A content beyond the limit is not taken, so that it need not be stored. Those in memory are
        // no files that could be read at any place.
        let wanted = large_bytes..=limits.file_bytes;
        let wanted = (is_zip && blobs.folder().is_some()).then_some(wanted);
        Self {
            rest,
            blobs: blobs.clone(),
            headers: Headers::new(wanted),
            storing: None,
            apart: Vec::new(),
            size_bytes: 0,
        }
    }

    /// Takes in the next bytes. After an error the archive is lost.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), IncomingError> {
        while !bytes.is_empty() {
            let count = match &mut self.storing {
                Some(storing) => {
                    let count = bytes
                        .len()
                        .min(usize::try_from(storing.left_bytes).unwrap_or(usize::MAX));
                    storing.write(&bytes[..count])?;
                    count
                }
                None => {
                    let (count, content_bytes) = self.headers.pass(bytes);
                    self.rest.write_all_at(&bytes[..count], self.size_bytes)?;
                    let begins = self.size_bytes + count as u64;
                    self.storing = content_bytes.map(|size| Storing::new(&self.blobs, begins, size));
                    count
                }
            };
            self.size_bytes += count as u64;
            bytes = &bytes[count..];
            if self
                .storing
                .as_ref()
                .is_some_and(|storing| storing.left_bytes == 0)
            {
                self.stored()?;
            }
        }
        Ok(())
    }

    /// All of it is here. The contents that became blobs are durable; nothing refers to them yet.
    pub fn finish(mut self) -> Result<Archive, IncomingError> {
        // Cut off within a content; what there is of it belongs to the archive too.
        self.stored()?;
        // The file ends where the archive does, also behind a hole.
        self.rest.set_len(self.size_bytes)?;
        Ok(Archive::parted(
            self.rest,
            self.apart,
            self.blobs,
            self.size_bytes,
        ))
    }

    fn stored(&mut self) -> Result<(), IncomingError> {
        let Some(storing) = self.storing.take() else {
            return Ok(());
        };
        let (hash, size_bytes) = storing.writer.finish()?;
        self.apart.push(Apart {
            begins: storing.begins,
            size_bytes,
            hash,
            crc32: storing.crc.finalize(),
        });
        Ok(())
    }
}

impl Storing {
    fn new(blobs: &Blobs, begins: u64, size_bytes: u64) -> Self {
        Self {
            writer: BlobWriter::new(blobs),
            crc: crc32fast::Hasher::new(),
            begins,
            left_bytes: size_bytes,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        self.crc.update(bytes);
        self.left_bytes -= bytes.len() as u64;
        self.writer.write(bytes)
    }
}
