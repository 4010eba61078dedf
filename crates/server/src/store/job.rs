//! Jobs in the database: the row and the lists.

use super::writer::Tx;
use super::{Store, StoreError, job_state, query, unreadable};
use crate::app::AppError;
use polyphemus_api::job::JobRow as JobLine;
use polyphemus_core::flow::{Flow, JobOptions};
use polyphemus_core::{JobId, JobState, Plan, Stage, TreeHash};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use std::collections::BTreeMap;

/// A job without its stages.
#[derive(Debug, Clone)]
pub(crate) struct JobRow {
    pub(crate) seq: i64,
    pub(crate) id: JobId,
    pub(crate) title: String,
    pub(crate) state: JobState,
    pub(crate) submitted_ms: i64,
    pub(crate) finished_ms: Option<i64>,
    pub(crate) options: JobOptions,
    pub(crate) plan: Plan,
    pub(crate) tree: TreeHash,
    /// As [`JobKey::ended_as`].
    pub(crate) ended_as: Option<JobState>,
}

/// What a change needs to know of a job.
#[derive(Debug, Clone)]
pub(super) struct JobKey {
    pub(super) seq: i64,
    pub(super) state: JobState,
    /// The word that a user gave it before it had ended, shown where it would be `cancelled`.
    pub(super) ended_as: Option<JobState>,
}

impl JobKey {
    /// Of a row of a number or an id, a state and an ending.
    pub(super) fn read(seq: i64, row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            seq,
            state: job_state(row.try_get(1)?)?,
            ended_as: read_ended_as(row.try_get(2)?)?,
        })
    }
}

fn read_ended_as(word: Option<String>) -> Result<Option<JobState>, StoreError> {
    word.map(job_state).transpose()
}

/// The state of a job with these stages to which a user gave such a word.
pub(crate) fn state_of(stages: &[Stage], ended_as: Option<JobState>) -> JobState {
    match (JobState::of(stages), ended_as) {
        (JobState::Cancelled, Some(word)) => word,
        (state, _) => state,
    }
}

impl Store {
    pub(crate) async fn job(&self, id: &JobId) -> Result<Option<JobRow>, StoreError> {
        let row = sqlx::query(query::JOB_BY_ID)
            .bind(id.as_str())
            .fetch_optional(&self.reads)
            .await?;
        row.as_ref().map(read_job).transpose()
    }

    pub(crate) async fn job_seq(&self, id: &JobId) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query(query::JOB_KEY_BY_ID)
            .bind(id.as_str())
            .fetch_optional(&self.reads)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub(crate) async fn job_counts(&self) -> Result<BTreeMap<JobState, u64>, StoreError> {
        let rows = sqlx::query(query::JOB_COUNTS).fetch_all(&self.reads).await?;
        let counts = rows.iter().map(|row| {
            let count: i64 = row.try_get(1)?;
            Ok((job_state(row.try_get(0)?)?, u64::try_from(count).unwrap_or(0)))
        });
        counts.collect()
    }

    /// The trees of the jobs and of all their stages, `most` jobs after the one with the sequence
    /// number `after`; also the sequence number to go on from, `None` at the end.
    pub(crate) async fn job_trees(
        &self,
        after: i64,
        most: u32,
    ) -> Result<(Vec<TreeHash>, Option<i64>), StoreError> {
        let jobs = sqlx::query(query::JOB_TREES)
            .bind(after)
            .bind(i64::from(most))
            .fetch_all(&self.reads)
            .await?;
        let Some(last) = jobs.last() else {
            return Ok((Vec::new(), None));
        };
        let last: i64 = last.try_get(0)?;
        let stages = sqlx::query(query::STAGE_TREES)
            .bind(after)
            .bind(last)
            .fetch_all(&self.reads)
            .await?;
        let of_jobs = jobs.iter().map(|row| row.try_get(1));
        let of_stages = stages.iter().map(|row| row.try_get(0));
        let trees = of_jobs.chain(of_stages).map(|text| read_tree(text?));
        Ok((trees.collect::<Result<_, _>>()?, Some(last)))
    }
}

pub(super) async fn job_key(tx: &mut Tx, id: &JobId) -> Result<JobKey, StoreError> {
    let row = sqlx::query(query::JOB_KEY_BY_ID)
        .bind(id.as_str())
        .fetch_optional(tx.connection())
        .await?
        .ok_or_else(|| StoreError::Refused(AppError::no_job(id)))?;
    JobKey::read(row.try_get(0)?, &row)
}

pub(super) fn read_tree(text: String) -> Result<TreeHash, StoreError> {
    text.parse().map_err(|error| unreadable("a tree's hash", error))
}

pub(super) fn read_job(row: &AnyRow) -> Result<JobRow, StoreError> {
    let (options, plan): (String, String) = (row.try_get(6)?, row.try_get(7)?);
    Ok(JobRow {
        seq: row.try_get(0)?,
        id: read_id(row.try_get(1)?)?,
        title: row.try_get(2)?,
        state: job_state(row.try_get(3)?)?,
        submitted_ms: row.try_get(4)?,
        finished_ms: row.try_get(5)?,
        options: serde_json::from_str(&options).map_err(|error| unreadable("a job's options", error))?,
        plan: serde_json::from_str(&plan).map_err(|error| unreadable("a job's plan", error))?,
        tree: read_tree(row.try_get(8)?)?,
        ended_as: read_ended_as(row.try_get(9)?)?,
    })
}

pub(super) fn read_line(row: &AnyRow) -> Result<JobLine, StoreError> {
    let flow: String = row.try_get(4)?;
    let flow = Flow::ALL.into_iter().find(|known| known.as_str() == flow);
    Ok(JobLine {
        id: read_id(row.try_get(1)?)?,
        title: row.try_get(2)?,
        state: job_state(row.try_get(3)?)?,
        flow: flow.ok_or_else(|| unreadable("a job's flow", "it is unknown"))?,
        mode: row.try_get(5)?,
        submitted_ms: row.try_get(6)?,
        finished_ms: row.try_get(7)?,
    })
}

pub(super) fn read_id(text: String) -> Result<JobId, StoreError> {
    text.parse().map_err(|error| unreadable("a job's id", error))
}
