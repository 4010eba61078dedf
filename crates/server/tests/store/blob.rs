//! Contents that no job refers to are collected; those of jobs are not.

use crate::instance::{Instance, submission, tree};
use bytes::Bytes;
use polyphemus_artifacts::BlobHash;
use polyphemus_core::StageName;
use std::time::Duration;

#[tokio::test]
async fn only_what_no_job_refers_to_is_collected() {
    let instance = Instance::unattended(|config| config.blob_grace = Duration::ZERO).await;
    let blobs = instance.app.blobs();
    let id = instance.submit().await;
    let made = instance.do_stage(StageName::Make).await;
    let garbage = blobs.put(Bytes::from_static(b"of nobody")).await.unwrap();
    let unused_tree = tree(blobs, &[("x", "also of nobody")]).await;
    let done = instance.app.collect_blobs().await.unwrap();
    assert_eq!(done.deleted, 3, "{done:?}");
    assert!(!blobs.has(&garbage).await.unwrap());
    assert!(!blobs.has(&BlobHash::from(unused_tree)).await.unwrap());
    for hash in [made, instance.job(&id).await.tree] {
        let tree = blobs.get_tree(&hash).await.unwrap();
        blobs.verify_complete(&tree).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_younger_than_the_grace_period_stays() {
    let instance = Instance::start().await;
    submission(&instance.app).await;
    let done = instance.app.collect_blobs().await.unwrap();
    assert_eq!(done.deleted, 0, "it may be about to be submitted");
}

#[tokio::test]
async fn what_a_retry_dropped_is_collected() {
    let instance = Instance::unattended(|config| config.blob_grace = Duration::ZERO).await;
    let id = instance.submit().await;
    let made = instance.do_stage(StageName::Make).await;
    instance.do_stage(StageName::Run).await;
    instance.app.retry(&id, Some(StageName::Make)).await.unwrap();
    instance.app.collect_blobs().await.unwrap();
    assert!(!instance.app.blobs().has(&made.into()).await.unwrap());
    instance.do_stage(StageName::Make).await;
}

#[tokio::test]
async fn ended_jobs_go_when_they_are_not_kept_any_longer_and_a_dry_run_only_tells() {
    let instance = Instance::unattended(|config| {
        config.blob_grace = Duration::ZERO;
        config.keep_jobs = Some(Duration::ZERO);
    })
    .await;
    let ended = instance.submit().await;
    instance.do_stage(StageName::Make).await;
    instance.do_stage(StageName::Run).await;
    let queued = instance.submit().await;
    let garbage = instance
        .app
        .blobs()
        .put(Bytes::from_static(b"of nobody"))
        .await
        .unwrap();
    let told = instance.app.gc(true).await.unwrap();
    assert_eq!((told.jobs, told.contents, told.bytes), (1, 1, 9));
    assert!(instance.app.blobs().has(&garbage).await.unwrap());
    let log = instance.folder.path().join("logs").join(format!("{ended}.log"));
    assert!(log.exists());
    let done = instance.app.gc(false).await.unwrap();
    assert_eq!(done.jobs, 1);
    assert!(
        done.contents > 1,
        "what only the deleted job had went, too: {done:?}"
    );
    assert!(instance.app.job(&ended).await.is_err() && !log.exists());
    assert_eq!(
        instance.app.job_files(&queued).await.unwrap().files.len(),
        3,
        "shared contents stay"
    );
    assert_eq!(instance.app.job_counts().await.unwrap().values().sum::<u64>(), 1);
    let (_, findings) = crate::fsck::checked(instance.folder.path(), false).await;
    assert_eq!(findings, []);
}
