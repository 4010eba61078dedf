//! Everything that HTTP asks for, in terms of jobs, stages and workers; knows nothing of HTTP.
//!
//! What must be done to its end once it was begun runs in a task of its own: a request whose client
//! goes away is dropped in the middle, and half a change is none.

mod attempt;
mod change;
mod claim;
mod delete;
mod error;
mod explain;
mod feed;
mod files;
mod gc;
mod health;
mod important;
mod job;
mod list;
mod lock;
mod look;
mod queue;
mod remark;
mod rename;
mod running;
mod state;
mod submit;
mod token;
mod waiting;
mod watch;
mod worker;

pub use attempt::Attempt;
pub use error::AppError;
pub use health::Unhealthy;
pub(crate) use lock::InstanceLock;
pub use look::Shown;
pub use running::RunningPart;
pub use submit::Submission;
pub(crate) use submit::{acceptance, design};
pub(crate) use waiting::{Ready, Waiting};
pub(crate) use worker::{EMBEDDED, REMEMBERED_MS};

use crate::care;
use crate::config::{Config, site};
use crate::log::Logs;
use crate::metrics::Metrics;
use crate::reconcile;
use crate::store::Store;
use futures::StreamExt as _;
use jiff::Timestamp;
use polyphemus_artifacts::{Blobs, Replayed};
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::Notify;

/// A server's application; a clone is another handle on the same.
#[derive(Debug, Clone)]
pub struct App(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) store: Arc<Store>,
    pub(crate) blobs: Blobs,
    pub(crate) logs: Logs,
    uploads: PathBuf,
    pub(crate) waiting: Waiting,
    watches: watch::Watches,
    remarks: remark::Remarks,
    important: important::Important,
    looks: look::Looks,
    pub(crate) workers: worker::Workers,
    metrics: Metrics,
    tokens: token::Tokens,
    /// Wakes the reconcilers: a lease or a delay was set that may end before what they wait for.
    pub(crate) changed: Notify,
    /// Whether a tree may have become unreachable since blobs were last collected.
    pub(crate) trees_dropped: AtomicBool,
    _lock: lock::InstanceLock,
}

impl App {
    /// Opens the instance, creating what is missing. Refuses one that another server has, or that a
    /// newer version has written to.
    pub async fn open(config: &Config) -> Result<Self, AppError> {
        let instance = &config.instance;
        let words = site::important(&config.site.important_words)
            .map_err(|error| AppError::BadRequest(format!("IMPORTANT_WORDS cannot be read: {error}")))?;
        create(instance)?;
        let lock = lock::InstanceLock::take(instance)?;
        care::refuse_unfinished(instance)?;
        care::identity(instance)?;
        let uploads = instance.join("uploads");
        empty(&uploads)?;
        let blobs = open_blobs(&instance.join("blobs"))?;
        refuse_without_database(instance, &blobs).await?;
        let store = Arc::new(Store::open(instance).await.map_err(refuse_to_open)?);
        let logs = Logs::open(&instance.join("logs"), store.clone())?;
        let workers = worker::Workers::new(store.worker_list(now_ms() - worker::REMEMBERED_MS).await?);
        let app = Self(Arc::new(Inner {
            config: config.clone(),
            store,
            blobs,
            logs,
            uploads,
            waiting: Waiting::default(),
            watches: watch::Watches::default(),
            remarks: remark::Remarks::default(),
            important: important::Important::new(words),
            looks: look::Looks::default(),
            workers,
            metrics: Metrics::default(),
            tokens: token::Tokens::default(),
            changed: Notify::new(),
            trees_dropped: AtomicBool::new(false),
            _lock: lock,
        }));
        app.tokens_read().await?;
        reconcile::expire_embedded(&app).await?;
        Ok(app)
    }

    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    /// Where uploads are written before they are unpacked; on the filesystem of the blobs.
    pub fn upload_folder(&self) -> &Path {
        &self.0.uploads
    }

    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Does what must happen later, until `shutdown`.
    pub async fn reconcile(&self, shutdown: impl Future<Output = ()> + Send) {
        reconcile::run(self, shutdown).await;
    }

    /// Deletes the blobs that no job refers to and that are older than the grace period.
    pub async fn collect_blobs(&self) -> Result<polyphemus_artifacts::Collected, AppError> {
        reconcile::collect_blobs(self).await
    }

    /// How many transactions were committed since the start.
    pub fn transactions(&self) -> u64 {
        self.0.store.transactions()
    }

    /// Saves what is only in memory and closes the database. What was answered is stored without it.
    pub async fn close(&self) {
        if let Err(error) = reconcile::save_workers(self).await {
            tracing::warn!(%error, "the workers were not saved");
        }
        self.0.store.close().await;
    }

    /// Runs `work` to its end, also when whoever asked for it goes away.
    async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, AppError>> + Send + 'static,
    ) -> Result<T, AppError> {
        match tokio::spawn(work).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(AppError::Unavailable(
                    "the server is shutting down; try again when it is back".into(),
                )),
            },
        }
    }
}

pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A duration in whole milliseconds.
pub(crate) fn ms(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn open_blobs(folder: &Path) -> Result<Blobs, AppError> {
    let (blobs, replayed) = Blobs::open_journaled(folder)?;
    if replayed != Replayed::default() {
        tracing::warn!(
            restored = replayed.restored,
            damaged = replayed.damaged,
            "the server did not end in order; contents were restored from the journal, and damaged entries \
             of it, one of which may be an upload that was never answered, were passed over"
        );
    }
    Ok(blobs)
}

/// What a crash left in the middle of an upload belongs to nobody.
fn empty(folder: &Path) -> Result<(), AppError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(AppError::io("empty the folder", folder, error));
        }
        _ => {}
    }
    fs::create_dir_all(folder).map_err(|error| AppError::io("create the folder", folder, error))
}

/// Whoever hands in designs may do so in confidence: others on the machine have no business here.
fn create(instance: &Path) -> Result<(), AppError> {
    let failed = |error| AppError::io("create the folder", instance, error);
    if let Some(above) = instance.parent() {
        fs::create_dir_all(above).map_err(failed)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(instance) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists || !instance.is_dir() => {
            Err(failed(error))
        }
        _ => Ok(()),
    }
}

/// A new database beside the contents of jobs would take them for garbage.
async fn refuse_without_database(instance: &Path, blobs: &Blobs) -> Result<(), AppError> {
    let database = instance.join("polyphemus.db");
    if fs::metadata(&database).is_ok_and(|found| found.len() > 0) {
        return Ok(());
    }
    let logs = fs::read_dir(instance.join("logs")).is_ok_and(|mut logs| logs.next().is_some());
    if !logs && blobs.list().next().await.is_none() {
        return Ok(());
    }
    Err(AppError::Conflict(format!(
        "the instance {} has contents or logs of jobs, but its database polyphemus.db is missing or empty; put \
         that file back or restore the instance from a backup (`polyphemus restore`), or begin with an empty \
         folder (`--instance`)",
        instance.display()
    )))
}

/// What only an operator can cure is said as it is; he is the one who starts servers.
fn refuse_to_open(error: crate::store::StoreError) -> AppError {
    use crate::store::StoreError;
    match error {
        StoreError::Newer { .. } | StoreError::ChangedMigration { .. } | StoreError::Damaged(_) => {
            AppError::Conflict(error.to_string())
        }
        error => error.into(),
    }
}
