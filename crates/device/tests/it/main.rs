//! The crate's integration tests: with the real tools where a bitstream is concerned, on folders of their own else.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends that way"
)]
mod cards;
mod discovery;
mod examples;
mod limits;
mod lock;
mod netlist;
mod running;
mod toolchain;
mod virtual_board;
mod watch;
