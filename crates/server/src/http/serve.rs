//! The accept loop: bounds what a client may hold (connections, time for its headers), and ends
//! within a bound.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// For the headers of a request, and for an idle connection until its next one.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// What the answers at work get to end in when the server stops.
const GRACE: Duration = Duration::from_secs(10);
/// Without a file descriptor left, a moment for some to come back.
const PAUSE: Duration = Duration::from_millis(100);
/// Descriptors for the database, logs and blobs.
const RESERVED_DESCRIPTORS: u64 = 256;
/// Where the limit of descriptors is no limit.
const CONNECTIONS_LIMIT: u64 = 16_384;

/// Serves until `stopping`, then lets the answers at work end, at most for a few seconds.
pub(crate) async fn serve(listener: TcpListener, router: Router, stopping: CancellationToken) {
    let free = Arc::new(Semaphore::new(connections()));
    let connections = TaskTracker::new();
    let abandoned = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &free) => accepted,
            () = stopping.cancelled() => break,
        };
        let connection = serve_connection(accepted.0, router.clone(), stopping.clone());
        let abandoned = abandoned.clone();
        connections.spawn(async move {
            tokio::select! {
                () = connection => {}
                () = abandoned.cancelled() => {}
            }
            drop(accepted.1);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "cut off connections that did not end in time"
        );
        abandoned.cancel();
        connections.wait().await;
    }
}

/// The next connection, once there is room for it: beyond that clients wait in the kernel's queue.
async fn accept(listener: &TcpListener, free: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let permit = free
        .clone()
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => refused(&error).await,
        }
    }
}

async fn refused(error: &io::Error) {
    // These concern the one connection, which its client gave up; everything else the whole process.
    let of_the_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if !of_the_connection {
        tracing::warn!(%error, "cannot accept connections; trying again");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn serve_connection(stream: TcpStream, router: Router, stopping: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone at once");
        return;
    }
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// How many connections may be open at once.
fn connections() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = descriptors
        .saturating_sub(RESERVED_DESCRIPTORS)
        .clamp(16, CONNECTIONS_LIMIT);
    usize::try_from(room).unwrap_or(usize::MAX)
}
