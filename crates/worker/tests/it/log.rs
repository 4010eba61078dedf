//! The log, the lease and the end of a stage while the server comes and goes.

use crate::server::{BOUND, Server, Worker};
use crate::step::{marker, processes_with};
use polyphemus_core::job::JobState;
use polyphemus_testkit::wait;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Passes bytes on between worker and server, cuts each connection after some of them, and loses
/// answers to parts of a log.
struct Proxy {
    address: SocketAddr,
    lost: Arc<Lost>,
}

#[derive(Default)]
struct Lost {
    connections: AtomicU64,
    parts: AtomicU64,
    /// Answers to parts of a log that were committed and that the worker did not hear of.
    answers: AtomicU64,
}

impl Proxy {
    async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let lost = Arc::new(Lost::default());
        let noted = lost.clone();
        tokio::spawn(async move {
            let mut number = 0u64;
            while let Ok((client, _)) = listener.accept().await {
                number += 1;
                // Now inside a request, now inside an answer, now in between.
                let allowed = 400 + number * 7919 % 200_000;
                tokio::spawn(pass(client, server, allowed, noted.clone()));
            }
        });
        Self { address, lost }
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, mut allowed: u64, lost: Arc<Lost>) {
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    let (mut up, mut down) = (vec![0; 2048], vec![0; 2048]);
    let mut is_part_of_log = false;
    while allowed > 0 {
        let count = tokio::select! {
            Ok(count) = client.read(&mut up) => {
                if up[..count].starts_with(b"PUT ") || up[..count].starts_with(b"POST ") {
                    is_part_of_log = up[..count].windows(5).any(|word| word == b"/log?");
                }
                if count == 0 || server.write_all(&up[..count]).await.is_err() { return; }
                count
            }
            Ok(count) = server.read(&mut down) => {
                if is_part_of_log && lost.parts.fetch_add(1, Ordering::Relaxed) % 3 == 1 {
                    lost.answers.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                if count == 0 || client.write_all(&down[..count]).await.is_err() { return; }
                count
            }
            else => return,
        };
        allowed = allowed.saturating_sub(count as u64);
    }
    lost.connections.fetch_add(1, Ordering::Relaxed);
}

/// What the script printed, without what server and worker wrote around it.
fn numbers(log: &str) -> Vec<u32> {
    log.lines()
        .filter_map(|line| line.strip_prefix("line ")?.parse().ok())
        .collect()
}

const PRINT: &str = "i=0; while [ $i -lt 20000 ]; do echo \"line $i\"; i=$((i+1)); done; echo 42 > made";

#[tokio::test(flavor = "multi_thread")]
async fn a_log_over_connections_that_break_is_exact() {
    let server = Server::start(Duration::from_secs(10)).await;
    let proxy = Proxy::start(server.address).await;
    let worker = Worker::start(&format!("http://{}", proxy.address), |_| {});
    let id = server.submit_script(PRINT).await;
    let job = server.finished(&id).await;
    assert_eq!(job.state, JobState::Done, "{job:?}");
    assert_eq!(
        job.stages.iter().map(|stage| stage.attempts).collect::<Vec<_>>(),
        [1, 1]
    );
    assert_eq!(numbers(&server.log(&id).await), (0..20000).collect::<Vec<_>>());
    let lost = |count: &AtomicU64| count.load(Ordering::Relaxed);
    assert!(lost(&proxy.lost.connections) >= 3 && lost(&proxy.lost.answers) >= 2);
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_within_the_lease_costs_the_stage_nothing() {
    let mut server = Server::start(Duration::from_secs(30)).await;
    let worker = Worker::start(&server.url(), |_| {});
    let script = "echo line 0; for i in 1 2 3 4 5 6 7 8; do sleep 0.5; echo line $i; done";
    let id = server.submit_script(script).await;
    server.logged(&id, "line 1").await;
    server.pause().await;
    server.resume().await;
    let job = server.finished(&id).await;
    let log = server.log(&id).await;
    assert_eq!(job.state, JobState::Done, "{log}");
    assert_eq!(job.stages[0].attempts, 1, "{log}");
    assert_eq!(numbers(&log), (0..9).collect::<Vec<_>>(), "{log}");
    worker.end().await;
}

/// The server alone decides whether the end still counts; where it does, the log is whole.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_stage_whose_lease_was_lost_meanwhile_comes_with_its_whole_log() {
    let lease = Duration::from_secs(3);
    let mut server = Server::start(lease).await;
    let worker = Worker::start(&server.url(), |_| {});
    let scripts = [1, 2, 3].map(|number| {
        format!("echo begun; sleep 1; for i in 0 1 2 3; do echo \"line $i\"; done; echo {number} > made")
    });
    let mut jobs = Vec::new();
    for script in &scripts {
        jobs.push(server.submit_script(script).await);
    }
    server.logged(&jobs[0], "begun").await;
    server.pause().await;
    let away = std::time::Instant::now();
    wait::until(BOUND, "the end of the lease", || async {
        if away.elapsed() > lease + lease / 2 {
            Ok(())
        } else {
            Err("it lasts")
        }
    })
    .await;
    server.resume().await;
    for id in &jobs {
        let job = server.finished(id).await;
        let log = server.log(id).await;
        assert_eq!(job.state, JobState::Done, "{log}");
        let last = &log[log.rfind("make begins").unwrap()..];
        assert_eq!(numbers(last), [0, 1, 2, 3], "{log}");
    }
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_whose_lease_cannot_be_renewed_is_killed_before_the_lease_ends() {
    let lease = Duration::from_secs(8);
    let mut server = Server::start(lease).await;
    let worker = Worker::start(&server.url(), |_| {});
    let marker = marker();
    let id = server
        .submit_script(&format!("test -e x || echo begun; sleep {marker}"))
        .await;
    server.logged(&id, "begun").await;
    server.pause().await;
    let away = std::time::Instant::now();
    wait::until(lease, "the end of the stage's processes", || async {
        match processes_with(&marker) {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{left:?} after {:?}", away.elapsed())),
        }
    })
    .await;
    server.resume().await;
    // Back again, the stage is begun anew by the same worker.
    server
        .until(&id, "a second attempt", |job| job.stages[0].attempts >= 2)
        .await;
    wait::until(BOUND, "the new process", || async {
        if processes_with(&marker).is_empty() {
            Err("none")
        } else {
            Ok(())
        }
    })
    .await;
    worker.end().await;
    assert_eq!(processes_with(&marker), Vec::<String>::new());
}
