//! Exists to forbid I/O: the words of the system and every rule about them, as pure functions of
//! their arguments. No clock, no async, no SQL, no HTTP, no files.

pub mod hash;
pub mod report;

pub use hash::{BlobHash, TreeHash};
