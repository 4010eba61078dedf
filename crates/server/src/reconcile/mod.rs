//! What must happen later or again: idempotent functions without input, run on a timer and on a
//! wake-up. The way back after a crash is the same as the way on.

mod blobs;
mod housekeeping;
mod lease;
mod queue;

pub(crate) use blobs::{collect_blobs, survey_blobs};
pub(crate) use housekeeping::save_workers;
pub(crate) use lease::expire_embedded;

use crate::app::{App, AppError, ms, now_ms};
use std::time::Duration;

/// How long a reconciler waits at most, so that what its wake-ups miss is found soon.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Runs all reconcilers until `shutdown`.
pub(crate) async fn run(app: &App, shutdown: impl Future<Output = ()> + Send) {
    tokio::select! {
        () = shutdown => {}
        () = watch_the_clock(app) => {}
        () = housekeeping::run(app) => {}
    }
}

/// Ends leases and wakes delayed stages at their time.
async fn watch_the_clock(app: &App) {
    // A claim makes a lease without waking anybody, so look several times in each.
    let longest = LONGEST_WAIT
        .min(app.0.config.lease / 4)
        .max(Duration::from_millis(10));
    loop {
        // Registered before the look, so that no change is missed.
        let changed = app.0.changed.notified();
        let next = [
            reported(lease::expire(app).await, "leases were not ended"),
            reported(queue::wake(app).await, "delayed stages were not woken"),
        ];
        let next = next.into_iter().flatten().min();
        let wait = next.map_or(ms(longest), |at_ms| (at_ms - now_ms()).clamp(1, ms(longest)));
        let wait = Duration::from_millis(wait.unsigned_abs());
        // Either is reason enough to look again.
        drop(tokio::time::timeout(wait, changed).await);
    }
}

/// A reconciler's failure is told here and made good by its next run.
fn reported<T: Default>(result: Result<T, AppError>, what: &str) -> T {
    result.unwrap_or_else(|error| {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "{what}; this is tried again soon"
        );
        T::default()
    })
}
