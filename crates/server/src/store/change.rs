//! Every change of a job's stages: read the rows, let the core apply the event, write what differs,
//! with counters and events in the same transaction.

use super::StoreError;
use super::event::event_insert;
use super::job::{JobKey, job_key, state_of};
use super::query;
use super::stage::{StageRow, stage_list_of_job, stage_update};
use super::writer::{Command, Tx};
use crate::app::AppError;
use polyphemus_core::job::{self, JobEvent, JobRejected};
use polyphemus_core::stage::{Event, Rejected};
use polyphemus_core::{
    Cause, CauseKind, JobId, JobState, Stage, StageName, StageResult, StageState, WorkerId,
};

/// What happens to a job.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// An attempt says something; it must hold the key.
    Attempt(Box<Said>),
    /// The lease of an attempt has run out.
    LeaseExpired { stage: StageName, attempt: u32 },
    /// The worker of an attempt is known to be dead, whatever its lease says.
    WorkerGone { stage: StageName, attempt: u32 },
    /// Shown as `cancelled`, or by the word that the user gave it.
    Cancel { ended_as: Option<JobState> },
    /// `None`: from the stage that did not succeed.
    Retry { from: Option<StageName> },
}

/// What an attempt says of its stage.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) stage: StageName,
    pub(crate) key: String,
    pub(crate) event: Event,
    pub(crate) result: Option<StageResult>,
}

/// Makes a change. Refused where it does not fit; then nothing is written.
#[derive(Debug)]
pub(crate) struct ChangeJob {
    pub(crate) job: JobId,
    pub(crate) change: Change,
    pub(crate) now_ms: i64,
}

/// What a change has done.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    pub(crate) job_seq: i64,
    pub(crate) before: JobState,
    pub(crate) after: JobState,
    /// The stages before and after, in the order of the plan.
    pub(crate) old: Vec<StageRow>,
    pub(crate) new: Vec<StageRow>,
    /// What happened, for people; one for each event.
    pub(crate) messages: Vec<String>,
    /// The number of the last event; `None` when nothing happened that anybody watches.
    pub(crate) event: Option<i64>,
}

impl Command for ChangeJob {
    type Done = Changed;

    async fn run(&self, tx: &mut Tx) -> Result<Changed, StoreError> {
        let mut key = job_key(tx, &self.job).await?;
        let old = stage_list_of_job(tx.connection(), key.seq).await?;
        let stages: Vec<Stage> = old.iter().map(|row| row.stage.clone()).collect();
        let stages = job::apply(&stages, self.change.event(&old)?, self.now_ms).map_err(refused)?;
        let with = With {
            attempt_key: None,
            result: self.change.result(),
            failed: self.change.failure(&old),
        };
        let ended_as = self.change.ended_as(key.ended_as);
        if ended_as != key.ended_as {
            sqlx::query(query::JOB_END_AS)
                .bind(ended_as.map(JobState::as_str))
                .bind(key.seq)
                .execute(tx.connection())
                .await?;
            key.ended_as = ended_as;
        }
        write_stages(tx, &key, old, stages, with, self.now_ms).await
    }
}

impl Change {
    /// Whether an attempt that has written to the log is over with it.
    pub(crate) fn ends_attempt(&self) -> bool {
        match self {
            Self::Attempt(said) => !matches!(said.event, Event::Renewed { .. }),
            Self::LeaseExpired { .. } | Self::WorkerGone { .. } => true,
            Self::Cancel { .. } | Self::Retry { .. } => false,
        }
    }

    fn event(&self, rows: &[StageRow]) -> Result<JobEvent, StoreError> {
        let of = |stage: StageName, event| JobEvent::Stage { name: stage, event };
        Ok(match self {
            Self::Attempt(said) => {
                check_key(rows, said.stage, &said.key)?;
                of(said.stage, said.event.clone())
            }
            Self::LeaseExpired { stage, attempt } => of(*stage, Event::LeaseExpired { attempt: *attempt }),
            Self::WorkerGone { stage, attempt } => of(*stage, Event::WorkerGone { attempt: *attempt }),
            Self::Cancel { .. } => JobEvent::CancelRequested,
            Self::Retry { from } => JobEvent::Reentered {
                from: match from {
                    Some(from) => *from,
                    None => first_unsuccessful(rows)?,
                },
            },
        })
    }

    /// The word of a user for the job's end, which was `so_far`.
    fn ended_as(&self, so_far: Option<JobState>) -> Option<JobState> {
        match self {
            Self::Cancel { ended_as } => *ended_as,
            Self::Retry { .. } => None,
            Self::Attempt(_) | Self::LeaseExpired { .. } | Self::WorkerGone { .. } => so_far,
        }
    }

    fn result(&self) -> Option<StageResult> {
        match self {
            Self::Attempt(said) => said.result.clone(),
            _ => None,
        }
    }

    /// Why the attempt failed, for the time until the next one.
    fn failure(&self, rows: &[StageRow]) -> Option<Cause> {
        match self {
            Self::Attempt(said) => match &said.event {
                Event::Failed { cause, .. } => Some(cause.clone()),
                _ => None,
            },
            Self::LeaseExpired { stage, attempt } | Self::WorkerGone { stage, attempt } => {
                let row = rows.iter().find(|row| row.stage.name == *stage)?;
                let worker = row.worker.as_ref()?;
                let ended = match self {
                    Self::WorkerGone { .. } => "ended together with the server".to_owned(),
                    _ => "was not heard of until its lease had run out".to_owned(),
                };
                Some(Cause::new(
                    CauseKind::WorkerLost,
                    format!("worker {worker} {ended}, so attempt {attempt} is lost"),
                ))
            }
            _ => None,
        }
    }
}

/// What a change brings beside the states.
pub(super) struct With {
    pub(super) attempt_key: Option<String>,
    pub(super) result: Option<StageResult>,
    pub(super) failed: Option<Cause>,
}

/// Writes the stages that differ from the rows, their events, and what is derived of them.
pub(super) async fn write_stages(
    tx: &mut Tx,
    job: &JobKey,
    old: Vec<StageRow>,
    stages: Vec<Stage>,
    with: With,
    now_ms: i64,
) -> Result<Changed, StoreError> {
    let after = state_of(&stages, job.ended_as);
    let (mut messages, mut event, mut new) = (Vec::new(), None, Vec::with_capacity(old.len()));
    for (row, stage) in old.iter().zip(stages) {
        if row.stage == stage {
            new.push(row.clone());
            continue;
        }
        let next = next_row(row, stage, &with, now_ms);
        stage_update(tx, job.seq, &row.stage, &next).await?;
        if let Some(message) = message(row, &next, now_ms) {
            event = Some(event_insert(tx, job.seq, now_ms, after, &next.stage, &message).await?);
            messages.push(message);
        }
        new.push(next);
    }
    if after != job.state {
        sqlx::query(query::JOB_STATE_UPDATE)
            .bind(after.as_str())
            .bind(after.is_terminal().then_some(now_ms))
            .bind(job.seq)
            .execute(tx.connection())
            .await?;
        tx.count(job.state, -1);
        tx.count(after, 1);
    }
    Ok(Changed {
        job_seq: job.seq,
        before: job.state,
        after,
        old,
        new,
        messages,
        event,
    })
}

/// The row of a stage in its new state: what no longer holds is gone from it.
fn next_row(row: &StageRow, stage: Stage, with: &With, now_ms: i64) -> StageRow {
    let ran = matches!(row.stage.state, StageState::Running { .. });
    let mut next = StageRow {
        attempt_key: None,
        cause: None,
        ..row.clone()
    };
    match &stage.state {
        StageState::Waiting => {
            (next.worker, next.result) = (None, None);
            (next.started_ms, next.finished_ms) = (None, None);
        }
        StageState::Queued { .. } => {
            next.result = None;
            next.finished_ms = None;
            next.cause = with.failed.clone();
        }
        StageState::Running { worker, .. } => {
            if ran {
                next.attempt_key = row.attempt_key.clone();
            } else {
                next.worker = Some(worker.clone());
                next.attempt_key = with.attempt_key.clone();
                (next.started_ms, next.finished_ms) = (Some(now_ms), None);
                next.result = None;
            }
        }
        StageState::Failed { cause, .. } => {
            next.cause = Some(cause.clone());
            (next.result, next.finished_ms) = (with.result.clone(), Some(now_ms));
        }
        StageState::Succeeded { .. } => {
            (next.result, next.finished_ms) = (with.result.clone(), Some(now_ms));
        }
        StageState::Cancelled => {
            next.finished_ms = Some(now_ms);
            if ran {
                next.result = with.result.clone();
            }
        }
    }
    next.stage = stage;
    next
}

/// What happened to a stage, for people; nothing where only a lease was renewed.
fn message(old: &StageRow, new: &StageRow, now_ms: i64) -> Option<String> {
    let name = new.stage.name;
    let nobody = WorkerId("?".into());
    let worker = new.worker.as_ref().or(old.worker.as_ref()).unwrap_or(&nobody);
    Some(match (&old.stage.state, &new.stage.state) {
        (StageState::Running { .. }, StageState::Running { cancel_requested, .. }) => {
            let asked = matches!(
                &old.stage.state,
                StageState::Running {
                    cancel_requested: true,
                    ..
                }
            );
            if asked || !cancel_requested {
                return None;
            }
            format!("{name} is to be cancelled: worker {worker} is asked to end it")
        }
        (StageState::Running { .. }, StageState::Queued { not_before_ms }) => again(
            name,
            worker,
            old.stage.attempts,
            &new.cause,
            *not_before_ms - now_ms,
        ),
        (_, StageState::Waiting) => format!("{name} will be done again after the stage before it"),
        (StageState::Waiting, StageState::Queued { .. }) => format!("{name} waits for a worker"),
        (_, StageState::Queued { .. }) => format!("{name} is entered again and waits for a worker"),
        (_, StageState::Running { attempt, .. }) => {
            format!("{name} begins on worker {worker}, attempt {attempt}")
        }
        (_, StageState::Succeeded { .. }) => format!("{name} succeeded on worker {worker}"),
        (_, StageState::Failed { cause, .. }) => format!("{name} failed: {cause}"),
        (_, StageState::Cancelled) => format!("{name} is cancelled"),
    })
}

fn again(name: StageName, worker: &WorkerId, attempt: u32, cause: &Option<Cause>, wait_ms: i64) -> String {
    let when = match wait_ms {
        ..=0 => "is queued again at once".to_owned(),
        wait_ms => format!(
            "will be tried again in {} s",
            wait_ms.unsigned_abs().div_ceil(1000)
        ),
    };
    match cause {
        Some(cause) => format!("{name}, attempt {attempt}, failed: {cause}; it {when}"),
        None => format!("worker {worker} handed {name} back, attempt {attempt}; it {when}"),
    }
}

/// Refuses whoever does not hold the key of the running attempt.
fn check_key(rows: &[StageRow], stage: StageName, key: &str) -> Result<(), StoreError> {
    let row = rows.iter().find(|row| row.stage.name == stage);
    match row.and_then(|row| row.attempt_key.as_deref()) {
        Some(known) if known == key => Ok(()),
        _ => Err(StoreError::Refused(AppError::Superseded(format!(
            "this attempt at stage `{stage}` is not the running one; stop all work on it"
        )))),
    }
}

fn first_unsuccessful(rows: &[StageRow]) -> Result<StageName, StoreError> {
    rows.iter()
        .find(|row| !matches!(row.stage.state, StageState::Succeeded { .. }))
        .map(|row| row.stage.name)
        .ok_or_else(|| {
            StoreError::Refused(AppError::Conflict(
                "the job has succeeded; to do a stage again all the same, name it (`--from run`)".into(),
            ))
        })
}

pub(super) fn refused(rejected: JobRejected) -> StoreError {
    let text = rejected.to_string();
    StoreError::Refused(match rejected {
        JobRejected::Stage {
            reason: Rejected::Stale { .. },
            ..
        } => AppError::Superseded(format!("{text}; stop all work on it")),
        JobRejected::NoStage(_) => AppError::BadRequest(text),
        _ => AppError::Conflict(text),
    })
}
