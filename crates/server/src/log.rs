//! The logs of jobs: append-only files addressed by byte offset, one for each job.
//!
//! - Invariant: an append is accepted only at the file's length, and only from whoever may write.
//! - Invariant: what was announced stays: a failed append leaves the file as it was before.
//! - Invariant: a log begins with its job's acceptance, which needs no file: until something else is
//!   appended it is read from the job's row, which was written in the transaction that made the job.
//! - Invariant: the number of open files and of entries in memory is bounded; only those that
//!   somebody watches or writes to now come on top.
//!
//! Whoever changes who may write to a log holds its lock while doing so; between a check under the
//! lock and the write under the same lock nothing can change.

mod missing;

use crate::app::{Attempt, acceptance};
use crate::store::{Store, StoreError};
use bytes::Bytes;
use jiff::Timestamp;
use polyphemus_api::event::StateEvent;
use polyphemus_core::JobId;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedMutexGuard, watch};

/// Logs whose files are kept open although nobody uses them at the moment.
const KEPT: usize = 256;

/// Why a log could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing} {}", .path.display())]
pub struct LogError {
    pub doing: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

/// All logs of an instance.
#[derive(Debug)]
pub struct Logs {
    folder: PathBuf,
    store: Arc<Store>,
    entries: Mutex<HashMap<JobId, Arc<Entry>>>,
    clock: AtomicU64,
    /// What happened to the jobs of before may be missing from their logs, and is written there.
    made_whole_until_ms: i64,
}

#[derive(Debug)]
struct Entry {
    job: JobId,
    path: PathBuf,
    writing: Arc<tokio::sync::Mutex<Writing>>,
    /// The committed length, once it was measured.
    length: watch::Sender<u64>,
    measured: AtomicBool,
    used: AtomicU64,
}

#[derive(Debug, Default)]
struct Writing {
    file: Option<Arc<File>>,
    /// The job's acceptance, while the file does not begin with it yet.
    unwritten: Bytes,
    /// Whether the log is empty or ends with a newline.
    at_line_start: bool,
    /// The attempt that was found to be the running one.
    owner: Option<Attempt>,
}

/// A log that nobody else writes to while this is held.
#[derive(Debug)]
pub(crate) struct LockedLog {
    store: Arc<Store>,
    entry: Arc<Entry>,
    made_whole_until_ms: i64,
    writing: OwnedMutexGuard<Writing>,
}

impl Logs {
    /// The logs in `folder`, which is created, of the jobs in `store`.
    pub(crate) fn open(folder: &Path, store: Arc<Store>) -> Result<Self, LogError> {
        std::fs::create_dir_all(folder).map_err(failed("create the folder", folder))?;
        Ok(Self {
            folder: folder.to_owned(),
            store,
            entries: Mutex::default(),
            clock: AtomicU64::new(0),
            made_whole_until_ms: Timestamp::now().as_millisecond(),
        })
    }

    /// The same to look at: nothing is written that its caller does not write.
    pub(crate) fn open_as_they_are(folder: &Path, store: Arc<Store>) -> Result<Self, LogError> {
        Ok(Self {
            made_whole_until_ms: i64::MIN,
            ..Self::open(folder, store)?
        })
    }

    /// Waits until nobody else writes to the log.
    pub(crate) async fn lock(&self, job: &JobId) -> LockedLog {
        let entry = self.entry(job);
        let writing = entry.writing.clone().lock_owned().await;
        LockedLog {
            store: self.store.clone(),
            entry,
            made_whole_until_ms: self.made_whole_until_ms,
            writing,
        }
    }

    /// The committed length in bytes, after the lines that are being written now.
    pub(crate) async fn length(&self, job: &JobId) -> Result<u64, LogError> {
        self.lock(job).await.length().await
    }

    /// Up to `most` bytes from `from` on, as far as the log is committed.
    pub(crate) async fn read(&self, job: &JobId, from: u64, most: usize) -> Result<Bytes, LogError> {
        let entry = self.entry(job);
        let committed = match entry.committed() {
            Some(length) => length,
            None => self.length(job).await?,
        };
        let wanted = committed.saturating_sub(from).min(most as u64);
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        if let Some(part) = read_file(entry.clone(), from, wanted).await? {
            return Ok(part);
        }
        // The file is not there yet, or is just being begun: under the lock it is one or the other.
        let mut log = self.lock(job).await;
        log.length().await?;
        let unwritten = log.writing.unwritten.clone();
        if !unwritten.is_empty() {
            let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(unwritten.len());
            return Ok(unwritten.slice(at(from)..at(from + wanted)));
        }
        let part = read_file(entry.clone(), from, wanted).await?;
        part.ok_or_else(|| failed("read", &entry.path)(io::ErrorKind::UnexpectedEof.into()))
    }

    /// The file of a log, which may not be there yet.
    pub(crate) fn path(&self, job: &JobId) -> PathBuf {
        self.folder.join(format!("{job}.log"))
    }

    /// Tells the committed length, now and whenever it has grown.
    pub(crate) async fn watch(&self, job: &JobId) -> Result<watch::Receiver<u64>, LogError> {
        // Registered before the length is looked up, so that no growth is missed.
        let watching = self.entry(job).length.subscribe();
        self.length(job).await?;
        Ok(watching)
    }

    fn entry(&self, job: &JobId) -> Arc<Entry> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(job) {
            entry.used.store(now, Ordering::Relaxed);
            return entry.clone();
        }
        if entries.len() >= 2 * KEPT {
            forget_unused(&mut entries);
        }
        let entry = Arc::new(Entry {
            job: job.clone(),
            path: self.path(job),
            writing: Arc::default(),
            length: watch::Sender::new(0),
            measured: AtomicBool::new(false),
            used: AtomicU64::new(now),
        });
        entries.insert(job.clone(), entry.clone());
        entry
    }
}

/// Drops the entries that were not used for the longest time down to `KEPT`, except those in use.
fn forget_unused(entries: &mut HashMap<JobId, Arc<Entry>>) {
    let mut ages: Vec<u64> = entries
        .values()
        .map(|entry| entry.used.load(Ordering::Relaxed))
        .collect();
    ages.sort_unstable();
    let Some(bound) = ages
        .len()
        .checked_sub(KEPT)
        .and_then(|index| ages.get(index).copied())
    else {
        return;
    };
    entries.retain(|_, entry| {
        let in_use = Arc::strong_count(entry) > 1 || entry.length.receiver_count() > 0;
        let old = entry.used.load(Ordering::Relaxed) < bound;
        if old
            && in_use
            && let Ok(mut writing) = entry.writing.try_lock()
        {
            // Watched only: the length stays known, the file is opened again when it is written to.
            writing.file = None;
        }
        in_use || !old
    });
}

impl Entry {
    fn committed(&self) -> Option<u64> {
        let measured = self.measured.load(Ordering::Acquire);
        measured.then(|| *self.length.borrow())
    }

    fn announce(&self, length: u64) {
        self.length.send_replace(length);
        self.measured.store(true, Ordering::Release);
    }
}

impl LockedLog {
    /// The committed length in bytes.
    pub(crate) async fn length(&mut self) -> Result<u64, LogError> {
        if let Some(length) = self.entry.committed() {
            return Ok(length);
        }
        let mut submitted_ms = None;
        let begins: Bytes = match self.store.job(&self.entry.job).await {
            Ok(Some(row)) => {
                submitted_ms = Some(row.submitted_ms);
                text(row.submitted_ms, &acceptance(&row.plan)).into()
            }
            Ok(None) => Bytes::new(),
            // The log of a job that cannot be read is where it is said why.
            Err(StoreError::Unreadable { what, why }) => {
                tracing::warn!(job = %self.entry.job, what, why, "the beginning of a log is not known");
                Bytes::new()
            }
            Err(error) => {
                return Err(failed("find the beginning of", &self.entry.path)(
                    io::Error::other(error),
                ));
            }
        };
        let (entry, expected) = (self.entry.clone(), begins.clone());
        let found = blocking(move || measure(&entry.path, &expected)).await?;
        let length = match found {
            Found::Begun {
                length,
                at_line_start,
            } => {
                self.writing.at_line_start = at_line_start;
                length
            }
            Found::Nothing => {
                self.writing.at_line_start = true;
                self.writing.unwritten = begins.clone();
                begins.len() as u64
            }
        };
        self.entry.announce(length);
        if let Some(submitted_ms) = submitted_ms
            && let Err(error) = self.append_missing(submitted_ms, |events| events).await
        {
            // It can be read as it is, and is made whole when it is opened again.
            tracing::error!(job = %self.entry.job, %error, "what happened to a job is missing from its log");
        }
        Ok(self.entry.committed().unwrap_or(length))
    }

    /// To be called for a claim before anything is said of it: appends what is missing of the time before.
    pub(crate) async fn settle(&mut self, submitted_ms: i64) -> Result<(), LogError> {
        self.length().await?;
        self.append_missing(submitted_ms, missing::before_the_claim).await
    }

    /// Appends what the server that had the instance before could not any more about the last of the
    /// events that `of` takes.
    async fn append_missing(
        &mut self,
        submitted_ms: i64,
        of: impl Fn(&[StateEvent]) -> &[StateEvent],
    ) -> Result<(), LogError> {
        if submitted_ms > self.made_whole_until_ms {
            return Ok(());
        }
        let events = self.store.event_latest(&self.entry.job, missing::EVENTS).await;
        let events = events
            .map_err(|error| failed("find what is to be in", &self.entry.path)(io::Error::other(error)))?;
        let due = missing::lines_due(of(&events));
        if due.is_empty() {
            return Ok(());
        }
        let entry = self.entry.clone();
        let missing =
            blocking(move || missing::missing_in(&entry.path, due).map_err(failed("read", &entry.path)))
                .await?;
        if missing.is_empty() {
            return Ok(());
        }
        let begin = if self.writing.at_line_start { "" } else { "\n" };
        // The length is measured by now, so that this is no circle.
        Box::pin(self.append(format!("{begin}{missing}").into())).await?;
        Ok(())
    }

    pub(crate) fn owner(&self) -> Option<&Attempt> {
        self.writing.owner.as_ref()
    }

    pub(crate) fn set_owner(&mut self, owner: Option<Attempt>) {
        self.writing.owner = owner;
    }

    /// Appends bytes and announces the new length, which it gives. After a failure the log is as
    /// it was before.
    pub(crate) async fn append(&mut self, part: Bytes) -> Result<u64, LogError> {
        let offset = self.length().await?;
        let Some(last) = part.last().copied() else {
            return Ok(offset);
        };
        let end = offset + part.len() as u64;
        let (part, begin) = match self.writing.unwritten.len() {
            0 => (part, offset),
            _ => ([&self.writing.unwritten[..], &part].concat().into(), 0),
        };
        let file = self.file().await?;
        let entry = self.entry.clone();
        blocking(move || {
            file.write_all_at(&part, begin).map_err(|source| {
                // Cut back to what is committed; what cannot be cut is overwritten by the next append,
                // and nobody reads beyond the committed length.
                if let Err(error) = file.set_len(begin) {
                    tracing::error!(path = %entry.path.display(), %error, "a log could not be cut back");
                }
                failed("append to", &entry.path)(source)
            })
        })
        .await?;
        polyphemus_fault::point("log.appended");
        self.writing.unwritten.clear();
        self.writing.at_line_start = last == b'\n';
        self.entry.announce(end);
        Ok(end)
    }

    /// Appends lines of the server itself, each with the time, on lines of their own.
    pub(crate) async fn append_lines(&mut self, now_ms: i64, lines: &[String]) -> Result<u64, LogError> {
        self.length().await?;
        let mut text = text(now_ms, lines);
        if !self.writing.at_line_start {
            text.insert(0, '\n');
        }
        self.append(text.into()).await
    }

    /// Returns when everything that was appended is on the disk.
    pub(crate) async fn sync(&mut self) -> Result<(), LogError> {
        let length = self.length().await?;
        if length == self.writing.unwritten.len() as u64 {
            return Ok(());
        }
        let (file, entry) = (self.file().await?, self.entry.clone());
        blocking(move || file.sync_data().map_err(failed("write to disk", &entry.path))).await
    }

    /// Deletes the log of a job that is deleted already.
    pub(crate) async fn delete(mut self) -> Result<(), LogError> {
        self.writing.file = None;
        self.writing.unwritten.clear();
        self.entry.announce(0);
        let entry = self.entry.clone();
        blocking(move || match std::fs::remove_file(&entry.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("delete", &entry.path)(error))
            }
            _ => Ok(()),
        })
        .await
    }

    async fn file(&mut self) -> Result<Arc<File>, LogError> {
        if let Some(file) = &self.writing.file {
            return Ok(file.clone());
        }
        let entry = self.entry.clone();
        let file = blocking(move || {
            File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&entry.path)
                .map_err(failed("open", &entry.path))
        })
        .await?;
        let file = Arc::new(file);
        self.writing.file = Some(file.clone());
        Ok(file)
    }
}

/// Lines of the server itself, each with the time.
fn text(at_ms: i64, lines: &[String]) -> String {
    let time = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut text = String::new();
    for line in lines {
        let line = line.replace(['\n', '\r'], " ");
        writeln!(text, "{time:.3} {line}").expect("writing to a String cannot fail");
    }
    text
}

/// What there is of a log's file.
enum Found {
    /// No file, or one whose first append a crash cut off: it has not even the whole acceptance.
    Nothing,
    Begun {
        length: u64,
        at_line_start: bool,
    },
}

/// Looks at the file of a log that begins with `begins`.
fn measure(path: &Path, begins: &[u8]) -> Result<Found, LogError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(failed("open", path)(error)),
    };
    let length = file.metadata().map_err(failed("look at", path))?.len();
    if length < begins.len() as u64 {
        let torn = std::fs::read(path).map_err(failed("read", path))?;
        if begins.starts_with(&torn) {
            return Ok(Found::Nothing);
        }
    }
    let at_line_start = match length.checked_sub(1) {
        None => true,
        Some(last) => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, last)
                .map_err(failed("read", path))?;
            byte == *b"\n"
        }
    };
    Ok(Found::Begun {
        length,
        at_line_start,
    })
}

/// `None` if the file is not there or does not reach so far.
async fn read_file(entry: Arc<Entry>, from: u64, length: u64) -> Result<Option<Bytes>, LogError> {
    blocking(move || {
        let file = match File::open(&entry.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed("open", &entry.path))?,
        };
        let mut part = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        match file.read_exact_at(&mut part, from) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(failed("read", &entry.path)(error)),
            Ok(()) => Ok(Some(part.into())),
        }
    })
    .await
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_owned();
    move |source| LogError { doing, path, source }
}

/// Runs `work` on a thread for blocking work.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(LogError {
                doing: "use, because the server is shutting down,",
                path: PathBuf::from("the log"),
                source: io::ErrorKind::Interrupted.into(),
            }),
        },
    }
}
