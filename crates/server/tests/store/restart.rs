//! What was answered is there after a kill.

use crate::instance::{Instance, attempt, config, offer, submission_with, succeeded, tree};
use polyphemus_core::{JobId, JobState};
use polyphemus_server::app::{App, AppError};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Tells the child of the kill test where its instance is.
const CHILD: &str = "POLYPHEMUS_TEST_INSTANCE_OF_CHILD";

/// A new database would have taken all contents for garbage.
#[tokio::test]
async fn an_instance_whose_database_is_gone_or_damaged_is_refused() {
    let instance = Instance::start().await;
    instance.submit().await;
    let copy = copy_of(&instance);
    let database = copy.path().join("polyphemus.db");
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(copy.path().join(format!("polyphemus.db{suffix}")));
    }
    for content in [None, Some(&b""[..]), Some(&[7; 5000][..])] {
        match content {
            None => std::fs::remove_file(&database).unwrap(),
            Some(content) => std::fs::write(&database, content).unwrap(),
        }
        let begun = std::time::Instant::now();
        let why = App::open(&crate::instance::config(copy.path()))
            .await
            .unwrap_err()
            .to_string();
        assert!(why.contains("polyphemus restore"), "{why}");
        assert!(
            begun.elapsed() < Duration::from_secs(25),
            "no pool tries again and again"
        );
    }
}

#[tokio::test]
async fn a_second_server_on_an_instance_is_refused_with_the_first_ones_process() {
    let instance = Instance::start().await;
    let refused = App::open(&config(instance.folder.path())).await.unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, AppError::Conflict(_)));
    assert!(
        text.contains(&format!("process {}", std::process::id())),
        "{text}"
    );
}

#[tokio::test]
async fn a_dropped_instance_that_was_not_closed_is_complete_when_opened_again() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let assignment = instance.claim("w1").await.unwrap();
    instance
        .append(&assignment, assignment.log_offset, "half a line")
        .await
        .unwrap();
    let copy = copy_of(&instance);
    let app = App::open(&config(copy.path())).await.unwrap();
    assert_eq!(app.job(&id).await.unwrap().state, JobState::Makeing);
    // A worker of its own process goes on as if nothing had happened.
    let offset = app.log_length(&id).await.unwrap();
    assert_eq!(offset, assignment.log_offset + 11);
    app.log_append(&attempt(&assignment), offset, " and the rest\n".into())
        .await
        .unwrap();
    let made = tree(app.blobs(), &[("x", "y")]).await;
    let request = polyphemus_api::worker::FinishRequest {
        outcome: succeeded(&made),
        result: Default::default(),
    };
    app.finish(&attempt(&assignment), request).await.unwrap();
    let log = app.log_read(&id, assignment.log_offset, 1 << 16).await.unwrap();
    assert!(log.starts_with(b"half a line and the rest\n"));
}

#[tokio::test]
async fn the_stages_of_embedded_workers_are_free_at_once_after_a_restart() {
    let instance = Instance::with(|config| config.lease = Duration::from_secs(3600)).await;
    let (embedded, remote) = (instance.submit().await, instance.submit().await);
    instance.claim("embedded-1").await.unwrap();
    instance.claim("remote-1").await.unwrap();
    let copy = copy_of(&instance);
    let app = App::open(&config(copy.path())).await.unwrap();
    assert_eq!(app.job(&remote).await.unwrap().state, JobState::Makeing);
    let again = app
        .claim(offer("embedded-2", 0))
        .await
        .unwrap()
        .expect("it is queued");
    assert_eq!((&again.job, again.attempt), (&embedded, 2));
    let log = app.log_read(&embedded, 0, 1 << 16).await.unwrap();
    let log = String::from_utf8(log.into()).unwrap();
    assert!(
        log.contains("worker embedded-1 ended together with the server, so attempt 1 is lost"),
        "{log}"
    );
}

#[tokio::test]
async fn uploads_that_a_crash_left_are_gone_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("uploads/part")).unwrap();
    std::fs::write(folder.path().join("uploads/part/x"), "half").unwrap();
    let app = App::open(&config(folder.path())).await.unwrap();
    assert_eq!(std::fs::read_dir(app.upload_folder()).unwrap().count(), 0);
}

/// kill -9 in the middle of submissions: whatever was answered is there, whole.
#[test]
fn what_was_acknowledged_survives_kill_9() {
    after_a_kill(|_| {});
}

/// The files of contents are not synced one by one: the journal must have all that was answered.
#[test]
fn what_was_acknowledged_survives_the_loss_of_all_files_that_were_not_synced() {
    after_a_kill(|instance| {
        let shards = std::fs::read_dir(instance.join("blobs")).unwrap();
        let shards = shards.map(|item| item.unwrap().path());
        let mut lost = 0;
        for shard in shards.filter(|path| path.file_name().unwrap().len() == 2) {
            for blob in std::fs::read_dir(shard).unwrap() {
                // What a power loss leaves of a file that was renamed and never synced.
                std::fs::write(blob.unwrap().path(), "").unwrap();
                lost += 1;
            }
        }
        assert!(lost > 100, "{lost}");
    });
}

fn after_a_kill(harm: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "restart::child_that_submits_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let acknowledged: Vec<JobId> = lines
        .map(Result::unwrap)
        .filter_map(|line| line.rsplit_once("acknowledged ")?.1.parse().ok())
        .take(300)
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(acknowledged.len(), 300);
    harm(folder.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let app = App::open(&config(folder.path())).await.unwrap();
        let total: u64 = app.job_counts().await.unwrap().values().sum();
        assert!(total >= 300, "{total}");
        for id in &acknowledged {
            let job = app.job(id).await.unwrap();
            assert_eq!(job.state, JobState::Make);
            let tree = app.job_tree(id).await.unwrap();
            app.blobs().verify_complete(&tree).await.unwrap();
            let log = app.log_read(id, 0, 1 << 16).await.unwrap();
            assert!(
                log.windows(9).any(|part| part == b"accepted:"),
                "the log of {id} is lost"
            );
        }
        for _ in &acknowledged {
            assert!(
                app.claim(offer("w1", 0)).await.unwrap().is_some(),
                "its queue entry is lost"
            );
        }
    });
}

/// Not a test of its own: what the kill test starts as a process. Alone it has nothing to do.
#[test]
fn child_that_submits_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let app = &App::open(&config(Path::new(&folder))).await.unwrap();
        let submitters = (0..8).map(|submitter| async move {
            for number in 0.. {
                let blobs = app.blobs().staged();
                let own = format!("a design of its own, number {number} of {submitter}");
                let submission = submission_with(&blobs, &[("readme.txt", &own)]).await;
                let tree = submission.tree_hash.clone();
                let id = app.submit_staged(submission, blobs).await.unwrap().id;
                // Some have files when the kill comes, the others are in the journal only.
                if number % 2 == 0 {
                    app.blobs().lay_open(&tree).await.unwrap();
                }
                let mut out = std::io::stdout().lock();
                writeln!(out, "acknowledged {id}").unwrap();
                out.flush().unwrap();
            }
        });
        futures::future::join_all(submitters).await;
    });
}

/// The instance as a killed server leaves it.
pub fn copy_of(instance: &Instance) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_all(instance.folder.path(), copy.path());
    copy
}

fn copy_all(from: &Path, to: &Path) {
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_all(&item.path(), &target);
        } else {
            match std::fs::copy(item.path(), target) {
                // A content that was given its name meanwhile; the journal has it too.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.unwrap()),
            }
        }
    }
}
