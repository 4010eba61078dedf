//! The application over a real store: jobs from submission to their end, without HTTP.

// Clippy takes only functions marked as tests for tests, not what they share.
#![allow(clippy::unwrap_used, clippy::panic)]

mod attempt;
mod backup;
mod blob;
mod cancel;
mod claim;
mod fsck;
mod import;
mod instance;
mod job;
mod lease;
mod log;
mod restart;
mod retry;
mod worker;
