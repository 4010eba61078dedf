//! Who waits for something to happen to a job: a watch for each job that somebody looks at now.

use polyphemus_core::JobId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// The number of watches at which those that nobody looks at any more are dropped.
const SWEEP_AT: usize = 1024;

/// The number of the latest event of each watched job.
#[derive(Debug, Default)]
pub(super) struct Watches(Mutex<HashMap<JobId, watch::Sender<i64>>>);

impl Watches {
    pub(super) fn subscribe(&self, job: &JobId) -> watch::Receiver<i64> {
        let mut watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = watches.get(job) {
            watch.send_modify(|_| {});
        }
    }

    /// Announces an event; those of one job may come in any order.
    pub(super) fn announce(&self, job: &JobId, sequence: i64) {
        let mut watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(watch) = watches.get(job) else {
            return;
        };
        if watch.receiver_count() == 0 {
            watches.remove(job);
            return;
        }
        watch.send_if_modified(|latest| {
            let newer = sequence > *latest;
            *latest = (*latest).max(sequence);
            newer
        });
    }
}
