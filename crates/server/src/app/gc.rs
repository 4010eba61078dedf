//! What is not needed any more goes: jobs that are not kept longer, then contents that no job refers to.

use super::{App, AppError, now_ms};
use crate::reconcile;
use polyphemus_api::gc::Collection;

/// Jobs that are deleted in one turn, so that what else must happen is not kept waiting.
const TURN: u32 = 200;

impl App {
    /// Deletes the jobs that ended longest ago of those that are not kept any longer, at most so many as
    /// one turn takes. Gives how many.
    pub(crate) async fn delete_old_jobs(&self) -> Result<u64, AppError> {
        let Some(before_ms) = self.not_kept() else {
            return Ok(0);
        };
        let mut deleted = 0;
        for job in &self.0.store.job_list_ended(before_ms, TURN).await? {
            match self.delete(job).await {
                Ok(()) => deleted += 1,
                // Deleted, or entered again, by somebody else in the meantime.
                Err(AppError::NotFound { .. } | AppError::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(deleted)
    }

    /// Deletes now what is not needed any more, or tells what that is.
    pub async fn gc(&self, dry_run: bool) -> Result<Collection, AppError> {
        let mut jobs = 0;
        match (dry_run, self.not_kept()) {
            (true, Some(before_ms)) => jobs = self.0.store.job_count_ended(before_ms).await?,
            (true, None) => {}
            (false, _) => loop {
                match self.delete_old_jobs().await? {
                    0 => break,
                    deleted => jobs += deleted,
                }
            },
        }
        let collected = match dry_run {
            true => reconcile::survey_blobs(self).await?,
            false => reconcile::collect_blobs(self).await?,
        };
        Ok(Collection {
            jobs,
            contents: collected.deleted,
            bytes: collected.freed_bytes,
            kept: collected.kept,
        })
    }

    /// What ended before this time goes.
    fn not_kept(&self) -> Option<i64> {
        let keep = self.0.config.keep_jobs?;
        Some(now_ms() - super::ms(keep))
    }
}
