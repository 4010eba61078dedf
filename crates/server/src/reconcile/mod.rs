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
use std::time::{Duration, Instant};

/// How long a reconciler waits at most, so that what its wake-ups miss is found soon.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long the clock is watched at most without a look at the database, where nothing was written to it.
const LONGEST_UNSEEN: Duration = Duration::from_secs(60);

/// Runs all reconcilers until `shutdown`.
pub(crate) async fn run(app: &App, shutdown: impl Future<Output = ()> + Send) {
    tokio::select! {
        () = shutdown => {}
        () = watch_the_clock(app) => {}
        () = housekeeping::run(app) => {}
        () = housekeeping::checkpoint(app) => {}
    }
}

/// Ends leases and wakes delayed stages at their time.
async fn watch_the_clock(app: &App) {
    // A claim makes a lease without waking anybody, so look several times in each.
    let longest = LONGEST_WAIT
        .min(app.0.config.lease / 4)
        .max(Duration::from_millis(10));
    let (mut seen, mut next, mut looked) = (None, None, Instant::now());
    loop {
        // Registered before the look, so that no change is missed.
        let changed = app.0.changed.notified();
        // Where nothing was written since the last look and nothing is due, it would see the same again.
        let written = Some(app.0.store.transactions());
        let is_due = next.is_some_and(|at_ms| at_ms <= now_ms());
        if written != seen || is_due || looked.elapsed() >= LONGEST_UNSEEN {
            (seen, looked) = (written, Instant::now());
            next = look(app).await.unwrap_or_else(|()| {
                seen = None;
                None
            });
        }
        let wait = next.map_or(ms(longest), |at_ms| (at_ms - now_ms()).clamp(1, ms(longest)));
        let wait = Duration::from_millis(wait.unsigned_abs());
        // Either is reason enough to look again.
        if tokio::time::timeout(wait, changed).await.is_ok() {
            seen = None;
        }
    }
}

/// Gives the time when something is due next; an error where it could not be seen to, which is told.
async fn look(app: &App) -> Result<Option<i64>, ()> {
    let seen = [
        (lease::expire(app).await, "leases were not ended"),
        (queue::wake(app).await, "delayed stages were not woken"),
    ];
    let mut next = Ok(None);
    for (result, what) in seen {
        let has_failed = result.is_err();
        let due: Option<i64> = reported(result, what);
        next = match (next, has_failed) {
            (Ok(next), false) => Ok(due.into_iter().chain(next).min()),
            _ => Err(()),
        };
    }
    next
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
