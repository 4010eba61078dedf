//! What the worker and its supervisor tell each other: the order on standard input, the status in a file.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What is to be started, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The program, by its path, and its arguments.
    pub argv: Vec<String>,
    /// The whole environment of the program.
    pub env: BTreeMap<String, String>,
    /// The folder to start in.
    pub folder: PathBuf,
    /// Standard output goes to this file, which must not be there yet, instead of to the log.
    pub stdout_to: Option<PathBuf>,
    /// The largest file that the program may write, in bytes.
    pub file_limit_bytes: u64,
    /// The folders of the control groups that the program joins.
    pub cgroups: Vec<PathBuf>,
    /// The first process is a sandbox that dies of SIGTERM with all that is in it: it gets none, so
    /// that what is inside has its time to end.
    pub is_sandboxed: bool,
    /// How long the step has to end after `term`, in milliseconds.
    pub grace_ms: u64,
    /// Where the [`Status`] goes: a place that the step cannot see.
    pub status: PathBuf,
    /// The arguments that make the executable play the supervisor's role: `["supervise"]`.
    pub role: Vec<String>,
}

/// How the step ended. Written when no process of it is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub ended: Ended,
    /// Processor time of all its processes, in milliseconds.
    pub cpu_ms: u64,
    /// The largest resident set that one of its processes had, in bytes.
    pub peak_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Exited {
        code: i32,
    },
    Signalled {
        signal: i32,
    },
    /// The program could not be started; the message says why.
    NotStarted {
        message: String,
    },
}

impl Status {
    /// Writes the whole status or nothing.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let unfinished = path.with_extension("unfinished");
        let mut file = std::fs::File::create(&unfinished)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        drop(file);
        std::fs::rename(&unfinished, path)
    }

    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }
}
