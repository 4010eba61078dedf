//! Ten thousand clients that connect and say nothing: the others do not notice.

use crate::program::{PROGRAM, run};
use polyphemus_testkit::TestServer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::{TcpSocket, TcpStream};

const CROWD: u64 = 10_000;
/// Files of this process beside the connections.
const OTHERS: u64 = 500;
/// Much more than a request takes, much less than a server takes that is held up.
const BOUND: Duration = Duration::from_secs(60);

/// As many as this process may open, in short.
fn crowd_size() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX).min(CROWD + OTHERS);
    let raised = Rlimit {
        current: Some(most),
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("the limit can be raised up to the hard one");
    most.saturating_sub(OTHERS).min(CROWD)
}

#[tokio::test]
async fn ten_thousand_open_connections_hold_up_nobody() {
    let server = TestServer::start(PROGRAM, &["--no-worker"]);
    let address: SocketAddr = server.url().replace("http://", "").parse().expect("an address");
    let size = crowd_size();
    assert!(
        size >= 1_000,
        "this machine allows too few open files for the test"
    );
    let mut crowd: Vec<TcpStream> = Vec::new();
    for number in 0..size {
        let socket = TcpSocket::new_v4().expect("a socket");
        let from = IpAddr::from([127, 0, 0, 2 + u8::try_from(number % 2).unwrap_or(0)]);
        socket
            .bind(SocketAddr::new(from, 0))
            .expect("an address of this machine");
        crowd.push(socket.connect(address).await.expect("it connects"));
    }
    let begun = Instant::now();
    let listed = run(&["jobs", "--server", &server.url()]);
    assert!(listed.status.success(), "{listed:?}");
    assert!(begun.elapsed() < BOUND, "others waited for {:?}", begun.elapsed());
    server.client().healthy(BOUND).await.expect("it is well");
    drop(crowd);
}
