//! The database looked through as a whole: only on an operator's command, never while serving. The
//! only place with queries that read all rows, and that opens a database without bringing it up to date.

use super::job::read_job;
use super::stage::stage_list_of_job;
use super::writer::{Command, Tx, Writer};
use super::{BUSY, StageRow, Store, StoreError, migrate, shape};
use crate::store::job::JobRow;
use polyphemus_core::JobState;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _};
use std::path::Path;
use std::sync::atomic::AtomicU64;

const JOBS: &str = "SELECT seq, id, title, state, submitted_ms, finished_ms, options, plan, tree, ended_as
    FROM job WHERE seq > $1 ORDER BY seq LIMIT $2";
/// One statement, so that all of it is of one moment.
const COUNTS: &str = "SELECT known.state, COALESCE(job_count.n, 0),
        (SELECT COUNT(*) FROM job WHERE job.state = known.state)
    FROM (SELECT state FROM job_count UNION SELECT state FROM job) AS known
    LEFT JOIN job_count ON job_count.state = known.state";
const COUNTERS: &str = "SELECT counter.name, counter.value,
        CASE counter.name WHEN 'job' THEN (SELECT COALESCE(MAX(seq), 0) FROM job)
            ELSE (SELECT COALESCE(MAX(seq), 0) FROM event) END
    FROM counter WHERE counter.name IN ('job', 'event')";

/// What may be done with a database that is opened as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// A job with its stages as the rows have them at one moment, or why they cannot be read.
#[derive(Debug)]
pub(crate) struct Audited {
    pub(crate) seq: i64,
    /// As it stands in the row.
    pub(crate) id: String,
    pub(crate) job: Result<JobRow, StoreError>,
    pub(crate) stages: Result<Vec<StageRow>, StoreError>,
}

/// A number that is kept and does not agree with the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrongCount {
    pub(crate) what: String,
    pub(crate) kept: i64,
    pub(crate) counted: i64,
}

impl Store {
    /// Opens the database of an instance if it has exactly this program's schema, whoever else has it
    /// open; creates and migrates nothing.
    pub(crate) async fn existing(instance: &Path, access: Access) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let file = SqliteConnectOptions::new()
            .filename(instance.join("polyphemus.db"))
            .create_if_missing(false);
        let options = AnyConnectOptions::from_url(&file.to_url_lossy())?.disable_statement_logging();
        super::look_at(&options).await?;
        let pool = AnyPoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let settings = format!(
                        "PRAGMA busy_timeout = {}; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                         PRAGMA query_only = {};",
                        BUSY.as_millis(),
                        u8::from(access == Access::Read)
                    );
                    sqlx::raw_sql(sqlx::AssertSqlSafe(settings))
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .connect_with(options)
            .await?;
        migrate::check(&mut *pool.acquire().await?, instance).await?;
        let store = Self {
            reads: pool.clone(),
            writer: Writer::start(pool.clone()),
            writes: pool,
            shapes: shape::Shapes::default(),
            checkpointed: AtomicU64::new(0),
        };
        store.shape_load().await?;
        Ok(store)
    }

    /// What the database's own check finds wrong; empty where nothing is.
    pub(crate) async fn audit_integrity(&self) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for row in sqlx::query("PRAGMA integrity_check(100)")
            .fetch_all(&self.reads)
            .await?
        {
            let line: String = row.try_get(0)?;
            if line != "ok" {
                found.push(line);
            }
        }
        for row in sqlx::query("PRAGMA foreign_key_check")
            .fetch_all(&self.reads)
            .await?
        {
            let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(2)?);
            found.push(format!(
                "a row of `{table}` refers to one of `{parent}` that is not there"
            ));
        }
        Ok(found)
    }

    /// The numbers that are kept so that nobody must count, where counting says otherwise.
    pub(crate) async fn audit_counts(&self) -> Result<Vec<WrongCount>, StoreError> {
        let mut wrong = Vec::new();
        for row in sqlx::query(COUNTS).fetch_all(&self.reads).await? {
            let state: String = row.try_get(0)?;
            let (kept, counted): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
            if kept != counted {
                let what = format!("jobs in the state `{state}`");
                wrong.push(WrongCount { what, kept, counted });
            }
        }
        for row in sqlx::query(COUNTERS).fetch_all(&self.reads).await? {
            let name: String = row.try_get(0)?;
            let (kept, counted): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
            if kept < counted {
                let what = format!("the last number of a {name}");
                wrong.push(WrongCount { what, kept, counted });
            }
        }
        Ok(wrong)
    }

    /// At most `most` jobs after the one with the sequence number `after`, each with its stages, all
    /// of one moment.
    pub(crate) async fn audit_jobs(&self, after: i64, most: u32) -> Result<Vec<Audited>, StoreError> {
        let mut moment = self.reads.begin().await?;
        let rows = sqlx::query(JOBS)
            .bind(after)
            .bind(i64::from(most))
            .fetch_all(&mut *moment)
            .await?;
        let mut jobs = Vec::with_capacity(rows.len());
        for row in &rows {
            let seq = row.try_get(0)?;
            jobs.push(Audited {
                seq,
                id: row.try_get(1)?,
                job: read_job(row),
                stages: stage_list_of_job(&mut moment, seq).await,
            });
        }
        moment.rollback().await?;
        Ok(jobs)
    }

    /// Writes the database as it is at one moment into a new file, whoever reads and writes meanwhile.
    /// The file is not yet on the disk for good when this returns.
    pub(crate) async fn copy_into(&self, file: &Path) -> Result<(), StoreError> {
        let mut connection = self.reads.acquire().await?;
        let row = sqlx::query("PRAGMA query_only")
            .fetch_one(&mut *connection)
            .await?;
        let only_reads: i64 = row.try_get(0)?;
        // It would refuse to write the new file, too.
        sqlx::raw_sql("PRAGMA query_only = 0")
            .execute(&mut *connection)
            .await?;
        let copied = sqlx::query("VACUUM INTO $1")
            .bind(file.to_string_lossy().into_owned())
            .execute(&mut *connection)
            .await;
        let again = format!("PRAGMA query_only = {only_reads}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(again))
            .execute(&mut *connection)
            .await?;
        copied?;
        Ok(())
    }
}

/// Sets the derived state of a job to what its stages say. The counts must be repaired afterwards.
#[derive(Debug)]
pub(crate) struct RepairState {
    pub(crate) job_seq: i64,
    pub(crate) state: JobState,
    pub(crate) now_ms: i64,
}

impl Command for RepairState {
    type Done = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let finished_ms = self.state.is_terminal().then_some(self.now_ms);
        sqlx::query(
            "UPDATE job SET state = $1, finished_ms = CASE WHEN $2 IS NULL THEN NULL
                ELSE COALESCE(finished_ms, $2) END WHERE seq = $3",
        )
        .bind(self.state.as_str())
        .bind(finished_ms)
        .bind(self.job_seq)
        .execute(tx.connection())
        .await?;
        Ok(())
    }
}

/// Counts anew what is kept so that nobody must count.
#[derive(Debug)]
pub(crate) struct RepairCounts;

impl Command for RepairCounts {
    type Done = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let steps = [
            "DELETE FROM job_count",
            "INSERT INTO job_count (state, n) SELECT state, COUNT(*) FROM job GROUP BY state",
            "UPDATE counter SET value = (SELECT MAX(seq) FROM job) WHERE name = 'job'
                AND value < (SELECT COALESCE(MAX(seq), 0) FROM job)",
            "UPDATE counter SET value = (SELECT MAX(seq) FROM event) WHERE name = 'event'
                AND value < (SELECT COALESCE(MAX(seq), 0) FROM event)",
        ];
        for step in steps {
            sqlx::query(step).execute(tx.connection()).await?;
        }
        Ok(())
    }
}

/// Removes a job from a copy of the database. The counts must be repaired afterwards.
#[derive(Debug)]
pub(crate) struct ForgetJob {
    pub(crate) job_seq: i64,
}

impl Command for ForgetJob {
    type Done = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let steps = [
            "DELETE FROM event WHERE job_seq = $1",
            "DELETE FROM stage WHERE job_seq = $1",
            "DELETE FROM job WHERE seq = $1",
        ];
        for step in steps {
            sqlx::query(step)
                .bind(self.job_seq)
                .execute(tx.connection())
                .await?;
        }
        Ok(())
    }
}
