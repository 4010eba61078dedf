//! Jobs from their submission to their end.

use crate::instance::{Instance, options, submission};
use polyphemus_api::job::JobQuery;
use polyphemus_core::{JobState, StageName};
use polyphemus_server::app::AppError;

#[tokio::test]
async fn a_job_goes_from_submission_through_its_stages_to_its_end() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let job = instance.job(&id).await;
    assert_eq!(job.state, JobState::Make);
    assert_eq!(job.title, "a blinking light");
    assert!(job.notes.contains(&"a note about the upload".to_owned()));
    let states: Vec<&str> = job.stages.iter().map(|stage| stage.state.as_str()).collect();
    assert_eq!(states, ["queued", "waiting"]);

    let first = instance.claim("w1").await.unwrap();
    assert_eq!((first.attempt, &first.tree), (1, &job.tree));
    assert_eq!(instance.job(&id).await.state, JobState::Makeing);
    let committed = instance
        .append(&first, first.log_offset, "yosys says\n")
        .await
        .unwrap();
    assert_eq!(committed, first.log_offset + 11);
    let made = crate::instance::tree(instance.app.blobs(), &[("top.bin", "bits")]).await;
    instance
        .finish(&first, crate::instance::succeeded(&made))
        .await
        .unwrap();

    let job = instance.job(&id).await;
    assert_eq!(job.state, JobState::Hlsed);
    assert_eq!(job.stages[0].tree.as_ref(), Some(&made));
    let second = instance.claim("w2").await.unwrap();
    assert_eq!(
        (second.stage.name, &second.tree),
        (StageName::Run, &made),
        "run starts from what make left"
    );
    instance
        .finish(&second, crate::instance::succeeded(&made))
        .await
        .unwrap();

    let job = instance.job(&id).await;
    assert_eq!(job.state, JobState::Done);
    assert!(job.finished_ms.is_some());
    assert!(instance.claim("w1").await.is_none(), "nothing is left to do");
    let files = instance.app.job_files(&id).await.unwrap();
    assert_eq!(
        (files.of.as_str(), files.files[0].path.as_str()),
        ("run", "top.bin")
    );
    let events = instance.app.events(&id, 0, 100).await.unwrap();
    let words: Vec<String> = events
        .iter()
        .map(|e| format!("{} {}", e.stage, e.stage_state))
        .collect();
    assert_eq!(
        words,
        [
            "make queued",
            "make running",
            "make succeeded",
            "run queued",
            "run running",
            "run succeeded"
        ]
    );
    assert!(events.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    assert_eq!(
        instance.app.events(&id, events[4].sequence, 100).await.unwrap(),
        events[5..]
    );
}

#[tokio::test]
async fn the_log_tells_the_story_of_a_job_in_order() {
    let instance = Instance::start().await;
    let id = instance.submit().await;
    let first = instance.claim("w1").await.unwrap();
    // No newline at the end: the server's next line must not be glued to it.
    instance
        .append(&first, first.log_offset, "tool output")
        .await
        .unwrap();
    let made = crate::instance::tree(instance.app.blobs(), &[("top.bin", "bits")]).await;
    instance
        .finish(&first, crate::instance::succeeded(&made))
        .await
        .unwrap();
    let log = instance.log(&id).await;
    let without_times: Vec<&str> = log
        .lines()
        .map(|line| match line.split_once("Z ") {
            Some((time, rest)) if time.parse::<jiff::civil::DateTime>().is_ok() => rest,
            _ => line,
        })
        .filter(|line| !line.starts_with("decided: ") && !line.starts_with("note: "))
        .collect();
    assert_eq!(
        without_times,
        [
            "accepted: flow open, mode hw_emu",
            "acquired in state make",
            "make begins on worker w1, attempt 1",
            "state changed to makeing",
            "tool output",
            "make succeeded on worker w1",
            "run waits for a worker",
            "state changed to hlsed",
        ],
        "{log}"
    );
    assert!(log.contains("Z note: a note about the upload\n"), "{log}");
}

#[tokio::test]
async fn what_cannot_be_planned_is_refused_and_leaves_nothing() {
    let instance = Instance::start().await;
    let mut submission = submission(&instance.app).await;
    submission.options = options(&[("mode", "by magic")]);
    let refused = instance.app.submit(submission).await.unwrap_err();
    assert!(matches!(refused, AppError::Plan(_)), "{refused:?}");
    let page = instance.app.job_page(&JobQuery::default()).await.unwrap();
    assert!(page.jobs.is_empty());
    let logs = std::fs::read_dir(instance.folder.path().join("logs")).unwrap();
    assert_eq!(logs.count(), 0);
}

#[tokio::test]
async fn a_design_whose_content_is_not_stored_is_refused() {
    let instance = Instance::start().await;
    let submission = submission(&instance.app).await;
    let lost = submission.tree.entries()[0].hash.clone();
    instance.app.blobs().delete(&lost).await.unwrap();
    let refused = instance.app.submit(submission).await.unwrap_err();
    assert!(
        matches!(&refused, AppError::Conflict(text) if text.contains(lost.as_str())),
        "{refused:?}"
    );
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let instance = Instance::start().await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(instance.submit().await);
    }
    instance.app.cancel(&ids[3]).await.unwrap();
    ids.reverse();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let query = JobQuery {
            limit: Some(3),
            before,
            ..JobQuery::default()
        };
        let page = instance.app.job_page(&query).await.unwrap();
        seen.extend(page.jobs.into_iter().map(|job| job.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
    let query = JobQuery {
        state: Some("cancelled".into()),
        ..JobQuery::default()
    };
    let cancelled = instance.app.job_page(&query).await.unwrap();
    assert_eq!(cancelled.jobs.len(), 1);
    assert_eq!(cancelled.jobs[0].id, ids[3]);
    let counts = instance.app.job_counts().await.unwrap();
    assert_eq!((counts[&JobState::Make], counts[&JobState::Cancelled]), (6, 1));
    for query in [
        (Some(0), None),
        (Some(1001), None),
        (None, Some("lost".to_owned())),
    ] {
        let query = JobQuery {
            limit: query.0,
            state: query.1,
            ..JobQuery::default()
        };
        assert!(matches!(
            instance.app.job_page(&query).await,
            Err(AppError::BadRequest(_))
        ));
    }
}
