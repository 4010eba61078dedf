//! Leases that have run out: the stage goes to another worker, or has failed too often.

use crate::app::{App, AppError, EMBEDDED, now_ms};
use crate::store::{Change, Damaged, RunningStage, SetAside};

/// Stages of one look.
const BATCH: u32 = 200;

/// Gives up the attempts whose lease has run out. Gives the time of the next end of a lease.
pub(super) async fn expire(app: &App) -> Result<Option<i64>, AppError> {
    loop {
        let now_ms = now_ms();
        let expired = app.0.store.stage_list_expired(now_ms, BATCH).await?;
        let all = expired.len() < BATCH as usize;
        for stage in expired {
            let stage = match stage {
                Ok(stage) => stage,
                Err(damaged) => {
                    set_aside(app, damaged).await?;
                    continue;
                }
            };
            let change = Change::LeaseExpired {
                stage: stage.stage,
                attempt: stage.attempt,
            };
            give_up(app, &stage, change).await?;
        }
        if all {
            return Ok(app.0.store.stage_next_expiry(now_ms).await?);
        }
    }
}

/// Gives up the attempts of workers that were part of the server before: the lock on the instance
/// proves that they are dead.
pub(crate) async fn expire_embedded(app: &App) -> Result<(), AppError> {
    let running = app.0.store.stage_list_running(u32::MAX).await?;
    for stage in running
        .iter()
        .filter(|stage| stage.worker.0.starts_with(EMBEDDED))
    {
        let change = Change::WorkerGone {
            stage: stage.stage,
            attempt: stage.attempt,
        };
        give_up(app, stage, change).await?;
    }
    Ok(())
}

async fn give_up(app: &App, stage: &RunningStage, change: Change) -> Result<(), AppError> {
    match app.change(&stage.job, change).await {
        Ok(_) => {
            tracing::warn!(
                job = %stage.job, stage = %stage.stage, attempt = stage.attempt, worker = %stage.worker,
                "a worker was lost"
            );
            Ok(())
        }
        // It was heard of, or has finished, in the meantime.
        Err(AppError::Conflict(_) | AppError::Superseded(_)) => Ok(()),
        Err(AppError::Corrupt(why)) => {
            let job_seq = stage.job_seq;
            set_aside(app, Damaged { job_seq, why }).await
        }
        Err(error) => Err(error),
    }
}

/// Takes a job out of the way that would keep the leases of all others from being looked at.
async fn set_aside(app: &App, Damaged { job_seq, why }: Damaged) -> Result<(), AppError> {
    tracing::error!(job_seq, why, "a job cannot be read and is set aside as failed");
    let now_ms = now_ms();
    let set_aside = SetAside { job_seq, now_ms, why };
    Ok(app.0.store.write(set_aside).await?)
}
