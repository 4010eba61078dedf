//! The files of a stage while it runs: what clients get, and how a worker is asked for them. They are
//! in no tree yet: another look may find them changed or gone.

use polyphemus_core::stage::StageName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub const RUNNING_FILES: &str = "/api/v1/jobs/{id}/running/files";
/// The file's bytes as they are now; `Range` is understood.
pub const RUNNING_FILE: &str = "/api/v1/jobs/{id}/running/files/{*path}";
/// A worker's answer to a [`Look`]: JSON, or with `?size_bytes=N&modified_ms=N` the bytes that were
/// asked for.
pub const LOOK: &str = "/api/v1/attempts/{job}/{stage}/{attempt}/looks/{look}";
/// The header that tells content of a running stage (`no`) from what a stage has left behind.
pub const COMMITTED: &str = "polyphemus-committed";

/// The most files that a look lists.
pub const FILES_AT_ONCE: usize = 10_000;
/// The most bytes of a file that one look brings; a download is made of as many as it needs.
pub const LOOK_BYTES: u64 = 1 << 20;

/// The files of the stage that runs now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningFiles {
    pub stage: StageName,
    pub attempt: u32,
    /// Always false: nothing of it is kept before the stage has ended.
    pub committed: bool,
    pub files: Vec<RunningFile>,
    /// There are more than a look lists.
    pub truncated: bool,
}

/// A file as it was at the moment of the look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningFile {
    pub path: String,
    pub size_bytes: u64,
    /// When its content last changed, in milliseconds since 1970 UTC by the worker's clock.
    pub modified_ms: i64,
    pub executable: bool,
}

/// A wish to see something of a running attempt; it comes with the answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Look {
    pub id: u64,
    #[serde(flatten)]
    pub at: LookAt,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum LookAt {
    Files,
    File {
        path: String,
        from: u64,
        /// At most this many bytes; 0 asks for size and time only.
        most: u64,
    },
}

/// What a worker answers to a look, but for content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub enum Seen {
    Files {
        files: Vec<RunningFile>,
        truncated: bool,
    },
    /// There is no such file that could be shown: why, to follow the file's name.
    NoFile { why: String },
    /// It is there and could not be read.
    Failed { why: String },
}

/// Of a file whose content is the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenContent {
    pub size_bytes: u64,
    pub modified_ms: i64,
}
