//! The protocol of workers: claim by long poll, then heartbeat, log by offset, blobs and finish, all
//! fenced by the attempt.

use crate::running::Look;
use polyphemus_core::cause::Cause;
use polyphemus_core::flow::Flow;
use polyphemus_core::hash::TreeHash;
use polyphemus_core::job::JobId;
use polyphemus_core::label::Label;
use polyphemus_core::plan::PlannedStage;
use polyphemus_core::result::StageResult;
use polyphemus_core::stage::{StageName, WorkerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

pub const WORKERS: &str = "/api/v1/workers";
pub const CLAIM: &str = "/api/v1/workers/claim";
pub const HEARTBEAT: &str = "/api/v1/attempts/{job}/{stage}/{attempt}/heartbeat";
/// `?offset=N`; the body is what follows there.
pub const ATTEMPT_LOG: &str = "/api/v1/attempts/{job}/{stage}/{attempt}/log";
pub const FINISH: &str = "/api/v1/attempts/{job}/{stage}/{attempt}/finish";
/// The header with an attempt's key, on each request about it. A job's own programs do not know it.
pub const ATTEMPT_KEY: &str = "polyphemus-attempt-key";

/// A worker offers one free slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClaimRequest {
    pub worker: WorkerId,
    pub labels: Vec<Label>,
    /// The stages that this slot is for.
    pub stages: Vec<StageName>,
    /// Take only a stage that needs this: the slot of a board is for those who need the board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_for: Option<Label>,
    /// How long to wait for a stage; at most 60,000.
    pub wait_ms: u64,
    /// Why this worker takes no stage now, for people. With it, this is no claim but a sign of life:
    /// the answer comes at once, without a stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses: Option<String>,
}

/// One attempt at a stage. The answer to a claim; without a stage in time it is 204.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Assignment {
    pub job: JobId,
    pub flow: Flow,
    pub mode: String,
    pub stage: PlannedStage,
    pub attempt: u32,
    /// For the header `polyphemus-attempt-key`.
    pub key: String,
    /// What to start from.
    pub tree: TreeHash,
    /// Where this attempt's log begins in the log of the job, in bytes.
    pub log_offset: u64,
    /// How long the lease lasts after each heartbeat. A worker that could not renew it for so long
    /// must have ended the attempt's processes by then.
    pub lease_ms: u64,
    /// Stands for `{token}` in the steps: what they ask of a service outside under it, they get once,
    /// however many attempts ask.
    #[serde(default)]
    pub token: String,
    /// What the stages before have told by name, for `{NAME}` in the steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
}

/// The answer to a heartbeat, which may be held back until there is something to say or a third of
/// the lease is over, not longer: workers count on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    GoOn,
    /// End all processes, then finish with `cancelled`.
    Cancel,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatAnswer {
    pub command: Command,
    /// What somebody wants to see of the attempt's files now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<Look>,
}

/// The answer to a part of a log: how many bytes of the job's log are committed now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogCommitted {
    pub committed_bytes: u64,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Succeeded {
        tree: TreeHash,
    },
    Failed {
        cause: Cause,
        tree: Option<TreeHash>,
    },
    /// As the server had asked.
    Cancelled,
    /// The worker stops and hands the stage back.
    Released,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FinishRequest {
    #[serde(flatten)]
    pub outcome: Outcome,
    #[serde(default)]
    pub result: StageResult,
}

/// A worker as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Worker {
    pub id: WorkerId,
    pub labels: Vec<Label>,
    /// When it was last heard of, in milliseconds since 1970 UTC.
    pub seen_ms: i64,
    /// Whether it waits for a stage now or was heard of within two leases.
    #[serde(default)]
    pub live: bool,
    /// Why it takes no stage now; absent where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses: Option<String>,
    /// The stages that it has now.
    pub running: Vec<RunningStage>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningStage {
    pub job: JobId,
    pub stage: StageName,
    pub attempt: u32,
}
