//! The load program against servers that answer as the test says, and its archives read by others' eyes.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends by panic, and says why"
)]

mod archive;
mod client;
mod measure;
mod stand_in;
