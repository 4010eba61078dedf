//! What waits for a worker, with the names of the jobs.

use super::job::read_id;
use super::stage::from_json;
use super::{Store, StoreError, query};
use polyphemus_core::{Cause, JobId};
use sqlx::Row as _;

/// A stage in the queue of its shape.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) job_seq: i64,
    pub(crate) job: JobId,
    pub(crate) title: String,
    pub(crate) not_before_ms: i64,
    /// Why the last attempt failed.
    pub(crate) cause: Option<Cause>,
}

impl Store {
    /// The first `most` stages of a shape in the order in which they are handed out, also those whose
    /// time has not come.
    pub(crate) async fn queue_list(&self, needs_key: &str, most: u32) -> Result<Vec<Queued>, StoreError> {
        let rows = sqlx::query(query::STAGE_QUEUE)
            .bind(needs_key)
            .bind(i64::from(most))
            .fetch_all(&self.reads)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Queued {
                    job_seq: row.try_get(0)?,
                    job: read_id(row.try_get(1)?)?,
                    title: row.try_get(2)?,
                    not_before_ms: row.try_get(3)?,
                    cause: from_json("a stage's cause", row.try_get(4)?)?,
                })
            })
            .collect()
    }
}
