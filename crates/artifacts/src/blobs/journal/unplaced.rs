//! Contents that are durable in the journal and have no file yet: which they are, and where they lie. The
//! owner of the folder knows it from writing them; who reads beside it finds them in the segments.

use super::segment::{Entry, entries};
use crate::blobs::folder::lock;
use crate::blobs::read::digest;
use crate::blobs::{BlobError, journal};
use bytes::Bytes;
use polyphemus_core::BlobHash;
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

type Digest = [u8; 32];

/// Where the owner's segments hold a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::blobs) struct Spot {
    pub(super) segment: usize,
    pub(super) at: u64,
    pub(super) size_bytes: u64,
}

/// Those of the owner.
#[derive(Debug)]
pub(in crate::blobs) struct Unplaced {
    segments: [(File, PathBuf); 2],
    spots: Mutex<HashMap<Digest, Spot>>,
}

impl Unplaced {
    pub(super) fn open(paths: [&Path; 2]) -> Result<Self, BlobError> {
        let open = |path: &Path| match File::open(path) {
            Ok(file) => Ok((file, path.to_owned())),
            Err(error) => Err(BlobError::io("open", path, error)),
        };
        Ok(Self {
            segments: [open(paths[0])?, open(paths[1])?],
            spots: Mutex::default(),
        })
    }

    /// The entry must be on the disk.
    pub(super) fn add(&self, hash: &BlobHash, spot: Spot) {
        lock(&self.spots).insert(*digest(hash).as_bytes(), spot);
    }

    /// It has its file now.
    pub(in crate::blobs) fn placed(&self, hash: &BlobHash) {
        let mut spots = lock(&self.spots);
        spots.remove(digest(hash).as_bytes());
        if spots.is_empty() {
            // A burst of submissions is over: what it took is given back.
            *spots = HashMap::new();
        }
    }

    pub(in crate::blobs) fn is_empty(&self) -> bool {
        lock(&self.spots).is_empty()
    }

    pub(in crate::blobs) fn size_bytes(&self, hash: &BlobHash) -> Option<u64> {
        self.spot(hash).map(|spot| spot.size_bytes)
    }

    /// Some of them, at most `most`; only those of one segment if that is given.
    pub(in crate::blobs) fn some(&self, most: usize, segment: Option<usize>) -> Vec<BlobHash> {
        let spots = lock(&self.spots);
        let wanted = spots
            .iter()
            .filter(|(_, spot)| segment.is_none_or(|segment| spot.segment == segment));
        wanted
            .take(most)
            .map(|(digest, _)| BlobHash::from_bytes(*digest))
            .collect()
    }

    /// The content, if it has no file yet.
    pub(in crate::blobs) fn read(&self, hash: &BlobHash) -> Result<Option<Bytes>, BlobError> {
        let Some(spot) = self.spot(hash) else {
            return Ok(None);
        };
        let (file, path) = &self.segments[spot.segment];
        let mut content = vec![0; usize::try_from(spot.size_bytes).unwrap_or(0)];
        file.read_exact_at(&mut content, spot.at)
            .map_err(|error| BlobError::io("read", path, error))?;
        if blake3::hash(&content) == digest(hash) {
            return Ok(Some(content.into()));
        }
        match self.spot(hash) {
            // Whoever placed it meanwhile has let the segment be written over.
            None => Ok(None),
            Some(_) => Err(BlobError::Corrupt { hash: hash.clone() }),
        }
    }

    fn spot(&self, hash: &BlobHash) -> Option<Spot> {
        lock(&self.spots).get(digest(hash).as_bytes()).copied()
    }
}

/// Those of a folder that another process owns, or nobody now. What was found once stays true, since a
/// content is what its hash says.
#[derive(Debug)]
pub(in crate::blobs) struct Beside {
    segments: [PathBuf; 2],
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    contents: HashMap<Digest, Bytes>,
    /// What the segments were when they were read: their sizes and times.
    of: [Option<(u64, SystemTime)>; 2],
}

impl Beside {
    pub(in crate::blobs) fn new(root: &Path) -> Self {
        let folder = root.join(journal::FOLDER);
        Self {
            segments: [folder.join("0"), folder.join("1")],
            found: Mutex::default(),
        }
    }

    pub(in crate::blobs) fn get(&self, hash: &BlobHash) -> Result<Option<Bytes>, BlobError> {
        let digest = *digest(hash).as_bytes();
        let mut found = lock(&self.found);
        if let Some(content) = found.contents.get(&digest) {
            return Ok(Some(content.clone()));
        }
        let now = [state(&self.segments[0]), state(&self.segments[1])];
        if now != found.of {
            // Only what is there now: what was found before and is not any more has its file.
            found.contents.clear();
            for path in &self.segments {
                let segment = match std::fs::read(path) {
                    Ok(segment) => Bytes::from(segment),
                    // An owner that keeps no journal.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(BlobError::io("read", path, error)),
                };
                for entry in entries(&segment) {
                    if let Entry::Whole(hash, content) = entry {
                        let content = segment.slice_ref(content);
                        found
                            .contents
                            .insert(*crate::blobs::read::digest(&hash).as_bytes(), content);
                    }
                }
            }
            found.of = now;
        }
        Ok(found.contents.get(&digest).cloned())
    }
}

fn state(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// A file without a name, in memory, that holds the content.
pub(in crate::blobs) fn in_memory(content: &[u8], path: &Path) -> Result<File, BlobError> {
    let made = memfd_create("blob", MemfdFlags::CLOEXEC).map_err(std::io::Error::from);
    let filled = made.map(File::from).and_then(|mut file| {
        file.write_all(content)?;
        file.rewind()?;
        Ok(file)
    });
    filled.map_err(|error| BlobError::io("copy from the journal", path, error))
}
