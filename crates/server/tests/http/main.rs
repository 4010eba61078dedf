//! The server as its clients see it: a real one on a free port, spoken to over HTTP, with the test in
//! the part of the worker.

mod event;
mod file;
mod guard;
mod job;
mod page;
mod server;
mod submit;
mod worker;
