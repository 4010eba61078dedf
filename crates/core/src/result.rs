//! What a worker hands in at the end of an attempt, beside the stage's outcome itself.

use crate::report::Report;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What became known of a stage, well ended or not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StageResult {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<Report>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Where the bitstream lies, relative to the workspace, if it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitstream: Option<String>,
    /// The board that the stage ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The variables of a Makefile as its dry run told them, unexpanded, in the Makefile's own case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub make_conf: BTreeMap<String, String>,
    /// What the steps' programs told by name: the ids of an image.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// Done by stand-ins for the vendor's tools: nothing in it is real.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stand_ins: bool,
    /// Sentences that the user should read: no sandbox here, a file left out, a limit of the flow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How a test judged the design.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Verdict {
    pub passed: bool,
    /// The line of the output that says so, or a sentence about the exit code.
    pub line: String,
}
