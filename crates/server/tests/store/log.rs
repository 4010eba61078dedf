//! Logs: appended only at the committed offset, and only by the running attempt.

use crate::instance::{Instance, attempt, succeeded, tree};
use bytes::Bytes;
use polyphemus_api::worker::Outcome;
use polyphemus_core::{CauseKind, JobState, StageName};
use polyphemus_server::app::AppError;
use std::sync::Arc;

#[tokio::test]
async fn bytes_are_taken_only_where_the_log_ends() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let assignment = instance.claim("w1").await.unwrap();
    let from = assignment.log_offset;
    assert_eq!(from, instance.app.log_length(&id).await.unwrap());
    let end = instance.append(&assignment, from, "first\n").await.unwrap();
    for offset in [0, from, end - 1, end + 1, u64::MAX] {
        let refused = instance.append(&assignment, offset, "again\n").await;
        assert!(
            matches!(refused, Err(AppError::WrongOffset { committed }) if committed == end),
            "{refused:?}"
        );
    }
    instance.append(&assignment, end, "second\n").await.unwrap();
    assert_eq!(
        instance.app.log_read(&id, from, 100).await.unwrap(),
        "first\nsecond\n"
    );
    assert_eq!(instance.app.log_read(&id, from + 6, 3).await.unwrap(), "sec");
    assert_eq!(instance.app.log_read(&id, u64::MAX, 3).await.unwrap(), "");
}

#[tokio::test]
async fn a_watcher_sees_every_growth_and_the_last_line() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let mut watching = instance.app.log_watch(&id).await.unwrap();
    let assignment = instance.claim("w1").await.unwrap();
    let reader = {
        let (app, id) = (instance.app.clone(), id.clone());
        tokio::spawn(async move {
            let mut text = Vec::new();
            while !text.ends_with(b"state changed to hlsed\n") {
                let committed = *watching.borrow_and_update();
                text.extend(app.log_read(&id, text.len() as u64, 1 << 20).await.unwrap());
                assert!(text.len() as u64 >= committed);
                if !text.ends_with(b"state changed to hlsed\n") {
                    watching.changed().await.unwrap();
                }
            }
            String::from_utf8(text).unwrap()
        })
    };
    let mut offset = assignment.log_offset;
    for number in 0..100 {
        offset = instance
            .append(&assignment, offset, &format!("line {number}\n"))
            .await
            .unwrap();
    }
    let made = tree(instance.app.blobs(), &[("x", "y")]).await;
    instance.finish(&assignment, succeeded(&made)).await.unwrap();
    let text = tokio::time::timeout(crate::instance::SOON, reader)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(text, instance.log(&id).await);
    assert!((0..100).all(|number| text.contains(&format!("\nline {number}\n"))));
}

/// What the server was killed in the middle of, between the job and the first write to its log.
#[tokio::test]
async fn a_log_whose_first_write_was_cut_off_begins_with_the_acceptance() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let accepted = instance.log(&id).await;
    assert!(
        accepted.contains("accepted: flow open, mode hw_emu\n"),
        "{accepted}"
    );
    assert!(
        accepted.ends_with("note: a note about the upload\n"),
        "{accepted}"
    );
    let path = instance.folder.path().join(format!("logs/{id}.log"));
    assert!(!path.exists(), "an acceptance needs no file");
    for torn in [0, 1, accepted.len() / 2, accepted.len() - 1] {
        std::fs::write(&path, &accepted[..torn]).unwrap();
        let copy = crate::restart::copy_of(&instance);
        let config = crate::instance::config(copy.path());
        let app = polyphemus_server::app::App::open(&config).await.unwrap();
        let assignment = app.claim(crate::instance::offer("w1", 0)).await.unwrap().unwrap();
        let log = app.log_read(&id, 0, 1 << 16).await.unwrap();
        let log = std::str::from_utf8(&log).unwrap();
        assert_eq!(log.len() as u64, assignment.log_offset);
        let rest = log
            .strip_prefix(accepted.as_str())
            .expect("it begins with the acceptance");
        assert!(rest.contains(" acquired in state make\n"), "{rest}");
        assert!(!rest.contains("accepted"), "{rest}");
    }
}

/// As a server leaves it that is killed between the commit of a change and its lines.
#[tokio::test]
async fn what_a_killed_server_could_not_write_any_more_is_written_by_the_next() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    instance.do_stage(StageName::Make).await;
    let assignment = instance.claim("w1").await.unwrap();
    let last = instance.log(&id).await.len();
    let made = tree(instance.app.blobs(), &[("x", "y")]).await;
    instance.finish(&assignment, succeeded(&made)).await.unwrap();
    let whole = instance.log(&id).await;
    assert!(whole[last..].lines().count() >= 2, "{whole}");
    let half = whole[last..].find('\n').unwrap() + last + 1;
    let path = instance.folder.path().join(format!("logs/{id}.log"));
    for left in [last, half, whole.len()] {
        std::fs::write(&path, &whole[..left]).unwrap();
        let copy = crate::restart::copy_of(&instance);
        let config = crate::instance::config(copy.path());
        for _ in 0..2 {
            let app = polyphemus_server::app::App::open(&config).await.unwrap();
            let log = app.log_read(&id, 0, 1 << 16).await.unwrap();
            assert_eq!(std::str::from_utf8(&log).unwrap(), whole, "from {left} bytes");
            app.close().await;
        }
    }
}

/// The next stage is claimed before anybody looks at the log.
#[tokio::test]
async fn what_a_killed_server_could_not_write_stands_before_the_next_claim() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let assignment = instance.claim("w1").await.unwrap();
    let before = instance.log(&id).await.len();
    let made = tree(instance.app.blobs(), &[("x", "y")]).await;
    instance.finish(&assignment, succeeded(&made)).await.unwrap();
    let whole = instance.log(&id).await;
    let path = instance.folder.path().join(format!("logs/{id}.log"));
    for left in [before, whole.len()] {
        std::fs::write(&path, &whole[..left]).unwrap();
        let copy = crate::restart::copy_of(&instance);
        let config = crate::instance::config(copy.path());
        let app = polyphemus_server::app::App::open(&config).await.unwrap();
        let assignment = app.claim(crate::instance::offer("w1", 0)).await.unwrap().unwrap();
        assert_eq!(assignment.stage.name, StageName::Run);
        let log = app.log_read(&id, 0, 1 << 16).await.unwrap();
        let log = std::str::from_utf8(&log).unwrap();
        let rest = log.strip_prefix(whole.as_str()).expect("nothing is missing");
        assert!(rest.contains(" acquired in state hlsed\n"), "{rest}");
        assert_eq!(rest.lines().count(), 3, "{rest}");
        app.close().await;
    }
}

#[tokio::test]
async fn a_log_beyond_the_limit_ends_the_attempt() {
    let instance = Instance::with(|config| config.log_limit_bytes = 4096).await;
    let id = instance.submit().await;
    let assignment = instance.claim("w1").await.unwrap();
    let refused = instance
        .append(&assignment, assignment.log_offset, &"x".repeat(4096))
        .await;
    assert!(matches!(refused, Err(AppError::TooLarge(_))), "{refused:?}");
    let job = instance.job(&id).await;
    assert_eq!(job.state, JobState::Failed);
    let cause = job.stages[0].cause.as_ref().unwrap();
    assert_eq!(cause.kind, CauseKind::OutputLimit);
    assert!(cause.message.contains("4096 bytes"), "{cause}");
    let refused = instance.app.heartbeat(&attempt(&assignment)).await;
    assert!(matches!(refused, Err(AppError::Superseded(_))), "{refused:?}");
}

/// An append that was checked before the attempt ended must not be written after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_an_attempt_comes_after_its_end() {
    let instance = Arc::new(Instance::start().await);
    for _ in 0..30 {
        let id = instance.submit().await;
        let assignment = Arc::new(instance.claim("w1").await.unwrap());
        let writer = {
            let (instance, assignment) = (instance.clone(), assignment.clone());
            tokio::spawn(async move {
                let mut offset = assignment.log_offset;
                while let Ok(end) = instance.append(&assignment, offset, "of the attempt\n").await {
                    offset = end;
                }
                offset
            })
        };
        tokio::task::yield_now().await;
        instance.finish(&assignment, Outcome::Released).await.unwrap();
        let end = writer.await.unwrap();
        let log = instance.log(&id).await;
        let last = log.rfind("of the attempt\n").map(|at| at + 15);
        assert_eq!(last.unwrap_or(end as usize), end as usize, "{log}");
        assert!(log[end as usize..].contains("handed make back"), "{log}");
        instance.app.cancel(&id).await.unwrap();
    }
}

#[tokio::test]
async fn many_logs_need_few_open_files() {
    let instance = Instance::start().await;
    let submission = crate::instance::submission(&instance.app).await;
    let mut ids = Vec::new();
    for _ in 0..1500 {
        ids.push(instance.app.submit(submission.clone()).await.unwrap().id);
    }
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let logs = instance.folder.path().join("logs");
    let open = open
        .filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok())
        .filter(|target| target.starts_with(&logs))
        .count();
    assert!(open <= 512, "{open} logs are open");
    let first = instance.app.log_read(&ids[0], 0, 1 << 16).await.unwrap();
    assert!(
        String::from_utf8(first.to_vec())
            .unwrap()
            .contains("accepted: flow open")
    );
    let assignment = instance.claim("w1").await.unwrap();
    assert_eq!(assignment.job, ids[0]);
    assert!(
        assignment.log_offset > first.len() as u64,
        "its log is opened again and goes on"
    );
    let part = Bytes::from_static(b"more\n");
    instance
        .app
        .log_append(&attempt(&assignment), assignment.log_offset, part)
        .await
        .unwrap();
}
