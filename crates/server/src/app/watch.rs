//! Who waits for something to happen to a job: a watch for each job that somebody looks at now.

use polyphemus_core::JobId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The number of watches at which those that nobody looks at any more are dropped.
const SWEEP_AT: usize = 1024;

/// The number of the latest event, of each watched job and of all.
#[derive(Debug, Default)]
pub(super) struct Watches {
    jobs: Mutex<HashMap<JobId, watch::Sender<i64>>>,
    all: watch::Sender<i64>,
}

impl Watches {
    pub(super) fn subscribe(&self, job: &JobId) -> watch::Receiver<i64> {
        let mut watches = self.lock();
        if watches.len() >= SWEEP_AT {
            watches.retain(|_, watch| watch.receiver_count() > 0);
        }
        watches
            .entry(job.clone())
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    /// Has all that watch the job look again, though there is no new event.
    pub(super) fn poke(&self, job: &JobId) {
        let watches = self.lock();
        if let Some(watch) = watches.get(job) {
            watch.send_modify(|_| {});
        }
    }

    /// Announces an event; those of one job may come in any order.
    pub(super) fn announce(&self, job: &JobId, sequence: i64) {
        raise(&self.all, sequence);
        let mut watches = self.lock();
        let Some(watch) = watches.get(job) else {
            return;
        };
        if watch.receiver_count() == 0 {
            watches.remove(job);
            return;
        }
        raise(watch, sequence);
    }

    /// The job is gone: whoever looks at it is to look again.
    pub(super) fn forget(&self, job: &JobId) {
        if let Some(watch) = self.lock().remove(job) {
            watch.send_modify(|_| {});
        }
    }

    pub(super) fn all(&self) -> watch::Receiver<i64> {
        self.all.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<i64>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn raise(watch: &watch::Sender<i64>, sequence: i64) {
    watch.send_if_modified(|latest| {
        let newer = sequence > *latest;
        *latest = (*latest).max(sequence);
        newer
    });
}
