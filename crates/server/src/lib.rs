//! Exists to keep axum and sqlx in one place: jobs, their queue, their files and logs, over HTTP and
//! as pages. Starts no process; stages run in workers, which speak to it over HTTP.

pub mod app;
pub mod care;
pub mod config;
pub mod http;
pub mod log;
pub mod metrics;
pub(crate) mod reconcile;
pub mod store;
mod web;

pub use config::Config;

use anyhow::Context as _;
use app::App;
use http::Site;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Others could reach the server, and nothing tells who may.
#[derive(Debug, thiserror::Error)]
#[error("others could reach {0}, and there are no tokens that tell who may run programs here")]
pub struct NeedsToken(pub SocketAddr);

/// Serves the instance on the listener and on the socket in its folder until `shutdown` is ready, then ends within some seconds:
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
    let address = listener
        .local_addr()
        .context("the address of the server cannot be told")?;
    if !address.ip().is_loopback() && !app.tokens_required() {
        app.close().await;
        return Err(NeedsToken(address).into());
    }
    let (socket, unix) = http::InstanceSocket::bind(&config.instance)?;
    let listeners = http::Listeners { tcp: listener, unix };
    let connections_limit = config.connections_limit;
    let stopping = CancellationToken::new();
    let site = Site {
        app: app.clone(),
        config: Arc::new(config),
        failures: Arc::default(),
        stopping: stopping.clone(),
    };
    let stop = async {
        shutdown.await;
        stopping.cancel();
    };
    tokio::join!(
        stop,
        http::serve(listeners, http::router(site), connections_limit, stopping.clone()),
        app.reconcile(stopping.cancelled()),
    );
    drop(socket);
    app.close().await;
    Ok(())
}
