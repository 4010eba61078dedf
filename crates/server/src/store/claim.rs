//! A claim: the stage that is ready for the longest time of those that a worker can do becomes its own.

use super::change::{Changed, With, refused, write_stages};
use super::job::JobKey;
use super::set_aside::SetAside;
use super::stage::{QueuedStage, stage_list_of_job, stage_list_queued};
use super::writer::{Command, Tx};
use super::{StoreError, query};
use polyphemus_core::job::{self, JobEvent};
use polyphemus_core::stage::Event;
use polyphemus_core::{JobId, Stage, StageName, WorkerId};
use sqlx::Row as _;

/// Claims one stage of these shapes.
#[derive(Debug)]
pub(crate) struct ClaimStage {
    pub(crate) worker: WorkerId,
    pub(crate) shapes: Vec<String>,
    pub(crate) now_ms: i64,
    pub(crate) lease_until_ms: i64,
    /// Secret and never used before.
    pub(crate) key: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) job: JobId,
    pub(crate) stage: StageName,
    pub(crate) position: i64,
    pub(crate) attempt: u32,
    pub(crate) key: String,
    pub(crate) changed: Changed,
}

/// What became of a claim.
#[derive(Debug, Clone)]
pub(crate) enum Claim {
    /// No stage is ready.
    Nothing,
    Claimed(Box<Claimed>),
    /// The next one in the queue cannot be read. It failed, and the one behind it has its turn.
    SetAside {
        job_seq: i64,
        why: String,
    },
}

impl Command for ClaimStage {
    type Done = Claim;

    async fn run(&self, tx: &mut Tx) -> Result<Claim, StoreError> {
        let mut ready = Vec::with_capacity(self.shapes.len());
        for needs_key in &self.shapes {
            ready.extend(stage_list_queued(tx.connection(), needs_key, self.now_ms, 1).await?);
        }
        let Some(oldest) = ready.iter().min_by_key(|row| (row.not_before_ms, row.job_seq)) else {
            return Ok(Claim::Nothing);
        };
        match self.claim(tx, oldest).await {
            Err(StoreError::Unreadable { what, why }) => {
                let job_seq = oldest.job_seq;
                let why = format!("{what}: {why}");
                let set_aside = SetAside {
                    job_seq,
                    now_ms: self.now_ms,
                    why: why.clone(),
                };
                set_aside.run(tx).await?;
                Ok(Claim::SetAside { job_seq, why })
            }
            claimed => Ok(Claim::Claimed(Box::new(claimed?))),
        }
    }
}

impl ClaimStage {
    async fn claim(&self, tx: &mut Tx, oldest: &QueuedStage) -> Result<Claimed, StoreError> {
        let row = sqlx::query(query::JOB_ID_BY_SEQ)
            .bind(oldest.job_seq)
            .fetch_one(tx.connection())
            .await?;
        let job = super::job::read_id(row.try_get(0)?)?;
        let key = JobKey::read(oldest.job_seq, &row)?;
        let old = stage_list_of_job(tx.connection(), oldest.job_seq).await?;
        let Some(stage) = old.iter().find(|row| row.position == oldest.position) else {
            return Err(StoreError::Raced);
        };
        let (name, attempt) = (stage.stage.name, stage.stage.attempts + 1);
        let event = JobEvent::Stage {
            name,
            event: Event::Claimed {
                worker: self.worker.clone(),
                lease_until_ms: self.lease_until_ms,
            },
        };
        let stages: Vec<Stage> = old.iter().map(|row| row.stage.clone()).collect();
        let stages = job::apply(&stages, event, self.now_ms).map_err(refused)?;
        let with = With {
            attempt_key: Some(self.key.clone()),
            result: None,
            failed: None,
        };
        let changed = write_stages(tx, &key, old, stages, with, self.now_ms).await?;
        Ok(Claimed {
            job,
            stage: name,
            position: oldest.position,
            attempt,
            key: self.key.clone(),
            changed,
        })
    }
}
