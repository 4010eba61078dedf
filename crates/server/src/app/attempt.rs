//! What a running attempt says: that it lives, what it prints, how it ended. Each message is fenced
//! by the attempt's number and key.

use super::{App, AppError, ms, now_ms};
use crate::log::LockedLog;
use crate::store::{Change, ChangeJob, Changed, Said};
use bytes::Bytes;
use polyphemus_api::running::Look;
use polyphemus_api::worker::{Command, FinishRequest, HeartbeatAnswer, Outcome};
use polyphemus_artifacts::{BlobError, BlobHash};
use polyphemus_core::stage::Event;
use polyphemus_core::{Cause, CauseKind, JobId, StageName, StageResult, StageState, TreeHash};
use tokio::time::{Instant, timeout_at};

/// Of each text of a cause.
const CAUSE_CHARS: usize = 4000;

/// One numbered try of a stage, as its worker names it in each request about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub job: JobId,
    pub stage: StageName,
    pub attempt: u32,
    pub key: String,
}

impl App {
    /// Renews the lease at once; answers when the attempt is to be cancelled or its files are to be
    /// shown, or after a quarter of the lease. `Superseded` when it is not the running attempt (any more).
    pub async fn heartbeat(&self, attempt: &Attempt) -> Result<HeartbeatAnswer, AppError> {
        // Well below a third, at which a worker gives its first heartbeat up.
        let answer_at = Instant::now() + self.0.config.lease / 4;
        // Registered before the look, so that no cancel is missed.
        let mut watching = self.0.watches.subscribe(&attempt.job);
        let changed = self.renew(attempt).await?;
        let row = changed.new.iter().find(|row| row.stage.name == attempt.stage);
        if let Some(worker) = row.and_then(|row| row.worker.as_ref()) {
            self.0.workers.seen(worker, now_ms());
        }
        let mut cancelled = is_cancelled(row.map(|row| &row.stage.state));
        loop {
            if cancelled {
                return Ok(answer(Command::Cancel, Vec::new()));
            }
            let looks = self.0.looks.take(attempt);
            if !looks.is_empty() {
                return Ok(answer(Command::GoOn, looks));
            }
            match timeout_at(answer_at, watching.changed()).await {
                Ok(Ok(())) => cancelled = is_cancelled(Some(&self.running(attempt).await?)),
                Ok(Err(_)) | Err(_) => return Ok(answer(Command::GoOn, Vec::new())),
            }
        }
    }

    /// Appends to the job's log what follows at `offset`; gives the committed length.
    pub async fn log_append(&self, attempt: &Attempt, offset: u64, part: Bytes) -> Result<u64, AppError> {
        let (app, attempt) = (self.clone(), attempt.clone());
        self.to_its_end(async move { app.append(&attempt, offset, part).await })
            .await
    }

    /// Commits how the attempt ended. Its tree must be there with all its blobs. Sent a second time,
    /// this is `Superseded` and changes nothing.
    pub async fn finish(&self, attempt: &Attempt, request: FinishRequest) -> Result<(), AppError> {
        self.running(attempt).await?;
        if let Some(tree) = tree_of(&request.outcome) {
            self.check_complete(tree).await?;
        }
        let change = Change::Attempt(Box::new(Said {
            stage: attempt.stage,
            key: attempt.key.clone(),
            event: event_of(attempt.attempt, request.outcome),
            result: Some(request.result),
        }));
        let (app, job) = (self.clone(), attempt.job.clone());
        self.to_its_end(async move { app.change(&job, change).await.map(|_| ()) })
            .await
    }

    async fn renew(&self, attempt: &Attempt) -> Result<Changed, AppError> {
        let now_ms = now_ms();
        let renewed = ChangeJob {
            job: attempt.job.clone(),
            change: Change::Attempt(Box::new(Said {
                stage: attempt.stage,
                key: attempt.key.clone(),
                event: Event::Renewed {
                    attempt: attempt.attempt,
                    lease_until_ms: now_ms + ms(self.0.config.lease),
                },
                result: None,
            })),
            now_ms,
        };
        Ok(self.0.store.write(renewed).await?)
    }

    async fn append(&self, attempt: &Attempt, offset: u64, part: Bytes) -> Result<u64, AppError> {
        let mut log = self.0.logs.lock(&attempt.job).await;
        // Whoever ends an attempt holds the log's lock, so that this holds until the bytes are written.
        if log.owner() != Some(attempt) {
            self.running(attempt).await?;
            log.set_owner(Some(attempt.clone()));
        }
        let committed = log.length().await?;
        if offset != committed {
            return Err(AppError::WrongOffset { committed });
        }
        let limit_bytes = self.0.config.log_limit_bytes;
        if committed + part.len() as u64 > limit_bytes {
            return self.end_at_log_limit(attempt, limit_bytes, log).await;
        }
        Ok(log.append(part).await?)
    }

    async fn end_at_log_limit(
        &self,
        attempt: &Attempt,
        limit_bytes: u64,
        log: LockedLog,
    ) -> Result<u64, AppError> {
        let message = format!(
            "the log of the job is larger than the {limit_bytes} bytes that the server allows, so stage {} \
             was ended; let the design or its tools print less, then enter the stage again with \
             `polyphemus retry`",
            attempt.stage
        );
        let change = Change::Attempt(Box::new(Said {
            stage: attempt.stage,
            key: attempt.key.clone(),
            event: Event::Failed {
                attempt: attempt.attempt,
                cause: Cause::new(CauseKind::OutputLimit, message.clone()),
                tree: None,
            },
            result: None,
        }));
        self.change_locked(&attempt.job, change, log, None).await?;
        Err(AppError::TooLarge(message))
    }

    /// The state of the attempt's stage, if the attempt is the running one.
    pub(super) async fn running(&self, attempt: &Attempt) -> Result<StageState, AppError> {
        let job_seq = self.0.store.job_seq(&attempt.job).await?;
        let job_seq = job_seq.ok_or_else(|| AppError::no_job(&attempt.job))?;
        let rows = self.0.store.stage_list(job_seq).await?;
        let row = rows.into_iter().find(|row| row.stage.name == attempt.stage);
        let row = row.filter(|row| row.attempt_key.as_deref() == Some(attempt.key.as_str()));
        match row.map(|row| row.stage.state) {
            Some(state @ StageState::Running { attempt: number, .. }) if number == attempt.attempt => {
                Ok(state)
            }
            _ => Err(AppError::Superseded(format!(
                "attempt {} at stage `{}` of job {} is not the running one; stop all work on it",
                attempt.attempt, attempt.stage, attempt.job
            ))),
        }
    }

    async fn check_complete(&self, hash: &TreeHash) -> Result<(), AppError> {
        let incomplete = |error| match error {
            BlobError::Missing(missing) => AppError::Conflict(format!(
                "the tree {hash} cannot be taken over: the content {missing} is not on the server; send it, \
                 then finish again"
            )),
            // Stored whole, as it was sent: it is the worker that names the wrong content.
            BlobError::Tree { .. } => AppError::BadRequest(error.to_string()),
            error => error.into(),
        };
        let blobs = &self.0.blobs;
        // Asking for it makes it young: it is not collected before the tree is committed.
        blobs.missing(&[BlobHash::from(hash.clone())]).await?;
        let tree = blobs.get_tree(hash).await.map_err(incomplete)?;
        blobs.verify_complete(&tree).await.map_err(incomplete)
    }
}

pub(super) fn is_cancelled(state: Option<&StageState>) -> bool {
    matches!(
        state,
        Some(StageState::Running {
            cancel_requested: true,
            ..
        })
    )
}

fn answer(command: Command, looks: Vec<Look>) -> HeartbeatAnswer {
    HeartbeatAnswer { command, looks }
}

fn tree_of(outcome: &Outcome) -> Option<&TreeHash> {
    match outcome {
        Outcome::Succeeded { tree } => Some(tree),
        Outcome::Failed { tree, .. } => tree.as_ref(),
        Outcome::Cancelled | Outcome::Released => None,
    }
}

fn event_of(attempt: u32, outcome: Outcome) -> Event {
    match outcome {
        Outcome::Succeeded { tree } => Event::Succeeded { attempt, tree },
        Outcome::Failed { cause, tree } => Event::Failed {
            attempt,
            cause: shortened(cause),
            tree,
        },
        Outcome::Cancelled => Event::CancelDone { attempt },
        Outcome::Released => Event::Released { attempt },
    }
}

/// A cause as it is kept: it is a sentence and a line, whatever a worker made of them.
fn shortened(cause: Cause) -> Cause {
    let short = |text: String| match text.char_indices().nth(CAUSE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    Cause {
        message: short(cause.message),
        line: cause.line.map(short),
        step: cause.step.map(short),
        ..cause
    }
}

/// What an attempt that was never begun leaves: nothing.
pub(super) fn handed_back(attempt: &Attempt) -> Change {
    Change::Attempt(Box::new(Said {
        stage: attempt.stage,
        key: attempt.key.clone(),
        event: Event::Released {
            attempt: attempt.attempt,
        },
        result: Some(StageResult::default()),
    }))
}

/// The end of an attempt that was never begun, since what it would need cannot be read.
pub(super) fn unreadable(attempt: &Attempt, why: String) -> Change {
    Change::Attempt(Box::new(Said {
        stage: attempt.stage,
        key: attempt.key.clone(),
        event: Event::Failed {
            attempt: attempt.attempt,
            cause: Cause::new(CauseKind::CorruptContent, why),
            tree: None,
        },
        result: Some(StageResult::default()),
    }))
}
