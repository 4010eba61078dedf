//! A job whose rows cannot be read any more must not stand in the way of all others: what has not ended
//! of it fails, by row and not by what the rows say.

use super::writer::{Command, Tx};
use super::{StoreError, query};
use polyphemus_core::{Cause, CauseKind, JobState};
use sqlx::Row as _;

/// Ends all stages of a job that have not ended.
#[derive(Debug)]
pub(crate) struct SetAside {
    pub(crate) job_seq: i64,
    pub(crate) now_ms: i64,
    /// What cannot be read, and why.
    pub(crate) why: String,
}

impl Command for SetAside {
    type Done = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let cause = Cause::new(
            CauseKind::CorruptContent,
            format!(
                "the job's record in the database is damaged ({}); run `polyphemus fsck`, and submit the design \
                 again",
                self.why
            ),
        );
        let cause = serde_json::to_string(&cause).map_err(|error| super::unreadable("a cause", error))?;
        sqlx::query(query::STAGE_SET_ASIDE)
            .bind(cause)
            .bind(self.now_ms)
            .bind(self.job_seq)
            .execute(tx.connection())
            .await?;
        let row = sqlx::query(query::JOB_ID_BY_SEQ)
            .bind(self.job_seq)
            .fetch_one(tx.connection())
            .await?;
        // Only what was counted is taken from the count.
        if let Ok(counted) = super::job_state(row.try_get(1)?) {
            tx.count(counted, -1);
            tx.count(JobState::Failed, 1);
        }
        sqlx::query(query::JOB_STATE_UPDATE)
            .bind(JobState::Failed.as_str())
            .bind(self.now_ms)
            .bind(self.job_seq)
            .execute(tx.connection())
            .await?;
        Ok(())
    }
}
