//! Exists to forbid I/O: the words of the system and every rule about them, as pure functions of
//! their arguments. No clock, no async, no SQL, no HTTP, no files.

pub mod cause;
pub mod design;
pub mod flow;
pub mod hash;
pub mod job;
pub mod label;
pub mod plan;
pub mod report;
pub mod result;
pub mod retry;
pub mod stage;
pub mod verilog;

pub use cause::{Cause, CauseKind};
pub use hash::{BlobHash, TreeHash};
pub use job::{JobEvent, JobId, JobState};
pub use label::{Label, Need};
pub use plan::Plan;
pub use result::StageResult;
pub use stage::{Stage, StageName, StageState, WorkerId};
