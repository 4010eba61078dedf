//! Jobs in the database: the row, its insertion, the lists.

use super::event::event_insert;
use super::shape::{Shape, shape_insert};
use super::writer::{Command, Tx};
use super::{Store, StoreError, job_state, query, unreadable};
use crate::app::AppError;
use polyphemus_api::job::JobRow as JobLine;
use polyphemus_core::flow::{Flow, JobOptions};
use polyphemus_core::{JobId, JobState, Plan, StageState, TreeHash, job};
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
}

/// What a change needs to know of a job.
#[derive(Debug, Clone)]
pub(super) struct JobKey {
    pub(super) seq: i64,
    pub(super) state: JobState,
}

/// Inserts a job with its stages, the first of them queued, and its first event.
/// Gives the event's number.
#[derive(Debug)]
pub(crate) struct InsertJob {
    pub(crate) id: JobId,
    pub(crate) title: String,
    pub(crate) submitted_ms: i64,
    /// JSON
    pub(crate) options: String,
    pub(crate) flow: Flow,
    pub(crate) mode: String,
    /// JSON
    pub(crate) plan: String,
    pub(crate) tree: TreeHash,
    /// One for each stage, in the order of the plan.
    pub(crate) shapes: Vec<Shape>,
    /// Whether all shapes are in the database already.
    pub(crate) shapes_known: bool,
    pub(crate) message: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Inserted {
    pub(crate) seq: i64,
    pub(crate) event: i64,
}

impl Command for InsertJob {
    type Done = Inserted;

    async fn run(&self, tx: &mut Tx) -> Result<Inserted, StoreError> {
        let names: Vec<_> = self.shapes.iter().map(|shape| shape.stage).collect();
        let stages = job::first_stages(&names, self.submitted_ms);
        let state = JobState::of(&stages);
        let seq = tx.next("job").await?;
        let inserted = sqlx::query(query::JOB_INSERT)
            .bind(seq)
            .bind(self.id.as_str())
            .bind(&self.title)
            .bind(state.as_str())
            .bind(self.submitted_ms)
            .bind(self.flow.as_str())
            .bind(&self.mode)
            .bind(&self.options)
            .bind(&self.plan)
            .bind(self.tree.as_str())
            .execute(tx.connection())
            .await?;
        if inserted.rows_affected() == 0 {
            return Err(StoreError::Refused(AppError::Conflict(format!(
                "there is a job {} already",
                self.id
            ))));
        }
        for ((position, stage), shape) in stages.iter().enumerate().zip(&self.shapes) {
            if !self.shapes_known {
                shape_insert(tx, shape).await?;
            }
            let not_before_ms = match stage.state {
                StageState::Queued { not_before_ms } => Some(not_before_ms),
                _ => None,
            };
            sqlx::query(query::STAGE_INSERT)
                .bind(seq)
                .bind(position as i64)
                .bind(stage.name.as_str())
                .bind(&shape.key)
                .bind(stage.state.word())
                .bind(not_before_ms)
                .execute(tx.connection())
                .await?;
        }
        let first = stages
            .first()
            .ok_or_else(|| unreadable("a plan", "it has no stage"))?;
        let event = event_insert(tx, seq, self.submitted_ms, state, first, &self.message).await?;
        tx.count(state, 1);
        Ok(Inserted { seq, event })
    }
}

impl Store {
    /// Inserts a job; afterwards its shapes can be claimed.
    pub(crate) async fn job_insert(&self, mut insert: InsertJob) -> Result<Inserted, StoreError> {
        let shapes = insert.shapes.clone();
        insert.shapes_known = shapes.iter().all(|shape| self.shape(&shape.key).is_some());
        let inserted = self.write(insert).await?;
        self.shape_remember(&shapes);
        Ok(inserted)
    }

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

    /// At most `limit` jobs with sequence numbers below `before`, the newest first, each with its
    /// sequence number; one that cannot be read is logged, and keeps nobody from reading the others.
    pub(crate) async fn job_page(
        &self,
        before: i64,
        limit: u32,
        state: Option<JobState>,
    ) -> Result<Vec<(i64, Option<JobLine>)>, StoreError> {
        let page = match state {
            None => sqlx::query(query::JOB_PAGE),
            Some(state) => sqlx::query(query::JOB_PAGE_OF_STATE).bind(state.as_str()),
        };
        let rows = page
            .bind(before)
            .bind(i64::from(limit))
            .fetch_all(&self.reads)
            .await?;
        let lines = rows.iter().map(|row| {
            let seq: i64 = row.try_get(0)?;
            let line = read_line(row)
                .inspect_err(|error| tracing::error!(seq, %error, "a job is missing from a list"));
            Ok((seq, line.ok()))
        });
        lines.collect()
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
    Ok(JobKey {
        seq: row.try_get(0)?,
        state: job_state(row.try_get(1)?)?,
    })
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
    })
}

fn read_line(row: &AnyRow) -> Result<JobLine, StoreError> {
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
