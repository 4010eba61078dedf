//! One file of the journal: entries behind each other, written over from the beginning when the
//! segment is used again. The only place that knows the format.
//!
//! An entry is a head of 64 bytes, the content, and zeros up to a multiple of 8. The head: the
//! segment's nonce (16 bytes), the content's hash (32), its length (8, little-endian), and the first 8
//! bytes of the BLAKE3 hash of those before. The segment begins with a head of no length, for its nonce.
//!
//! The nonce is new each time that the segment is used again, so that entries of an earlier use are not
//! taken for its own, nor bytes that somebody has put into a content.

use crate::blobs::BlobError;
use polyphemus_core::BlobHash;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const HEAD_BYTES: usize = 64;
const ALIGNMENT: usize = 8;
const NONCE_BYTES: usize = 16;
/// More than any content that is put in; a head that says more is none.
const LONGEST_BYTES: u64 = 1 << 30;

#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    nonce: [u8; NONCE_BYTES],
    /// The end of what was written, and where the next write goes.
    end: u64,
    /// Appended and not written yet.
    pending: Vec<u8>,
}

/// What a segment holds.
#[derive(Debug, Clone)]
pub(super) enum Entry<'a> {
    Whole(BlobHash, &'a [u8]),
    Damaged,
}

impl Segment {
    /// Opens the file, which is made if it is not there, and gives its bytes, for [`entries`].
    /// [`Self::clear`] must follow before anything is appended.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<u8>), BlobError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| BlobError::io("open", path, error))?;
        let content = std::fs::read(path).map_err(|error| BlobError::io("read", path, error))?;
        let segment = Self {
            path: path.to_owned(),
            file,
            nonce: [0; NONCE_BYTES],
            end: 0,
            pending: Vec::new(),
        };
        Ok((segment, content))
    }

    /// A segment on a device, which has nothing to read.
    #[cfg(test)]
    pub(super) fn on(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: OpenOptions::new().write(true).open(path).unwrap(),
            nonce: [1; NONCE_BYTES],
            end: 0,
            pending: Vec::new(),
        }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.end + self.pending.len() as u64
    }

    /// Forgets what it holds, whose files must be durable.
    pub(super) fn clear(&mut self) -> Result<(), BlobError> {
        let zeros = [0; HEAD_BYTES];
        let length = self.file.metadata().map(|meta| meta.len());
        if length.map_err(|error| BlobError::io("look at", &self.path, error))? > 0 {
            // Not synced: read again after a crash, the entries do no harm.
            self.file
                .write_all_at(&zeros, 0)
                .map_err(|error| BlobError::io("write", &self.path, error))?;
        }
        self.restart()
    }

    /// Begins anew: the next write goes over what it holds.
    pub(super) fn restart(&mut self) -> Result<(), BlobError> {
        getrandom::fill(&mut self.nonce)
            .map_err(|error| BlobError::io("draw a random number for", &self.path, error.into()))?;
        self.end = 0;
        self.pending.clear();
        Ok(())
    }

    /// Gives where the content will lie in the file.
    pub(super) fn append(&mut self, hash: &BlobHash, content: &[u8]) -> u64 {
        if self.end == 0 && self.pending.is_empty() {
            self.pending.extend(head(&self.nonce, &[0; 32], 0));
        }
        let digest = crate::blobs::read::digest(hash);
        self.pending
            .extend(head(&self.nonce, digest.as_bytes(), content.len() as u64));
        let at = self.size_bytes();
        self.pending.extend_from_slice(content);
        self.pending
            .resize(self.pending.len().next_multiple_of(ALIGNMENT), 0);
        at
    }

    /// Writes what was appended; false if that is nothing. After an error it is as if nothing had been
    /// appended.
    pub(super) fn write(&mut self) -> Result<bool, BlobError> {
        if self.pending.is_empty() {
            return Ok(false);
        }
        let written = self.file.write_all_at(&self.pending, self.end);
        if written.is_ok() {
            self.end += self.pending.len() as u64;
        }
        self.pending.clear();
        written.map_err(|error| BlobError::io("write", &self.path, error))?;
        Ok(true)
    }

    pub(super) fn sync(&mut self) -> Result<(), BlobError> {
        self.file
            .sync_data()
            .map_err(|error| BlobError::io("write to disk", &self.path, error))
    }
}

fn head(nonce: &[u8; NONCE_BYTES], digest: &[u8; 32], length: u64) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..16].copy_from_slice(nonce);
    head[16..48].copy_from_slice(digest);
    head[48..56].copy_from_slice(&length.to_le_bytes());
    let check = blake3::hash(&head[..56]);
    head[56..].copy_from_slice(&check.as_bytes()[..8]);
    head
}

/// The length that a head of this nonce gives; `None` if there is none here.
fn length(bytes: &[u8], nonce: &[u8]) -> Option<usize> {
    let head = bytes.get(..HEAD_BYTES)?;
    if head[..NONCE_BYTES] != *nonce || blake3::hash(&head[..56]).as_bytes()[..8] != head[56..] {
        return None;
    }
    let length = u64::from_le_bytes(head[48..56].try_into().ok()?);
    usize::try_from(length).ok().filter(|_| length < LONGEST_BYTES)
}

/// All entries of the segment's last use. Behind damaged bytes the search goes on, for what follows may
/// have been promised.
pub(super) fn entries(segment: &[u8]) -> Vec<Entry<'_>> {
    let Some(nonce) = nonce(segment) else {
        return Vec::new();
    };
    let (mut found, mut at) = (Vec::new(), HEAD_BYTES);
    while at < segment.len() {
        let Some(length) = length(&segment[at..], nonce) else {
            at += ALIGNMENT;
            continue;
        };
        let hash = &segment[at + 16..at + 48];
        let content = segment.get(at + HEAD_BYTES..at + HEAD_BYTES + length);
        match content.map(|content| (content, blake3::hash(content))) {
            Some((content, actual)) if actual.as_bytes()[..] == *hash => {
                found.push(Entry::Whole(BlobHash::from_bytes(*actual.as_bytes()), content));
                at += (HEAD_BYTES + length).next_multiple_of(ALIGNMENT);
            }
            _ => {
                found.push(Entry::Damaged);
                at += HEAD_BYTES;
            }
        }
    }
    found
}

/// The nonce of the segment's last use: of its first head, or, where that is damaged, of the next one.
fn nonce(segment: &[u8]) -> Option<&[u8]> {
    let first = segment.get(..NONCE_BYTES)?;
    if *first == [0; NONCE_BYTES] {
        return None;
    }
    let places = (0..segment.len()).step_by(ALIGNMENT);
    places
        .filter_map(|at| segment.get(at..at + HEAD_BYTES))
        .find(|head| length(head, &head[..NONCE_BYTES]).is_some())
        .map(|head| &head[..NONCE_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use tempfile::TempDir;

    fn hash(content: &[u8]) -> BlobHash {
        BlobHash::from_bytes(*blake3::hash(content).as_bytes())
    }

    fn written(contents: &[&[u8]]) -> (TempDir, PathBuf, Segment) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("0");
        let (mut segment, found) = Segment::open(&path).unwrap();
        assert!(found.is_empty());
        segment.clear().unwrap();
        append(&mut segment, contents);
        (folder, path, segment)
    }

    fn append(segment: &mut Segment, contents: &[&[u8]]) {
        for content in contents {
            segment.append(&hash(content), content);
            assert!(segment.write().unwrap());
        }
        segment.sync().unwrap();
    }

    /// The contents that are whole, and how many entries are damaged.
    fn read(path: &Path) -> (Vec<Bytes>, usize) {
        let (_, content) = Segment::open(path).unwrap();
        let found = entries(&content);
        let damaged = found
            .iter()
            .filter(|entry| matches!(entry, Entry::Damaged))
            .count();
        let whole = found.into_iter().filter_map(|entry| match entry {
            Entry::Whole(_, content) => Some(Bytes::copy_from_slice(content)),
            Entry::Damaged => None,
        });
        (whole.collect(), damaged)
    }

    const THREE: [&[u8]; 3] = [b"one", b"", b"the third content"];

    #[test]
    fn what_was_appended_is_found_again() {
        let (_folder, path, _) = written(&THREE);
        assert_eq!(read(&path), (THREE.map(Bytes::from_static).to_vec(), 0));
    }

    #[test]
    fn a_tail_torn_anywhere_costs_only_what_it_held() {
        let (_folder, path, _) = written(&THREE);
        let whole = std::fs::read(&path).unwrap();
        // The ends of the entries: each of these contents takes a head and one or more times 8 bytes.
        let ends = [64 + 72, 64 + 72 + 64, 64 + 72 + 64 + 88];
        assert_eq!(whole.len(), ends[2]);
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let (found, damaged) = read(&path);
            // The zeros that fill an entry up are not missed.
            let bare_ends = [64 + 67, 64 + 72 + 64, 64 + 72 + 64 + 81];
            let expected = bare_ends.iter().filter(|end| **end <= length).count();
            assert_eq!(found, THREE.map(Bytes::from_static)[..expected], "{length}");
            assert!(damaged <= 1, "{length}");
        }
    }

    #[test]
    fn a_damaged_byte_costs_only_its_entry() {
        let (_folder, path, _) = written(&THREE);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..64 + 67 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            let lost = usize::from(at >= 64);
            assert_eq!(read(&path).0, THREE.map(Bytes::from_static)[lost..], "{at}");
        }
    }

    #[test]
    fn a_segment_used_again_has_nothing_of_before() {
        let (_folder, path, mut segment) = written(&THREE);
        segment.restart().unwrap();
        append(&mut segment, &[b"one"]);
        assert_eq!(read(&path), (vec![Bytes::from_static(b"one")], 0));
        segment.clear().unwrap();
        assert_eq!(read(&path), (vec![], 0));
    }

    #[test]
    fn a_content_that_looks_like_an_entry_is_none() {
        let (_folder, path, mut segment) = written(&[]);
        let mut hostile = head(&[7; 16], &[1; 32], 1 << 20).to_vec();
        hostile.extend(head(&[0; 16], &[1; 32], 5));
        append(&mut segment, &[&hostile, b"after it"]);
        let mut damaged = std::fs::read(&path).unwrap();
        // The search now goes through the hostile content.
        damaged[64] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        assert_eq!(read(&path), (vec![Bytes::from_static(b"after it")], 0));
    }
}
