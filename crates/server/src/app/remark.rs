//! Lines for the log of a job that must wait: while an attempt writes to it, the log is its own.

use jiff::Timestamp;
use polyphemus_core::JobId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Remarks on one job that are kept; what one does to a job while a stage runs is little.
const KEPT: usize = 100;

/// What is to be written when the attempt ends. It is in memory only: the events of the job, which
/// are stored, say the same.
#[derive(Debug, Default)]
pub(super) struct Remarks(Mutex<HashMap<JobId, Vec<String>>>);

impl Remarks {
    /// Keeps a remark, with the time, until the attempt at work on the job has ended.
    pub(super) fn keep(&self, job: &JobId, at_ms: i64, remark: &str) {
        let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut jobs = self.lock();
        let kept = jobs.entry(job.clone()).or_default();
        if kept.len() < KEPT {
            kept.push(format!("{remark} (at {at:.0})"));
        }
    }

    /// Those on the job, which are kept no longer.
    pub(super) fn take(&self, job: &JobId) -> Vec<String> {
        self.lock().remove(job).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Vec<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
