//! Deleting what is not needed any more.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `?dry_run=true` only tells what would go.
pub const GC: &str = "/api/v1/gc";

/// How to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcQuery {
    #[serde(default)]
    pub dry_run: bool,
}

/// What went, or would go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Collection {
    /// Jobs that ended longer ago than the setting KEEP_JOBS_DAYS keeps them.
    pub jobs: u64,
    /// Contents that no job refers to and that are older than BLOB_GRACE_SECONDS. Those of the jobs of
    /// a dry run are not among them.
    pub contents: u64,
    pub bytes: u64,
    /// Contents that stay.
    pub kept: u64,
}
