//! The files of a stage while it runs: they are on its worker, which is asked by the answer to its
//! heartbeat and answers by a request of its own. Nothing happens while nobody looks.

use super::attempt::{Attempt, is_cancelled};
use super::look::Shown;
use super::{App, AppError};
use bytes::Bytes;
use polyphemus_api::running::{FILES_AT_ONCE, LOOK_BYTES, LookAt, RunningFiles, Seen, SeenContent};
use polyphemus_core::{JobId, StageState};
use std::time::Duration;
use tokio::time::timeout;

/// How long a worker may take to show what it was asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A part of a file of a running attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningPart {
    /// Of the whole file at that moment.
    pub size_bytes: u64,
    pub modified_ms: i64,
    pub content: Bytes,
}

impl App {
    /// The attempt whose files can be looked at; `None` where no stage of the job runs.
    pub async fn running_attempt(&self, id: &JobId) -> Result<Option<Attempt>, AppError> {
        let job_seq = self.0.store.job_seq(id).await?;
        let job_seq = job_seq.ok_or_else(|| AppError::no_job(id))?;
        let rows = self.0.store.stage_list(job_seq).await?;
        Ok(rows.into_iter().find_map(|row| match row.stage.state {
            StageState::Running { attempt, .. } => Some(Attempt {
                job: id.clone(),
                stage: row.stage.name,
                attempt,
                key: row.attempt_key?,
            }),
            _ => None,
        }))
    }

    /// The files of this attempt as they are now.
    pub async fn running_files(&self, attempt: &Attempt) -> Result<RunningFiles, AppError> {
        match self.look(attempt, LookAt::Files).await? {
            Shown::Seen(Seen::Files { mut files, truncated }) => {
                let truncated = truncated || files.len() > FILES_AT_ONCE;
                files.truncate(FILES_AT_ONCE);
                Ok(RunningFiles {
                    stage: attempt.stage,
                    attempt: attempt.attempt,
                    committed: false,
                    files,
                    truncated,
                })
            }
            Shown::Seen(Seen::NoFile { why } | Seen::Failed { why }) => Err(unreadable(attempt, &why)),
            Shown::Content(..) => Err(unreadable(attempt, "it answers what it was not asked")),
        }
    }

    /// At most `most` bytes of a file of this attempt, and not more than one look brings.
    pub async fn running_part(
        &self,
        attempt: &Attempt,
        path: &str,
        from: u64,
        most: u64,
    ) -> Result<RunningPart, AppError> {
        let most = most.min(LOOK_BYTES);
        let at = LookAt::File {
            path: path.to_owned(),
            from,
            most,
        };
        match self.look(attempt, at).await? {
            Shown::Content(
                SeenContent {
                    size_bytes,
                    modified_ms,
                },
                content,
            ) if content.len() as u64 <= most.min(size_bytes.saturating_sub(from)) => Ok(RunningPart {
                size_bytes,
                modified_ms,
                content,
            }),
            Shown::Seen(Seen::NoFile { why }) => {
                let shown: String = path.chars().take(200).collect();
                Err(AppError::NotFound {
                    what: format!(
                        "file {shown:?} in the running stage `{}` of job {} ({why}); its files are listed at \
                         /api/v1/jobs/{}/running/files",
                        attempt.stage, attempt.job, attempt.job
                    ),
                })
            }
            Shown::Seen(Seen::Failed { why }) => Err(unreadable(attempt, &why)),
            Shown::Seen(Seen::Files { .. }) | Shown::Content(..) => {
                Err(unreadable(attempt, "it answers what it was not asked"))
            }
        }
    }

    /// What the worker of an attempt shows.
    pub async fn look_answer(&self, attempt: &Attempt, look: u64, shown: Shown) -> Result<(), AppError> {
        if self.0.looks.answer(attempt, look, shown) {
            return Ok(());
        }
        // A stale attempt is told so, as for any other message of it.
        self.running(attempt).await?;
        Err(AppError::NotFound {
            what: format!("look {look} that anybody waits for; nothing has to be done"),
        })
    }

    async fn look(&self, attempt: &Attempt, at: LookAt) -> Result<Shown, AppError> {
        let mut ticket = self.0.looks.ask(attempt, at)?;
        // Looked at after the look was registered: an end from now on takes it away.
        let state = self.running(attempt).await.map_err(|error| match error {
            AppError::Superseded(_) => ended(attempt),
            error => error,
        })?;
        if is_cancelled(Some(&state)) {
            return Err(AppError::Conflict(format!(
                "stage `{}` of job {} is being cancelled, so that its files can no longer be looked at",
                attempt.stage, attempt.job
            )));
        }
        self.0.watches.poke(&attempt.job);
        match timeout(PATIENCE, &mut ticket.answer).await {
            Ok(Ok(shown)) => Ok(shown),
            Ok(Err(_)) => Err(ended(attempt)),
            Err(_) => Err(AppError::Unavailable(format!(
                "the worker of stage `{}` of job {} did not show its files within {} s: it may be cut off, \
                 dead or very busy; try again, or wait for the end of the stage",
                attempt.stage,
                attempt.job,
                PATIENCE.as_secs()
            ))),
        }
    }
}

fn ended(attempt: &Attempt) -> AppError {
    AppError::Conflict(format!(
        "attempt {} at stage `{}` of job {} has ended; what it left is at /jobs/{}/files",
        attempt.attempt, attempt.stage, attempt.job, attempt.job
    ))
}

fn unreadable(attempt: &Attempt, why: &str) -> AppError {
    let why: String = why.chars().take(500).collect();
    AppError::Unavailable(format!(
        "the worker of stage `{}` of job {} could not show its files: {why}; try again, or wait for the end of \
         the stage",
        attempt.stage, attempt.job
    ))
}
