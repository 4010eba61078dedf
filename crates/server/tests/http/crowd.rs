//! Clients that are slow, many, or gone in the middle: the others do not notice.

use crate::server::{PATIENCE, TestServer, blinky};
use futures::future::join_all;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

const ROOM: usize = 32;

async fn small() -> TestServer {
    TestServer::start_with(|config| config.connections_limit = Some(ROOM)).await
}

/// Connections from another address of this machine, each with this said on it.
async fn crowd(server: &TestServer, size: usize, says: &str) -> Vec<TcpStream> {
    let to: SocketAddr = server.url.replace("http://", "").parse().unwrap();
    join_all((0..size).map(|_| async {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind(SocketAddr::new(IpAddr::from([127, 0, 0, 2]), 0))
            .unwrap();
        let mut stream = socket.connect(to).await.unwrap();
        stream.write_all(says.as_bytes()).await.unwrap();
        stream
    }))
    .await
}

async fn is_served(server: &TestServer) {
    let response = tokio::time::timeout(PATIENCE, server.get("/jobs.csv")).await;
    assert_eq!(response.expect("others are served meanwhile").status(), 200);
}

#[tokio::test]
async fn idle_connections_make_room() {
    let server = small().await;
    let idle = crowd(&server, ROOM, "").await;
    is_served(&server).await;
    drop(idle);
    server.stop().await;
}

#[tokio::test]
async fn slow_headers_make_room() {
    let server = small().await;
    let slow = crowd(&server, ROOM, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ").await;
    is_served(&server).await;
    drop(slow);
    server.stop().await;
}

#[tokio::test]
async fn slow_bodies_make_room_for_another_address() {
    let server = small().await;
    let says = "POST /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\
                Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n";
    let slow = crowd(&server, ROOM, says).await;
    is_served(&server).await;
    drop(slow);
    server.stop().await;
}

#[tokio::test]
async fn who_is_being_answered_is_not_pushed_out() {
    let server = small().await;
    let id = server.blinky(&[("mode", "estimate")]).await;
    let says = format!("GET /api/v1/jobs/{id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    let mut follower = crowd(&server, 1, &says).await.remove(0);
    let mut buffer = [0; 4096];
    assert!(follower.read(&mut buffer).await.unwrap() > 0);
    let idle = crowd(&server, 3 * ROOM, "").await;
    is_served(&server).await;
    server.client.cancel(&id).await.unwrap();
    let mut rest = String::new();
    while !rest.contains("event: end") {
        let read = tokio::time::timeout(PATIENCE, follower.read(&mut buffer)).await;
        let length = read.expect("the stream goes on").unwrap();
        assert!(length > 0, "the stream was cut: {rest}");
        rest.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    drop(idle);
    server.stop().await;
}

#[tokio::test]
async fn uploads_that_are_cut_leave_nothing_and_hold_up_nobody() {
    let server = small().await;
    let says = "POST /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\
                Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n\
                Content-Disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n\r\nPK";
    for _ in 0..4 {
        drop(crowd(&server, ROOM, says).await);
    }
    let options = Default::default();
    let archive = blinky();
    let length = archive.len() as u64;
    let submitted = server
        .client
        .submit("a.zip", archive.into(), Some(length), &options);
    tokio::time::timeout(PATIENCE, submitted).await.unwrap().unwrap();
    assert_eq!(
        server.client.jobs(&Default::default()).await.unwrap().jobs.len(),
        1
    );
    server.stop().await;
}
