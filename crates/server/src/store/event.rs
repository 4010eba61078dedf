//! Events: what happened to the stages of a job, numbered in the order of commits.

use super::job::read_id;
use super::writer::Tx;
use super::{Store, StoreError, job_state, query, stage_name};
use polyphemus_api::event::StateEvent;
use polyphemus_core::{JobId, JobState, Stage, StageState};
use sqlx::Row as _;
use sqlx::any::AnyRow;

/// Appends an event about a stage and gives its number.
pub(super) async fn event_insert(
    tx: &mut Tx,
    job_seq: i64,
    at_ms: i64,
    job_state: JobState,
    stage: &Stage,
    message: &str,
) -> Result<i64, StoreError> {
    let sequence = tx.next("event").await?;
    let attempt = match stage.state {
        StageState::Running { attempt, .. } => Some(i64::from(attempt)),
        _ => None,
    };
    sqlx::query(query::EVENT_INSERT)
        .bind(job_seq)
        .bind(sequence)
        .bind(at_ms)
        .bind(job_state.as_str())
        .bind(stage.name.as_str())
        .bind(stage.state.word())
        .bind(attempt)
        .bind(message)
        .execute(tx.connection())
        .await?;
    Ok(sequence)
}

impl Store {
    /// At most `most` events of a job with numbers above `after`; `None` without such a job.
    pub(crate) async fn event_list(
        &self,
        id: &JobId,
        after: i64,
        most: u32,
    ) -> Result<Option<Vec<StateEvent>>, StoreError> {
        let Some(job_seq) = self.job_seq(id).await? else {
            return Ok(None);
        };
        let rows = sqlx::query(query::EVENT_LIST)
            .bind(job_seq)
            .bind(after)
            .bind(i64::from(most))
            .fetch_all(&self.reads)
            .await?;
        let events = rows.iter().map(|row| read_event(row, id.clone()));
        events.collect::<Result<_, StoreError>>().map(Some)
    }

    /// At most `most` events of a job, the latest first.
    pub(crate) async fn event_latest(&self, id: &JobId, most: u32) -> Result<Vec<StateEvent>, StoreError> {
        let Some(job_seq) = self.job_seq(id).await? else {
            return Ok(Vec::new());
        };
        let rows = sqlx::query(query::EVENT_LATEST)
            .bind(job_seq)
            .bind(i64::from(most))
            .fetch_all(&self.reads)
            .await?;
        rows.iter().map(|row| read_event(row, id.clone())).collect()
    }

    /// At most `most` events of all jobs with numbers above `after`.
    pub(crate) async fn event_page(&self, after: i64, most: u32) -> Result<Vec<StateEvent>, StoreError> {
        let rows = sqlx::query(query::EVENT_PAGE)
            .bind(after)
            .bind(i64::from(most))
            .fetch_all(&self.reads)
            .await?;
        let events = rows.iter().map(|row| read_event(row, read_id(row.try_get(7)?)?));
        events.collect()
    }

    /// The number of the latest event of a job; `None` without such a job.
    pub(crate) async fn event_last(&self, id: &JobId) -> Result<Option<i64>, StoreError> {
        let Some(job_seq) = self.job_seq(id).await? else {
            return Ok(None);
        };
        let row = sqlx::query(query::EVENT_LAST)
            .bind(job_seq)
            .fetch_one(&self.reads)
            .await?;
        let last: Option<i64> = row.try_get(0)?;
        Ok(Some(last.unwrap_or(0)))
    }
}

fn read_event(row: &AnyRow, job: JobId) -> Result<StateEvent, StoreError> {
    let attempt: Option<i64> = row.try_get(5)?;
    Ok(StateEvent {
        sequence: row.try_get(0)?,
        at_ms: row.try_get(1)?,
        job,
        job_state: job_state(row.try_get(2)?)?,
        stage: stage_name(row.try_get(3)?)?,
        stage_state: row.try_get(4)?,
        attempt: attempt.and_then(|attempt| u32::try_from(attempt).ok()),
        message: row.try_get(6)?,
    })
}
