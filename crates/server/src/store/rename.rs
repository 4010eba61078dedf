//! A job's new name: the row and an event about it, so that whoever watches the job sees it change.

use super::event::event_insert;
use super::job::job_key;
use super::stage::stage_list_of_job;
use super::writer::{Command, Tx};
use super::{StoreError, query, unreadable};
use polyphemus_core::{JobId, StageState};

/// Gives a job another title. Touches nothing else of it, so that no stage at work is disturbed.
#[derive(Debug)]
pub(crate) struct RenameJob {
    pub(crate) job: JobId,
    pub(crate) title: String,
    pub(crate) now_ms: i64,
    /// For people.
    pub(crate) message: String,
}

#[derive(Debug)]
pub(crate) struct Renamed {
    pub(crate) event: i64,
    /// Whether an attempt is at work on the job.
    pub(crate) is_running: bool,
}

impl Command for RenameJob {
    type Done = Renamed;

    async fn run(&self, tx: &mut Tx) -> Result<Renamed, StoreError> {
        let key = job_key(tx, &self.job).await?;
        let rows = stage_list_of_job(tx.connection(), key.seq).await?;
        // Events are of a stage: of the one that the job is at.
        let at = rows
            .iter()
            .find(|row| !matches!(row.stage.state, StageState::Succeeded { .. }))
            .or(rows.last())
            .ok_or_else(|| unreadable("a job", "it has no stage"))?;
        sqlx::query(query::JOB_RENAME)
            .bind(&self.title)
            .bind(key.seq)
            .execute(tx.connection())
            .await?;
        let event = event_insert(tx, key.seq, self.now_ms, key.state, &at.stage, &self.message).await?;
        let running = |state: &StageState| matches!(state, StageState::Running { .. });
        Ok(Renamed {
            event,
            is_running: rows.iter().any(|row| running(&row.stage.state)),
        })
    }
}
