//! Leases that have run out: the stage goes to another worker, or has failed too often.

use crate::app::{App, AppError, EMBEDDED, now_ms};
use crate::store::{Change, RunningStage};

/// Stages of one look.
const BATCH: u32 = 200;

/// Gives up the attempts whose lease has run out. Gives the time of the next end of a lease.
pub(super) async fn expire(app: &App) -> Result<Option<i64>, AppError> {
    loop {
        let now_ms = now_ms();
        let expired = app.0.store.stage_list_expired(now_ms, BATCH).await?;
        let all = expired.len() < BATCH as usize;
        for stage in expired {
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
        Err(error) => Err(error),
    }
}
