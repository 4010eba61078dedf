//! What waits for a worker.

use polyphemus_core::job::JobId;
use polyphemus_core::label::Need;
use polyphemus_core::stage::StageName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `?limit=N`
pub const QUEUE: &str = "/api/v1/queue";

/// The stages that wait, those first that are handed out first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    pub stages: Vec<QueuedStage>,
    /// Whether more wait than are listed.
    pub more: bool,
}

/// A stage that waits for a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueuedStage {
    pub job: JobId,
    /// Of the job.
    pub title: String,
    pub stage: StageName,
    /// What a worker must offer to get it.
    pub needs: Vec<Need>,
    /// Since when it can be handed out, or from when on; milliseconds since 1970 UTC.
    pub ready_ms: i64,
    /// Why no worker has it yet, for people.
    pub waiting_for: String,
}
