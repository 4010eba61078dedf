//! Reads an archive at any position, for several readers of one archive at once.

use super::Archive;
use std::io::{self, Read, Seek, SeekFrom};

const BUFFER_BYTES: usize = 64 * 1024;

/// A reader with its own position and buffer. A seek within the buffer keeps it, which
/// `std::io::BufReader` does not, and the zip crate seeks before each entry of the directory.
#[derive(Debug)]
pub(super) struct ArchiveReader {
    archive: Archive,
    position: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
    /// Bytes that may still be read from the file; see [`Self::allow`].
    allowance_bytes: u64,
}

impl ArchiveReader {
    pub(super) fn new(archive: Archive) -> Self {
        Self {
            archive,
            position: 0,
            buffer: Vec::new(),
            buffer_at: 0,
            allowance_bytes: u64::MAX,
        }
    }

    /// From here on refuses to read more than `bytes` of the archive. Looking for the directory, the
    /// zip crate may search the whole file and keep each place that looks like one in memory.
    pub(super) fn allow(&mut self, bytes: u64) {
        self.allowance_bytes = bytes;
    }

    fn fetch(&mut self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let count = self.archive.read_at(into, at)?;
        self.allowance_bytes = self
            .allowance_bytes
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other("the directory cannot be found near the end"))?;
        Ok(count)
    }
}

impl Read for ArchiveReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let buffered = self.position.wrapping_sub(self.buffer_at);
        if buffered >= self.buffer.len() as u64 {
            if into.len() >= BUFFER_BYTES {
                let count = self.fetch(into, self.position)?;
                self.position += count as u64;
                return Ok(count);
            }
            let mut buffer = std::mem::take(&mut self.buffer);
            // No larger than the file: a small archive has several readers, each with its own.
            let size = usize::try_from(self.archive.size_bytes()).unwrap_or(BUFFER_BYTES);
            buffer.resize(BUFFER_BYTES.min(size.max(1)), 0);
            let count = self.fetch(&mut buffer, self.position)?;
            buffer.truncate(count);
            self.buffer = buffer;
            self.buffer_at = self.position;
        }
        // Below the buffer's length, which fits a usize; 0 right after it was filled.
        let from = (self.position - self.buffer_at) as usize;
        let count = into.len().min(self.buffer.len() - from);
        into[..count].copy_from_slice(&self.buffer[from..from + count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for ArchiveReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.archive.size_bytes().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        // Positions are signed in the kernel; one beyond that cannot be read from.
        match position.filter(|position| i64::try_from(*position).is_ok()) {
            Some(position) => {
                self.position = position;
                Ok(position)
            }
            None => Err(io::Error::from(io::ErrorKind::InvalidInput)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_the_file_wherever_it_seeks_and_stops_at_its_allowance() {
        let content: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &content).unwrap();
        let mut reader = ArchiveReader::new(Archive::of_file(file.reopen().unwrap()).unwrap());
        for (at, length) in [
            (0, 10),
            (5, 70_000),
            (1_199_990, 10),
            (60_000, 9),
            (60_001, 200_000),
            (3, 1),
        ] {
            let mut part = vec![0; length];
            reader.seek(SeekFrom::Start(at as u64)).unwrap();
            reader.read_exact(&mut part).unwrap();
            assert!(part == content[at..at + length], "{length} bytes at {at}");
        }
        assert_eq!(reader.seek(SeekFrom::End(-4)).unwrap(), 1_199_996);
        assert!(reader.seek(SeekFrom::Current(-2_000_000)).is_err());
        reader.rewind().unwrap();
        reader.allow(500_000);
        assert!(reader.read_to_end(&mut Vec::new()).is_err());
    }
}
