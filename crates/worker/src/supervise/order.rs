//! What the worker and its supervisor tell each other, over a socket that is the supervisor's standard
//! input: the order comes first, the status back at the end, each a line.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// What is to be started, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The program, by its path, and its arguments. Where there is a sandbox, that is the program, and
    /// the command in it are its arguments.
    pub argv: Vec<String>,
    /// The sandbox' own arguments (bwrap(1)), which come before its command. They go by a descriptor: who
    /// is inside can read its command line, and what lies where on this machine is not for him to know.
    /// The first process is then one that dies of SIGTERM with all that is in it, so that it gets none,
    /// and what is inside has its time to end.
    pub sandbox: Vec<String>,
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
    /// How long the step has to end after `term`, in milliseconds.
    pub grace_ms: u64,
    /// A file in a place that the step cannot see, for a sentence why its program could not be started.
    pub trouble: PathBuf,
    /// The arguments that make the executable play the supervisor's role: `["supervise"]`.
    pub role: Vec<String>,
}

impl Order {
    pub fn is_sandboxed(&self) -> bool {
        !self.sandbox.is_empty()
    }
}

/// How the step ended. Sent when no process of it is left.
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
    pub fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// What [`Status::line`] gave, with or without its end.
    pub fn parse(line: &[u8]) -> io::Result<Self> {
        Ok(serde_json::from_slice(line)?)
    }
}
