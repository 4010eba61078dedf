//! The log of one attempt: spooled on this worker's disk, so that a server that is away costs nothing,
//! and sent from there. The only place that knows what is committed.

use crate::backoff::{GivenUp, chain, patiently};
use crate::stop::Stop;
use bytes::Bytes;
use polyphemus_api::Client;
use polyphemus_api::client::AttemptRef;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

const PART_BYTES: usize = 64 * 1024;
/// A part is sent this long after the one before it, or when it is full.
const PART_EVERY: Duration = Duration::from_millis(50);

/// What is written to it is sent in the background; clones write to the same log.
#[derive(Debug, Clone)]
pub struct Log {
    spool: Arc<Spool>,
}

#[derive(Debug)]
struct Spool {
    file: Mutex<File>,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    written_bytes: u64,
    is_closed: bool,
}

/// Where the log goes.
#[derive(Debug)]
pub struct Destination {
    pub client: Client,
    pub attempt: AttemptRef,
    /// Where this attempt's log begins in the log of the job, in bytes.
    pub begin: u64,
    pub stop: Stop,
}

impl Log {
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .create_new(true)
            .read(true)
            .append(true)
            .open(path)?;
        Ok(Self {
            spool: Arc::new(Spool {
                file: Mutex::new(file),
                state: watch::Sender::default(),
            }),
        })
    }

    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut file = self.spool.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(bytes)?;
        self.spool
            .state
            .send_modify(|state| state.written_bytes += bytes.len() as u64);
        Ok(())
    }

    pub fn line(&self, text: &str) -> io::Result<()> {
        self.write(format!("{text}\n").as_bytes())
    }

    /// Nothing is written after this; [`Log::send`] ends when all is sent.
    pub fn close(&self) {
        self.spool.state.send_modify(|state| state.is_closed = true);
    }

    /// Sends all that is written, until the log is closed and committed. A sentence comes back where
    /// the server refuses to take the rest.
    pub async fn send(self, to: Destination) -> Option<String> {
        let mut state = self.spool.state.subscribe();
        let mut sent_bytes = 0;
        // What a short stage says is one part.
        let mut next = Instant::now() + PART_EVERY;
        loop {
            let waited = state.wait_for(|state| state.written_bytes > sent_bytes || state.is_closed);
            let now = match waited.await {
                Ok(now) => *now,
                Err(_) => return None,
            };
            if now.written_bytes == sent_bytes {
                return None;
            }
            if now.written_bytes - sent_bytes < PART_BYTES as u64 && !now.is_closed {
                let full = state.wait_for(|state| {
                    state.is_closed || state.written_bytes - sent_bytes >= PART_BYTES as u64
                });
                // Whichever comes first: time, a full part, or the end.
                let _ = tokio::time::timeout_at(next, full).await;
            }
            match self.send_part(&to, sent_bytes).await {
                Ok(committed) => {
                    polyphemus_fault::point("worker.log_sent");
                    sent_bytes = committed;
                }
                Err(Refused::Stopped) => return None,
                Err(Refused::Why(why)) => return Some(why),
            }
            next = Instant::now() + PART_EVERY;
        }
    }

    /// Sends what begins at `from` (an offset in the spool) and gives the offset to go on from.
    async fn send_part(&self, to: &Destination, from: u64) -> Result<u64, Refused> {
        let part = self
            .read(from)
            .map_err(|error| Refused::Why(format!("its spool cannot be read ({error})")))?;
        let offset = to.begin + from;
        let part = &part;
        let answer = patiently(&to.stop, || async move {
            match to.client.log_append(&to.attempt, offset, part.clone()).await {
                // An answer that was lost: what was sent before is there already, or only a part of it.
                Err(error) => error.committed_bytes().ok_or(error),
                committed => committed,
            }
        });
        let committed = match answer.await {
            Ok(committed) => committed,
            Err(GivenUp::Stopped) => return Err(Refused::Stopped),
            Err(GivenUp::Client(error)) => return Err(Refused::Why(chain(&error))),
        };
        let written = self.spool.state.borrow().written_bytes;
        match committed.checked_sub(to.begin) {
            Some(place) if place <= written => Ok(place),
            _ => Err(Refused::Why(format!(
                "the server has {committed} bytes of it, which is not what was sent"
            ))),
        }
    }

    fn read(&self, from: u64) -> io::Result<Bytes> {
        let mut part = vec![0; PART_BYTES];
        let file = self.spool.file.lock().unwrap_or_else(PoisonError::into_inner);
        let count = file.read_at(&mut part, from)?;
        part.truncate(count);
        Ok(part.into())
    }
}

enum Refused {
    /// The attempt ends, and its log with it.
    Stopped,
    Why(String),
}
