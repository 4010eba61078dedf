//! The stages of a job as a timeline.

use super::icon::Icon;
use super::time::{self, Moment};
use polyphemus_api::job::{Job, JobStage};
use polyphemus_core::stage::StageName;
use std::ops::Range;

/// A stage as it is shown.
#[derive(Debug)]
pub(super) struct StageLine {
    /// What it does, for people, and its word.
    pub(super) title: &'static str,
    pub(super) name: &'static str,
    pub(super) icon: Icon,
    pub(super) state: String,
    pub(super) worker: Option<String>,
    pub(super) device: Option<String>,
    pub(super) attempts: u32,
    pub(super) started: Option<Moment>,
    pub(super) duration: Option<String>,
    /// Where it lies in the time of the whole job, in percent.
    pub(super) bar: Option<Bar>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bar {
    pub(super) from: f64,
    pub(super) width: f64,
}

pub(super) fn lines(job: &Job, now_ms: i64) -> Vec<StageLine> {
    let end_ms = job.finished_ms.unwrap_or(now_ms);
    job.stages
        .iter()
        .map(|stage| line(stage, job.state.is_terminal(), job.submitted_ms..end_ms, now_ms))
        .collect()
}

/// `whole` is the time of the whole job, so far.
fn line(stage: &JobStage, over: bool, whole: Range<i64>, now_ms: i64) -> StageLine {
    // A stage that waits for another try still knows when the last one ended.
    let at_work = stage.state == "running";
    let span = stage.started_ms.map(|started_ms| {
        let until_ms = if at_work {
            now_ms
        } else {
            stage.finished_ms.unwrap_or(started_ms)
        };
        (started_ms, until_ms)
    });
    let shown = span.filter(|_| at_work || stage.finished_ms.is_some());
    let (icon, state) = state(stage, over);
    StageLine {
        title: title(stage.name),
        name: stage.name.as_str(),
        icon,
        state,
        worker: stage.worker.as_ref().map(ToString::to_string),
        device: stage.device.clone(),
        attempts: stage.attempts,
        started: span.map(|(started_ms, _)| Moment::new(started_ms, now_ms)),
        duration: shown.map(|(started_ms, until_ms)| time::duration(until_ms - started_ms)),
        bar: shown.map(|(started_ms, until_ms)| bar(whole.start, whole.end, started_ms, until_ms)),
    }
}

/// A stage that its job did not come to waits for nothing.
fn state(stage: &JobStage, over: bool) -> (Icon, String) {
    match stage.state.as_str() {
        "waiting" if over => (Icon("off"), "not reached".to_owned()),
        _ if stage.cancelling => (Icon("busy"), "being cancelled".to_owned()),
        state => (Icon::of_stage(state), state.to_owned()),
    }
}

pub(super) fn title(name: StageName) -> &'static str {
    match name {
        StageName::Make => "Build",
        StageName::Afi => "Create image",
        StageName::Run => "Run",
    }
}

/// At least one percent wide, so that it can be seen, and within the whole.
fn bar(from_ms: i64, end_ms: i64, started_ms: i64, until_ms: i64) -> Bar {
    let whole = (end_ms.max(until_ms) - from_ms).max(1) as f64;
    let from = ((started_ms - from_ms) as f64 / whole * 100.0).clamp(0.0, 99.0);
    let width = ((until_ms - started_ms) as f64 / whole * 100.0).clamp(1.0, 100.0 - from);
    Bar { from, width }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_lies_within_the_time_of_the_job() {
        assert_eq!(
            bar(0, 100, 25, 75),
            Bar {
                from: 25.0,
                width: 50.0
            }
        );
        assert_eq!(
            bar(0, 1000, 999, 999),
            Bar {
                from: 99.0,
                width: 1.0
            }
        );
        assert_eq!(
            bar(0, 0, 0, 0),
            Bar {
                from: 0.0,
                width: 1.0
            }
        );
        assert_eq!(
            bar(100, 50, 0, 200),
            Bar {
                from: 0.0,
                width: 100.0
            }
        );
    }
}
