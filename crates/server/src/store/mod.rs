//! The database: the only place with SQL. Reads go through a small pool; every write is a command
//! for the one writer, which shares transactions between them.
//!
//! - Invariant: what a write gives back is committed and on the disk.
//! - Invariant: a stage's row is only ever what `core::job::apply` made of the row before.
//! - Invariant: no query reads rows in proportion to the number of jobs ever run.

mod audit;
mod change;
mod claim;
mod csv;
mod delete;
mod error;
mod event;
mod import;
mod insert;
mod job;
mod list;
mod migrate;
mod query;
mod queue;
mod rename;
mod set_aside;
mod shape;
mod stage;
#[cfg(test)]
mod tests;
mod token;
mod worker;
mod writer;

pub(crate) use audit::{Access, Audited, ForgetJob, RepairCounts, RepairState};
pub(crate) use change::{Change, ChangeJob, Changed, Said};
pub(crate) use claim::{Claim, ClaimStage, Claimed};
pub(crate) use csv::CsvPart;
pub(crate) use delete::DeleteJob;
pub use error::StoreError;
pub(crate) use import::ImportJob;
pub(crate) use insert::InsertJob;
pub(crate) use job::{JobRow, state_of};
pub(crate) use list::JobFilter;
pub(crate) use rename::RenameJob;
pub(crate) use set_aside::SetAside;
pub(crate) use shape::Shape;
pub(crate) use stage::{Damaged, RunningStage, StageRow};
pub(crate) use token::{AddToken, RevokeToken, TokenRow};
pub(crate) use worker::{SaveWorkers, WorkerRow};
pub(crate) use writer::{Command, Nothing};

use crate::metrics::Histogram;
use polyphemus_core::{JobState, StageName};
use sqlx::Connection as _;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use writer::Writer;

/// Connections for reading. SQLite's readers do not wait for the writer nor for each other.
const READERS: u32 = 4;
/// Pages of the database that a connection keeps. The kernel has them too: more of them would only be
/// more memory of a server that is idle.
const WRITER_CACHE_KIB: u32 = 2048;
const READER_CACHE_KIB: u32 = 512;
/// How long a connection waits for a lock; only a checkpoint or another program can hold one.
const BUSY: Duration = Duration::from_secs(10);

/// A handle on the database.
#[derive(Debug)]
pub struct Store {
    reads: AnyPool,
    writes: AnyPool,
    writer: Writer,
    shapes: shape::Shapes,
    /// How many transactions there were at the last checkpoint.
    checkpointed: AtomicU64,
}

impl Store {
    /// Opens `polyphemus.db` in the folder `instance`, creating or migrating it.
    pub(crate) async fn open(instance: &Path) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let file = SqliteConnectOptions::new()
            .filename(instance.join("polyphemus.db"))
            .create_if_missing(true);
        let options = AnyConnectOptions::from_url(&file.to_url_lossy())?.disable_statement_logging();
        look_at(&options).await?;
        let writes = pool(1, WRITER_CACHE_KIB).connect_with(options.clone()).await?;
        migrate::migrate(&mut *writes.acquire().await?, instance).await?;
        let reads = pool(READERS, READER_CACHE_KIB).connect_with(options).await?;
        let store = Self {
            reads,
            writer: Writer::start(writes.clone()),
            writes,
            shapes: shape::Shapes::default(),
            checkpointed: AtomicU64::new(0),
        };
        store.shape_load().await?;
        Ok(store)
    }

    /// Runs a command; what it gives is committed. It is run to its end also where the caller does
    /// not wait for it.
    pub(crate) async fn write<C: Command>(&self, command: C) -> Result<C::Done, StoreError> {
        self.writer.write(command).await
    }

    /// How many transactions were committed since the store was opened.
    pub(crate) fn transactions(&self) -> u64 {
        self.writer.transactions()
    }

    /// Waits until something was committed since the last time that this was waited for, by one waiter.
    pub(crate) async fn committed(&self) {
        self.writer.committed().await;
    }

    /// How long transactions take to get to the disk.
    pub(crate) fn commits(&self) -> &Histogram {
        self.writer.commits()
    }

    /// Copies what was written from the log into the database file, without holding up anybody.
    pub(crate) async fn checkpoint(&self) -> Result<(), StoreError> {
        let transactions = self.transactions();
        if self.checkpointed.load(Ordering::Relaxed) != transactions {
            sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)")
                .execute(&self.reads)
                .await?;
            self.checkpointed.store(transactions, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Closes all connections; the last one moves everything into the database file.
    pub(crate) async fn close(&self) {
        self.reads.close().await;
        self.writes.close().await;
    }
}

/// Reads a little: a pool would try again for half a minute, and then not say what is wrong.
async fn look_at(options: &AnyConnectOptions) -> Result<(), StoreError> {
    let mut connection = AnyConnection::connect_with(options).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "PRAGMA busy_timeout = {}; SELECT COUNT(*) FROM sqlite_master",
        BUSY.as_millis()
    )))
    .execute(&mut connection)
    .await?;
    Ok(connection.close().await?)
}

fn pool(connections: u32, cache_kib: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        // A connection is a file handle of this process: it does not go stale.
        .test_before_acquire(false)
        .after_release(|connection, _| {
            Box::pin(async move {
                // On a full disk SQLite undoes a transaction by itself; the driver's own attempt then
                // fails, and it goes on counting from a transaction that is not there. All that follows
                // would be nested in one that nothing commits. The ping comes behind that attempt.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                // Checkpoints are made off the writer's path; at 20,000 pages (80 MiB) it makes one
                // itself, so that the log stays bounded whatever happens.
                let settings = format!(
                    "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                     PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 20000;
                     PRAGMA journal_size_limit = 134217728; PRAGMA cache_size = -{cache_kib};",
                    BUSY.as_millis()
                );
                sqlx::raw_sql(sqlx::AssertSqlSafe(settings))
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
}

fn unreadable(what: &'static str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable {
        what,
        why: why.to_string(),
    }
}

fn job_state(text: String) -> Result<JobState, StoreError> {
    JobState::parse(&text).ok_or_else(|| unreadable("a job's state", text))
}

fn stage_name(text: String) -> Result<StageName, StoreError> {
    StageName::parse(&text).ok_or_else(|| unreadable("a stage's name", text))
}
