//! Everything that speaks HTTP: routes, what they take and answer, and what they refuse. No rule
//! about jobs lives here; those are in `app` and in the core.

mod archive;
pub(crate) mod blob;
mod csv;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod file;
mod guard;
pub(crate) mod job;
pub(crate) mod log;
mod openapi;
pub(crate) mod original;
mod range;
mod router;
pub(crate) mod running;
mod serve;
pub(crate) mod submit;
mod upload;
pub(crate) mod worker;

pub use router::router;
pub(crate) use serve::serve;

use crate::Config;
use crate::app::App;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What every route may use.
#[derive(Debug, Clone)]
pub struct Site {
    pub app: App,
    pub config: Arc<Config>,
    /// Cancelled when the server is to stop: streams and held-back answers end then.
    pub stopping: CancellationToken,
}
