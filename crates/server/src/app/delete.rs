//! A job's deletion: its rows, then its log; what only it held of the blobs goes at the next collection.

use super::{App, AppError};
use crate::store::DeleteJob;
use polyphemus_core::JobId;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a deletion waits for a worker to end what it has of the job.
const CANCEL_WAIT: Duration = Duration::from_secs(30);

impl App {
    /// Deletes a job that is over.
    pub async fn delete(&self, id: &JobId) -> Result<(), AppError> {
        let (app, job) = (self.clone(), id.clone());
        self.to_its_end(async move {
            // Under the lock of its log, as every change of a job.
            let log = app.0.logs.lock(&job).await;
            app.0.store.write(DeleteJob { job: job.clone() }).await?;
            app.0.trees_dropped.store(true, Ordering::Relaxed);
            // The job is gone, whatever becomes of the file.
            if let Err(error) = log.delete().await {
                tracing::error!(%job, %error, "the log of a deleted job is still there; delete the file");
            }
            app.0.watches.forget(&job);
            Ok(())
        })
        .await
    }

    /// Cancels the job where it is not over, waits until its worker has ended it, and deletes it.
    pub async fn cancel_and_delete(&self, id: &JobId) -> Result<(), AppError> {
        let mut changed = self.watch(id).await?;
        match self.cancel(id).await {
            // It is over already, or it is being cancelled.
            Ok(_) | Err(AppError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
        let over = async {
            while !self.job(id).await?.state.is_terminal() {
                if changed.changed().await.is_err() {
                    break;
                }
            }
            Ok::<_, AppError>(())
        };
        match tokio::time::timeout(CANCEL_WAIT, over).await {
            Ok(over) => over?,
            Err(_) => {
                return Err(AppError::Conflict(format!(
                    "job {id} is being cancelled, but its worker has not ended it within {} s; delete it again \
                     in a moment",
                    CANCEL_WAIT.as_secs()
                )));
            }
        }
        self.delete(id).await
    }
}
