//! A job that comes with its outcome, from an instance of the original: its rows in one transaction.

use super::event::event_insert;
use super::shape::{Shape, shape_insert};
use super::stage::stage_update;
use super::writer::{Command, Tx};
use super::{StageRow, Store, StoreError, query, unreadable};
use crate::app::AppError;
use polyphemus_core::flow::Flow;
use polyphemus_core::{JobId, JobState, Stage, StageResult, TreeHash, WorkerId};

/// Inserts a job with its stages as they are. Refused where there is a job of this id.
#[derive(Debug)]
pub(crate) struct ImportJob {
    pub(crate) id: JobId,
    pub(crate) title: String,
    pub(crate) submitted_ms: i64,
    pub(crate) finished_ms: i64,
    /// JSON
    pub(crate) options: String,
    pub(crate) flow: Flow,
    pub(crate) mode: String,
    /// JSON
    pub(crate) plan: String,
    pub(crate) tree: TreeHash,
    /// In the order of the plan, with what each is known to have come to.
    pub(crate) stages: Vec<(Stage, Shape, Option<StageResult>)>,
    /// Who did it.
    pub(crate) worker: WorkerId,
    pub(crate) message: String,
}

impl Command for ImportJob {
    type Done = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let stages: Vec<Stage> = self.stages.iter().map(|(stage, ..)| stage.clone()).collect();
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
            let text = format!("there is a job {} already", self.id);
            return Err(StoreError::Refused(AppError::Conflict(text)));
        }
        sqlx::query(query::JOB_STATE_UPDATE)
            .bind(state.as_str())
            .bind(state.is_terminal().then_some(self.finished_ms))
            .bind(seq)
            .execute(tx.connection())
            .await?;
        for (position, (stage, shape, result)) in self.stages.iter().enumerate() {
            self.stage(tx, seq, position as i64, stage, shape, result).await?;
        }
        let first = stages
            .first()
            .ok_or_else(|| unreadable("a plan", "it has no stage"))?;
        event_insert(tx, seq, self.finished_ms, state, first, &self.message).await?;
        tx.count(state, 1);
        Ok(())
    }
}

impl ImportJob {
    async fn stage(
        &self,
        tx: &mut Tx,
        seq: i64,
        position: i64,
        stage: &Stage,
        shape: &Shape,
        result: &Option<StageResult>,
    ) -> Result<(), StoreError> {
        shape_insert(tx, shape).await?;
        let new = Stage::new(stage.name);
        sqlx::query(query::STAGE_INSERT)
            .bind(seq)
            .bind(position)
            .bind(stage.name.as_str())
            .bind(&shape.key)
            .bind(new.state.word())
            .bind(None::<i64>)
            .execute(tx.connection())
            .await?;
        let over = stage.state.is_terminal();
        let row = StageRow {
            position,
            stage: stage.clone(),
            needs_key: shape.key.clone(),
            worker: over.then(|| self.worker.clone()),
            attempt_key: None,
            cause: match &stage.state {
                polyphemus_core::StageState::Failed { cause, .. } => Some(cause.clone()),
                _ => None,
            },
            result: result.clone(),
            started_ms: over.then_some(self.submitted_ms),
            finished_ms: over.then_some(self.finished_ms),
        };
        stage_update(tx, seq, &new, &row).await
    }
}

impl Store {
    /// Imports a job; afterwards its shapes are known to claims.
    pub(crate) async fn job_import(&self, import: ImportJob) -> Result<(), StoreError> {
        let shapes: Vec<Shape> = import.stages.iter().map(|(_, shape, _)| shape.clone()).collect();
        self.write(import).await?;
        self.shape_remember(&shapes);
        Ok(())
    }
}
