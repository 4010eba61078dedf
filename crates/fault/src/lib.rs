//! The named points between two durable effects, at which a test can have the process killed.
//! A crate of its own because artifacts, server and worker all have such points. Without the feature
//! `points` they are nothing; with it they wait for `POLYPHEMUS_FAULT` in the environment.

/// The variable that says where to die: `NAME`, or `NAME:N` for the N-th time that it is passed.
pub const VARIABLE: &str = "POLYPHEMUS_FAULT";

/// Every point there is; tests go through all of them. `WHOSE.BETWEEN`, in the order of a job's life.
pub const POINTS: &[&str] = &[
    "blobs.journal_replayed",
    "blobs.journal_written",
    "blobs.journal_synced",
    "blobs.files_placed",
    "blobs.segment_settled",
    "blobs.content_synced",
    "blobs.renamed",
    "submit.contents_stored",
    "submit.job_inserted",
    "store.before_commit",
    "store.committed",
    "claim.committed",
    "claim.laid_open",
    "claim.logged",
    "change.log_synced",
    "change.committed",
    "change.logged",
    "rename.committed",
    "log.appended",
    "blobs.deleted",
    "worker.claimed",
    "worker.workspace_made",
    "worker.device_locked",
    "worker.tree_fetched",
    "worker.tree_laid_out",
    "worker.step_started",
    "worker.log_sent",
    "worker.steps_ended",
    "worker.tree_stored",
    "worker.blobs_sent",
    "worker.workspace_removed",
    "worker.log_complete",
    "worker.finish_answered",
];

/// Kills this process (SIGKILL) if it was told to die here.
///
/// # Panics
/// With the feature `points`, if the name is not in [`POINTS`]: no test would ever go there.
#[inline]
pub fn point(name: &'static str) {
    #[cfg(feature = "points")]
    enabled::point(name);
    #[cfg(not(feature = "points"))]
    let _ = name;
}

#[cfg(feature = "points")]
mod enabled {
    use super::{POINTS, VARIABLE};
    use rustix::process::{Signal, getpid, kill_process};
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Wanted {
        name: String,
        /// Times to pass before.
        left: AtomicU64,
    }

    static WANTED: LazyLock<Option<Wanted>> = LazyLock::new(|| {
        let value = std::env::var(VARIABLE).ok()?;
        let (name, times) = match value.rsplit_once(':') {
            Some((name, times)) => (name.to_owned(), times.parse().ok()?),
            None => (value, 1),
        };
        let left = AtomicU64::new(times);
        Some(Wanted { name, left })
    });

    pub(super) fn point(name: &'static str) {
        assert!(
            POINTS.contains(&name),
            "the point {name} is not in the list of points"
        );
        let Some(wanted) = WANTED.as_ref().filter(|wanted| wanted.name == name) else {
            return;
        };
        if wanted.left.fetch_sub(1, Ordering::Relaxed) != 1 {
            return;
        }
        // SIGKILL comes before this returns; the loop is for the compiler and for other threads.
        while kill_process(getpid(), Signal::KILL).is_ok() {
            std::thread::yield_now();
        }
    }
}
