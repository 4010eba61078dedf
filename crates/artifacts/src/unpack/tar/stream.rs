//! The bytes of a tar archive, decompressed, as headers and contents. The only place that speaks of
//! blocks.

use super::super::{Archive, Budget, CHUNK_BYTES, Format, Source, UnpackError};
use flate2::bufread::MultiGzDecoder;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use tar_core::parse::{Limits, ParseError, ParseEvent, Parser};
use tar_core::{EntryType, HEADER_SIZE};

/// `zstd -19` needs 8 MiB; what needs more than this is made to need it.
const WINDOW_LOG_BYTES: u32 = 25;
/// What an entry may have beside its content: headers, long names, padding.
const BESIDE_BYTES: u64 = 4096;

/// An entry, with what its extended headers say of it.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    /// Of a link.
    pub(super) target: Vec<u8>,
    pub(super) kind: EntryType,
    pub(super) mode: u32,
    pub(super) size_bytes: u64,
    pub(super) is_sparse: bool,
}

pub(super) struct TarStream {
    input: Box<dyn Read + Send>,
    format: Format,
    budget: Arc<Budget>,
    parser: Parser,
    buffer: Vec<u8>,
    /// What of the buffer is read and not used yet.
    begin: usize,
    end: usize,
    read_bytes: u64,
    has_headers: bool,
}

impl fmt::Debug for TarStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TarStream");
        shown
            .field("format", &self.format)
            .field("read_bytes", &self.read_bytes);
        shown.finish_non_exhaustive()
    }
}

impl TarStream {
    pub(super) fn new(source: Source, budget: Arc<Budget>) -> Self {
        let format = source.format;
        let file = BufReader::with_capacity(CHUNK_BYTES, Whole::of(source.archive));
        Self {
            input: decompressed(file, format),
            format,
            budget,
            parser: Parser::new(Limits::default()),
            buffer: vec![0; CHUNK_BYTES],
            begin: 0,
            end: 0,
            read_bytes: 0,
            has_headers: false,
        }
    }

    /// The next entry; all of the content of the one before must have been taken or skipped.
    pub(super) fn next(&mut self) -> Result<Option<Header>, UnpackError> {
        let mut wanted = HEADER_SIZE;
        loop {
            if !self.fill(wanted)? {
                return self.ended(wanted);
            }
            let unused = &self.buffer[self.begin..self.end];
            let event = match self.parser.parse(unused) {
                Ok(event) => event,
                Err(error) => return Err(refused(self.format, self.has_headers, &error)),
            };
            let (consumed, header) = match event {
                ParseEvent::NeedData { min_bytes } => {
                    wanted = min_bytes.max(unused.len() + 1);
                    continue;
                }
                ParseEvent::GlobalExtensions { consumed, .. } => (consumed, None),
                ParseEvent::End { consumed } => {
                    self.begin += consumed;
                    return Ok(None);
                }
                ParseEvent::Entry { consumed, entry } => (consumed, Some(header(&entry, false))),
                ParseEvent::SparseEntry { consumed, entry, .. } => (consumed, Some(header(&entry, true))),
            };
            self.begin += consumed;
            self.has_headers = true;
            wanted = HEADER_SIZE;
            match header {
                // The label of a tape is nothing that anybody packed.
                Some(header) if header.kind == EntryType::Other(b'V') => self.skip(header.size_bytes)?,
                Some(header) => return Ok(Some(header)),
                None => {}
            }
        }
    }

    /// Some of the content of the entry `name`, of which `left_bytes` are left.
    pub(super) fn content(&mut self, name: &str, left_bytes: u64) -> Result<&[u8], UnpackError> {
        if !self.fill(1)? {
            return Err(UnpackError::Truncated {
                what: format!("the entry {name:?} ends in the middle"),
            });
        }
        let most = usize::try_from(left_bytes).unwrap_or(usize::MAX);
        let begin = self.begin;
        self.begin += most.min(self.end - begin);
        Ok(&self.buffer[begin..self.begin])
    }

    /// Passes over a whole content.
    pub(super) fn skip(&mut self, size_bytes: u64) -> Result<(), UnpackError> {
        let mut left_bytes = size_bytes;
        while left_bytes > 0 {
            left_bytes -= self.content("left out", left_bytes)?.len() as u64;
        }
        self.skip_padding(size_bytes)
    }

    /// Passes over what fills the last block of a content.
    pub(super) fn skip_padding(&mut self, size_bytes: u64) -> Result<(), UnpackError> {
        let over = size_bytes % HEADER_SIZE as u64;
        let mut left_bytes = if over == 0 { 0 } else { HEADER_SIZE as u64 - over };
        while left_bytes > 0 {
            left_bytes -= self.content("at the end", left_bytes)?.len() as u64;
        }
        Ok(())
    }

    /// Reads on behind the end mark: what compresses the archive has its checksum there.
    pub(super) fn finish(&mut self) -> Result<(), UnpackError> {
        while self.fill(1)? {
            if self.buffer[self.begin..self.end].iter().any(|byte| *byte != 0) {
                let why = "there is more behind its end, as where two archives were joined".to_owned();
                return Err(UnpackError::DamagedArchive { why });
            }
            self.begin = self.end;
        }
        Ok(())
    }

    /// The stream is over where at least `wanted` bytes had to come.
    fn ended(&self, wanted: usize) -> Result<Option<Header>, UnpackError> {
        let rest = &self.buffer[self.begin..self.end];
        // Of the two blocks that end an archive some programs write only one.
        if rest.len() == HEADER_SIZE && wanted == 2 * HEADER_SIZE && rest.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let what = match (self.has_headers, rest.is_empty()) {
            (true, true) => "the mark at its end is missing",
            (true, false) => "it ends in the middle of a header",
            (false, _) => {
                let why = "what is compressed in it is too short to be one";
                return Err(UnpackError::not_an_archive(self.format, why));
            }
        };
        Err(UnpackError::Truncated {
            what: what.to_owned(),
        })
    }

    /// Reads until `wanted` bytes are there; `false` when the stream is over before.
    fn fill(&mut self, wanted: usize) -> Result<bool, UnpackError> {
        while self.end - self.begin < wanted {
            self.buffer.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
            if self.buffer.len() < wanted {
                self.buffer.resize(wanted.next_multiple_of(CHUNK_BYTES), 0);
            }
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.end += count;
                    self.read_bytes += count as u64;
                    self.check_length()?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
        Ok(true)
    }

    /// Also what is no file's content costs time.
    fn check_length(&self) -> Result<(), UnpackError> {
        let limits = &self.budget.limits;
        let most = limits
            .total_bytes
            .saturating_add(limits.entries.saturating_mul(BESIDE_BYTES));
        if self.read_bytes > most {
            return Err(UnpackError::too_large("beside the files", limits, false));
        }
        self.budget
            .check_ratio("beside the files", self.read_bytes, self.budget.archive_bytes)
    }
}

/// An archive from its beginning on.
#[derive(Debug)]
struct Whole {
    archive: Archive,
    at: u64,
}

impl Whole {
    fn of(archive: Archive) -> Self {
        Self { archive, at: 0 }
    }
}

impl Read for Whole {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.archive.read_at(into, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

fn decompressed(file: BufReader<Whole>, format: Format) -> Box<dyn Read + Send> {
    match format {
        Format::TarGz => Box::new(MultiGzDecoder::new(file)),
        Format::TarZst => match zstd(file) {
            Ok(decoder) => Box::new(decoder),
            Err(error) => Box::new(Failed(Some(error))),
        },
        Format::Tar | Format::Zip => Box::new(file),
    }
}

fn zstd(file: BufReader<Whole>) -> io::Result<zstd::Decoder<'static, BufReader<Whole>>> {
    let mut decoder = zstd::Decoder::with_buffer(file)?;
    decoder.window_log_max(WINDOW_LOG_BYTES)?;
    Ok(decoder)
}

/// A decompressor that could not be made: its first read says why.
#[derive(Debug)]
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn header(entry: &tar_core::parse::ParsedEntry<'_>, is_sparse: bool) -> Header {
    Header {
        name: entry.path.to_vec(),
        target: entry.link_target.as_deref().unwrap_or_default().to_vec(),
        kind: entry.entry_type,
        mode: entry.mode,
        size_bytes: entry.size,
        is_sparse,
    }
}

fn refused(format: Format, has_headers: bool, error: &ParseError) -> UnpackError {
    match error {
        ParseError::Header(_) if !has_headers => {
            UnpackError::not_an_archive(format, "what is compressed in it is none")
        }
        error => UnpackError::DamagedArchive {
            why: error.to_string(),
        },
    }
}

/// What the decompressors say; they have no types for it, so that their texts stand here.
fn unreadable(error: io::Error) -> UnpackError {
    let why = error.to_string();
    if error.raw_os_error().is_some() {
        UnpackError::Archive { source: error }
    } else if error.kind() == io::ErrorKind::UnexpectedEof {
        UnpackError::Truncated {
            what: "its compressed data ends in the middle".to_owned(),
        }
    } else if why.contains("too much memory") {
        UnpackError::Window {
            limit_mib: 1 << (WINDOW_LOG_BYTES - 20),
        }
    } else {
        UnpackError::DamagedArchive { why }
    }
}
