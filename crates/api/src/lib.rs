//! Exists because server, worker and command line speak the same HTTP: the types that cross the
//! wire, the paths, and (feature `client`) the typed client. Derives the OpenAPI schemas.

pub mod address;
pub mod blob;
#[cfg(feature = "client")]
pub mod client;
pub mod error;
pub mod event;
pub mod gc;
pub mod health;
pub mod job;
pub mod queue;
pub mod running;
pub mod token;
pub mod worker;

pub use address::Address;
#[cfg(feature = "client")]
pub use client::{Client, ClientError};
