//! Tar archives, plain or compressed: one thread reads the stream and stores large files as they
//! come; small ones are stored by others, since each waits for its fsync.

mod stream;

use super::names::{self, Place};
use super::{
    Budget, Content, FILES_AT_ONCE, Limits, Source, Stop, StopOnDrop, UnpackError, Unpacked, assemble,
    link_target,
};
use crate::blobs::{BlobError, BlobWriter, Blobs, joined, store_bytes};
use crate::tree::Mode;
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use stream::{Header, TarStream};
use tar_core::EntryType;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Files up to this size are read whole and stored by other threads, at most twice
/// [`FILES_AT_ONCE`] of them at a time: 8 MiB.
const SMALL_BYTES: u64 = 256 * 1024;
/// How the files begin in which macOS keeps what it knows of the file beside them (RFC 1740).
const APPLE_DOUBLE: &[u8] = b"\x00\x05\x16\x07";

/// Stores the files of a tar archive and gives their tree.
pub(super) async fn unpack(source: Source, blobs: &Blobs, limits: &Limits) -> Result<Unpacked, UnpackError> {
    let stop = Stop::default();
    let _stop = StopOnDrop(stop.clone());
    let (small, mut waiting) = mpsc::channel(FILES_AT_ONCE);
    let reading = {
        let (blobs, limits) = (blobs.clone(), limits.clone());
        tokio::task::spawn_blocking(move || Reading::new(source, blobs, limits, small, stop).run())
    };
    let mut contents = Vec::new();
    let mut storing = JoinSet::new();
    while let Some(file) = waiting.recv().await {
        if storing.len() >= FILES_AT_ONCE
            && let Some(stored) = storing.join_next().await
        {
            contents.push(joined(stored)?);
        }
        let blobs = blobs.clone();
        storing.spawn_blocking(move || file.store(&blobs));
    }
    while let Some(stored) = storing.join_next().await {
        contents.push(joined(stored)?);
    }
    let listed = joined(reading.await)?;
    contents.extend(listed.contents);
    assemble::assemble(contents, listed.directories, listed.dropped, limits)
}

/// A file that is read and not yet stored.
#[derive(Debug)]
struct Small {
    path: String,
    mode: Mode,
    content: Bytes,
}

impl Small {
    fn store(self, blobs: &Blobs) -> Result<(String, Content), UnpackError> {
        let content = Content::Stored {
            hash: store_bytes(blobs, &self.content)?,
            size_bytes: self.content.len() as u64,
            mode: self.mode,
        };
        Ok((self.path, content))
    }
}

/// What the archive holds beside the small files.
#[derive(Debug, Default)]
struct Listed {
    contents: Vec<(String, Content)>,
    directories: HashSet<String>,
    dropped: u64,
}

/// One archive being read.
#[derive(Debug)]
struct Reading {
    stream: TarStream,
    budget: Arc<Budget>,
    blobs: Blobs,
    small: mpsc::Sender<Small>,
    stop: Stop,
    listed: Listed,
    /// The paths of all that is no directory. A file, and a hard link to one, leads to the file.
    names: HashMap<String, Option<String>>,
    entries: u64,
}

impl Reading {
    fn new(source: Source, blobs: Blobs, limits: Limits, small: mpsc::Sender<Small>, stop: Stop) -> Self {
        let budget = Arc::new(Budget::new(&limits, source.archive.size_bytes()));
        Self {
            stream: TarStream::new(source, budget.clone()),
            budget,
            blobs,
            small,
            stop,
            listed: Listed::default(),
            names: HashMap::new(),
            entries: 0,
        }
    }

    fn run(mut self) -> Result<Listed, UnpackError> {
        while let Some(header) = self.stream.next()? {
            self.entries += 1;
            let limit = self.budget.limits.entries;
            if self.entries > limit {
                return Err(UnpackError::TooManyEntries { limit });
            }
            self.entry(&header)?;
        }
        self.stream.finish()?;
        if self.names.is_empty() {
            return Err(UnpackError::Empty);
        }
        let paths: Vec<&str> = self.names.keys().map(String::as_str).collect();
        names::check_clashes(&paths, &self.listed.directories)?;
        Ok(self.listed)
    }

    fn entry(&mut self, header: &Header) -> Result<(), UnpackError> {
        let name = names::text(&header.name)?;
        let is_file = matches!(header.kind, EntryType::Regular | EntryType::Continuous);
        // Before there was a kind for them, directories were files whose names end in `/`.
        let is_directory = header.kind == EntryType::Directory || is_file && name.ends_with('/');
        let path = match names::place(name, is_directory, &self.budget.limits)? {
            Place::Top => return self.stream.skip(header.size_bytes),
            Place::Dropped => {
                self.listed.dropped += 1;
                return self.stream.skip(header.size_bytes);
            }
            Place::Path(path) => path,
        };
        if header.is_sparse {
            return Err(UnpackError::Sparse { name: path });
        }
        if is_directory {
            self.listed.directories.insert(path);
            return self.stream.skip(header.size_bytes);
        }
        if self.names.contains_key(&path) {
            return Err(UnpackError::Duplicate { name: path });
        }
        if is_file {
            return self.file(path, header);
        }
        if header.size_bytes > 0 {
            // Programs do not agree on whether this is followed by content.
            let why = "it is no file, and says that it has content".to_owned();
            return Err(UnpackError::Damaged { name: path, why });
        }
        let content = self.link(&path, header)?;
        self.listed.contents.push((path, content));
        Ok(())
    }

    fn link(&mut self, path: &str, header: &Header) -> Result<Content, UnpackError> {
        let kind = match header.kind {
            EntryType::Symlink => {
                let target = link_target(path, header.target.clone())?;
                self.names.insert(path.to_owned(), None);
                return Ok(Content::Link { target });
            }
            EntryType::Link => {
                let of = self.linked(path, header)?;
                self.names.insert(path.to_owned(), Some(of.clone()));
                return Ok(Content::Same { of });
            }
            EntryType::Char => "character device",
            EntryType::Block => "block device",
            EntryType::Fifo => "named pipe",
            _ => "file of an unknown kind",
        };
        Err(UnpackError::Special {
            name: path.to_owned(),
            kind,
        })
    }

    /// The file that a hard link stands for. It names it from the top of the archive, and one that
    /// comes later or lies elsewhere is none.
    fn linked(&self, path: &str, header: &Header) -> Result<String, UnpackError> {
        let target = names::text(&header.target)?;
        let file = match names::place(target, false, &self.budget.limits) {
            Ok(Place::Path(target)) => self.names.get(&target).cloned().flatten(),
            _ => None,
        };
        file.ok_or_else(|| UnpackError::HardLink {
            name: path.to_owned(),
            target: target.chars().take(100).collect(),
        })
    }

    fn file(&mut self, path: String, header: &Header) -> Result<(), UnpackError> {
        if header.size_bytes > self.budget.limits.file_bytes {
            return Err(UnpackError::too_large(&path, &self.budget.limits, true));
        }
        let mode = Mode::from_unix(header.mode);
        if header.size_bytes <= SMALL_BYTES {
            let content = self.whole(&path, header.size_bytes)?;
            let name = path.rsplit('/').next().unwrap_or(&path);
            if name.starts_with("._") && content.starts_with(APPLE_DOUBLE) {
                self.listed.dropped += 1;
                return Ok(());
            }
            self.names.insert(path.clone(), Some(path.clone()));
            let content = content.into();
            let sent = self.small.blocking_send(Small { path, mode, content });
            // Whoever would store it has failed, and says why.
            return sent.map_err(|_| BlobError::ShuttingDown.into());
        }
        let content = self.large(&path, header.size_bytes, mode)?;
        self.names.insert(path.clone(), Some(path.clone()));
        self.listed.contents.push((path, content));
        Ok(())
    }

    fn whole(&mut self, path: &str, size_bytes: u64) -> Result<Vec<u8>, UnpackError> {
        let mut content = Vec::new();
        self.each_chunk(path, size_bytes, |chunk| {
            content.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(content)
    }

    fn large(&mut self, path: &str, size_bytes: u64, mode: Mode) -> Result<Content, UnpackError> {
        let mut writer = BlobWriter::new(&self.blobs);
        self.each_chunk(path, size_bytes, |chunk| writer.write(chunk))?;
        let (hash, size_bytes) = writer.finish()?;
        Ok(Content::Stored {
            hash,
            size_bytes,
            mode,
        })
    }

    fn each_chunk(
        &mut self,
        path: &str,
        size_bytes: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), BlobError>,
    ) -> Result<(), UnpackError> {
        let mut done = 0;
        while done < size_bytes {
            if self.stop.is_set() {
                return Err(BlobError::ShuttingDown.into());
            }
            let chunk = self.stream.content(path, size_bytes - done)?;
            done += chunk.len() as u64;
            self.budget.spend(path, done, chunk.len() as u64)?;
            take(chunk)?;
        }
        self.stream.skip_padding(size_bytes)
    }
}
