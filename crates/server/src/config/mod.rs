//! What an operator decides for one server: where the instance lies, how long leases last, what is
//! too large; and the settings that say so, read from the instance's file and the environment.

mod error;
pub mod load;
pub mod python;
pub mod setting;
pub mod site;
pub mod values;

pub use error::{Origin, SettingsError};
pub use load::{Effective, Settings};
pub use site::SiteSettings;

use polyphemus_artifacts::Limits;
use polyphemus_core::flow::FlowSettings;
use std::path::PathBuf;
use std::time::Duration;

/// The settings of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder with everything that outlives the process: database, blobs, logs, uploads.
    pub instance: PathBuf,
    /// How long an attempt stays a worker's after each heartbeat.
    pub lease: Duration,
    pub flow: FlowSettings,
    /// For the archives that users hand in.
    pub limits: Limits,
    /// The largest log of one job, in bytes. An attempt that goes beyond it fails.
    pub log_limit_bytes: u64,
    /// The largest body of one upload, in bytes, packed.
    pub upload_limit_bytes: u64,
    /// A blob that no job refers to is kept for so long: it may belong to a job that is being
    /// submitted or a stage that is about to end.
    pub blob_grace: Duration,
    /// How long jobs are kept after their end; for ever if `None`.
    pub keep_jobs: Option<Duration>,
    /// The names that clients call this server by, beside its addresses and `localhost`. Requests for
    /// any other name are refused: a foreign web page may have sent them (DNS rebinding).
    pub host_names: Vec<String>,
    /// The most connections over TCP; as many as there can be files if `None`.
    pub connections_limit: Option<usize>,
    pub site: SiteSettings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            instance: PathBuf::from("instance"),
            lease: Duration::from_secs(30),
            flow: FlowSettings::default(),
            limits: Limits::default(),
            log_limit_bytes: 1 << 30,
            upload_limit_bytes: 4 << 30,
            blob_grace: Duration::from_secs(24 * 3600),
            keep_jobs: None,
            host_names: Vec::new(),
            connections_limit: None,
            site: SiteSettings::default(),
        }
    }
}
