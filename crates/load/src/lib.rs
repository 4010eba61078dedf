//! A crate of its own so that it depends on none of ours: it measures any server that has the
//! original Polyphemus' HTTP API, the original included, and the machine beside it.
//!
//! - Invariant: it speaks only the original's API.
//! - Invariant: a request that failed is counted and shown, never left out of the figures in silence.
//!
//! The client is blocking and its own, on one thread for each client: it shares the processors with
//! the server that it measures, so that what it spends is missing there.

pub mod args;
pub mod design;
pub mod figure;
pub mod http;
pub mod out;
pub mod probe;
pub mod process;
pub mod sample;
pub mod scenario;
pub mod server;

pub use args::{Args, Scenario};
pub use figure::{Figure, Unit};
