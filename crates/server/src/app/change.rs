//! The one way by which a job changes: under the lock of its log, so that who may write to the log
//! changes at the same moment; then its watchers and the waiting claims are told.

use super::waiting::Ready;
use super::{App, AppError, now_ms};
use crate::log::LockedLog;
use crate::store::{Change, ChangeJob, Changed, StageRow};
use polyphemus_core::{JobId, StageState};
use std::sync::atomic::Ordering;

impl App {
    /// Makes a change, writes what it means into the log, and tells who waits for it. To be run to
    /// its end.
    pub(crate) async fn change(&self, job: &JobId, change: Change) -> Result<Changed, AppError> {
        let log = self.0.logs.lock(job).await;
        self.change_locked(job, change, log, None).await
    }

    /// The same with a remark that says in the log who asked for it.
    pub(super) async fn change_with(
        &self,
        job: &JobId,
        change: Change,
        remark: Option<String>,
    ) -> Result<Changed, AppError> {
        let log = self.0.logs.lock(job).await;
        self.change_locked(job, change, log, remark).await
    }

    pub(super) async fn change_locked(
        &self,
        job: &JobId,
        change: Change,
        mut log: LockedLog,
        remark: Option<String>,
    ) -> Result<Changed, AppError> {
        if change.ends_attempt() {
            // What the attempt has written must not be lost behind the end that it led to.
            log.sync().await?;
            polyphemus_fault::point("change.log_synced");
        }
        let now_ms = now_ms();
        let drops_trees = matches!(change, Change::Retry { .. });
        let change = ChangeJob {
            job: job.clone(),
            change,
            now_ms,
        };
        let changed = self.0.store.write(change).await?;
        polyphemus_fault::point("change.committed");
        if drops_trees {
            self.0.trees_dropped.store(true, Ordering::Relaxed);
        }
        if !changed.is_running() {
            log.set_owner(None);
            let mut written = self.0.remarks.take(job);
            written.extend(remark);
            written.extend(lines(&changed));
            // The change is committed, and its events say the same: it stands without these lines.
            if let Err(error) = log.append_lines(now_ms, &written).await {
                tracing::error!(%job, %error, "what happened to a job is missing from its log");
            }
            polyphemus_fault::point("change.logged");
        } else if let Some(remark) = remark {
            self.0.remarks.keep(job, now_ms, &remark);
        }
        drop(log);
        self.tell(job, &changed);
        Ok(changed)
    }

    /// Tells the watchers of the job, the claims that can have what became ready, and the reconcilers.
    pub(super) fn tell(&self, job: &JobId, changed: &Changed) {
        self.count_ended(changed);
        if let Some(event) = changed.event {
            self.0.watches.announce(job, event);
        }
        if changed.old.iter().any(is_shown) && !changed.new.iter().any(is_shown) {
            self.0.looks.end(job);
        }
        let now_ms = now_ms();
        for (old, new) in changed.old.iter().zip(&changed.new) {
            match new.stage.state {
                StageState::Queued { not_before_ms } if new.stage != old.stage => {
                    if not_before_ms > now_ms {
                        self.0.changed.notify_one();
                    } else if let Some(shape) = self.0.store.shape(&new.needs_key) {
                        self.0.waiting.wake(Ready {
                            job_seq: changed.job_seq,
                            position: new.position,
                            shape,
                        });
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether the files of the stage can be looked at: an attempt is at work and is to go on.
fn is_shown(row: &StageRow) -> bool {
    let state = &row.stage.state;
    matches!(state, StageState::Running { .. }) && !super::attempt::is_cancelled(Some(state))
}

impl Changed {
    /// Whether an attempt is still at work on the job.
    fn is_running(&self) -> bool {
        let running = |state: &StageState| matches!(state, StageState::Running { .. });
        self.new.iter().any(|row| running(&row.stage.state))
    }
}

/// What a change means, for the log.
pub(super) fn lines(changed: &Changed) -> Vec<String> {
    let mut lines = changed.messages.clone();
    if changed.after != changed.before {
        lines.push(format!("state changed to {}", changed.after));
    }
    lines
}
