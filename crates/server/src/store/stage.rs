//! Stages in the database: the row as the core's `Stage` and back, and the lists by queue and lease.

use super::job::{read_id, read_tree};
use super::writer::Tx;
use super::{Store, StoreError, query, stage_name, unreadable};
use polyphemus_core::retry::Tries;
use polyphemus_core::{
    Cause, CauseKind, JobId, Stage, StageName, StageResult, StageState, TreeHash, WorkerId,
};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

/// A stage with what is kept beside its state.
#[derive(Debug, Clone)]
pub(crate) struct StageRow {
    pub(crate) position: i64,
    pub(crate) stage: Stage,
    pub(crate) needs_key: String,
    /// Who has it, or had it last.
    pub(crate) worker: Option<WorkerId>,
    /// Of the running attempt.
    pub(crate) attempt_key: Option<String>,
    /// Why the last attempt failed, also where the stage is queued again.
    pub(crate) cause: Option<Cause>,
    pub(crate) result: Option<StageResult>,
    pub(crate) started_ms: Option<i64>,
    pub(crate) finished_ms: Option<i64>,
}

/// A stage that waits for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueuedStage {
    pub(crate) job_seq: i64,
    pub(crate) position: i64,
    pub(crate) not_before_ms: i64,
}

/// A stage that a worker has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunningStage {
    pub(crate) job: JobId,
    pub(crate) job_seq: i64,
    pub(crate) stage: StageName,
    pub(crate) attempt: u32,
    pub(crate) worker: WorkerId,
    pub(crate) lease_until_ms: i64,
}

/// A job that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damaged {
    pub(crate) job_seq: i64,
    pub(crate) why: String,
}

impl Store {
    /// How many stages of this shape are queued, at most `most`, and since when the first of them is.
    pub(crate) async fn stage_count_queued(
        &self,
        needs_key: &str,
        most: u32,
    ) -> Result<(i64, Option<i64>), StoreError> {
        let row = sqlx::query(query::STAGE_COUNT_QUEUED)
            .bind(needs_key)
            .bind(i64::from(most))
            .fetch_one(&self.reads)
            .await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// How many stages run, at most `most`.
    pub(crate) async fn stage_count_running(&self, most: u32) -> Result<i64, StoreError> {
        let row = sqlx::query(query::STAGE_COUNT_RUNNING)
            .bind(i64::from(most))
            .fetch_one(&self.reads)
            .await?;
        Ok(row.try_get(0)?)
    }

    /// The stages of a job in the order of its plan.
    pub(crate) async fn stage_list(&self, job_seq: i64) -> Result<Vec<StageRow>, StoreError> {
        stage_list_of_job(&mut *self.reads.acquire().await?, job_seq).await
    }

    /// At most `most` stages of a shape that may be claimed at `now_ms`, the longest ready first.
    pub(crate) async fn stage_list_queued(
        &self,
        needs_key: &str,
        now_ms: i64,
        most: u32,
    ) -> Result<Vec<QueuedStage>, StoreError> {
        stage_list_queued(&mut *self.reads.acquire().await?, needs_key, now_ms, most).await
    }

    /// When the next stage of a shape may be claimed that may not yet at `now_ms`.
    pub(crate) async fn stage_next_delayed(
        &self,
        needs_key: &str,
        now_ms: i64,
    ) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query(query::STAGE_NEXT_DELAYED)
            .bind(needs_key)
            .bind(now_ms)
            .fetch_one(&self.reads)
            .await?;
        Ok(row.try_get(0)?)
    }

    /// At most `most` stages whose lease has run out at `now_ms`.
    pub(crate) async fn stage_list_expired(
        &self,
        now_ms: i64,
        most: u32,
    ) -> Result<Vec<Result<RunningStage, Damaged>>, StoreError> {
        self.stage_list_by_lease(query::STAGE_LIST_EXPIRED, now_ms, most)
            .await
    }

    /// At most `most` stages that workers have. What cannot be read is not among them: it is set aside when
    /// its lease has run out.
    pub(crate) async fn stage_list_running(&self, most: u32) -> Result<Vec<RunningStage>, StoreError> {
        let rows = self.stage_list_by_lease(query::STAGE_LIST_RUNNING, 0, most);
        Ok(rows.await?.into_iter().filter_map(Result::ok).collect())
    }

    /// When the first lease ends that lasts beyond `now_ms`.
    pub(crate) async fn stage_next_expiry(&self, now_ms: i64) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query(query::STAGE_NEXT_EXPIRY)
            .bind(now_ms)
            .fetch_one(&self.reads)
            .await?;
        Ok(row.try_get(0)?)
    }

    async fn stage_list_by_lease(
        &self,
        list: &'static str,
        bound_ms: i64,
        most: u32,
    ) -> Result<Vec<Result<RunningStage, Damaged>>, StoreError> {
        let rows = sqlx::query(list)
            .bind(bound_ms)
            .bind(i64::from(most))
            .fetch_all(&self.reads)
            .await?;
        rows.iter()
            .map(|row| match read_running(row) {
                Ok(stage) => Ok(Ok(stage)),
                Err(StoreError::Unreadable { what, why }) => Ok(Err(Damaged {
                    job_seq: row.try_get(5)?,
                    why: format!("{what}: {why}"),
                })),
                Err(error) => Err(error),
            })
            .collect()
    }
}

pub(super) async fn stage_list_of_job(
    connection: &mut AnyConnection,
    job_seq: i64,
) -> Result<Vec<StageRow>, StoreError> {
    let rows = sqlx::query(query::STAGE_LIST_OF_JOB)
        .bind(job_seq)
        .fetch_all(connection)
        .await?;
    rows.iter().map(read_stage).collect()
}

pub(super) async fn stage_list_queued(
    connection: &mut AnyConnection,
    needs_key: &str,
    now_ms: i64,
    most: u32,
) -> Result<Vec<QueuedStage>, StoreError> {
    let rows = sqlx::query(query::STAGE_LIST_QUEUED)
        .bind(needs_key)
        .bind(now_ms)
        .bind(i64::from(most))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(QueuedStage {
                job_seq: row.try_get(0)?,
                position: row.try_get(1)?,
                not_before_ms: row.try_get(2)?,
            })
        })
        .collect()
}

/// Writes `after` where `before` still stands.
pub(super) async fn stage_update(
    tx: &mut Tx,
    job_seq: i64,
    before: &Stage,
    after: &StageRow,
) -> Result<(), StoreError> {
    let (mut lease_until_ms, mut not_before_ms, mut cancelling) = (None, None, false);
    match &after.stage.state {
        StageState::Queued { not_before_ms: time } => not_before_ms = Some(*time),
        StageState::Running {
            lease_until_ms: time,
            cancel_requested,
            ..
        } => (lease_until_ms, cancelling) = (Some(*time), *cancel_requested),
        _ => {}
    }
    let written = sqlx::query(query::STAGE_UPDATE)
        .bind(after.stage.state.word())
        .bind(i64::from(after.stage.attempts))
        .bind(i64::from(after.stage.tries.all()))
        .bind(after.worker.as_ref().map(|worker| worker.0.as_str()))
        .bind(after.attempt_key.as_deref())
        .bind(lease_until_ms)
        .bind(not_before_ms)
        .bind(i64::from(cancelling))
        .bind(to_json(&after.cause)?)
        .bind(after.stage.tree().map(TreeHash::as_str))
        .bind(to_json(&after.result)?)
        .bind(after.started_ms)
        .bind(after.finished_ms)
        .bind(to_json(
            &Some(&after.stage.tries).filter(|tries| tries.all() > 0),
        )?)
        .bind(i64::from(after.stage.round))
        .bind(job_seq)
        .bind(after.position)
        .bind(before.state.word())
        .bind(i64::from(before.attempts))
        .execute(tx.connection())
        .await?;
    match written.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::Raced),
    }
}

fn read_running(row: &AnyRow) -> Result<RunningStage, StoreError> {
    let worker: Option<String> = row.try_get(3)?;
    Ok(RunningStage {
        job: read_id(row.try_get(0)?)?,
        stage: stage_name(row.try_get(1)?)?,
        attempt: number(row.try_get(2)?)?,
        worker: WorkerId(worker.unwrap_or_default()),
        lease_until_ms: row.try_get(4)?,
        job_seq: row.try_get(5)?,
    })
}

fn read_stage(row: &AnyRow) -> Result<StageRow, StoreError> {
    let worker: Option<String> = row.try_get(6)?;
    let worker = worker.map(WorkerId);
    let cause: Option<Cause> = from_json("a stage's cause", row.try_get(11)?)?;
    let tree: Option<String> = row.try_get(12)?;
    let tree = tree.map(read_tree).transpose()?;
    let attempts = number(row.try_get(4)?)?;
    let lease_until_ms: Option<i64> = row.try_get(8)?;
    let not_before_ms: Option<i64> = row.try_get(9)?;
    let cancelling: i64 = row.try_get(10)?;
    let word: String = row.try_get(3)?;
    let tries = read_tries(row, cause.as_ref())?;
    let state = match (word.as_str(), tree, lease_until_ms, &worker, &cause) {
        ("waiting", ..) => StageState::Waiting,
        ("queued", ..) => StageState::Queued {
            not_before_ms: not_before_ms.unwrap_or(0),
        },
        ("running", _, Some(lease_until_ms), Some(worker), _) => StageState::Running {
            attempt: attempts,
            worker: worker.clone(),
            lease_until_ms,
            cancel_requested: cancelling != 0,
        },
        ("succeeded", Some(tree), ..) => StageState::Succeeded { tree },
        ("failed", tree, _, _, Some(cause)) => StageState::Failed {
            cause: cause.clone(),
            tree,
        },
        ("cancelled", ..) => StageState::Cancelled,
        _ => return Err(unreadable("a stage's state", word)),
    };
    Ok(StageRow {
        position: row.try_get(0)?,
        stage: Stage {
            name: stage_name(row.try_get(1)?)?,
            state,
            attempts,
            round: number(row.try_get(17)?)?,
            tries,
        },
        needs_key: row.try_get(2)?,
        worker,
        attempt_key: row.try_get(7)?,
        cause,
        result: from_json("a stage's result", row.try_get(13)?)?,
        started_ms: row.try_get(14)?,
        finished_ms: row.try_get(15)?,
    })
}

/// The failed tries by kind. Rows of versions that only counted them are of the kind of the last cause,
/// else of the kind that is tried again most patiently.
fn read_tries(row: &AnyRow, cause: Option<&Cause>) -> Result<Tries, StoreError> {
    if let Some(tries) = from_json("a stage's tries", row.try_get(16)?)? {
        return Ok(tries);
    }
    let kind = cause.map_or(CauseKind::WorkerLost, |cause| cause.kind);
    Ok(Tries::from_iter([(kind, number(row.try_get(5)?)?)]))
}

fn number(value: i64) -> Result<u32, StoreError> {
    u32::try_from(value).map_err(|error| unreadable("a count", error))
}

fn to_json<T: serde::Serialize>(value: &Option<T>) -> Result<Option<String>, StoreError> {
    let text = value.as_ref().map(serde_json::to_string).transpose();
    text.map_err(|error| unreadable("a value", error))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(
    what: &'static str,
    text: Option<String>,
) -> Result<Option<T>, StoreError> {
    let value = text.as_deref().map(serde_json::from_str).transpose();
    value.map_err(|error| unreadable(what, error))
}
