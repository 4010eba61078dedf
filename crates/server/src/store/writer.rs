//! The one writer: commands that wait at the same moment share a transaction and its fsync.
//!
//! There is no timer: while one batch is being committed the next one gathers, so that the time of
//! an fsync is the window of the batch after it.

use super::insert::NewRows;
use super::{StoreError, query};
use crate::metrics::Histogram;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use polyphemus_core::JobState;
use sqlx::{Any, AnyConnection, AnyPool, Row as _, Transaction};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::{Notify, mpsc, oneshot};

/// The most commands of one transaction: a bound on how long the first of them waits.
const BATCH: usize = 256;
/// How often a command is tried that another server was faster than.
const TRIES: usize = 5;

/// A change of the database. It may run more than once, each time in a transaction of its own, and
/// only the last run counts. If it refuses, it must not have written anything.
pub(crate) trait Command: Send + Sync + 'static {
    type Done: Send + 'static;
    /// False for one that only gathers new rows: then those of the commands before it can wait too.
    const READS: bool = true;

    fn run(&self, tx: &mut Tx) -> impl Future<Output = Result<Self::Done, StoreError>> + Send;
}

/// The transaction that the commands of a batch share, and what they add up in memory until its end.
#[derive(Debug)]
pub(crate) struct Tx {
    transaction: Transaction<'static, Any>,
    counters: BTreeMap<&'static str, i64>,
    job_counts: BTreeMap<JobState, i64>,
    new_rows: NewRows,
}

impl Tx {
    pub(crate) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// The next number of a sequence; numbers are in the order of commits.
    pub(crate) async fn next(&mut self, counter: &'static str) -> Result<i64, StoreError> {
        let value = match self.counters.get(counter) {
            Some(value) => *value,
            None => sqlx::query(query::COUNTER_LOCK)
                .bind(counter)
                .fetch_one(self.connection())
                .await?
                .try_get(0)?,
        };
        self.counters.insert(counter, value + 1);
        Ok(value + 1)
    }

    pub(crate) fn count(&mut self, state: JobState, change: i64) {
        *self.job_counts.entry(state).or_default() += change;
    }

    pub(super) fn new_rows(&mut self) -> &mut NewRows {
        &mut self.new_rows
    }

    async fn insert_new_rows(&mut self) -> Result<(), StoreError> {
        std::mem::take(&mut self.new_rows).insert(self).await
    }

    async fn commit(mut self) -> Result<(), StoreError> {
        self.insert_new_rows().await?;
        for (name, value) in std::mem::take(&mut self.counters) {
            sqlx::query(query::COUNTER_SET)
                .bind(value)
                .bind(name)
                .execute(self.connection())
                .await?;
        }
        for (state, change) in std::mem::take(&mut self.job_counts) {
            if change != 0 {
                sqlx::query(query::JOB_COUNT_ADD)
                    .bind(state.as_str())
                    .bind(change)
                    .execute(self.connection())
                    .await?;
            }
        }
        polyphemus_fault::point("store.before_commit");
        self.transaction.commit().await?;
        polyphemus_fault::point("store.committed");
        Ok(())
    }
}

/// What the writer counts.
struct Counted {
    transactions: Arc<AtomicU64>,
    committed: Arc<Notify>,
    /// Each with its counters and its fsync.
    commits: Arc<Histogram>,
}

/// Changes nothing: shows that the writer answers.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Command for Nothing {
    type Done = ();

    async fn run(&self, _: &mut Tx) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A handle on the writer's task, which ends when the last handle is gone.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Queued>>,
    transactions: Arc<AtomicU64>,
    committed: Arc<Notify>,
    commits: Arc<Histogram>,
}

impl Writer {
    pub(crate) fn start(pool: AnyPool) -> Self {
        let (queue, mut waiting) = mpsc::channel::<Box<dyn Queued>>(4 * BATCH);
        let transactions = Arc::new(AtomicU64::new(0));
        let (committed, commits) = (Arc::new(Notify::new()), Arc::new(Histogram::default()));
        let counted = Counted {
            transactions: transactions.clone(),
            committed: committed.clone(),
            commits: commits.clone(),
        };
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(BATCH);
            while waiting.recv_many(&mut batch, BATCH).await > 0 {
                write(&pool, std::mem::take(&mut batch), &counted).await;
            }
        });
        Self {
            queue,
            transactions,
            committed,
            commits,
        }
    }

    /// How many transactions were committed since the start.
    pub(crate) fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    /// Waits until something was committed since the last time that this was waited for, by one waiter.
    pub(crate) async fn committed(&self) {
        self.committed.notified().await;
    }

    pub(crate) fn commits(&self) -> &Histogram {
        &self.commits
    }

    /// Runs a command; what it gives is committed. Dropped while it waits, the command runs all the
    /// same, and what it gives is dropped.
    pub(crate) async fn write<C: Command>(&self, command: C) -> Result<C::Done, StoreError> {
        let (answer, answered) = oneshot::channel();
        let waiting = Box::new(Waiting {
            command,
            done: None,
            answer,
        });
        self.queue.send(waiting).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

/// A command of any kind with the place for its answer. A trait because each kind has an answer of
/// its own type.
trait Queued: Send {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Result<(), StoreError>>;
    fn answer(self: Box<Self>, failed: Option<StoreError>);
}

struct Waiting<C: Command> {
    command: C,
    done: Option<Result<C::Done, StoreError>>,
    answer: oneshot::Sender<Result<C::Done, StoreError>>,
}

impl<C: Command> Queued for Waiting<C> {
    /// An error only where the transaction must be undone.
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Result<(), StoreError>> {
        async move {
            self.done = None;
            if C::READS {
                tx.insert_new_rows().await?;
            }
            self.done = Some(match self.command.run(tx).await {
                Ok(done) => Ok(done),
                Err(refused @ StoreError::Refused(_)) => Err(refused),
                Err(failed) => return Err(failed),
            });
            Ok(())
        }
        .boxed()
    }

    fn answer(self: Box<Self>, failed: Option<StoreError>) {
        let result = match (failed, self.done) {
            (Some(failed), _) => Err(failed),
            (None, Some(done)) => done,
            (None, None) => Err(StoreError::Closed),
        };
        // Whoever asked may have gone away; what was done stays done.
        drop(self.answer.send(result));
    }
}

async fn write(pool: &AnyPool, mut batch: Vec<Box<dyn Queued>>, counted: &Counted) {
    match try_write(pool, &mut batch, counted).await {
        Ok(()) => {
            for waiting in batch {
                waiting.answer(None);
            }
        }
        Err(failed) => {
            tracing::debug!(commands = batch.len(), error = %failed, "a shared transaction was undone");
            for waiting in batch {
                write_alone(pool, waiting, counted).await;
            }
        }
    }
}

/// One command's trouble is its own: after a shared transaction has failed each gets its own.
async fn write_alone(pool: &AnyPool, waiting: Box<dyn Queued>, counted: &Counted) {
    let mut alone = [waiting];
    let mut failed = None;
    for _ in 0..TRIES {
        failed = try_write(pool, &mut alone, counted).await.err();
        if !matches!(failed, Some(StoreError::Raced)) {
            break;
        }
    }
    let [waiting] = alone;
    waiting.answer(failed);
}

/// Dropped before its end, the transaction is undone.
async fn try_write(
    pool: &AnyPool,
    batch: &mut [Box<dyn Queued>],
    counted: &Counted,
) -> Result<(), StoreError> {
    let mut tx = Tx {
        transaction: pool.begin().await?,
        counters: BTreeMap::new(),
        job_counts: BTreeMap::new(),
        new_rows: NewRows::default(),
    };
    for waiting in batch {
        waiting.run(&mut tx).await?;
    }
    let begun = Instant::now();
    tx.commit().await?;
    counted.commits.observe(begun.elapsed());
    counted.transactions.fetch_add(1, Ordering::Relaxed);
    counted.committed.notify_one();
    Ok(())
}
