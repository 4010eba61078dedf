//! New jobs. Their rows are gathered over the commands of a transaction and inserted many at a time: a
//! statement costs more by being sent to the database than by the rows in it.

use super::shape::{Shape, shape_insert};
use super::writer::{Command, Tx};
use super::{Store, StoreError, query, unreadable};
use crate::app::AppError;
use polyphemus_core::flow::Flow;
use polyphemus_core::{JobId, JobState, Stage, StageState, TreeHash, job};
use sqlx::AssertSqlSafe;

/// The most rows of a statement. Smaller numbers are made up of powers of two, so that there are few
/// different statements, which the database prepares once.
const ROWS: usize = 32;

/// Inserts a job with its stages, the first of them queued, and its first event.
#[derive(Debug, Clone)]
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

/// The numbers of a new job and of its first event.
#[derive(Debug, Clone)]
pub(crate) struct Inserted {
    pub(crate) seq: i64,
    pub(crate) event: i64,
}

/// What a transaction is still to insert.
#[derive(Debug, Default)]
pub(super) struct NewRows {
    jobs: Vec<NewJob>,
    stages: Vec<NewStage>,
    events: Vec<NewEvent>,
}

#[derive(Debug)]
struct NewJob {
    seq: i64,
    state: JobState,
    job: InsertJob,
}

#[derive(Debug)]
struct NewStage {
    job_seq: i64,
    position: i64,
    stage: Stage,
    needs_key: String,
}

#[derive(Debug)]
struct NewEvent {
    job_seq: i64,
    seq: i64,
    at_ms: i64,
    job_state: JobState,
    stage: Stage,
    message: String,
}

impl Command for InsertJob {
    type Done = Inserted;
    const READS: bool = false;

    async fn run(&self, tx: &mut Tx) -> Result<Inserted, StoreError> {
        let names: Vec<_> = self.shapes.iter().map(|shape| shape.stage).collect();
        let stages = job::first_stages(&names, self.submitted_ms);
        let state = JobState::of(&stages);
        let first = stages
            .first()
            .ok_or_else(|| unreadable("a plan", "it has no stage"))?;
        if !self.shapes_known {
            for shape in &self.shapes {
                shape_insert(tx, shape).await?;
            }
        }
        let (seq, event) = (tx.next("job").await?, tx.next("event").await?);
        let rows = tx.new_rows();
        rows.events.push(NewEvent {
            job_seq: seq,
            seq: event,
            at_ms: self.submitted_ms,
            job_state: state,
            stage: first.clone(),
            message: self.message.clone(),
        });
        let numbered = (0..).zip(stages).zip(&self.shapes);
        rows.stages
            .extend(numbered.map(|((position, stage), shape)| NewStage {
                job_seq: seq,
                position,
                stage,
                needs_key: shape.key.clone(),
            }));
        let job = self.clone();
        rows.jobs.push(NewJob { seq, state, job });
        tx.count(state, 1);
        Ok(Inserted { seq, event })
    }
}

impl NewRows {
    pub(super) async fn insert(self, tx: &mut Tx) -> Result<(), StoreError> {
        for jobs in batches(&self.jobs) {
            jobs_insert(tx, jobs).await?;
        }
        for stages in batches(&self.stages) {
            stages_insert(tx, stages).await?;
        }
        for events in batches(&self.events) {
            events_insert(tx, events).await?;
        }
        Ok(())
    }
}

async fn jobs_insert(tx: &mut Tx, jobs: &[NewJob]) -> Result<(), StoreError> {
    let mut insert = sqlx::query(AssertSqlSafe(query::of_rows(query::JOB_INSERT, jobs.len())));
    for NewJob { seq, state, job } in jobs {
        insert = insert
            .bind(seq)
            .bind(job.id.as_str())
            .bind(&job.title)
            .bind(state.as_str())
            .bind(job.submitted_ms)
            .bind(job.flow.as_str())
            .bind(&job.mode)
            .bind(&job.options)
            .bind(&job.plan)
            .bind(job.tree.as_str());
    }
    let inserted = insert.execute(tx.connection()).await?;
    match jobs {
        _ if inserted.rows_affected() == jobs.len() as u64 => Ok(()),
        [only] => Err(StoreError::Refused(AppError::Conflict(format!(
            "there is a job {} already",
            only.job.id
        )))),
        // Undone, and each of them tried alone.
        _ => Err(StoreError::Raced),
    }
}

async fn stages_insert(tx: &mut Tx, stages: &[NewStage]) -> Result<(), StoreError> {
    let mut insert = sqlx::query(AssertSqlSafe(query::of_rows(query::STAGE_INSERT, stages.len())));
    for new in stages {
        let not_before_ms = match new.stage.state {
            StageState::Queued { not_before_ms } => Some(not_before_ms),
            _ => None,
        };
        insert = insert
            .bind(new.job_seq)
            .bind(new.position)
            .bind(new.stage.name.as_str())
            .bind(&new.needs_key)
            .bind(new.stage.state.word())
            .bind(not_before_ms);
    }
    insert.execute(tx.connection()).await?;
    Ok(())
}

async fn events_insert(tx: &mut Tx, events: &[NewEvent]) -> Result<(), StoreError> {
    let mut insert = sqlx::query(AssertSqlSafe(query::of_rows(query::EVENT_INSERT, events.len())));
    for new in events {
        insert = insert
            .bind(new.job_seq)
            .bind(new.seq)
            .bind(new.at_ms)
            .bind(new.job_state.as_str())
            .bind(new.stage.name.as_str())
            .bind(new.stage.state.word())
            .bind(None::<i64>)
            .bind(&new.message);
    }
    insert.execute(tx.connection()).await?;
    Ok(())
}

/// Cuts rows into parts whose lengths are powers of two up to [`ROWS`].
fn batches<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let length = rows.len().checked_ilog2().map(|power| 1 << power)?;
        let (batch, rest) = rows.split_at(ROWS.min(length));
        rows = rest;
        Some(batch)
    })
}

impl Store {
    /// Inserts a job; afterwards its shapes can be claimed.
    pub(crate) async fn job_insert(&self, mut insert: InsertJob) -> Result<Inserted, StoreError> {
        let shapes = insert.shapes.clone();
        insert.shapes_known = shapes.iter().all(|shape| self.shape(&shape.key).is_some());
        let known = insert.shapes_known;
        let inserted = self.write(insert).await?;
        if !known {
            self.shape_remember(&shapes);
        }
        Ok(inserted)
    }
}
