//! A job's deletion: all its rows at once. Its numbers are not given again.

use super::job::{job_key, read_id};
use super::writer::{Command, Tx};
use super::{Store, StoreError, query};
use crate::app::AppError;
use polyphemus_core::JobId;
use sqlx::Row as _;

/// Deletes a job that is over; refused for any other.
#[derive(Debug)]
pub(crate) struct DeleteJob {
    pub(crate) job: JobId,
}

impl Command for DeleteJob {
    type Done = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let key = job_key(tx, &self.job).await?;
        if !key.state.is_terminal() {
            return Err(StoreError::Refused(AppError::Conflict(format!(
                "job {} is not over yet (it is in state {}); cancel it first, or say that it is to be \
                 cancelled (`?cancel=true`, `polyphemus delete --cancel`)",
                self.job, key.state
            ))));
        }
        for rows in [
            query::EVENT_DELETE_OF_JOB,
            query::STAGE_DELETE_OF_JOB,
            query::JOB_DELETE,
        ] {
            sqlx::query(rows).bind(key.seq).execute(tx.connection()).await?;
        }
        tx.count(key.state, -1);
        Ok(())
    }
}

impl Store {
    /// At most `most` jobs that ended before `before_ms`, the oldest first.
    pub(crate) async fn job_list_ended(&self, before_ms: i64, most: u32) -> Result<Vec<JobId>, StoreError> {
        let rows = sqlx::query(query::JOB_LIST_ENDED)
            .bind(before_ms)
            .bind(i64::from(most))
            .fetch_all(&self.reads)
            .await?;
        rows.iter().map(|row| read_id(row.try_get(0)?)).collect()
    }

    /// How many jobs ended before `before_ms`. Costs as much as there are such jobs.
    pub(crate) async fn job_count_ended(&self, before_ms: i64) -> Result<u64, StoreError> {
        let row = sqlx::query(query::JOB_COUNT_ENDED)
            .bind(before_ms)
            .fetch_one(&self.reads)
            .await?;
        let count: i64 = row.try_get(0)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
