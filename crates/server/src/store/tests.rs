//! What only shows inside the store: how queries are carried out, how commands share transactions.

use super::query;
use super::writer::{Command, Tx};
use super::{Change, ChangeJob, Claim, ClaimStage, InsertJob, Shape, Store, StoreError};
use futures::StreamExt as _;
use polyphemus_core::flow::Flow;
use polyphemus_core::{JobId, JobState, Need, StageName, TreeHash, WorkerId};
use sqlx::Row as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Put(i64);

/// Adds a worker whose name is the number; fails in the database for a negative one.
impl Command for Put {
    type Done = i64;

    async fn run(&self, tx: &mut Tx) -> Result<i64, StoreError> {
        let name = (self.0 >= 0).then(|| self.0.to_string());
        sqlx::query("INSERT INTO worker (id, labels, seen_ms) VALUES ($1 || '', '[]', $2)")
            .bind(name)
            .bind(self.0)
            .execute(tx.connection())
            .await?;
        tx.next("event").await
    }
}

struct Pragma(&'static str);

impl Command for Pragma {
    type Done = ();

    async fn run(&self, tx: &mut Tx) -> Result<(), StoreError> {
        sqlx::raw_sql(self.0).execute(tx.connection()).await?;
        Ok(())
    }
}

async fn store() -> (tempfile::TempDir, Arc<Store>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    // PRIMARY KEY alone lets SQLite take NULL; the failing command needs a constraint to fail on.
    store
        .write(Pragma(
            "CREATE TRIGGER no_null BEFORE INSERT ON worker WHEN NEW.id IS NULL
             BEGIN SELECT RAISE(ABORT, 'a worker has a name'); END",
        ))
        .await
        .unwrap();
    (folder, Arc::new(store))
}

async fn put_all(store: &Arc<Store>, numbers: impl IntoIterator<Item = i64>) -> Vec<Result<i64, StoreError>> {
    let tasks: Vec<_> = numbers
        .into_iter()
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.write(Put(number)).await })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

#[tokio::test]
async fn commands_that_wait_together_share_a_transaction() {
    let (_folder, store) = store().await;
    let before = store.transactions();
    let results = put_all(&store, 0..500).await;
    let mut numbers: Vec<i64> = results.into_iter().map(Result::unwrap).collect();
    let transactions = store.transactions() - before;
    assert!(transactions < 100, "{transactions} transactions for 500 commands");
    numbers.sort_unstable();
    assert_eq!(
        numbers,
        (1..=500).collect::<Vec<_>>(),
        "each number is given once"
    );
    assert_eq!(store.worker_list(-1).await.unwrap().len(), 500);
}

#[tokio::test]
async fn a_command_that_fails_does_not_take_the_others_down() {
    let (_folder, store) = store().await;
    let results = put_all(
        &store,
        (0..100).map(|number| if number == 50 { -1 } else { number }),
    )
    .await;
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result.is_ok(), number != 50, "command {number}: {result:?}");
    }
    assert!(matches!(results[50], Err(StoreError::Database(_))));
    assert_eq!(store.worker_list(-1).await.unwrap().len(), 99);
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_the_store_goes_on_when_there_is_space_again() {
    let (_folder, store) = store().await;
    store.write(Put(1)).await.unwrap();
    store.write(Pragma("PRAGMA max_page_count = 1")).await.unwrap();
    let mut number = 10;
    let refused = loop {
        number += 1;
        if let Err(error) = store.write(Put(number)).await {
            break error;
        }
        assert!(number < 10_000, "the database never got full");
    };
    assert!(matches!(refused, StoreError::NoSpace), "{refused:?}");
    let before = store.worker_list(-1).await.unwrap().len() as i64;
    assert_eq!(
        before,
        1 + number - 11,
        "the refused one is not there, the others are"
    );
    store
        .write(Pragma("PRAGMA max_page_count = 1073741823"))
        .await
        .unwrap();
    store.write(Put(number)).await.unwrap();
}

#[tokio::test]
async fn no_query_reads_all_jobs_stages_or_events() {
    let (_folder, store) = store().await;
    let mut plans = Vec::new();
    for (name, sql) in query::ALL {
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(explain));
        for _ in 0..sql.matches('$').count() {
            query = query.bind(1_i64);
        }
        for row in query.fetch_all(&store.reads).await.unwrap() {
            let step: String = row.try_get(3).unwrap();
            let scans = ["job", "stage", "event"].iter().any(|table| {
                step.strip_prefix("SCAN ")
                    .is_some_and(|rest| rest.split(' ').next() == Some(*table))
            });
            assert!(!scans, "{name} reads a whole table: {step}");
            assert!(!step.contains("TEMP B-TREE"), "{name} sorts: {step}");
            plans.push(format!("{name}: {step}"));
        }
    }
    insta::assert_snapshot!(plans.join("\n"));
}

#[tokio::test]
async fn an_instance_of_a_newer_version_is_refused_with_its_version() {
    let (folder, store) = store().await;
    store
        .write(Pragma(
            "INSERT INTO migration (version, checksum) VALUES (9, 'x')",
        ))
        .await
        .unwrap();
    store.close().await;
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Newer {
                found: 9,
                known: 8,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("schema 9"), "{error}");
}

#[tokio::test]
async fn a_changed_migration_is_noticed() {
    let (folder, store) = store().await;
    store
        .write(Pragma("UPDATE migration SET checksum = 'x'"))
        .await
        .unwrap();
    store.close().await;
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(
        matches!(error, StoreError::ChangedMigration { version: 1, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_is_written_is_on_the_disk_when_the_answer_comes() {
    let (_folder, store) = store().await;
    for pool in [&store.writes, &store.reads] {
        let mut connection = pool.acquire().await.unwrap();
        let journal = sqlx::query("PRAGMA journal_mode")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(journal.get::<String, _>(0), "wal");
        let synchronous = sqlx::query("PRAGMA synchronous")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(synchronous.get::<i64, _>(0), 2, "2 is FULL");
        let keys = sqlx::query("PRAGMA foreign_keys")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(keys.get::<i64, _>(0), 1);
    }
}

#[tokio::test]
async fn ten_thousand_jobs_of_the_past_do_not_slow_a_claim() {
    let (_folder, store) = store().await;
    let fresh = fastest_claim(&store, 1_000_000).await;
    let past = futures::stream::iter(0..10_000).map(|number| {
        let store = store.clone();
        async move {
            let job = insert(&store, number).await;
            let cancel = ChangeJob {
                job,
                change: Change::Cancel { ended_as: None },
                now_ms: 1,
            };
            store.write(cancel).await.unwrap();
        }
    });
    past.buffer_unordered(200).collect::<Vec<()>>().await;
    assert_eq!(store.job_counts().await.unwrap()[&JobState::Cancelled], 10_000);
    let later = fastest_claim(&store, 2_000_000).await;
    // Reading 10,000 rows takes some 20 times as long as a claim; the fastest one knows no noise.
    assert!(
        later < 4 * fresh + Duration::from_millis(1),
        "{fresh:?} without a past, {later:?} with one"
    );
}

/// The fastest of 50 claims, each of the only stage that waits.
async fn fastest_claim(store: &Store, first: u64) -> Duration {
    let mut fastest = Duration::MAX;
    for number in first..first + 50 {
        let job = insert(store, number).await;
        let claim = ClaimStage {
            worker: WorkerId("w1".into()),
            shapes: vec![shape().key],
            now_ms: 1,
            lease_until_ms: 100,
            key: "secret".into(),
        };
        let before = Instant::now();
        let Claim::Claimed(claimed) = store.write(claim).await.unwrap() else {
            panic!("a stage waits");
        };
        fastest = fastest.min(before.elapsed());
        assert_eq!(claimed.job, job);
    }
    fastest
}

fn shape() -> Shape {
    Shape {
        key: "make tool:yosys".into(),
        stage: StageName::Make,
        needs: vec![Need::tool("yosys")],
    }
}

async fn insert(store: &Store, number: u64) -> JobId {
    let id: JobId = format!("{number:011}").parse().unwrap();
    let insert = InsertJob {
        id: id.clone(),
        title: String::new(),
        submitted_ms: 1,
        options: "{}".into(),
        flow: Flow::Open,
        mode: "estimate".into(),
        plan: "{}".into(),
        tree: TreeHash::from_bytes([7; 32]),
        shapes: vec![shape()],
        shapes_known: false,
        message: "accepted".into(),
    };
    store.job_insert(insert).await.unwrap();
    id
}

/// SQLite undoes a transaction by itself when the disk is full, which the driver does not hear of.
#[tokio::test]
async fn what_is_answered_after_the_database_has_undone_a_transaction_by_itself_is_stored() {
    let (_folder, store) = store().await;
    let full = "ROLLBACK; SELECT nothing FROM nowhere";
    store.write(Pragma(full)).await.unwrap_err();
    store.write(Put(-1)).await.unwrap_err();
    store.write(Put(7)).await.unwrap();
    let seen: i64 = sqlx::query("SELECT COUNT(*) FROM worker WHERE id = '7'")
        .fetch_one(&store.reads)
        .await
        .unwrap()
        .get(0);
    assert_eq!(
        seen, 1,
        "only the writer sees it: it is in a transaction that nothing ends"
    );
}
