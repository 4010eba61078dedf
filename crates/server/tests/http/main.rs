//! The server as its clients see it: a real one on a free port, spoken to over HTTP, with the test in
//! the part of the worker.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends by panic, and says why"
)]

mod crowd;
mod delete;
mod event;
mod faults;
mod feed;
mod file;
mod fuzz;
mod guard;
mod health;
mod job;
mod list;
mod original;
mod page;
mod queue;
mod readme;
mod refusal;
mod server;
mod submit;
mod token;
mod worker;
