//! What keeps the instance tidy, away from the path of requests: checkpoints, the workers' list,
//! unused blobs.

use super::{blobs, reported};
use crate::app::{App, AppError, REMEMBERED_MS, now_ms};
use crate::store::SaveWorkers;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep};

const CHECKPOINT_AFTER: Duration = Duration::from_secs(2);
const SAVE_WORKERS_EVERY: Duration = Duration::from_secs(30);
/// Jobs that are not kept any longer are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(30);
/// Not at once: a restarted server has more urgent things to do. Sooner where contents are kept for less.
const FIRST_COLLECTION: Duration = Duration::from_secs(3600);

pub(super) async fn run(app: &App) {
    // Whatever the last process dropped and did not collect.
    app.0.trees_dropped.store(true, Ordering::Relaxed);
    let mut workers = interval(SAVE_WORKERS_EVERY);
    let mut old_jobs = interval(FORGET_EVERY);
    let grace = app.0.config.blob_grace;
    let first = Instant::now() + grace.min(FIRST_COLLECTION);
    let mut collection = interval_at(first, grace.max(FIRST_COLLECTION));
    for timer in [&mut workers, &mut collection, &mut old_jobs] {
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    loop {
        tokio::select! {
            _ = workers.tick() => reported(save_workers(app).await, "the workers were not saved"),
            _ = old_jobs.tick() => {
                let deleted = reported(app.delete_old_jobs().await, "old jobs were not deleted");
                if deleted > 0 {
                    tracing::info!(deleted, "jobs that are not kept any longer were deleted");
                }
            }
            _ = collection.tick() => collect(app).await,
        }
    }
}

/// Copies what was written to the database into its file, soon after it was written.
pub(super) async fn checkpoint(app: &App) {
    loop {
        // Nothing is woken where nothing happens.
        app.0.store.committed().await;
        let mut is_done = false;
        while !is_done {
            sleep(CHECKPOINT_AFTER).await;
            let result = app.0.store.checkpoint().await.map_err(AppError::from);
            is_done = result.is_ok();
            reported(result, "the database was not checkpointed");
        }
    }
}

pub(crate) async fn save_workers(app: &App) -> Result<(), AppError> {
    let forget_before_ms = now_ms() - REMEMBERED_MS;
    let save = SaveWorkers {
        workers: app.0.workers.take_unsaved(forget_before_ms),
        forget_before_ms,
    };
    if save.workers.is_empty() {
        return Ok(());
    }
    Ok(app.0.store.write(save).await?)
}

async fn collect(app: &App) {
    if !app.0.trees_dropped.swap(false, Ordering::Relaxed) {
        return;
    }
    match blobs::collect_blobs(app).await {
        Ok(done) => {
            tracing::info!(
                deleted = done.deleted,
                freed_bytes = done.freed_bytes,
                "unused blobs were deleted"
            );
        }
        Err(error) => {
            app.0.trees_dropped.store(true, Ordering::Relaxed);
            reported::<()>(Err(error), "unused blobs were not deleted");
        }
    }
}
