//! Server-sent events of a job, or of all. Each has an id from which a broken stream is resumed exactly, by the
//! header `Last-Event-ID` or the query parameter of the same meaning.

use polyphemus_core::job::{JobId, JobState};
use polyphemus_core::stage::StageName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `?after=SEQUENCE&limit=N`; as server-sent events `state` without an end for who accepts those.
pub const EVENTS: &str = "/api/v1/events";

/// Event `state`: a stage has changed hands. The id is its sequence number in the whole instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StateEvent {
    pub sequence: i64,
    pub at_ms: i64,
    pub job: JobId,
    pub job_state: JobState,
    pub stage: StageName,
    /// `waiting`, `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub stage_state: String,
    /// The running attempt, with `running`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// What happened, for people.
    pub message: String,
}

/// Events of all jobs, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    pub events: Vec<StateEvent>,
    /// Give it as `after` to get what comes behind.
    pub next: i64,
}

/// Event `log`: bytes that were appended. The id is the offset behind them; resume with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogEvent {
    /// Of the first byte.
    pub offset: u64,
    /// Behind the last byte.
    pub end: u64,
    /// Bytes that are no UTF-8 are shown as U+FFFD; `GET …/log` gives them as they are.
    pub text: String,
}

/// Event `end`: the job is over and everything was sent; the stream closes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndEvent {
    pub job_state: JobState,
}
