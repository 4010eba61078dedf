//! The journal: small contents are made durable by one sync for all that wait at the same moment,
//! instead of two for each file. The only place that knows when an entry may go.
//!
//! - Invariant: a content's file gets its name only after its journal entry is on the disk, so that
//!   whoever sees the name, another process too, may promise it.
//! - Invariant: a segment is written over only after the whole filesystem was synced with all files
//!   of its entries in place.
//!
//! Files are made at once, or later where the caller allows it ([`Placing`]): when somebody asks for them,
//! when their segment is full, or when there is nothing else to do. They are not synced; after a power loss
//! they may be absent or empty, and then [`Journal::open`] makes them again.

mod segment;
mod unplaced;
mod writer;

pub(super) use unplaced::{Beside, Unplaced, in_memory};

use super::BlobError;
use super::folder::{Folder, create_directory_durably, lock};
use bytes::Bytes;
use polyphemus_core::BlobHash;
use segment::{Entry, Segment, entries};
use std::fs::File;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;
use writer::{Writer, sync_filesystem};

/// The largest content that goes through the journal: beyond this, writing it twice costs more than a
/// sync of its own.
pub(super) const LARGEST_BYTES: usize = 64 * 1024;
const FOLDER: &str = "journal";

/// When contents get their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placing {
    /// Before the answer: other processes may look for them then.
    Now,
    /// In time for whoever asks the owner of the folder.
    Later,
}

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
    placing: Placing,
    answer: oneshot::Sender<Result<(), BlobError>>,
}

impl Journal {
    /// Makes whole what the journal promises, then starts afresh. Only one process at a time may do so.
    pub(super) fn open(folder: &Arc<Folder>) -> Result<(Self, Replayed), BlobError> {
        let path = folder.root().join(FOLDER);
        create_directory_durably(&path)?;
        let paths = [path.join("0"), path.join("1")];
        let (first, one) = Segment::open(&paths[0])?;
        let (second, two) = Segment::open(&paths[1])?;
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
        let root = File::open(folder.root())
            .map(Arc::new)
            .map_err(|error| BlobError::io("open", folder.root(), error))?;
        if !found.is_empty() {
            sync_filesystem(&root, folder.root())?;
        }
        let unplaced = Arc::new(Unplaced::open([&paths[0], &paths[1]])?);
        folder.has_journal(unplaced.clone());
        let writer = Writer::new(folder.clone(), root, unplaced, [first, second])?;
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
        placing: Placing,
    ) -> Result<oneshot::Receiver<Result<(), BlobError>>, BlobError> {
        let (answer, answered) = oneshot::channel();
        let sender = lock(&self.queue).clone().ok_or(BlobError::ShuttingDown)?;
        let request = Request {
            contents,
            placing,
            answer,
        };
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
