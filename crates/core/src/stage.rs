//! The states of a stage and every transition between them: `apply` is the only place that makes one.

use crate::cause::{Cause, CauseKind};
use crate::hash::TreeHash;
use crate::retry::{self, Tries};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a stage does. The order is the order in which they follow each other in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum StageName {
    Make,
    Afi,
    Run,
}

impl StageName {
    pub const ALL: [StageName; 3] = [Self::Make, Self::Afi, Self::Run];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Make => "make",
            Self::Afi => "afi",
            Self::Run => "run",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }
}

impl fmt::Display for StageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A worker's own name for itself, unique among the live ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkerId(pub String);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who has custody of a stage. All times are milliseconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StageState {
    /// Its predecessor has not succeeded yet.
    Waiting,
    /// Any worker that meets its needs may claim it from `not_before_ms` on.
    Queued {
        not_before_ms: i64,
    },
    /// One worker has it until its lease ends.
    Running {
        attempt: u32,
        worker: WorkerId,
        lease_until_ms: i64,
        cancel_requested: bool,
    },
    Succeeded {
        tree: TreeHash,
    },
    Failed {
        cause: Cause,
        tree: Option<TreeHash>,
    },
    Cancelled,
}

impl StageState {
    pub fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Succeeded { .. } | Self::Failed { .. } | Self::Cancelled
        )
    }

    /// The state's one word, as it is stored and shown.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued { .. } => "queued",
            Self::Running { .. } => "running",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One stage of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    pub name: StageName,
    #[serde(flatten)]
    pub state: StageState,
    /// How many attempts were ever begun; the number of the latest. It never goes back, not even
    /// when the stage is entered again, so that it fences every older attempt.
    pub attempts: u32,
    /// How often what the stage asks of a service outside was to be asked anew: all attempts of one
    /// round ask for the same thing under the same token, and so get it once.
    #[serde(default, skip_serializing_if = "is_first")]
    pub round: u32,
    /// How many attempts have failed since the stage was last entered, and of what.
    pub tries: Tries,
}

fn is_first(round: &u32) -> bool {
    *round == 0
}

/// What happens to a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The predecessor has succeeded, or there is none.
    Readied,
    Claimed {
        worker: WorkerId,
        lease_until_ms: i64,
    },
    /// The worker's heartbeat.
    Renewed {
        attempt: u32,
        lease_until_ms: i64,
    },
    Succeeded {
        attempt: u32,
        tree: TreeHash,
    },
    Failed {
        attempt: u32,
        cause: Cause,
        tree: Option<TreeHash>,
    },
    /// The worker stops and hands the stage back untried.
    Released {
        attempt: u32,
    },
    LeaseExpired {
        attempt: u32,
    },
    /// The worker is known to be dead, so its lease need not be waited for.
    WorkerGone {
        attempt: u32,
    },
    CancelRequested,
    /// The worker has ended all processes of a stage that was to be cancelled.
    CancelDone {
        attempt: u32,
    },
    /// The user enters the stage again.
    Reentered,
    /// An earlier stage is entered again.
    Reset,
}

/// Why an event changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("attempt {attempt} is over: the stage is {now}")]
    Stale { attempt: u32, now: String },
    #[error("a stage that is {state} cannot be {event}")]
    Unfit {
        state: &'static str,
        event: &'static str,
    },
    #[error("the lease lasts until {lease_until_ms} ms")]
    LeaseLasts { lease_until_ms: i64 },
    #[error("the stage is not to be tried before {not_before_ms} ms")]
    TooEarly { not_before_ms: i64 },
}

impl Stage {
    pub fn new(name: StageName) -> Self {
        Self {
            name,
            state: StageState::Waiting,
            attempts: 0,
            round: 0,
            tries: Tries::default(),
        }
    }

    /// The tree that the stage left behind, also when it failed.
    pub fn tree(&self) -> Option<&TreeHash> {
        match &self.state {
            StageState::Succeeded { tree } => Some(tree),
            StageState::Failed { tree, .. } => tree.as_ref(),
            _ => None,
        }
    }
}

/// The stage after the event at the time `now_ms`; the only maker of states.
pub fn apply(stage: &Stage, event: Event, now_ms: i64) -> Result<Stage, Rejected> {
    use StageState::*;
    check_attempt(stage, &event)?;
    let mut next = stage.clone();
    next.state = match (&stage.state, event) {
        (Waiting, Event::Readied) => Queued {
            not_before_ms: now_ms,
        },
        (Queued { not_before_ms }, Event::Claimed { .. }) if *not_before_ms > now_ms => {
            return Err(Rejected::TooEarly {
                not_before_ms: *not_before_ms,
            });
        }
        (
            Queued { .. },
            Event::Claimed {
                worker,
                lease_until_ms,
            },
        ) => {
            next.attempts += 1;
            Running {
                attempt: next.attempts,
                worker,
                lease_until_ms,
                cancel_requested: false,
            }
        }
        (
            Running {
                attempt,
                worker,
                lease_until_ms: so_far_ms,
                cancel_requested,
            },
            Event::Renewed { lease_until_ms, .. },
        ) => Running {
            attempt: *attempt,
            worker: worker.clone(),
            // Heartbeats may overtake each other; a late one must not shorten the lease.
            lease_until_ms: lease_until_ms.max(*so_far_ms),
            cancel_requested: *cancel_requested,
        },
        // Whoever asked for the end gets it, even where the work was done a moment earlier.
        (
            Running {
                cancel_requested: true,
                ..
            },
            Event::Succeeded { .. }
            | Event::Failed { .. }
            | Event::Released { .. }
            | Event::CancelDone { .. },
        ) => Cancelled,
        (Running { .. }, Event::Succeeded { tree, .. }) => Succeeded { tree },
        (Running { .. }, Event::Failed { cause, tree, .. }) => failed(&mut next, cause, tree, now_ms),
        (Running { .. }, Event::Released { .. }) => Queued {
            not_before_ms: now_ms,
        },
        (Running { lease_until_ms, .. }, Event::LeaseExpired { .. }) if *lease_until_ms > now_ms => {
            return Err(Rejected::LeaseLasts {
                lease_until_ms: *lease_until_ms,
            });
        }
        (
            Running {
                cancel_requested: true,
                ..
            },
            Event::LeaseExpired { .. } | Event::WorkerGone { .. },
        ) => Cancelled,
        (Running { worker, attempt, .. }, Event::LeaseExpired { .. }) => {
            let cause = worker_lost(worker, *attempt);
            failed(&mut next, cause, None, now_ms)
        }
        (Running { worker, attempt, .. }, Event::WorkerGone { .. }) => {
            let cause = worker_gone(worker, *attempt);
            failed(&mut next, cause, None, now_ms)
        }
        (Waiting | Queued { .. }, Event::CancelRequested) => Cancelled,
        (
            Running {
                attempt,
                worker,
                lease_until_ms,
                ..
            },
            Event::CancelRequested,
        ) => Running {
            attempt: *attempt,
            worker: worker.clone(),
            lease_until_ms: *lease_until_ms,
            cancel_requested: true,
        },
        (Succeeded { .. } | Failed { .. } | Cancelled, Event::Reentered) => {
            next.tries = Tries::default();
            next.round += u32::from(is_answered(&stage.state));
            Queued {
                not_before_ms: now_ms,
            }
        }
        (Succeeded { .. } | Failed { .. } | Cancelled | Waiting, Event::Reset) => {
            next.tries = Tries::default();
            // Its input will be another one.
            next.round += u32::from(!matches!(stage.state, Waiting));
            Waiting
        }
        (state, event) => {
            return Err(Rejected::Unfit {
                state: state.word(),
                event: event.word(),
            });
        }
    };
    Ok(next)
}

/// Whether a service outside has given its last word, so that the same question would get the same answer.
/// Whoever was cut off before, by a limit, a lost login or a cancel, goes on waiting for it.
fn is_answered(state: &StageState) -> bool {
    match state {
        StageState::Succeeded { .. } => true,
        StageState::Failed { cause, .. } => cause.kind == CauseKind::Image,
        _ => false,
    }
}

/// Fences: what an attempt says counts only while it is the running one.
fn check_attempt(stage: &Stage, event: &Event) -> Result<(), Rejected> {
    let Some(said_by) = event.attempt() else {
        return Ok(());
    };
    match stage.state {
        StageState::Running { attempt, .. } if attempt == said_by => Ok(()),
        StageState::Running { attempt, .. } => Err(Rejected::Stale {
            attempt: said_by,
            now: format!("running as attempt {attempt}"),
        }),
        _ => Err(Rejected::Stale {
            attempt: said_by,
            now: stage.state.word().to_owned(),
        }),
    }
}

fn failed(next: &mut Stage, cause: Cause, tree: Option<TreeHash>, now_ms: i64) -> StageState {
    let tries = next.tries.count(cause.kind);
    match retry::delay(cause.kind, tries) {
        Some(delay) => StageState::Queued {
            not_before_ms: now_ms.saturating_add(delay.as_millis() as i64),
        },
        None => StageState::Failed { cause, tree },
    }
}

fn worker_lost(worker: &WorkerId, attempt: u32) -> Cause {
    Cause::new(
        CauseKind::WorkerLost,
        format!(
            "worker {worker} was not heard of until its lease on attempt {attempt} had run out; look at that \
             machine, then enter the stage again with `polyphemus retry`"
        ),
    )
}

fn worker_gone(worker: &WorkerId, attempt: u32) -> Cause {
    Cause::new(
        CauseKind::WorkerLost,
        format!(
            "worker {worker} ended in the middle of attempt {attempt}, together with the server; look at why the \
             server ends, then enter the stage again with `polyphemus retry`"
        ),
    )
}

impl Event {
    fn attempt(&self) -> Option<u32> {
        match self {
            Self::Renewed { attempt, .. }
            | Self::Succeeded { attempt, .. }
            | Self::Failed { attempt, .. }
            | Self::Released { attempt }
            | Self::LeaseExpired { attempt }
            | Self::WorkerGone { attempt }
            | Self::CancelDone { attempt } => Some(*attempt),
            Self::Readied | Self::Claimed { .. } | Self::CancelRequested | Self::Reentered | Self::Reset => {
                None
            }
        }
    }

    /// What the event does to a stage, as a participle.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Readied => "readied",
            Self::Claimed { .. } => "claimed",
            Self::Renewed { .. } => "renewed",
            Self::Succeeded { .. } => "finished",
            Self::Failed { .. } => "failed",
            Self::Released { .. } => "released",
            Self::LeaseExpired { .. } => "given up",
            Self::WorkerGone { .. } => "given up with its worker",
            Self::CancelRequested => "cancelled",
            Self::CancelDone { .. } => "ended as cancelled",
            Self::Reentered => "entered again",
            Self::Reset => "reset",
        }
    }
}
