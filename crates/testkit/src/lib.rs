//! Exists for the tests of several crates: servers and workers as real processes, waiting with a
//! bound, and the proof that nothing is left behind. Never linked into a program.

#![allow(
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends by panic, and says on standard error why"
)]

pub mod aws;
pub mod fuzz;
pub mod process;
pub mod server;
pub mod sysfs;
pub mod wait;

pub use server::{TestServer, TestWorker};

/// A folder of small programs that stand in for the vendors' tools: first on a worker's `PATH`.
pub fn stand_ins() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("stand-ins")
}
