//! What holds for the stages of a job after every history, likely or not.

use crate::stage::tree;
use polyphemus_core::cause::{Cause, CauseKind};
use polyphemus_core::job::{JobEvent, JobRejected, JobState, apply, first_stages, input_of};
use polyphemus_core::stage::{Event, Stage, StageName, StageState, WorkerId};
use proptest::prelude::*;

const CHAIN: [StageName; 3] = StageName::ALL;

fn any_name() -> impl Strategy<Value = StageName> {
    prop::sample::select(CHAIN.to_vec())
}

fn any_cause() -> impl Strategy<Value = Cause> {
    prop::sample::select(CauseKind::ALL.to_vec()).prop_map(|kind| Cause::new(kind, "it broke"))
}

/// Events of attempts that are, were, and never will be.
fn any_event() -> impl Strategy<Value = Event> {
    let attempt = 0..6_u32;
    prop_oneof![
        Just(Event::Readied),
        (0..100_000_i64).prop_map(|lease_until_ms| Event::Claimed {
            worker: WorkerId("anna".into()),
            lease_until_ms
        }),
        (attempt.clone(), 0..100_000_i64).prop_map(|(attempt, lease_until_ms)| Event::Renewed {
            attempt,
            lease_until_ms
        }),
        (attempt.clone(), any::<u8>()).prop_map(|(attempt, byte)| Event::Succeeded {
            attempt,
            tree: tree(byte)
        }),
        (attempt.clone(), any_cause()).prop_map(|(attempt, cause)| Event::Failed {
            attempt,
            cause,
            tree: None
        }),
        attempt.clone().prop_map(|attempt| Event::Released { attempt }),
        attempt
            .clone()
            .prop_map(|attempt| Event::LeaseExpired { attempt }),
        attempt.prop_map(|attempt| Event::CancelDone { attempt }),
        Just(Event::CancelRequested),
        Just(Event::Reentered),
        Just(Event::Reset),
    ]
}

/// What is likely to fit: most of a random history would be rejected otherwise.
#[derive(Debug, Clone)]
enum Act {
    Any(JobEvent),
    Claim,
    Succeed(u8),
    Fail(Cause),
    Release,
    Expire,
    EndCancelled,
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (any_name(), any_event()).prop_map(|(name, event)| Act::Any(JobEvent::Stage { name, event })),
        1 => Just(Act::Any(JobEvent::CancelRequested)),
        2 => any_name().prop_map(|from| Act::Any(JobEvent::Reentered { from })),
        6 => Just(Act::Claim),
        4 => any::<u8>().prop_map(Act::Succeed),
        2 => any_cause().prop_map(Act::Fail),
        1 => Just(Act::Release),
        1 => Just(Act::Expire),
        1 => Just(Act::EndCancelled),
    ]
}

fn attempt_of(stage: &Stage) -> u32 {
    match stage.state {
        StageState::Running { attempt, .. } => attempt,
        _ => stage.attempts,
    }
}

/// The act as an event for the stage that is at work, or for the first.
fn event_of(act: Act, stages: &[Stage], now_ms: i64) -> JobEvent {
    let at_work = |stage: &&Stage| {
        matches!(
            stage.state,
            StageState::Running { .. } | StageState::Queued { .. }
        )
    };
    let stage = stages.iter().find(at_work).unwrap_or(&stages[0]);
    let attempt = attempt_of(stage);
    let event = match act {
        Act::Any(event) => return event,
        Act::Claim => Event::Claimed {
            worker: WorkerId("bert".into()),
            lease_until_ms: now_ms + 500,
        },
        Act::Succeed(byte) => Event::Succeeded {
            attempt,
            tree: tree(byte),
        },
        Act::Fail(cause) => Event::Failed {
            attempt,
            cause,
            tree: Some(tree(1)),
        },
        Act::Release => Event::Released { attempt },
        Act::Expire => Event::LeaseExpired { attempt },
        Act::EndCancelled => Event::CancelDone { attempt },
    };
    JobEvent::Stage {
        name: stage.name,
        event,
    }
}

fn said_by(event: &JobEvent) -> Option<(StageName, u32)> {
    let JobEvent::Stage { name, event } = event else {
        return None;
    };
    match event {
        Event::Renewed { attempt, .. }
        | Event::Succeeded { attempt, .. }
        | Event::Failed { attempt, .. }
        | Event::Released { attempt }
        | Event::LeaseExpired { attempt }
        | Event::CancelDone { attempt } => Some((*name, *attempt)),
        _ => None,
    }
}

fn is_at_work(stage: &Stage) -> bool {
    matches!(
        stage.state,
        StageState::Running { .. } | StageState::Queued { .. }
    )
}

fn check_chain(stages: &[Stage]) -> Result<(), TestCaseError> {
    prop_assert!(
        stages.iter().filter(|stage| is_at_work(stage)).count() <= 1,
        "two at work"
    );
    for pair in stages.windows(2) {
        let begun = is_at_work(&pair[1])
            || matches!(
                pair[1].state,
                StageState::Succeeded { .. } | StageState::Failed { .. }
            );
        let ready = matches!(pair[0].state, StageState::Succeeded { .. });
        prop_assert!(!begun || ready, "a stage began before its predecessor's success");
        prop_assert!(
            !ready || !matches!(pair[1].state, StageState::Waiting),
            "a stage waits although its predecessor has succeeded"
        );
    }
    let source = tree(0);
    for stage in stages.iter().filter(|stage| is_at_work(stage)) {
        prop_assert!(
            input_of(stages, stage.name, &source).is_some(),
            "a stage at work has no input"
        );
        prop_assert!(
            !JobState::of(stages).is_terminal(),
            "a job is over while a stage is at work"
        );
    }
    if !JobState::of(stages).is_terminal() {
        prop_assert!(
            stages.iter().any(is_at_work),
            "a job that is not over waits for nothing"
        );
    }
    Ok(())
}

fn check_step(before: &[Stage], event: &JobEvent, after: &[Stage]) -> Result<(), TestCaseError> {
    if let Some((name, attempt)) = said_by(event) {
        let stage = before
            .iter()
            .find(|stage| stage.name == name)
            .expect("the chain has every stage");
        let current =
            matches!(stage.state, StageState::Running { attempt: running, .. } if running == attempt);
        prop_assert!(current, "a stale attempt changed something");
    }
    for (old, new) in before.iter().zip(after) {
        prop_assert_eq!(old.name, new.name);
        prop_assert!(new.attempts >= old.attempts, "attempts went down");
        prop_assert!(new.attempts - old.attempts <= 1, "one event began two attempts");
        let entered_again = matches!(event, JobEvent::Reentered { .. });
        let changed = old.state != new.state;
        prop_assert!(
            !old.state.is_terminal() || !changed || entered_again,
            "a terminal state changed"
        );
        if new.attempts > old.attempts {
            let claim = matches!(
                event,
                JobEvent::Stage {
                    event: Event::Claimed { .. },
                    ..
                }
            );
            prop_assert!(claim, "an attempt began without a claim");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_chain_in_order(acts in prop::collection::vec((any_act(), 0..2_000_i64), 1..80)) {
        let mut now_ms = 0;
        let mut stages = first_stages(&CHAIN, now_ms);
        check_chain(&stages)?;
        for (act, passed_ms) in acts {
            now_ms += passed_ms;
            let event = event_of(act, &stages, now_ms);
            if let Ok(next) = apply(&stages, event.clone(), now_ms) {
                check_step(&stages, &event, &next)?;
                stages = next;
            }
            check_chain(&stages)?;
        }
    }

    #[test]
    fn cancel_ends_every_job_with_whatever_its_worker_says_last(
        acts in prop::collection::vec((any_act(), 0..2_000_i64), 0..40),
        last in 0..5_usize,
    ) {
        let mut now_ms = 0;
        let mut stages = first_stages(&CHAIN, now_ms);
        for (act, passed_ms) in acts {
            now_ms += passed_ms;
            stages = apply(&stages, event_of(act, &stages, now_ms), now_ms).unwrap_or(stages);
        }
        prop_assume!(!JobState::of(&stages).is_terminal());
        stages = apply(&stages, JobEvent::CancelRequested, now_ms).expect("a job under way can be cancelled");
        if let Some(running) = stages.iter().find(|stage| is_at_work(stage)) {
            let (name, attempt) = (running.name, attempt_of(running));
            let event = match last {
                0 => Event::Succeeded { attempt, tree: tree(3) },
                1 => Event::Failed { attempt, cause: Cause::new(CauseKind::WorkerLost, "gone"), tree: None },
                2 => Event::Released { attempt },
                3 => Event::LeaseExpired { attempt },
                _ => Event::CancelDone { attempt },
            };
            stages = apply(&stages, JobEvent::Stage { name, event }, now_ms + 1_000_000).expect("the end fits");
        }
        prop_assert_eq!(JobState::of(&stages), JobState::Cancelled);
        prop_assert!(!stages.iter().any(is_at_work));
        prop_assert!(!stages.iter().any(|stage| stage.state == StageState::Waiting));
    }
}

fn at(stages: &[Stage], name: StageName, event: Event, now_ms: i64) -> Vec<Stage> {
    apply(stages, JobEvent::Stage { name, event }, now_ms).expect("the event fits")
}

fn claim(lease_until_ms: i64) -> Event {
    Event::Claimed {
        worker: WorkerId("anna".into()),
        lease_until_ms,
    }
}

#[test]
fn a_stage_queued_for_a_later_try_is_cancelled_at_once() {
    let stages = at(&first_stages(&CHAIN, 0), StageName::Make, claim(100), 0);
    let cause = Cause::new(CauseKind::Licence, "all seats are taken");
    let stages = at(
        &stages,
        StageName::Make,
        Event::Failed {
            attempt: 1,
            cause,
            tree: None,
        },
        10,
    );
    assert_eq!(
        stages[0].state,
        StageState::Queued {
            not_before_ms: 60_010
        }
    );
    let stages = apply(&stages, JobEvent::CancelRequested, 20).unwrap();
    assert!(stages.iter().all(|stage| stage.state == StageState::Cancelled));
}

#[test]
fn no_stage_is_entered_or_ended_past_the_job() {
    let stages = first_stages(&CHAIN, 0);
    for event in [
        Event::Readied,
        Event::CancelRequested,
        Event::Reentered,
        Event::Reset,
    ] {
        let refused = apply(
            &stages,
            JobEvent::Stage {
                name: StageName::Run,
                event,
            },
            0,
        );
        assert!(
            matches!(refused, Err(JobRejected::WholeJob { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn a_job_entered_again_keeps_its_earlier_results_and_its_fences() {
    let mut stages = first_stages(&[StageName::Make, StageName::Run], 0);
    stages = at(&stages, StageName::Make, claim(100), 0);
    stages = at(
        &stages,
        StageName::Make,
        Event::Succeeded {
            attempt: 1,
            tree: tree(5),
        },
        1,
    );
    stages = at(&stages, StageName::Run, claim(100), 2);
    let cause = Cause::new(CauseKind::TestFailed, "wrong");
    stages = at(
        &stages,
        StageName::Run,
        Event::Failed {
            attempt: 1,
            cause,
            tree: None,
        },
        3,
    );
    assert_eq!(JobState::of(&stages), JobState::Failed);
    stages = apply(&stages, JobEvent::Reentered { from: StageName::Run }, 4).unwrap();
    assert_eq!(input_of(&stages, StageName::Run, &tree(0)), Some(&tree(5)));
    stages = at(&stages, StageName::Run, claim(100), 5);
    let late = Event::Succeeded {
        attempt: 1,
        tree: tree(6),
    };
    assert!(
        apply(
            &stages,
            JobEvent::Stage {
                name: StageName::Run,
                event: late
            },
            6
        )
        .is_err()
    );
    assert_eq!(JobState::of(&stages), JobState::FpgaExecuting);
}
