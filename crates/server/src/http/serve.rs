//! The accept loops: bound what clients may hold (connections, time for headers), and end within a bound.

use super::connection::{Answering, Watched};
use super::room::{Doing, Place, Room};
use axum::Router;
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
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
/// Through the socket of the instance directory.
const LOCAL_CONNECTIONS: usize = 128;

/// Where clients come from.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) tcp: TcpListener,
    /// The socket in the instance directory, for workers and commands of this machine.
    pub(crate) unix: UnixListener,
}

/// How a request came: part of each, for whoever decides what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Through the instance directory, whose permissions tell who may.
    Local,
    Tcp(IpAddr),
}

impl Peer {
    /// Where it is; nothing for those that came through the instance.
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Local => None,
            Self::Tcp(address) => Some(address),
        }
    }
}

/// Serves until `stopping`, then lets the answers at work end, at most for a few seconds.
pub(crate) async fn serve(
    listeners: Listeners,
    router: Router,
    limit: Option<usize>,
    stopping: CancellationToken,
) {
    let Listeners { tcp, unix } = listeners;
    let accepting = Accepting {
        router,
        stopping,
        abandoned: CancellationToken::new(),
        connections: TaskTracker::new(),
    };
    // Rooms of their own: however many come from elsewhere, the workers of this machine get in.
    tokio::join!(
        accepting.from(&tcp, limit.unwrap_or_else(connections)),
        accepting.from(&unix, LOCAL_CONNECTIONS),
    );
    drop((tcp, unix));
    accepting.end().await;
}

/// What all listeners share.
struct Accepting {
    router: Router,
    stopping: CancellationToken,
    abandoned: CancellationToken,
    connections: TaskTracker,
}

impl Accepting {
    async fn from<L: Listen>(&self, listener: &L, limit: usize) {
        let room = Room::new(limit);
        loop {
            let (stream, peer, place) = tokio::select! {
                accepted = accept(listener, &room) => accepted,
                () = self.stopping.cancelled() => return,
            };
            let place = Arc::new(place);
            let connection = serve_connection(
                stream,
                peer,
                place.clone(),
                self.router.clone(),
                self.stopping.clone(),
            );
            let abandoned = self.abandoned.clone();
            self.connections.spawn(async move {
                tokio::select! {
                    () = connection => {}
                    () = place.pushed_out() => tracing::debug!(?peer, "a connection made room for another one"),
                    () = abandoned.cancelled() => {}
                }
            });
        }
    }

    async fn end(self) {
        self.connections.close();
        if tokio::time::timeout(GRACE, self.connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                connections = self.connections.len(),
                "cut off connections that did not end in time"
            );
            self.abandoned.cancel();
            self.connections.wait().await;
        }
    }
}

/// A listener of either kind.
trait Listen {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    async fn next(&self) -> io::Result<(Self::Stream, Peer)>;
}

impl Listen for TcpListener {
    type Stream = TcpStream;
    async fn next(&self) -> io::Result<(TcpStream, Peer)> {
        let (stream, address) = self.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, Peer::Tcp(address.ip().to_canonical())))
    }
}

impl Listen for UnixListener {
    type Stream = UnixStream;
    async fn next(&self) -> io::Result<(UnixStream, Peer)> {
        let (stream, _) = self.accept().await?;
        Ok((stream, Peer::Local))
    }
}

/// The next connection that there is room for. Where everybody is at work clients wait in the kernel's
/// queue.
async fn accept<L: Listen>(listener: &L, room: &Arc<Room>) -> (L::Stream, Peer, Place) {
    loop {
        match listener.next().await {
            Ok((stream, peer)) => {
                // Those of this machine have a room of their own, in which they are one network.
                let from = peer.address().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
                return (stream, peer, room.enter(from).await);
            }
            Err(error) => refused(&error).await,
        }
    }
}

async fn refused(error: &io::Error) {
    // These concern the one connection, which its client gave up; everything else the whole process.
    let of_the_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::InvalidInput
    );
    if !of_the_connection {
        tracing::warn!(%error, "cannot accept connections; trying again");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    place: Arc<Place>,
    router: Router,
    stopping: CancellationToken,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        place.does(match request.body().is_end_stream() {
            true => Doing::Answered,
            false => Doing::Sending,
        });
        let mut request = request.map(|incoming| Watched {
            incoming,
            place: place.clone(),
        });
        request.extensions_mut().insert(peer);
        let place = place.clone();
        let answer = router.call(request);
        async move {
            let answer = answer.await?;
            Ok::<_, Infallible>(answer.map(|body| Answering { body, place }))
        }
    });
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
