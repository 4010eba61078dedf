//! The worker against real programs, a real sandbox and a real server.

#![allow(clippy::unwrap_used, reason = "a test ends by panic")]

mod board;
mod cgroup;
mod image;
mod log;
mod look;
mod make_conf;
mod process;
mod ready;
mod sandbox;
mod server;
mod stage;
mod step;
mod supervise;
mod vendor;
mod worker;
