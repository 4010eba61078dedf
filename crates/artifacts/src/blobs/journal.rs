//! The journal: small contents are made durable by one sync for all that wait at the same moment,
//! instead of two for each file. The only place that knows when an entry may go.
//!
//! - Invariant: a content's file gets its name only after its journal entry is on the disk, so that
//!   whoever sees the name, another process too, may promise it.
//! - Invariant: a segment is written over only after the whole filesystem was synced with all files
//!   of its entries in place.
//!
//! The files are written at once but not synced, so that readers know nothing of the journal. After a
//! power loss they may be absent or empty; then [`Journal::open`] makes them again.

mod segment;

use super::BlobError;
use super::folder::{Folder, create_directory_durably, lock};
use bytes::Bytes;
use polyphemus_core::BlobHash;
use segment::{Entry, Segment, entries};
use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// The largest content that goes through the journal: beyond this, writing it twice costs more than a
/// sync of its own.
pub(super) const LARGEST_BYTES: usize = 64 * 1024;
/// How large a segment becomes before the other one is taken. There are two: both of them are read
/// again at the start after a crash.
const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// The most bytes of one sync, so that the first who waits does not wait for ever more others.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
const FOLDER: &str = "journal";

/// What was found in the journal when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Contents whose file was absent or damaged and is whole again.
    pub restored: u64,
    /// Entries that are damaged themselves; one at the end is what a crash cut off before its answer.
    pub damaged: u64,
}

/// A handle on the thread that writes the journal. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Journal {
    queue: Mutex<Option<mpsc::Sender<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Request {
    contents: Vec<(BlobHash, Bytes)>,
    answer: oneshot::Sender<Result<(), BlobError>>,
}

impl Journal {
    /// Makes whole what the journal promises, then starts afresh. Only one process at a time may do so.
    pub(super) fn open(folder: &Arc<Folder>) -> Result<(Self, Replayed), BlobError> {
        let path = folder.root().join(FOLDER);
        create_directory_durably(&path)?;
        let (first, one) = Segment::open(&path.join("0"))?;
        let (second, two) = Segment::open(&path.join("1"))?;
        let mut replayed = Replayed::default();
        let found = [entries(&one), entries(&two)].concat();
        for entry in &found {
            match entry {
                Entry::Whole(hash, content) => {
                    replayed.restored += u64::from(folder.restore(hash, content)?);
                }
                Entry::Damaged => replayed.damaged += 1,
            }
        }
        polyphemus_fault::point("blobs.journal_replayed");
        let mut writer = Writer {
            folder: folder.clone(),
            root: File::open(folder.root())
                .map(Arc::new)
                .map_err(|error| BlobError::io("open", folder.root(), error))?,
            current: first,
            other: second,
            syncing: None,
            broken: false,
        };
        if !found.is_empty() {
            sync_filesystem(&writer.root, folder.root())?;
        }
        writer.current.clear()?;
        writer.other.clear()?;
        let (queue, requests) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("blobs-journal".into())
            .spawn(move || writer.run(&requests))
            .map_err(|error| BlobError::io("start the thread that writes", &path, error))?;
        let journal = Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
        };
        Ok((journal, replayed))
    }

    /// Stores contents of at most [`LARGEST_BYTES`] each under their hashes, as far as they are not
    /// there already. What is answered is durable.
    pub(super) fn put(
        &self,
        contents: Vec<(BlobHash, Bytes)>,
    ) -> Result<oneshot::Receiver<Result<(), BlobError>>, BlobError> {
        let (answer, answered) = oneshot::channel();
        let sender = lock(&self.queue).clone().ok_or(BlobError::ShuttingDown)?;
        let request = Request { contents, answer };
        sender.send(request).map_err(|_| BlobError::ShuttingDown)?;
        Ok(answered)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // What is queued is still done; nobody may open the folder again before.
        drop(lock(&self.queue).take());
        if let Some(thread) = lock(&self.thread).take() {
            // It has no result; its panic was printed.
            drop(thread.join());
        }
    }
}

#[derive(Debug)]
struct Writer {
    folder: Arc<Folder>,
    /// The folder's own handle, by which its filesystem is synced.
    root: Arc<File>,
    current: Segment,
    other: Segment,
    /// Makes the files of `other`'s entries durable, so that it can be written over.
    syncing: Option<JoinHandle<Result<(), BlobError>>>,
    /// A sync has failed, after which the kernel may have forgotten what it did not write: the segments
    /// stay as they are for the next start, and each file is synced on its own.
    broken: bool,
}

impl Writer {
    fn run(mut self, requests: &mpsc::Receiver<Request>) {
        while let Ok(first) = requests.recv() {
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
    }

    /// Journal, sync, files, answers.
    fn store(&mut self, batch: Vec<Request>) {
        let mut known = HashSet::new();
        let mut stored = Vec::with_capacity(batch.len());
        for request in batch {
            match self.append_new(&request, &mut known) {
                Ok(new) => stored.push((request, new)),
                Err(error) => request.answer(Err(error)),
            }
        }
        if let Err(error) = self.commit() {
            return answer_all(stored.into_iter().map(|(request, _)| request), &error);
        }
        // A content that two requests have is placed for the first of them, before the second is answered.
        for (request, new) in stored {
            let placed = new.iter().try_for_each(|index| {
                let (hash, content) = &request.contents[*index];
                match self.broken {
                    false => self.folder.place(hash, content),
                    true => self.folder.place_durably(hash, content),
                }
            });
            polyphemus_fault::point("blobs.files_placed");
            request.answer(placed);
        }
    }

    /// Appends what is not there yet, and gives its places in the request.
    fn append_new(
        &mut self,
        request: &Request,
        known: &mut HashSet<BlobHash>,
    ) -> Result<Vec<usize>, BlobError> {
        let mut new = Vec::new();
        for (index, (hash, content)) in request.contents.iter().enumerate() {
            if known.contains(hash) || self.folder.keep(hash, content.len() as u64)? {
                continue;
            }
            if !self.broken {
                self.current.append(hash, content);
            }
            known.insert(hash.clone());
            new.push(index);
        }
        Ok(new)
    }

    fn commit(&mut self) -> Result<(), BlobError> {
        if !self.current.write()? {
            return Ok(());
        }
        polyphemus_fault::point("blobs.journal_written");
        self.current.sync().inspect_err(|_| self.broken = true)?;
        polyphemus_fault::point("blobs.journal_synced");
        Ok(())
    }

    /// Goes on in the other segment if this one is full; its files, which are all in their places, are
    /// made durable meanwhile. Waits only where the other one's are not yet.
    fn rotate_if_full(&mut self) -> Result<(), BlobError> {
        let is_full = self.current.size_bytes() >= SEGMENT_BYTES;
        let is_settled = self.syncing.as_ref().is_some_and(JoinHandle::is_finished);
        if (is_full || is_settled)
            && let Some(syncing) = self.syncing.take()
        {
            // A thread that panicked has not synced.
            let synced = syncing.join().unwrap_or(Err(BlobError::ShuttingDown));
            synced.inspect_err(|_| self.broken = true)?;
            self.other.clear()?;
        }
        if is_full {
            std::mem::swap(&mut self.current, &mut self.other);
            self.current.restart()?;
            let (root, path) = (self.root.clone(), self.folder.root().to_owned());
            self.syncing = Some(std::thread::spawn(move || {
                let synced = sync_filesystem(&root, &path);
                polyphemus_fault::point("blobs.segment_settled");
                synced
            }));
        }
        Ok(())
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
fn sync_filesystem(root: &File, path: &Path) -> Result<(), BlobError> {
    rustix::fs::syncfs(root).map_err(|error| BlobError::io("write to disk all of", path, error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A writer whose segment is this device.
    fn writer(folder: &TempDir, device: &str) -> Writer {
        let folder = Arc::new(Folder::open(&folder.path().join("blobs")).unwrap());
        Writer {
            root: Arc::new(File::open(folder.root()).unwrap()),
            current: Segment::on(Path::new(device)),
            other: Segment::on(Path::new("/dev/null")),
            folder,
            syncing: None,
            broken: false,
        }
    }

    fn store(writer: &mut Writer, content: &'static [u8]) -> (BlobHash, Result<(), BlobError>) {
        let hash = BlobHash::from_bytes(*blake3::hash(content).as_bytes());
        let (answer, answered) = oneshot::channel();
        let contents = vec![(hash.clone(), Bytes::from_static(content))];
        writer.store(vec![Request { contents, answer }]);
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
        writer.current = segment;
        writer.current.clear().unwrap();
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
        assert_eq!(writer.current.size_bytes(), before_the_failure(b"first"));
    }

    /// The segment's head, the entry's head, and its content, filled up.
    fn before_the_failure(content: &[u8]) -> u64 {
        64 + 64 + content.len().next_multiple_of(8) as u64
    }
}
