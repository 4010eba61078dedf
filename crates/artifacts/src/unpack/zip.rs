//! Zip archives: the directory tells where each entry lies, and several threads unpack them.

use super::directory::{self, Directory, Kind, Member};
use super::reader::ArchiveReader;
use super::{
    Budget, CHUNK_BYTES, Content, FILES_AT_ONCE, Limits, Source, Stop, StopOnDrop, UnpackError, Unpacked,
    assemble, link_target,
};
use crate::blobs::{BlobError, BlobWriter, Blobs, blocking, joined};
use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinSet;
use zip::ZipReadOptions;
use zip::read::HasZipMetadata as _;
use zip::result::ZipError;

/// Of an archive that one thread unpacks, in bytes.
const SMALL_BYTES: u64 = 64 * 1024;

/// One archive being unpacked by several threads.
#[derive(Debug)]
struct Unpacking {
    blobs: Blobs,
    source: Source,
    budget: Budget,
    members: Vec<Member>,
    next: AtomicUsize,
    stop: Stop,
}

/// Stores the files of a zip archive and gives their tree.
pub(super) async fn unpack(source: Source, blobs: &Blobs, limits: &Limits) -> Result<Unpacked, UnpackError> {
    let (blobs, bounds) = (blobs.clone(), limits.clone());
    let (unpacking, contents, directories, dropped) = blocking(move || {
        let reader = ArchiveReader::new(source.file.clone(), source.size_bytes);
        let Directory {
            members,
            directories,
            dropped,
        } = directory::read(reader, source.size_bytes, &bounds)?;
        if members.is_empty() {
            return Err(UnpackError::Empty);
        }
        let unpacking = Unpacking {
            blobs,
            budget: Budget::new(&bounds, source.size_bytes),
            source,
            members,
            next: AtomicUsize::new(0),
            stop: Stop::default(),
        };
        // A small one is unpacked here and now: more threads would cost more than they bring.
        let contents = match unpacking.source.size_bytes {
            ..=SMALL_BYTES => unpacking.run()?,
            _ => Vec::with_capacity(unpacking.members.len()),
        };
        Ok((Arc::new(unpacking), contents, directories, dropped))
    })
    .await?;
    let _stop = StopOnDrop(unpacking.stop.clone());
    let (mut threads, mut contents) = (JoinSet::new(), contents);
    for _ in contents.len()..unpacking.members.len().min(FILES_AT_ONCE) {
        let unpacking = unpacking.clone();
        threads.spawn_blocking(move || unpacking.run());
    }
    while let Some(done) = threads.join_next().await {
        contents.extend(joined(done)?);
    }
    assemble::assemble(contents, directories, dropped, limits)
}

impl Unpacking {
    /// Takes one member after the other until none is left.
    fn run(&self) -> Result<Vec<(String, Content)>, UnpackError> {
        let mut reader = ArchiveReader::new(self.source.file.clone(), self.source.size_bytes);
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
                    self.budget.spend(name, file_bytes, count as u64)?;
                    self.budget.check_ratio(name, file_bytes, packed_bytes)?;
                    writer.write(&buffer[..count])?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(UnpackError::entry(name, error)),
            }
        }
        if writer.size_bytes() != declared_bytes {
            let why = format!(
                "it says it has {declared_bytes} bytes and has {}",
                writer.size_bytes()
            );
            return Err(UnpackError::Damaged {
                name: name.clone(),
                why,
            });
        }
        let (hash, size_bytes) = writer.finish()?;
        Ok(Content::Stored {
            hash,
            size_bytes,
            mode,
        })
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
