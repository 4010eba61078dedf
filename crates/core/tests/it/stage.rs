//! The whole table of transitions: every state against every event.

use polyphemus_core::cause::{Cause, CauseKind};
use polyphemus_core::hash::TreeHash;
use polyphemus_core::stage::{Event, Stage, StageName, StageState, WorkerId, apply};
use std::fmt::Write;

const NOW_MS: i64 = 1_000_000;
const LATER_MS: i64 = NOW_MS + 60_000;
const EARLIER_MS: i64 = NOW_MS - 60_000;

pub fn tree(byte: u8) -> TreeHash {
    TreeHash::from_bytes([byte; 32])
}

fn running(lease_until_ms: i64, cancel_requested: bool) -> StageState {
    StageState::Running {
        attempt: 2,
        worker: WorkerId("anna".into()),
        lease_until_ms,
        cancel_requested,
    }
}

fn states() -> Vec<(&'static str, StageState, u32)> {
    let cause = Cause::new(CauseKind::TestFailed, "two sums are wrong");
    vec![
        ("waiting", StageState::Waiting, 0),
        (
            "queued",
            StageState::Queued {
                not_before_ms: NOW_MS,
            },
            0,
        ),
        (
            "queued for a later try",
            StageState::Queued {
                not_before_ms: LATER_MS,
            },
            1,
        ),
        ("running", running(LATER_MS, false), 0),
        ("running its last try", running(LATER_MS, false), 47),
        ("running, lease over", running(NOW_MS, false), 0),
        ("running its last try, lease over", running(NOW_MS, false), 47),
        ("running, to be cancelled", running(LATER_MS, true), 0),
        (
            "running, to be cancelled, lease over",
            running(EARLIER_MS, true),
            0,
        ),
        ("succeeded", StageState::Succeeded { tree: tree(7) }, 1),
        (
            "failed",
            StageState::Failed {
                cause,
                tree: Some(tree(8)),
            },
            1,
        ),
        ("cancelled", StageState::Cancelled, 1),
    ]
}

fn events() -> Vec<(&'static str, Event)> {
    let lost = || Cause::new(CauseKind::WorkerTrouble, "disk full");
    let wrong = || Cause::new(CauseKind::SourceError, "line 3");
    let failed = |attempt, cause| Event::Failed {
        attempt,
        cause,
        tree: None,
    };
    vec![
        ("readied", Event::Readied),
        (
            "claimed",
            Event::Claimed {
                worker: WorkerId("bert".into()),
                lease_until_ms: LATER_MS,
            },
        ),
        (
            "renewed",
            Event::Renewed {
                attempt: 2,
                lease_until_ms: LATER_MS + 1,
            },
        ),
        (
            "renewed late",
            Event::Renewed {
                attempt: 2,
                lease_until_ms: EARLIER_MS - 1,
            },
        ),
        (
            "renewed by a stale attempt",
            Event::Renewed {
                attempt: 1,
                lease_until_ms: LATER_MS,
            },
        ),
        (
            "succeeded",
            Event::Succeeded {
                attempt: 2,
                tree: tree(9),
            },
        ),
        (
            "succeeded by a stale attempt",
            Event::Succeeded {
                attempt: 1,
                tree: tree(9),
            },
        ),
        (
            "succeeded by an attempt to come",
            Event::Succeeded {
                attempt: 3,
                tree: tree(9),
            },
        ),
        ("failed, curable", failed(2, lost())),
        ("failed, incurable", failed(2, wrong())),
        ("failed by a stale attempt", failed(1, wrong())),
        ("released", Event::Released { attempt: 2 }),
        ("released by a stale attempt", Event::Released { attempt: 1 }),
        ("worker gone", Event::WorkerGone { attempt: 2 }),
        ("lease expired", Event::LeaseExpired { attempt: 2 }),
        (
            "lease of a stale attempt expired",
            Event::LeaseExpired { attempt: 1 },
        ),
        ("cancel requested", Event::CancelRequested),
        ("cancel done", Event::CancelDone { attempt: 2 }),
        ("cancel done by a stale attempt", Event::CancelDone { attempt: 1 }),
        ("re-entered", Event::Reentered),
        ("reset", Event::Reset),
    ]
}

/// A time as its distance from now, so that the table can be read.
fn when(at_ms: i64) -> String {
    match at_ms - NOW_MS {
        0 => "now".into(),
        distance => format!("now{distance:+}"),
    }
}

fn shown(stage: &Stage) -> String {
    let state = match &stage.state {
        StageState::Queued { not_before_ms } => format!("queued from {}", when(*not_before_ms)),
        StageState::Running {
            attempt,
            worker,
            lease_until_ms,
            cancel_requested,
        } => {
            let cancel = if *cancel_requested {
                ", to be cancelled"
            } else {
                ""
            };
            format!(
                "running as {attempt} by {worker} until {}{cancel}",
                when(*lease_until_ms)
            )
        }
        StageState::Failed { cause, .. } => format!("failed: {}", cause.kind.title()),
        other => other.word().to_owned(),
    };
    format!(
        "{state} (attempts {}, failed tries {})",
        stage.attempts,
        stage.tries.all()
    )
}

#[test]
fn every_state_takes_or_rejects_every_event_as_the_table_says() {
    let mut table = String::new();
    for (name, state, failed_tries) in states() {
        let stage = Stage {
            state,
            attempts: 2,
            tries: [(CauseKind::WorkerLost, failed_tries)].into_iter().collect(),
            ..Stage::new(StageName::Make)
        };
        writeln!(table, "{name}").unwrap();
        for (event_name, event) in events() {
            let after = match apply(&stage, event, NOW_MS) {
                Ok(next) if next == stage => "as it was".to_owned(),
                Ok(next) => shown(&next),
                Err(rejected) => format!("REJECTED {rejected}"),
            };
            writeln!(table, "    {event_name:<34} {after}").unwrap();
        }
    }
    insta::assert_snapshot!("transitions", table);
}

#[test]
fn what_was_asked_of_a_service_is_asked_anew_only_when_it_was_answered_or_the_input_changes() {
    let entered = |state: StageState, event: Event| {
        let stage = Stage {
            state,
            ..Stage::new(StageName::Afi)
        };
        apply(&stage, event, NOW_MS).expect("it fits").round
    };
    let failed = |kind| StageState::Failed {
        cause: Cause::new(kind, "why"),
        tree: None,
    };
    assert_eq!(entered(failed(CauseKind::Access), Event::Reentered), 0);
    assert_eq!(entered(failed(CauseKind::TimeLimit), Event::Reentered), 0);
    assert_eq!(entered(StageState::Cancelled, Event::Reentered), 0);
    assert_eq!(entered(failed(CauseKind::Image), Event::Reentered), 1);
    assert_eq!(
        entered(StageState::Succeeded { tree: tree(7) }, Event::Reentered),
        1
    );
    assert_eq!(entered(failed(CauseKind::Access), Event::Reset), 1);
}
