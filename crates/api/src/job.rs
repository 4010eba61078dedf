//! Jobs as clients see them.

use polyphemus_core::cause::Cause;
use polyphemus_core::flow::Flow;
use polyphemus_core::hash::TreeHash;
use polyphemus_core::job::{JobId, JobState};
use polyphemus_core::label::Need;
use polyphemus_core::report::Report;
use polyphemus_core::result::Verdict;
use polyphemus_core::stage::{StageName, WorkerId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

pub const JOBS: &str = "/api/v1/jobs";
pub const JOB: &str = "/api/v1/jobs/{id}";
pub const JOB_CANCEL: &str = "/api/v1/jobs/{id}/cancel";
/// `?from=STAGE`; without it from the stage that did not succeed.
pub const JOB_RETRY: &str = "/api/v1/jobs/{id}/retry";
/// Server-sent events `state`, then `end`; `?after=SEQUENCE`.
pub const JOB_EVENTS: &str = "/api/v1/jobs/{id}/events";
/// Raw bytes; `?offset=N` for all from there.
pub const JOB_LOG: &str = "/api/v1/jobs/{id}/log";
/// Server-sent events `log`, then `end`; `?offset=N`.
pub const JOB_LOG_EVENTS: &str = "/api/v1/jobs/{id}/log/events";
/// The lines of the log that tell of trouble.
pub const JOB_LOG_IMPORTANT: &str = "/api/v1/jobs/{id}/log/important";
pub const JOB_FILES: &str = "/api/v1/jobs/{id}/files";
/// The file's bytes; `Range` is understood.
pub const JOB_FILE: &str = "/api/v1/jobs/{id}/files/{*path}";

/// Of a job's title, in characters.
pub const TITLE_CHARS: usize = 200;

/// One job, whole. All times are milliseconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    pub id: JobId,
    /// What the user calls it (option `hwname`); empty without a name.
    pub title: String,
    pub state: JobState,
    pub submitted_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_ms: Option<i64>,
    pub flow: Flow,
    pub mode: String,
    /// As they were handed in.
    pub options: BTreeMap<String, String>,
    /// What was decided for the user: `top` → `blinky`.
    pub decisions: BTreeMap<String, String>,
    /// Sentences that the user should read, of the plan and of all stages.
    pub notes: Vec<String>,
    /// The source tree.
    pub tree: TreeHash,
    /// How many bytes of log there are.
    pub log_bytes: u64,
    pub stages: Vec<JobStage>,
}

/// One stage of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobStage {
    pub name: StageName,
    /// `waiting`, `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// How many attempts were begun.
    pub attempts: u32,
    pub needs: Vec<Need>,
    /// While `queued`: why no worker has it yet, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// Who has it, or had it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// Cancelled, but its worker has not ended it yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelling: bool,
    /// When the latest attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What it left behind, also when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<TreeHash>,
    #[serde(default)]
    pub reports: Vec<Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Where the bitstream lies among the job's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitstream: Option<String>,
    /// The board that it ran on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The variables of a Makefile as its dry run told them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub make_conf: BTreeMap<String, String>,
    /// What its programs told by name: `afi` and `agfi`, the ids of an image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// Done by stand-ins for the vendor's tools: nothing in it is real.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stand_ins: bool,
}

/// What is to change in a job; what is not there stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobPatch {
    /// At most 200 characters, none of them control characters; empty takes the name away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// The lines of a log in which one of the server's `IMPORTANT_WORDS` is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportantLines {
    /// In their order, at most 200.
    pub lines: Vec<ImportantLine>,
    /// How much of the log was looked through; the next request goes on from there.
    pub scanned_bytes: u64,
    pub log_bytes: u64,
    /// There may be more, but no more are kept.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportantLine {
    /// Where it begins in the log, in bytes.
    pub offset: u64,
    /// Without its end; cut after 400 bytes.
    pub text: String,
}

/// The answer to a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Submitted {
    pub id: JobId,
    /// Sentences that the user should read now.
    pub notes: Vec<String>,
}

/// A line of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobRow {
    pub id: JobId,
    pub title: String,
    pub state: JobState,
    pub flow: Flow,
    pub mode: String,
    pub submitted_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_ms: Option<i64>,
}

/// Jobs, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobPage {
    pub jobs: Vec<JobRow>,
    /// Give it as `before` to get the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// Which page of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobQuery {
    /// 1 to 1,000; 50 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// Only jobs in this state, or in one of several: `failed,cancelled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Only jobs of this flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// Only jobs that are called exactly so; not together with `state` or `flow`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Only jobs handed in at this time or later, in milliseconds since 1970 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<i64>,
    /// Only jobs handed in before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
}

/// A file of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobFile {
    pub path: String,
    pub size_bytes: u64,
    pub executable: bool,
    /// BLAKE3 of the content.
    pub hash: polyphemus_core::BlobHash,
}

/// The files of the latest stage that left any behind, or of the upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobFiles {
    pub tree: TreeHash,
    /// `upload`, `make`, `afi` or `run`.
    pub of: String,
    pub files: Vec<JobFile>,
}
