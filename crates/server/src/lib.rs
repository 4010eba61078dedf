//! Exists to keep axum and sqlx in one place: jobs, their queue, their files and logs, over HTTP and
//! as pages. Starts no process; stages run in workers, which speak to it over HTTP.

pub mod app;
pub mod config;
pub mod http;
pub mod log;
pub(crate) mod reconcile;
pub mod store;
mod web;

pub use config::Config;

use anyhow::Context as _;
use app::App;
use http::Site;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves the instance on the listener until `shutdown` is ready, then ends within some seconds:
/// streams are closed, held-back answers are given, what was accepted is finished.
///
/// Fails at once when the instance cannot be opened: another server has it, its database is of a
/// newer version, the folder cannot be written.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let app = App::open(&config)
        .await
        .with_context(|| format!("the instance {} cannot be opened", config.instance.display()))?;
    let stopping = CancellationToken::new();
    let site = Site {
        app: app.clone(),
        config: Arc::new(config),
        stopping: stopping.clone(),
    };
    let stop = async {
        shutdown.await;
        stopping.cancel();
    };
    tokio::join!(
        stop,
        http::serve(listener, http::router(site), stopping.clone()),
        app.reconcile(stopping.cancelled()),
    );
    app.close().await;
    Ok(())
}
