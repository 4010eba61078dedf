//! Contents that no job refers to are collected; those of jobs are not.

use crate::instance::{Instance, submission, tree};
use bytes::Bytes;
use polyphemus_artifacts::BlobHash;
use polyphemus_core::StageName;
use std::time::Duration;

#[tokio::test]
async fn only_what_no_job_refers_to_is_collected() {
    let instance = Instance::with(|config| config.blob_grace = Duration::ZERO).await;
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
    let instance = Instance::with(|config| config.blob_grace = Duration::ZERO).await;
    let id = instance.submit().await;
    let made = instance.do_stage(StageName::Make).await;
    instance.do_stage(StageName::Run).await;
    instance.app.retry(&id, Some(StageName::Make)).await.unwrap();
    instance.app.collect_blobs().await.unwrap();
    assert!(!instance.app.blobs().has(&made.into()).await.unwrap());
    instance.do_stage(StageName::Make).await;
}
