//! Jobs as users see them, and what users do to them.

use super::{App, AppError};
use crate::store::{Change, StageRow};
use bytes::Bytes;
use polyphemus_api::event::StateEvent;
use polyphemus_api::job::{Job, JobStage};
use polyphemus_core::plan::PlannedStage;
use polyphemus_core::stage::{StageName, StageState};
use polyphemus_core::{JobId, JobState};
use std::collections::BTreeMap;
use tokio::sync::watch;

/// Events of one answer.
const MOST_EVENTS: u32 = 10_000;

impl App {
    pub async fn job(&self, id: &JobId) -> Result<Job, AppError> {
        let job = self.0.store.job(id).await?.ok_or_else(|| AppError::no_job(id))?;
        let rows = self.0.store.stage_list(job.seq).await?;
        let log_bytes = self.0.logs.length(id).await?;
        let stages: Vec<JobStage> = job
            .plan
            .stages
            .iter()
            .zip(&rows)
            .map(|(planned, row)| self.view(planned, row))
            .collect();
        let mut notes = job.plan.notes;
        for result in rows.iter().filter_map(|row| row.result.as_ref()) {
            notes.extend(result.notes.iter().cloned());
        }
        Ok(Job {
            id: job.id,
            title: job.title,
            state: job.state,
            submitted_ms: job.submitted_ms,
            finished_ms: job.finished_ms,
            flow: job.plan.flow,
            mode: job.plan.mode,
            options: job.options,
            decisions: job.plan.decisions,
            notes,
            tree: job.tree,
            log_bytes,
            stages,
        })
    }

    /// How many jobs are in each state; states without a job may be absent.
    pub async fn job_counts(&self) -> Result<BTreeMap<JobState, u64>, AppError> {
        Ok(self.0.store.job_counts().await?)
    }

    /// Ends the job: at once where no worker has it, else as soon as its worker has ended it.
    pub async fn cancel(&self, id: &JobId) -> Result<Job, AppError> {
        self.change_by_user(id, Change::Cancel { ended_as: None }, None)
            .await
    }

    /// Enters the job again at a stage; without one, at the first that did not succeed.
    pub async fn retry(&self, id: &JobId, from: Option<StageName>) -> Result<Job, AppError> {
        let job = self.0.store.job(id).await?.ok_or_else(|| AppError::no_job(id))?;
        if let Some(why) = job.plan.refused {
            return Err(AppError::Conflict(format!(
                "job {id} was taken over from another instance and cannot be done again here: {why}"
            )));
        }
        self.change_by_user(id, Change::Retry { from }, None).await
    }

    /// The committed length of the log in bytes. Asked after the job was seen to be over, it counts
    /// all of the log: it waits for lines that are on their way.
    pub async fn log_length(&self, id: &JobId) -> Result<u64, AppError> {
        match self.0.logs.length(id).await? {
            0 => self.must_exist(id).await.map(|()| 0),
            length => Ok(length),
        }
    }

    /// Up to `most` bytes of the log from `from` on, as far as it is committed; empty at its end.
    pub async fn log_read(&self, id: &JobId, from: u64, most: usize) -> Result<Bytes, AppError> {
        let part = self.0.logs.read(id, from, most).await?;
        if part.is_empty() {
            self.log_length(id).await?;
        }
        Ok(part)
    }

    /// Tells the committed length of the log whenever it has grown.
    pub async fn log_watch(&self, id: &JobId) -> Result<watch::Receiver<u64>, AppError> {
        self.must_exist(id).await?;
        Ok(self.0.logs.watch(id).await?)
    }

    /// At most `most` events of the job with sequence numbers above `after`, in their order.
    pub async fn events(&self, id: &JobId, after: i64, most: u32) -> Result<Vec<StateEvent>, AppError> {
        let events = self.0.store.event_list(id, after, most.min(MOST_EVENTS)).await?;
        events.ok_or_else(|| AppError::no_job(id))
    }

    /// Tells the sequence number of the job's latest event whenever there is a new one. Its first
    /// value is not marked as seen.
    pub async fn watch(&self, id: &JobId) -> Result<watch::Receiver<i64>, AppError> {
        // Registered before the look, so that no event is missed.
        let mut watching = self.0.watches.subscribe(id);
        let last = self.0.store.event_last(id).await?;
        self.0
            .watches
            .announce(id, last.ok_or_else(|| AppError::no_job(id))?);
        watching.mark_changed();
        Ok(watching)
    }

    /// `remark` says in the log who asked for it.
    pub(super) async fn change_by_user(
        &self,
        id: &JobId,
        change: Change,
        remark: Option<String>,
    ) -> Result<Job, AppError> {
        self.must_exist(id).await?;
        let (app, job) = (self.clone(), id.clone());
        self.to_its_end(async move { app.change_with(&job, change, remark).await })
            .await?;
        self.job(id).await
    }

    pub(crate) async fn must_exist(&self, id: &JobId) -> Result<(), AppError> {
        let seq = self.0.store.job_seq(id).await?;
        seq.map(|_| ()).ok_or_else(|| AppError::no_job(id))
    }

    fn view(&self, planned: &PlannedStage, row: &StageRow) -> JobStage {
        let state = &row.stage.state;
        let result = row.result.clone().unwrap_or_default();
        JobStage {
            name: row.stage.name,
            state: state.word().to_owned(),
            attempts: row.stage.attempts,
            needs: planned.needs.clone(),
            waiting_for: self.waiting_for(row, planned),
            worker: row.worker.clone(),
            cancelling: matches!(
                state,
                StageState::Running {
                    cancel_requested: true,
                    ..
                }
            ),
            started_ms: row.started_ms,
            finished_ms: row.finished_ms,
            cause: match state {
                StageState::Failed { cause, .. } => Some(cause.clone()),
                _ => None,
            },
            tree: row.stage.tree().cloned(),
            reports: result.reports,
            verdict: result.verdict,
            bitstream: result.bitstream,
            device: result.device,
            make_conf: result.make_conf,
            values: result.values,
            stand_ins: result.stand_ins,
        }
    }
}
