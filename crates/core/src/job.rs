//! A job: its id, its derived state, and what an event at one stage means for the whole chain.

use crate::hash::TreeHash;
use crate::stage::{self, Event, Rejected, Stage, StageName, StageState};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The public name of a job: 11 characters of `A-Z a-z 0-9 _`, as the original made them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String))]
pub struct JobId(String);

/// What is wrong with a text that should be a job's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no job id: ids have 11 letters, digits or underscores")]
pub struct BadJobId(pub String);

impl JobId {
    /// The id made of 8 random bytes: base64url with `_` for `-`.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789__";
        let bits = u128::from(u64::from_be_bytes(bytes)) << 2;
        let sextet = |index: u32| ALPHABET[((bits >> (60 - 6 * index)) & 63) as usize];
        Self((0..11).map(|index| char::from(sextet(index))).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobId {
    type Err = BadJobId;

    fn from_str(text: &str) -> Result<Self, BadJobId> {
        let fits = text.len() == 11 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadJobId(text.chars().take(40).collect()))
        }
    }
}

impl TryFrom<String> for JobId {
    type Error = BadJobId;

    fn try_from(text: String) -> Result<Self, BadJobId> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> String {
        id.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The original's words for where a job is (its spelling kept), and our `cancelled`.
/// Derived from the stages, never stored as a truth of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum JobState {
    #[serde(rename = "uploaded")]
    Uploaded,
    #[serde(rename = "unpacking")]
    Unpacking,
    #[serde(rename = "make")]
    Make,
    #[serde(rename = "makeing")]
    Makeing,
    #[serde(rename = "starting_AFI")]
    StartingAfi,
    #[serde(rename = "generating_AFI")]
    GeneratingAfi,
    #[serde(rename = "hlsed")]
    Hlsed,
    #[serde(rename = "fpga_executing")]
    FpgaExecuting,
    #[serde(rename = "done")]
    Done,
    #[serde(rename = "failed")]
    Failed,
    #[serde(rename = "cancelled")]
    Cancelled,
}

impl JobState {
    pub const ALL: [JobState; 11] = [
        Self::Uploaded,
        Self::Unpacking,
        Self::Make,
        Self::Makeing,
        Self::StartingAfi,
        Self::GeneratingAfi,
        Self::Hlsed,
        Self::FpgaExecuting,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The state of a job with these stages, which are in the order of its plan.
    ///
    /// The upload is a tree before it is a job, so `uploaded` and `unpacking` describe no moment
    /// that can be seen from outside; they stay words that a client may ask for.
    pub fn of(stages: &[Stage]) -> Self {
        for stage in stages {
            match &stage.state {
                StageState::Succeeded { .. } => continue,
                StageState::Failed { .. } => return Self::Failed,
                StageState::Cancelled => return Self::Cancelled,
                StageState::Waiting | StageState::Queued { .. } => {
                    return match stage.name {
                        StageName::Make => Self::Make,
                        StageName::Afi => Self::StartingAfi,
                        StageName::Run => Self::Hlsed,
                    };
                }
                StageState::Running { .. } => {
                    return match stage.name {
                        StageName::Make => Self::Makeing,
                        StageName::Afi => Self::GeneratingAfi,
                        StageName::Run => Self::FpgaExecuting,
                    };
                }
            }
        }
        Self::Done
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Unpacking => "unpacking",
            Self::Make => "make",
            Self::Makeing => "makeing",
            Self::StartingAfi => "starting_AFI",
            Self::GeneratingAfi => "generating_AFI",
            Self::Hlsed => "hlsed",
            Self::FpgaExecuting => "fpga_executing",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state as people read it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Uploaded => "Uploaded",
            Self::Unpacking => "Unpacking",
            Self::Make => "Waiting to build",
            Self::Makeing => "Building",
            Self::StartingAfi => "Waiting for image creation",
            Self::GeneratingAfi => "Creating image",
            Self::Hlsed => "Waiting to run",
            Self::FpgaExecuting => "Running",
            Self::Done => "Done",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEvent {
    /// Something that a worker says of one stage, or the end of its lease.
    Stage {
        name: StageName,
        event: Event,
    },
    CancelRequested,
    Reentered {
        from: StageName,
    },
}

/// Why an event changes nothing in a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobRejected {
    #[error("the job has no stage `{0}`")]
    NoStage(StageName),
    #[error("the job is {0} already")]
    Over(JobState),
    #[error("stage `{0}` is still at work: cancel the job first, or wait for its end")]
    AtWork(StageName),
    #[error(
        "stage `{0}` has not succeeded, so no later stage can be entered: enter the job again from there"
    )]
    NoInput(StageName),
    #[error("stage `{name}` alone cannot be {event}: that concerns the whole job")]
    WholeJob { name: StageName, event: &'static str },
    #[error("stage `{name}`: {reason}")]
    Stage { name: StageName, reason: Rejected },
}

/// The stages of a new job: the first is queued, the others wait.
pub fn first_stages(names: &[StageName], now_ms: i64) -> Vec<Stage> {
    let mut stages: Vec<Stage> = names.iter().copied().map(Stage::new).collect();
    if let Some(first) = stages.first_mut() {
        *first = stage::apply(first, Event::Readied, now_ms).expect("a new stage waits");
    }
    stages
}

/// The stages of a job after an event, in the order of the plan. Stages that the event does not
/// touch come back as they were.
pub fn apply(stages: &[Stage], event: JobEvent, now_ms: i64) -> Result<Vec<Stage>, JobRejected> {
    match event {
        JobEvent::Stage { name, event } => apply_to_one(stages, name, event, now_ms),
        JobEvent::CancelRequested => cancel(stages, now_ms),
        JobEvent::Reentered { from } => reenter(stages, from, now_ms),
    }
}

/// The tree that a stage starts from: its predecessor's, or the source tree.
pub fn input_of<'a>(stages: &'a [Stage], name: StageName, source: &'a TreeHash) -> Option<&'a TreeHash> {
    let index = stages.iter().position(|stage| stage.name == name)?;
    match index.checked_sub(1).map(|before| &stages[before].state) {
        None => Some(source),
        Some(StageState::Succeeded { tree }) => Some(tree),
        Some(_) => None,
    }
}

fn apply_to_one(
    stages: &[Stage],
    name: StageName,
    event: Event,
    now_ms: i64,
) -> Result<Vec<Stage>, JobRejected> {
    let index = stages
        .iter()
        .position(|stage| stage.name == name)
        .ok_or(JobRejected::NoStage(name))?;
    // Else a stage could be entered before its predecessor's success, or end without its followers.
    if let Event::Readied | Event::CancelRequested | Event::Reentered | Event::Reset = event {
        let event = event.word();
        return Err(JobRejected::WholeJob { name, event });
    }
    let refuse = |name| move |reason| JobRejected::Stage { name, reason };
    let mut next = stages.to_vec();
    next[index] = stage::apply(&stages[index], event, now_ms).map_err(refuse(name))?;
    match &next[index].state {
        StageState::Succeeded { .. } => {
            if let Some(follower) = next.get_mut(index + 1) {
                *follower = stage::apply(follower, Event::Readied, now_ms).map_err(refuse(follower.name))?;
            }
        }
        // A cancelled job ends as a whole, also when the cancel is carried out by its worker.
        StageState::Cancelled => {
            for follower in &mut next[index + 1..] {
                *follower =
                    stage::apply(follower, Event::CancelRequested, now_ms).map_err(refuse(follower.name))?;
            }
        }
        _ => {}
    }
    Ok(next)
}

fn cancel(stages: &[Stage], now_ms: i64) -> Result<Vec<Stage>, JobRejected> {
    let state = JobState::of(stages);
    if state.is_terminal() {
        return Err(JobRejected::Over(state));
    }
    let running = stages
        .iter()
        .any(|stage| matches!(stage.state, StageState::Running { .. }));
    stages
        .iter()
        .map(|stage| match &stage.state {
            state if state.is_terminal() => Ok(stage.clone()),
            // The later stages end with the running one, once its worker has ended it.
            StageState::Waiting if running => Ok(stage.clone()),
            _ => stage::apply(stage, Event::CancelRequested, now_ms).map_err(|reason| JobRejected::Stage {
                name: stage.name,
                reason,
            }),
        })
        .collect()
}

fn reenter(stages: &[Stage], from: StageName, now_ms: i64) -> Result<Vec<Stage>, JobRejected> {
    let index = stages
        .iter()
        .position(|stage| stage.name == from)
        .ok_or(JobRejected::NoStage(from))?;
    if let Some(at_work) = stages.iter().find(|stage| {
        matches!(
            stage.state,
            StageState::Running { .. } | StageState::Queued { .. }
        )
    }) {
        return Err(JobRejected::AtWork(at_work.name));
    }
    if let Some(before) = stages[..index]
        .iter()
        .find(|stage| !matches!(stage.state, StageState::Succeeded { .. }))
    {
        return Err(JobRejected::NoInput(before.name));
    }
    let mut next = stages.to_vec();
    for (offset, stage) in next[index..].iter_mut().enumerate() {
        let event = if offset == 0 {
            Event::Reentered
        } else {
            Event::Reset
        };
        let name = stage.name;
        *stage = stage::apply(stage, event, now_ms).map_err(|reason| JobRejected::Stage { name, reason })?;
    }
    Ok(next)
}
