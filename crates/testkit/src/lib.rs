//! Exists for the tests of several crates: servers and workers as real processes, waiting with a
//! bound, and the proof that nothing is left behind. Never linked into a program.

#![allow(
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends by panic, and says on standard error why"
)]

pub mod fuzz;
pub mod process;
pub mod server;
pub mod wait;

pub use server::{TestServer, TestWorker};
