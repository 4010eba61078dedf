//! The check of a whole instance: it finds what is wrong, nothing else, and mends what can be mended.

use crate::instance::{Instance, SOON, config, submit, succeeded, tree};
use polyphemus_artifacts::BlobHash;
use polyphemus_core::StageName;
use polyphemus_server::app::App;
use polyphemus_server::care::{self, CareError, Checked, Finding, News, check};
use sqlx::Connection as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Everything that a check tells.
pub async fn checked(folder: &Path, repair: bool) -> (Checked, Vec<Finding>) {
    let instance = care::Instance::open(folder).await.unwrap();
    let mut findings = Vec::new();
    let mut tell = |news| {
        if let News::Found(finding) = news {
            findings.push(finding);
        }
    };
    let sums = check(&instance, repair, &mut tell).await.unwrap();
    instance.close().await;
    assert_eq!(sums.findings, findings.len() as u64);
    (sums, findings)
}

pub fn blob_path(folder: &Path, hash: &BlobHash) -> PathBuf {
    let (shard, name) = hash.as_str().split_at(2);
    folder.join("blobs").join(shard).join(name)
}

pub async fn sql(folder: &Path, statement: &'static str) {
    let url = format!("sqlite://{}", folder.join("polyphemus.db").display());
    let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A stopped instance with one job that is done.
async fn stopped() -> (tempfile::TempDir, polyphemus_core::JobId) {
    let folder = tempfile::tempdir().unwrap();
    let app = App::open(&config(folder.path())).await.unwrap();
    let id = submit(&app).await;
    app.close().await;
    (folder, id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_in_order_has_no_findings_even_while_its_server_works_on_it() {
    let instance = Instance::start().await;
    instance.submit().await;
    instance.do_stage(StageName::Make).await;
    let over = AtomicBool::new(false);
    let busy = async {
        let mut jobs = 0;
        while !over.load(Ordering::Relaxed) {
            instance.submit().await;
            let assignment = instance.claim("busy").await.unwrap();
            let made = tree(instance.app.blobs(), &[("made", &format!("{jobs}"))]).await;
            instance.finish(&assignment, succeeded(&made)).await.unwrap();
            jobs += 1;
        }
        jobs
    };
    let looking = async {
        let mut sums = Vec::new();
        for _ in 0..3 {
            sums.push(checked(instance.folder.path(), false).await);
        }
        over.store(true, Ordering::Relaxed);
        sums
    };
    let (jobs, sums) = tokio::time::timeout(3 * SOON, async { tokio::join!(busy, looking) })
        .await
        .unwrap();
    for (sums, findings) in sums {
        assert_eq!(findings, [], "after {jobs} jobs");
        assert!(
            sums.jobs >= 1 && sums.contents >= 5 && sums.log_bytes > 0,
            "{sums:?}"
        );
    }
}

#[tokio::test]
async fn damage_and_loss_are_found_and_told_of_the_jobs_that_they_concern() {
    let (folder, id) = stopped().await;
    let app = App::open(&config(folder.path())).await.unwrap();
    let files = app.job_files(&id).await.unwrap().files;
    let hash = |path: &str| {
        let file = files.iter().find(|file| file.path == path).unwrap();
        file.hash.clone()
    };
    let (damaged, lost) = (hash("blinky.v"), hash("blinky.pcf"));
    app.close().await;
    drop(app);
    fs::write(blob_path(folder.path(), &damaged), "not what it was").unwrap();
    fs::remove_file(blob_path(folder.path(), &lost)).unwrap();
    let (_, findings) = checked(folder.path(), false).await;
    let concerned: Vec<String> = findings.iter().map(|finding| finding.concerns.clone()).collect();
    assert_eq!(
        concerned,
        [format!("content {damaged}"), format!("job {id}, files of upload")]
    );
    assert_eq!(findings[1].what, "`blinky.pcf` is missing, `blinky.v` is damaged");
    assert!(
        findings
            .iter()
            .all(|finding| finding.repaired.is_none() && !finding.remedy.is_empty())
    );

    let (sums, findings) = checked(folder.path(), true).await;
    assert_eq!(sums.repaired, 1, "{findings:?}");
    let kept = folder.path().join("quarantine").join(damaged.as_str());
    assert_eq!(fs::read(kept).unwrap(), b"not what it was");
    let log = fs::read_to_string(folder.path().join("logs").join(format!("{id}.log"))).unwrap();
    assert!(
        log.contains("`blinky.v` is damaged") && log.contains("hand the design in again"),
        "{log}"
    );

    // The same design handed in again mends the old job, too.
    let app = App::open(&config(folder.path())).await.unwrap();
    submit(&app).await;
    app.close().await;
    drop(app);
    let (_, findings) = checked(folder.path(), false).await;
    assert_eq!(findings, []);
}

#[tokio::test]
async fn what_is_derived_is_checked_and_derived_anew() {
    let (folder, id) = stopped().await;
    let app = App::open(&config(folder.path())).await.unwrap();
    let claimed = app.claim(crate::instance::offer("first", 0)).await.unwrap();
    app.close().await;
    drop(app);
    // Nothing that was said of a claim can be lost before its worker has heard of it.
    let log = folder.path().join("logs").join(format!("{id}.log"));
    fs::remove_file(&log).unwrap();
    assert_eq!(checked(folder.path(), false).await.1, []);
    let app = App::open(&config(folder.path())).await.unwrap();
    let claimed = crate::instance::attempt(&claimed.unwrap());
    let made = crate::instance::tree(app.blobs(), &[("x", "y")]).await;
    let finish = polyphemus_api::worker::FinishRequest {
        outcome: crate::instance::succeeded(&made),
        result: Default::default(),
    };
    app.finish(&claimed, finish).await.unwrap();
    app.close().await;
    drop(app);
    sql(
        folder.path(),
        "UPDATE job SET state = 'done'; UPDATE job_count SET n = 41; UPDATE counter SET value = 0",
    )
    .await;
    fs::remove_file(&log).unwrap();
    let (_, findings) = checked(folder.path(), false).await;
    let what: Vec<&str> = findings.iter().map(|finding| finding.what.as_str()).collect();
    assert!(
        what[0].starts_with("it is listed as `done`, but its stages say `hlsed`"),
        "{what:?}"
    );
    assert_eq!(what[1], "its log is gone");
    assert!(
        what.iter()
            .any(|what| what.contains("the last number of a job is kept as 0 and is 1")),
        "{what:?}"
    );
    let (sums, findings) = checked(folder.path(), true).await;
    assert_eq!(sums.findings, sums.repaired, "{findings:?}");
    let (_, findings) = checked(folder.path(), false).await;
    assert_eq!(findings, []);
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains("a check of the instance began it anew"), "{log}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_does_not_keep_the_others_from_being_checked() {
    let (folder, _) = stopped().await;
    let app = App::open(&config(folder.path())).await.unwrap();
    submit(&app).await;
    app.close().await;
    drop(app);
    sql(
        folder.path(),
        "UPDATE job SET plan = 'no plan' WHERE seq = 1; DELETE FROM stage WHERE job_seq = 2",
    )
    .await;
    let (sums, findings) = checked(folder.path(), false).await;
    assert_eq!(sums.jobs, 2);
    assert!(findings[0].what.contains("a job's plan"), "{findings:?}");
    assert_eq!(findings[1].what, "its stages are not those of its plan");
}

#[tokio::test]
async fn repair_is_refused_beside_a_server_and_a_folder_without_instance_is_told() {
    let running = Instance::start().await;
    let beside = care::Instance::open(running.folder.path()).await.unwrap();
    assert!(beside.served_by().is_some());
    let error = check(&beside, true, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, CareError::InUse { .. }), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = care::Instance::open(empty.path()).await.unwrap_err();
    assert!(matches!(error, CareError::NoInstance { .. }), "{error}");
    assert_eq!(
        fs::read_dir(empty.path()).unwrap().count(),
        0,
        "it is left as it was"
    );
}

#[tokio::test]
async fn an_instance_of_another_schema_is_not_touched() {
    let (folder, _) = stopped().await;
    sql(folder.path(), "DELETE FROM migration").await;
    let error = care::Instance::open(folder.path()).await.unwrap_err();
    assert!(error.to_string().contains("of schema 0"), "{error}");
    sql(folder.path(), "INSERT INTO migration VALUES (999, 'x')").await;
    let error = care::Instance::open(folder.path()).await.unwrap_err();
    assert!(error.to_string().contains("of schema 999"), "{error}");
}
