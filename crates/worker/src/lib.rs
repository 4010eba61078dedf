//! A crate of its own because it is the only one that may start processes: it takes stages from a
//! server, runs their steps, and hands in what came of them.
//!
//! - Invariant: when a stage ends, however it ends, no process of it is left; when this worker dies,
//!   the supervisors of its steps kill them.
//! - Invariant: a step sees its own workspace and the system's programs, and nothing else of the
//!   machine, wherever a sandbox is to be had; where not, the job's notes say so.
//! - Invariant: custody is the server's: a lease that could not be renewed in time ends the work.
//! - There is no SQL and no flow's knowledge here: what to do comes in the plan.

pub mod agent;
pub mod backoff;
pub mod board;
mod card;
pub mod cgroup;
pub mod config;
pub mod contents;
pub mod lease;
pub mod log;
pub mod look;
pub mod machine;
pub mod process;
pub mod pulse;
pub mod ready;
pub mod run;
pub mod sandbox;
pub mod scan;
pub mod stop;
pub mod supervise;
pub mod tools;
pub mod workspace;

pub use agent::run;
pub use config::{Config, Sandbox, StepLimits};
pub use pulse::Pulse;
