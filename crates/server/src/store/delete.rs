//! A job's deletion: all its rows at once. Its numbers are not given again.

use super::job::job_key;
use super::writer::{Command, Tx};
use super::{StoreError, query};
use crate::app::AppError;
use polyphemus_core::JobId;

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
