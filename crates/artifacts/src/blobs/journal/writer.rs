//! The thread that writes the journal, and has the files of its entries made.

use super::segment::Segment;
use super::unplaced::{Spot, Unplaced};
use super::{Placing, Request};
use crate::blobs::BlobError;
use crate::blobs::folder::Folder;
use polyphemus_core::BlobHash;
use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How large a segment becomes before the other one is taken. There are two: both of them are read
/// again at the start after a crash.
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// The most entries of a segment: those without a file are in memory, some 80 bytes each.
const SEGMENT_ENTRIES: u64 = 65_536;
/// The most bytes of one sync, so that the first who waits does not wait for ever more others.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Without a request for so long there is time to make files.
const IDLE: Duration = Duration::from_millis(200);
/// After a file could not be made, as on a full disk.
const IDLE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// Files that are looked for at a time.
const PLACED_AT_ONCE: usize = 1024;

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) folder: Arc<Folder>,
    /// The folder's own handle, by which its filesystem is synced.
    root: Arc<File>,
    unplaced: Arc<Unplaced>,
    /// By number. One of them is written to.
    pub(super) segments: [Segment; 2],
    current: usize,
    /// How many entries the current one has.
    entries: u64,
    other: Other,
    /// A sync has failed, after which the kernel may have forgotten what it did not write: the segments
    /// stay as they are for the next start, and each file is synced on its own.
    pub(super) broken: bool,
}

/// How far the segment is that is not written to.
#[derive(Debug)]
enum Other {
    /// It may be written over.
    Free,
    /// Files of its entries may be missing.
    Full,
    /// Its files are being made and brought to the disk.
    Settling(JoinHandle<Result<(), Unsettled>>),
}

/// Why a segment may not be written over yet.
#[derive(Debug)]
enum Unsettled {
    /// Tried again.
    Files(BlobError),
    Sync(BlobError),
}

impl Writer {
    pub(super) fn new(
        folder: Arc<Folder>,
        root: Arc<File>,
        unplaced: Arc<Unplaced>,
        mut segments: [Segment; 2],
    ) -> Result<Self, BlobError> {
        segments.iter_mut().try_for_each(Segment::clear)?;
        Ok(Self {
            folder,
            root,
            unplaced,
            segments,
            current: 0,
            entries: 0,
            other: Other::Free,
            broken: false,
        })
    }

    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        while let Some(first) = self.next(requests) {
            let mut bytes = first.bytes();
            let mut batch = vec![first];
            while bytes < BATCH_BYTES
                && let Ok(next) = requests.try_recv()
            {
                bytes += next.bytes();
                batch.push(next);
            }
            let begun = if self.broken {
                Ok(())
            } else {
                self.rotate_if_full()
            };
            match begun {
                Ok(()) => self.store(batch),
                Err(error) => answer_all(batch, &error),
            }
        }
        // What cannot be made now is made when the folder is next opened.
        let _ = self.place_some(usize::MAX, || false);
    }

    /// The next request. While there is none, files are made.
    fn next(&self, requests: &Receiver<Request>) -> Option<Request> {
        let mut idle = IDLE;
        while !self.unplaced.is_empty() {
            match requests.recv_timeout(idle) {
                Ok(request) => return Some(request),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let mut came = None;
            let placed = self.place_some(PLACED_AT_ONCE, || {
                came = requests.try_recv().ok();
                came.is_some()
            });
            if came.is_some() {
                return came;
            }
            // Whoever needs one of them asks for it, and is told why it cannot be made.
            idle = placed.map_or(IDLE_AFTER_FAILURE, |()| Duration::ZERO);
        }
        requests.recv().ok()
    }

    fn place_some(&self, most: usize, mut is_enough: impl FnMut() -> bool) -> Result<(), BlobError> {
        for hash in self.unplaced.some(most, None) {
            self.folder.settle(&hash)?;
            if is_enough() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Journal, sync, files, answers.
    pub(super) fn store(&mut self, batch: Vec<Request>) {
        let mut known = HashSet::new();
        let mut stored = Vec::with_capacity(batch.len());
        for request in batch {
            match self.append_new(&request, &mut known) {
                Ok(new) => stored.push((request, new)),
                Err(error) => request.answer(Err(error)),
            }
        }
        let tried = match self.commit().and_then(|()| self.try_the_disk(&stored)) {
            Ok(tried) => tried,
            Err(error) => return answer_all(stored.into_iter().map(|(request, _)| request), &error),
        };
        for (request, mut new) in stored {
            new.retain(|(index, _)| tried.as_ref() != Some(&request.contents[*index].0));
            let placed = self.place(&request, &new);
            if request.placing == Placing::Now {
                polyphemus_fault::point("blobs.files_placed");
            }
            request.answer(placed);
        }
    }

    /// Of the request's contents those that are not there yet, with the places of their entries.
    fn append_new(
        &mut self,
        request: &Request,
        known: &mut HashSet<BlobHash>,
    ) -> Result<Vec<(usize, Spot)>, BlobError> {
        let mut new = Vec::new();
        for (index, (hash, content)) in request.contents.iter().enumerate() {
            let size_bytes = content.len() as u64;
            if known.contains(hash) || self.folder.keep(hash, size_bytes)? {
                continue;
            }
            let mut spot = Spot {
                segment: self.current,
                at: 0,
                size_bytes,
            };
            if !self.broken {
                spot.at = self.segments[self.current].append(hash, content);
                self.entries += 1;
            }
            known.insert(hash.clone());
            new.push((index, spot));
        }
        Ok(new)
    }

    /// A content that two requests have is new for the first of them, which has its turn before.
    fn place(&self, request: &Request, new: &[(usize, Spot)]) -> Result<(), BlobError> {
        for (index, spot) in new {
            let (hash, content) = &request.contents[*index];
            match (self.broken, request.placing) {
                (true, _) => self.folder.place_durably(hash, content)?,
                (false, Placing::Now) => self.folder.place(hash, content)?,
                (false, Placing::Later) => self.unplaced.add(hash, *spot),
            }
        }
        match request.placing {
            Placing::Now => request
                .contents
                .iter()
                .try_for_each(|(hash, _)| self.folder.settle(hash)),
            Placing::Later => Ok(()),
        }
    }

    /// Makes one of the files that are to be made later, and gives its hash: a disk that is full, or can only
    /// be read, must refuse submissions although the journal still has room for them.
    fn try_the_disk(&self, stored: &[(Request, Vec<(usize, Spot)>)]) -> Result<Option<BlobHash>, BlobError> {
        let mut later = stored
            .iter()
            .filter(|(request, _)| request.placing == Placing::Later && !self.broken);
        let first = later.find_map(|(request, new)| request.contents.get(new.first()?.0));
        let Some((hash, content)) = first else {
            return Ok(None);
        };
        self.folder.place(hash, content)?;
        Ok(Some(hash.clone()))
    }

    fn commit(&mut self) -> Result<(), BlobError> {
        let current = &mut self.segments[self.current];
        if !current.write()? {
            return Ok(());
        }
        polyphemus_fault::point("blobs.journal_written");
        current.sync().inspect_err(|_| self.broken = true)?;
        polyphemus_fault::point("blobs.journal_synced");
        Ok(())
    }

    /// Goes on in the other segment if this one is full; its files are made, and made durable, meanwhile.
    /// Waits only where the other one's are not yet.
    fn rotate_if_full(&mut self) -> Result<(), BlobError> {
        let is_full =
            self.segments[self.current].size_bytes() >= SEGMENT_BYTES || self.entries >= SEGMENT_ENTRIES;
        if is_full && matches!(self.other, Other::Full) {
            self.settle_other();
        }
        match std::mem::replace(&mut self.other, Other::Full) {
            Other::Settling(settling) if is_full || settling.is_finished() => {
                match self.settled(settling) {
                    // Tried again when there is no other way.
                    Err(_) if !is_full && !self.broken => {}
                    settled => settled?,
                }
            }
            other => self.other = other,
        }
        if is_full {
            self.current = self.other_number();
            self.segments[self.current].restart()?;
            self.entries = 0;
            self.settle_other();
        }
        Ok(())
    }

    fn settled(&mut self, settling: JoinHandle<Result<(), Unsettled>>) -> Result<(), BlobError> {
        // A thread that panicked has not synced.
        let panicked = || Err(Unsettled::Sync(BlobError::ShuttingDown));
        match settling.join().unwrap_or_else(|_| panicked()) {
            Ok(()) => {
                let other = self.other_number();
                self.segments[other].clear()?;
                self.other = Other::Free;
                Ok(())
            }
            Err(Unsettled::Files(error)) => Err(error),
            Err(Unsettled::Sync(error)) => {
                self.broken = true;
                Err(error)
            }
        }
    }

    fn settle_other(&mut self) {
        let (folder, unplaced, root) = (self.folder.clone(), self.unplaced.clone(), self.root.clone());
        let number = self.other_number();
        self.other = Other::Settling(std::thread::spawn(move || {
            // None comes to those of a segment that is not written to.
            for hash in unplaced.some(usize::MAX, Some(number)) {
                folder.settle(&hash).map_err(Unsettled::Files)?;
            }
            let synced = sync_filesystem(&root, folder.root());
            polyphemus_fault::point("blobs.segment_settled");
            synced.map_err(Unsettled::Sync)
        }));
    }

    fn other_number(&self) -> usize {
        1 - self.current
    }
}

impl Request {
    fn bytes(&self) -> usize {
        self.contents.iter().map(|(_, content)| content.len()).sum()
    }

    /// Whoever asked may have gone away; what was stored stays.
    fn answer(self, result: Result<(), BlobError>) {
        drop(self.answer.send(result));
    }
}

fn answer_all(requests: impl IntoIterator<Item = Request>, error: &BlobError) {
    for request in requests {
        request.answer(Err(error.again()));
    }
}

/// Not one sync for each file: a segment has thousands of them.
pub(super) fn sync_filesystem(root: &File, path: &Path) -> Result<(), BlobError> {
    rustix::fs::syncfs(root).map_err(|error| BlobError::io("write to disk all of", path, error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use tempfile::TempDir;
    use tokio::sync::oneshot;

    /// A writer whose segment is this device.
    fn writer(folder: &TempDir, device: &str) -> Writer {
        let folder = Arc::new(Folder::open(&folder.path().join("blobs")).unwrap());
        let root = Arc::new(File::open(folder.root()).unwrap());
        let nowhere = Path::new("/dev/null");
        let unplaced = Arc::new(Unplaced::open([nowhere, nowhere]).unwrap());
        let segments = [Segment::on(Path::new(device)), Segment::on(nowhere)];
        Writer::new(folder, root, unplaced, segments).unwrap()
    }

    fn store(writer: &mut Writer, content: &'static [u8]) -> (BlobHash, Result<(), BlobError>) {
        let hash = BlobHash::from_bytes(*blake3::hash(content).as_bytes());
        let (answer, answered) = oneshot::channel();
        let contents = vec![(hash.clone(), Bytes::from_static(content))];
        writer.store(vec![Request {
            contents,
            placing: Placing::Now,
            answer,
        }]);
        (hash, answered.blocking_recv().unwrap())
    }

    #[test]
    fn a_full_disk_refuses_what_it_cannot_keep_and_goes_on_when_there_is_space() {
        let folder = TempDir::new().unwrap();
        let mut writer = writer(&folder, "/dev/full");
        let (hash, refused) = store(&mut writer, b"too much");
        assert!(matches!(refused, Err(BlobError::NoSpace { .. })), "{refused:?}");
        assert!(writer.folder.stat(&hash).unwrap().is_none(), "nothing half-made");
        let (segment, _) = Segment::open(&folder.path().join("space")).unwrap();
        writer.segments[0] = segment;
        writer.segments[0].clear().unwrap();
        let (hash, stored) = store(&mut writer, b"too much");
        stored.unwrap();
        assert!(writer.folder.stat(&hash).unwrap().is_some());
        assert!(!writer.broken);
    }

    #[test]
    fn after_a_failed_sync_each_content_is_synced_on_its_own() {
        let folder = TempDir::new().unwrap();
        // Takes every byte and cannot be synced.
        let mut writer = writer(&folder, "/dev/null");
        let (hash, refused) = store(&mut writer, b"first");
        assert!(matches!(refused, Err(BlobError::Io { .. })), "{refused:?}");
        assert!(
            writer.folder.stat(&hash).unwrap().is_none(),
            "it is promised to nobody"
        );
        let (hash, stored) = store(&mut writer, b"second");
        stored.unwrap();
        assert!(writer.folder.stat(&hash).unwrap().is_some());
        assert_eq!(writer.segments[0].size_bytes(), before_the_failure(b"first"));
    }

    /// The segment's head, the entry's head, and its content, filled up.
    fn before_the_failure(content: &[u8]) -> u64 {
        64 + 64 + content.len().next_multiple_of(8) as u64
    }
}
