//! Backups: of one moment while the server goes on, and an instance that goes on from there.

use crate::fsck::{blob_path, checked};
use crate::instance::{Instance, config, submit};
use polyphemus_core::{JobId, StageName};
use polyphemus_server::app::App;
use polyphemus_server::care::{self, BackedUp, CareError, Finding, News, Restored};
use std::fs;
use std::path::{Path, PathBuf};

async fn back_up(instance: &Path, to: &Path) -> Result<(BackedUp, Vec<Finding>), CareError> {
    let instance = care::Instance::open(instance).await?;
    let mut findings = Vec::new();
    let mut tell = |news| {
        if let News::Found(finding) = news {
            findings.push(finding);
        }
    };
    let made = care::backup(&instance, to, false, &mut tell).await?;
    instance.close().await;
    Ok((made, findings))
}

async fn restore(from: &Path, to: &Path) -> Result<Restored, CareError> {
    care::restore(from, to, &mut |_| {}).await
}

fn snapshots(backup: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(backup.join("snapshots")).unwrap();
    let mut paths: Vec<PathBuf> = listed.map(|item| item.unwrap().path()).collect();
    paths.sort();
    paths
}

async fn log_of(app: &App, id: &JobId) -> String {
    let all = app.log_read(id, 0, 1 << 20).await.unwrap();
    String::from_utf8(all.into()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_instance_is_backed_up_and_its_jobs_go_on_after_the_restore() {
    let instance = Instance::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (backup, again) = (folder.path().join("backup"), folder.path().join("again"));
    fs::write(instance.folder.path().join("polyphemus.cfg"), "RUN_TIMEOUT = 7\n").unwrap();
    let done = instance.submit().await;
    instance.do_stage(StageName::Make).await;
    instance.do_stage(StageName::Run).await;
    let running = instance.submit().await;
    let assignment = instance.claim("of the backup's time").await.unwrap();
    instance
        .append(&assignment, assignment.log_offset, "half a line")
        .await
        .unwrap();
    let queued = instance.submit().await;

    let (made, findings) = back_up(instance.folder.path(), &backup).await.unwrap();
    assert_eq!(findings, []);
    assert_eq!((made.jobs, made.damaged), (3, 0));
    // What happens after it is not in it.
    instance.submit().await;

    let restored = restore(&backup, &again).await.unwrap();
    assert_eq!(
        (restored.jobs, restored.queued_again, restored.newer_unfinished),
        (3, 1, false)
    );
    let (sums, findings) = checked(&again, false).await;
    assert_eq!(findings, []);
    assert_eq!(sums.jobs, 3);
    assert_eq!(
        fs::read_to_string(again.join("polyphemus.cfg")).unwrap(),
        "RUN_TIMEOUT = 7\n"
    );
    let app = App::open(&config(&again)).await.unwrap();
    for (id, state) in [(&done, "done"), (&running, "make"), (&queued, "make")] {
        let job = app.job(id).await.unwrap();
        assert_eq!(job.state.as_str(), state, "{id}");
        assert_eq!(
            app.job_files(id).await.unwrap(),
            instance.app.job_files(id).await.unwrap()
        );
    }
    assert_eq!(log_of(&app, &done).await, instance.log(&done).await);
    let log = log_of(&app, &running).await;
    assert!(log.starts_with(&instance.log(&running).await), "{log}");
    assert!(
        log.contains("restored from the backup of") && log.contains("is queued again"),
        "{log}"
    );
    let mut claimed = Vec::new();
    while let Some(next) = app.claim(crate::instance::offer("new", 0)).await.unwrap() {
        claimed.push((next.job, next.attempt));
    }
    assert!(
        claimed.contains(&(running, 2)) && claimed.contains(&(queued, 1)),
        "{claimed:?}"
    );
    app.close().await;
}

#[tokio::test]
async fn a_second_backup_copies_only_what_is_new_and_the_two_newest_are_kept() {
    let instance = Instance::start().await;
    let folder = tempfile::tempdir().unwrap();
    instance.submit().await;
    let (first, _) = back_up(instance.folder.path(), folder.path()).await.unwrap();
    assert!(first.copied >= 5, "{first:?}");
    let (second, _) = back_up(instance.folder.path(), folder.path()).await.unwrap();
    assert_eq!((second.copied, second.copied_bytes), (0, 0));
    instance.do_stage(StageName::Make).await;
    let (third, _) = back_up(instance.folder.path(), folder.path()).await.unwrap();
    assert_eq!(
        third.copied, 3,
        "the made file, its tree, the longer log: {third:?}"
    );
    assert_eq!(snapshots(folder.path()).len(), 2);
}

#[tokio::test]
async fn what_was_broken_off_says_so_and_is_never_taken_for_whole() {
    let instance = Instance::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (backup, again) = (folder.path().join("backup"), folder.path().join("again"));
    instance.submit().await;
    back_up(instance.folder.path(), &backup).await.unwrap();
    // As a kill before the manifest leaves it.
    let first = snapshots(&backup).remove(0);
    let manifest = fs::read(first.join("manifest.json")).unwrap();
    fs::remove_file(first.join("manifest.json")).unwrap();
    let error = restore(&backup, &again).await.unwrap_err();
    assert!(matches!(error, CareError::IncompleteBackup { .. }), "{error}");
    assert!(!again.exists(), "nothing is made of it");
    fs::write(first.join("manifest.json"), manifest).unwrap();
    fs::create_dir(backup.join("snapshots/99990101T000000.000Z")).unwrap();
    let restored = restore(&backup, &again).await.unwrap();
    assert!(restored.newer_unfinished);
    // As a kill in the middle of a restore leaves it.
    fs::write(again.join("restoring"), "").unwrap();
    let error = App::open(&config(&again)).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("run the same `polyphemus restore` again"),
        "{error}"
    );
    restore(&backup, &again).await.unwrap();
    let (_, findings) = checked(&again, false).await;
    assert_eq!(findings, []);
    let (made, _) = back_up(instance.folder.path(), &backup).await.unwrap();
    assert_eq!(made.copied, 0, "what the unfinished one had copied counts");
    assert_eq!(snapshots(&backup).len(), 2, "the unfinished one is gone");
}

#[tokio::test]
async fn a_backup_into_its_own_instance_is_refused() {
    let instance = crate::instance::Instance::start().await;
    instance.submit().await;
    for below in ["", "backups", "blobs/backups"] {
        let folder = instance.folder.path().join(below);
        let refused = back_up(instance.folder.path(), &folder).await;
        let why = refused.unwrap_err().to_string();
        assert!(why.contains("with which it would be lost"), "{below}: {why}");
    }
}

#[tokio::test]
async fn a_folder_with_something_else_in_it_is_refused() {
    let (one, other) = (Instance::start().await, Instance::start().await);
    let folder = tempfile::tempdir().unwrap();
    back_up(one.folder.path(), folder.path()).await.unwrap();
    let error = back_up(other.folder.path(), folder.path()).await.unwrap_err();
    assert!(matches!(error, CareError::OtherBackup { .. }), "{error}");
    let error = restore(folder.path(), other.folder.path()).await.unwrap_err();
    assert!(matches!(error, CareError::NotEmpty { .. }), "{error}");
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("letter.txt"), "dear").unwrap();
    let error = back_up(one.folder.path(), home.path()).await.unwrap_err();
    assert!(matches!(error, CareError::NoBackup { .. }), "{error}");
    let error = restore(home.path(), &home.path().join("x")).await.unwrap_err();
    assert!(matches!(error, CareError::IncompleteBackup { .. }), "{error}");
}

#[tokio::test]
async fn damage_is_told_and_the_rest_is_backed_up() {
    let folder = tempfile::tempdir().unwrap();
    let (from, backup, again) = (
        folder.path().join("from"),
        folder.path().join("backup"),
        folder.path().join("again"),
    );
    let app = App::open(&config(&from)).await.unwrap();
    let id = submit(&app).await;
    let file = app.job_files(&id).await.unwrap().files.remove(0);
    app.close().await;
    drop(app);
    // From the journal of the first one it would be made whole.
    let app = App::open(&config(&from)).await.unwrap();
    app.close().await;
    drop(app);
    fs::write(blob_path(&from, &file.hash), "damaged").unwrap();
    let (made, findings) = back_up(&from, &backup).await.unwrap();
    assert_eq!((made.jobs, made.damaged), (1, 1));
    assert!(
        findings[0].what.contains(&file.path) && findings[0].what.contains("damaged"),
        "{findings:?}"
    );
    restore(&backup, &again).await.unwrap();
    let (_, findings) = checked(&again, false).await;
    assert_eq!(findings.len(), 1, "{findings:?}");

    let snapshot = snapshots(&backup).remove(0);
    fs::write(snapshot.join("polyphemus.db"), "damaged").unwrap();
    let error = restore(&backup, &folder.path().join("third")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`polyphemus.db` is not what was written"),
        "{error}"
    );
}
