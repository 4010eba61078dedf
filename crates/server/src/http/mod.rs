//! Everything that speaks HTTP: routes, what they take and answer, and what they refuse. No rule
//! about jobs lives here; those are in `app` and in the core.

mod access;
mod archive;
mod auth;
pub(crate) mod blob;
mod connection;
mod csv;
mod delete;
pub(crate) mod error;
pub(crate) mod event;
mod feed;
pub(crate) mod file;
mod gc;
mod guard;
mod health;
pub(crate) mod job;
pub(crate) mod log;
mod login;
mod openapi;
pub(crate) mod original;
mod queue;
mod range;
mod room;
mod router;
pub(crate) mod running;
mod serve;
mod socket;
pub(crate) mod submit;
pub(crate) mod token;
mod upload;
pub(crate) mod worker;

pub use router::router;
pub(crate) use serve::{Listeners, serve};
pub(crate) use socket::InstanceSocket;

use crate::Config;
use crate::app::App;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What every route may use.
#[derive(Debug, Clone)]
pub struct Site {
    pub app: App,
    pub config: Arc<Config>,
    /// Wrong tokens, by the address they came from.
    pub(crate) failures: Arc<auth::Failures>,
    /// Cancelled when the server is to stop: streams and held-back answers end then.
    pub stopping: CancellationToken,
}
