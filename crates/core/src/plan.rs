//! The plan of a job: its stages with what they need, and the steps of each as data, so that a new
//! tool needs no new worker. Made once, at submission, and stored.

use crate::cause::CauseKind;
use crate::flow::Flow;
use crate::label::Need;
use crate::report::ReportFile;
use crate::stage::StageName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What will be done for a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub flow: Flow,
    /// `estimate`, `sw_emu`, `hw_emu` or `hw`.
    pub mode: String,
    /// In the order of their execution; never empty.
    pub stages: Vec<PlannedStage>,
    /// What was decided for the user (the top module found, the part taken as default, an option
    /// without use), by its name: `top` → `blinky`.
    #[serde(default)]
    pub decisions: BTreeMap<String, String>,
    /// Sentences that the user should read.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Why the stages cannot be carried out: of a job that was taken over with its outcome, and that no
    /// flow here can do again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What a worker does in one stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PlannedStage {
    pub name: StageName,
    pub needs: Vec<Need>,
    pub steps: Vec<Step>,
    /// For all steps together, in seconds.
    pub time_limit_s: u64,
    /// The files that numbers are read from when the steps have ended, well or not.
    #[serde(default)]
    pub reports: Vec<ReportFile>,
    /// Where the bitstream lies afterwards, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitstream: Option<String>,
    /// Globs of files that are large and can be made again; they are not kept.
    #[serde(default)]
    pub discard: Vec<String>,
    /// Whether the steps may reach the network.
    #[serde(default)]
    pub network: bool,
}

/// One thing that a worker does in a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Step {
    Run(Run),
    Load(Load),
    Poll(Poll),
}

/// Run a program to its end. No shell is involved: `argv` is what the program gets.
///
/// In `argv` and in the values of `env` the text `{serial}` stands for the serial port of the board
/// that an earlier step loaded, `{NAME}` for what an earlier step of the job has told by that name, and
/// `{token}` for a text that is the same for all attempts at the stage until it is asked for anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Run {
    /// What it does, for people: `synthesis`, `place and route`.
    pub title: String,
    pub argv: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Names of variables that the program gets from its worker's own environment, where they are set
    /// there: licence servers, and where tools are installed. What a path among them names can be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherit: Vec<String>,
    /// The folder to run in, relative to the workspace; empty for the workspace itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub folder: String,
    /// The file that standard output goes to, relative to the workspace, instead of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_to: Option<String>,
    /// In seconds; within the stage's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_s: Option<u64>,
    /// Files that must be there afterwards, relative to the workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub makes: Vec<String>,
    /// How a failure is told; the first rule that fits counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailureRule>,
    /// Set where this program judges the design.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<VerdictRule>,
    /// Set where the same command first runs dry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<DryRun>,
    /// What its output tells, for later steps and stages and for the user: a name, and a regular
    /// expression whose first group is the value. A program that does not tell them all has failed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tells: BTreeMap<String, String>,
    /// Outside of the sandbox: a program of the machine that must reach its cards, and that gets nothing
    /// of the design to read or to run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
    /// The job's own program, with the PCIe cards of the machine in its reach.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub card: bool,
    /// What a dry run would tell of the variables, where that is known without one: the stage's
    /// `make_conf`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub make_conf: BTreeMap<String, String>,
}

impl Run {
    /// A step that runs `argv` in the workspace, tells nothing of its failures and judges nothing.
    pub fn new<A: Into<String>>(title: impl Into<String>, argv: impl IntoIterator<Item = A>) -> Self {
        Self {
            title: title.into(),
            argv: argv.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            inherit: Vec::new(),
            folder: String::new(),
            stdout_to: None,
            time_limit_s: None,
            makes: Vec::new(),
            failures: Vec::new(),
            verdict: None,
            dry_run: None,
            tells: BTreeMap::new(),
            outside: false,
            card: false,
            make_conf: BTreeMap::new(),
        }
    }
}

/// Before a program runs in earnest, the same command with further arguments, which tells the values
/// of variables. Its standard output does not go to the log; that it fails fails the step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DryRun {
    /// Put behind the program's own: `--dry-run --print-data-base`.
    pub arguments: Vec<String>,
    /// In seconds; within the step's own limit.
    pub time_limit_s: u64,
    /// Names of variables, whatever their case. The lines `NAME = value` and `NAME := value` of the
    /// output become the stage's `make_conf`.
    pub variables: Vec<String>,
}

/// A failure that can be told from the exit code and a line of the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FailureRule {
    /// Fits only this exit code; without one, every code but 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// A regular expression that must match a line of the step's output (standard output and
    /// standard error alike); without one, no line is looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    pub kind: CauseKind,
    /// For the user: what it means and what to do now.
    pub message: String,
}

/// How the output of a test is judged. The exit code counts first: other than 0 is a failed test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct VerdictRule {
    /// A line of the output that matches this means that the test failed, whatever the exit code.
    pub failed: String,
    /// A line that matches this is shown as the verdict; the last one counts.
    pub passed: String,
}

/// Load a bitstream on the board that the attempt holds: with openFPGALoader on a real one, by
/// building and starting the simulation on a virtual one. Later steps find its serial port as
/// `{serial}` and in the environment as `POLYPHEMUS_SERIAL`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Load {
    /// Where the bitstream lies, relative to the workspace: the first that is there.
    pub bitstream: Vec<String>,
    /// The constraints file that names the pins; a virtual board connects by it.
    pub constraints: String,
    /// Set where no host program follows: how many clock cycles a virtual board runs for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycles: Option<u64>,
}

/// Run a program again and again until it says that what the job waits for is there. In between the stage
/// holds no slot of its worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Poll {
    /// What is asked. Its failures also tell an answer with exit code 0 that is neither of the two below.
    pub ask: Run,
    /// A regular expression: a line of the output that matches it, with exit code 0, is the end.
    pub done: String,
    /// A line that matches it, whatever the exit code, is no answer yet. Neither is a question that did
    /// not end in its time.
    pub pending: String,
    /// From one question to the next, in seconds.
    pub every_s: u64,
    /// For all questions together, in seconds.
    pub deadline_s: u64,
    /// For the user, when the deadline has passed: what it means and what to do now.
    pub too_late: String,
}
