//! Zip archives: the directory tells where each entry lies, and several threads unpack them.

use super::archive::Apart;
use super::directory::{self, Directory, Kind, Member};
use super::reader::ArchiveReader;
use super::{
    Budget, CHUNK_BYTES, Content, FILES_AT_ONCE, Limits, Source, Stop, StopOnDrop, UnpackError, Unpacked,
    assemble, link_target,
};
use crate::blobs::{BlobError, BlobWriter, Blobs, blocking, joined};
use crate::tree::Mode;
use std::collections::HashSet;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinSet;
use zip::read::HasZipMetadata as _;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipReadOptions};

/// Of an archive that one thread unpacks, in bytes.
const SMALL_BYTES: u64 = 64 * 1024;

/// One archive being unpacked, perhaps by several threads.
#[derive(Debug)]
struct Unpacking {
    blobs: Blobs,
    source: Source,
    budget: Budget,
    members: Vec<Member>,
    next: AtomicUsize,
    stop: Stop,
}

/// An archive whose directory is read.
#[derive(Debug)]
struct Begun {
    unpacking: Arc<Unpacking>,
    directories: HashSet<String>,
    dropped: u64,
}

/// Stores the files of a zip archive and gives their tree.
pub(super) async fn unpack(source: Source, blobs: &Blobs, limits: &Limits) -> Result<Unpacked, UnpackError> {
    let is_in_reach = source.archive.is_in_memory() && source.archive.size_bytes() <= SMALL_BYTES;
    let begin = {
        let (blobs, limits) = (blobs.clone(), limits.clone());
        move || Begun::new(source, blobs, &limits)
    };
    let begun = if is_in_reach {
        begin()
    } else {
        blocking(begin).await
    }?;
    let contents = match is_in_reach && begun.unpacking.waits_for_nothing() {
        // A few microseconds: to have another thread do it would take longer.
        true => begun.unpacking.run()?,
        false => unpack_by_threads(&begun.unpacking).await?,
    };
    assemble::assemble(contents, begun.directories, begun.dropped, limits)
}

async fn unpack_by_threads(unpacking: &Arc<Unpacking>) -> Result<Vec<(String, Content)>, UnpackError> {
    let _stop = StopOnDrop(unpacking.stop.clone());
    let (mut threads, mut contents) = (JoinSet::new(), Vec::with_capacity(unpacking.members.len()));
    // One for a small archive: more of them would cost more than they bring.
    let count = match unpacking.source.archive.size_bytes() {
        ..=SMALL_BYTES => 1,
        _ => unpacking.members.len().min(FILES_AT_ONCE),
    };
    for _ in 0..count {
        let unpacking = unpacking.clone();
        threads.spawn_blocking(move || unpacking.run());
    }
    while let Some(done) = threads.join_next().await {
        contents.extend(joined(done)?);
    }
    Ok(contents)
}

impl Begun {
    fn new(source: Source, blobs: Blobs, limits: &Limits) -> Result<Self, UnpackError> {
        let reader = ArchiveReader::new(source.archive.clone());
        let Directory {
            members,
            directories,
            dropped,
        } = directory::read(reader, source.archive.size_bytes(), limits)?;
        if members.is_empty() {
            return Err(UnpackError::Empty);
        }
        let unpacking = Unpacking {
            blobs,
            budget: Budget::new(limits, source.archive.size_bytes()),
            source,
            members,
            next: AtomicUsize::new(0),
            stop: Stop::default(),
        };
        Ok(Self {
            unpacking: Arc::new(unpacking),
            directories,
            dropped,
        })
    }
}

impl Unpacking {
    /// Whether all contents are so small that they are only held. None becomes larger than it says.
    fn waits_for_nothing(&self) -> bool {
        self.blobs
            .can_hold(self.members.iter().map(|member| member.entry.size()))
    }

    /// Takes one member after the other until none is left.
    fn run(&self) -> Result<Vec<(String, Content)>, UnpackError> {
        let mut reader = ArchiveReader::new(self.source.archive.clone());
        let mut buffer = Vec::new();
        let mut contents = Vec::new();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(member) = self.members.get(index) else {
                return Ok(contents);
            };
            let content = self.unpack(member, &mut reader, &mut buffer)?;
            contents.push((member.path.clone(), content));
        }
    }

    fn unpack(
        &self,
        member: &Member,
        reader: &mut ArchiveReader,
        buffer: &mut Vec<u8>,
    ) -> Result<Content, UnpackError> {
        let name = &member.path;
        let damaged = |error: ZipError| UnpackError::entry(name, error.into());
        let begins = member.entry.get_metadata().data_start(reader).map_err(damaged)?;
        let packed_bytes = member.entry.compressed_size();
        if begins
            .checked_add(packed_bytes)
            .is_none_or(|end| end > member.ends_before)
        {
            return Err(UnpackError::Overlap { name: name.clone() });
        }
        let options = ZipReadOptions::new();
        let mut content = member
            .entry
            .as_ref()
            .with_reader(reader, options)
            .map_err(damaged)?;
        let declared_bytes = member.entry.size();
        let mode = match member.kind {
            Kind::Symlink => return read_link(name, content),
            Kind::File(mode) => mode,
        };
        if let Some(apart) = self.source.archive.apart(begins, packed_bytes)
            && member.entry.compression() == CompressionMethod::Stored
            && declared_bytes == packed_bytes
        {
            return self.is_stored(member, apart, mode);
        }
        // One byte more than it says to have, so that its end shows at once.
        let size = usize::try_from(declared_bytes).unwrap_or(CHUNK_BYTES);
        buffer.resize(size.saturating_add(1).clamp(4096, CHUNK_BYTES), 0);
        let mut writer = BlobWriter::new(&self.blobs);
        loop {
            match content.read(buffer) {
                Ok(0) => break,
                Ok(_) if self.stop.is_set() => return Err(BlobError::ShuttingDown.into()),
                Ok(count) => {
                    let file_bytes = writer.size_bytes() + count as u64;
                    if file_bytes > declared_bytes {
                        return Err(wrong_size(name, declared_bytes, "more"));
                    }
                    self.budget.spend(name, file_bytes, count as u64)?;
                    self.budget.check_ratio(name, file_bytes, packed_bytes)?;
                    writer.write(&buffer[..count])?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(UnpackError::entry(name, error)),
            }
        }
        if writer.size_bytes() != declared_bytes {
            return Err(wrong_size(name, declared_bytes, &writer.size_bytes().to_string()));
        }
        let (hash, size_bytes) = writer.finish()?;
        Ok(Content::Stored {
            hash,
            size_bytes,
            mode,
        })
    }

    /// Of a content that became a blob when it arrived. Its header was compared with the directory.
    fn is_stored(&self, member: &Member, apart: &Apart, mode: Mode) -> Result<Content, UnpackError> {
        let (name, size_bytes) = (&member.path, apart.size_bytes);
        self.budget.spend(name, size_bytes, size_bytes)?;
        if member.entry.get_metadata().crc32 != apart.crc32 {
            return Err(UnpackError::Checksum { name: name.clone() });
        }
        Ok(Content::Stored {
            hash: apart.hash.clone(),
            size_bytes,
            mode,
        })
    }
}

fn wrong_size(name: &str, declared_bytes: u64, actual: &str) -> UnpackError {
    UnpackError::Damaged {
        name: name.to_owned(),
        why: format!("it says it has {declared_bytes} bytes and has {actual}"),
    }
}

fn read_link(name: &str, content: impl io::Read) -> Result<Content, UnpackError> {
    let mut target = Vec::new();
    content
        .take(crate::path::PATH_BYTES as u64 + 1)
        .read_to_end(&mut target)
        .map_err(|error| UnpackError::entry(name, error))?;
    let target = link_target(name, target)?;
    Ok(Content::Link { target })
}
