//! Blobs that no job refers to any more.

use crate::app::{App, AppError};
use polyphemus_artifacts::{Collected, collect, survey};
use polyphemus_core::TreeHash;
use std::collections::HashSet;
use std::time::SystemTime;

/// Jobs that are read at once.
const BATCH: u32 = 5000;

/// Deletes the blobs that no tree of any job holds and that are older than the grace period.
///
/// What is being submitted or finished while this runs is safe: its contents are made young right
/// before its tree is committed. Takes time and memory in proportion to the number of jobs; it runs
/// on command and when something was dropped, never in the way of a request.
pub(crate) async fn collect_blobs(app: &App) -> Result<Collected, AppError> {
    app.0.blobs.lay_all_open().await?;
    let now = SystemTime::now();
    let live = live(app).await?;
    Ok(collect(&app.0.blobs, live, app.0.config.blob_grace, now).await?)
}

/// What [`collect_blobs`] would do now.
pub(crate) async fn survey_blobs(app: &App) -> Result<Collected, AppError> {
    app.0.blobs.lay_all_open().await?;
    let now = SystemTime::now();
    let live = live(app).await?;
    Ok(survey(&app.0.blobs, live, app.0.config.blob_grace, now).await?)
}

/// The trees of all jobs.
async fn live(app: &App) -> Result<HashSet<TreeHash>, AppError> {
    let mut live: HashSet<TreeHash> = HashSet::new();
    let mut after = 0;
    loop {
        let (trees, last) = app.0.store.job_trees(after, BATCH).await?;
        live.extend(trees);
        match last {
            Some(last) => after = last,
            None => return Ok(live),
        }
    }
}
