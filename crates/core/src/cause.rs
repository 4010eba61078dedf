//! Why a stage failed: a value, with the sentence for the user and the line of the log that says so.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of failure it was; decides whether a second try can cure it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum CauseKind {
    /// A tool ended with another exit code than it should, and nothing tells more.
    Exit,
    /// A tool crashed: a signal of its own making ended it.
    Signal,
    /// SIGKILL ended a tool, and neither a limit nor the worker had sent it.
    Killed,
    /// The sources do not compile.
    SourceError,
    /// The design needs more than the part has.
    DoesNotFit,
    /// The clock that was wished for is not reached.
    TimingNotMet,
    /// The testbench or host program says that the design is wrong.
    TestFailed,
    /// A step ended well but left no file where one must be.
    MissingOutput,
    TimeLimit,
    OutputLimit,
    OutOfMemory,
    /// No licence was to be had.
    Licence,
    /// The board could not be reached, loaded or used.
    Device,
    /// The service that makes images from designs has refused this one.
    Image,
    /// A service outside does not know this worker's login, or does not let it do this.
    Access,
    /// The bitstream uses what the flow cannot execute.
    NotExecutable,
    /// The worker was not heard of until its lease had run out.
    WorkerLost,
    /// The worker itself could not do its part: disk full, tool vanished, sandbox refused.
    WorkerTrouble,
    /// Stored content is not what its hash says.
    CorruptContent,
}

impl CauseKind {
    pub const ALL: [CauseKind; 19] = [
        Self::Exit,
        Self::Signal,
        Self::Killed,
        Self::SourceError,
        Self::DoesNotFit,
        Self::TimingNotMet,
        Self::TestFailed,
        Self::MissingOutput,
        Self::TimeLimit,
        Self::OutputLimit,
        Self::OutOfMemory,
        Self::Licence,
        Self::Device,
        Self::Image,
        Self::Access,
        Self::NotExecutable,
        Self::WorkerLost,
        Self::WorkerTrouble,
        Self::CorruptContent,
    ];

    /// The kind in a few plain words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Exit => "a tool failed",
            Self::Signal => "a tool crashed",
            Self::Killed => "a tool was killed from outside",
            Self::SourceError => "the sources do not compile",
            Self::DoesNotFit => "the design does not fit the part",
            Self::TimingNotMet => "timing is not met",
            Self::TestFailed => "the test failed",
            Self::MissingOutput => "an expected file is missing",
            Self::TimeLimit => "the time limit was reached",
            Self::OutputLimit => "the output limit was reached",
            Self::OutOfMemory => "out of memory",
            Self::Licence => "no licence was available",
            Self::Device => "the board could not be used",
            Self::Image => "the image was rejected",
            Self::Access => "access to a service was refused",
            Self::NotExecutable => "the bitstream cannot be executed here",
            Self::WorkerLost => "the worker was lost",
            Self::WorkerTrouble => "the worker could not do its part",
            Self::CorruptContent => "stored content is corrupt",
        }
    }
}

/// Why a stage failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Cause {
    pub kind: CauseKind,
    /// What happened to what, why, and what to do now, for the user.
    pub message: String,
    /// The title of the step in which it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The exit code of the step's program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The line of the log that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

impl Cause {
    pub fn new(kind: CauseKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            step: None,
            exit_code: None,
            line: None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.title(), self.message)
    }
}
