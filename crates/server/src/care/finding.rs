//! What a check tells while it runs: what it found wrong, and how far it is.

use serde::Serialize;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The thing: `job ID`, `content HASH`, `the database`.
    pub concerns: String,
    pub what: String,
    /// What the operator can do.
    pub remedy: String,
    /// What was done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repaired: Option<String>,
}

/// What is being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Database,
    Contents,
    Jobs,
    Logs,
}

/// Told as soon as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    Found(Finding),
    /// So many of this phase are done.
    Progress {
        phase: Phase,
        done: u64,
    },
}
