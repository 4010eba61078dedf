//! Workers as they were last heard of. Written now and then, for the time after a restart; who is
//! live is known in memory.

use super::writer::{Command, Tx};
use super::{Store, StoreError, query, unreadable};
use polyphemus_core::{Label, WorkerId};
use sqlx::Row as _;

/// The most workers that are listed.
const MOST: i64 = 10_000;

#[derive(Debug, Clone)]
pub(crate) struct WorkerRow {
    pub(crate) id: WorkerId,
    pub(crate) labels: Vec<Label>,
    pub(crate) seen_ms: i64,
}

/// Saves workers and forgets those that were not heard of since `forget_before_ms`.
#[derive(Debug)]
pub(crate) struct SaveWorkers {
    pub(crate) workers: Vec<WorkerRow>,
    pub(crate) forget_before_ms: i64,
}

impl Command for SaveWorkers {
    type Done = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), StoreError> {
        for worker in &self.workers {
            let labels =
                serde_json::to_string(&worker.labels).map_err(|error| unreadable("labels", error))?;
            sqlx::query(query::WORKER_SAVE)
                .bind(&worker.id.0)
                .bind(labels)
                .bind(worker.seen_ms)
                .execute(tx.connection())
                .await?;
        }
        sqlx::query(query::WORKER_FORGET)
            .bind(self.forget_before_ms)
            .execute(tx.connection())
            .await?;
        Ok(())
    }
}

impl Store {
    /// The workers that were heard of after `since_ms`, the latest first.
    pub(crate) async fn worker_list(&self, since_ms: i64) -> Result<Vec<WorkerRow>, StoreError> {
        let rows = sqlx::query(query::WORKER_LIST)
            .bind(since_ms)
            .bind(MOST)
            .fetch_all(&self.reads)
            .await?;
        rows.iter()
            .map(|row| {
                let labels: String = row.try_get(1)?;
                Ok(WorkerRow {
                    id: WorkerId(row.try_get(0)?),
                    labels: serde_json::from_str(&labels).map_err(|error| unreadable("labels", error))?,
                    seen_ms: row.try_get(2)?,
                })
            })
            .collect()
    }
}
