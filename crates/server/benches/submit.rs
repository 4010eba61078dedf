//! How many submissions a second are durable, against what the disk allows:
//! `cargo bench -p polyphemus-server --bench submit`. Prints the time of an fdatasync of 4 KiB on the
//! same disk, then the rate of 1 and of 64 clients that hand in small designs over HTTP, each its own
//! and all the same one. `POLYPHEMUS_BENCH_SECONDS` says how long each measurement takes (5).

#![allow(clippy::print_stdout)]

use anyhow::Context as _;
use polyphemus_server::Config;
use std::fs::File;
use std::io::{Cursor, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How many designs of their own are made ahead; the clients take them in turn, so that at more
/// submissions than this some are stored already.
const DESIGNS: usize = 40_000;
const BOUNDARY: &str = "----designs";

fn main() -> anyhow::Result<()> {
    let seconds = std::env::var("POLYPHEMUS_BENCH_SECONDS").map_or(Ok(5), |text| text.parse())?;
    let time = Duration::from_secs(seconds);
    let folder = tempfile::tempdir_in(".")?;
    probe(folder.path())?;
    let runtime = tokio::runtime::Runtime::new()?;
    for (name, different) in [("the same design", 1), ("designs of their own", DESIGNS)] {
        let requests: Arc<[Vec<u8>]> = (0..different).map(request).collect::<Result<_, _>>()?;
        for clients in [1, 64] {
            let instance = folder.path().join(format!("{clients}-{different}"));
            print!("{clients} clients, {name}: ");
            runtime.block_on(measure(&instance, requests.clone(), clients, time))?;
        }
    }
    Ok(())
}

fn probe(folder: &Path) -> anyhow::Result<()> {
    let file = File::create(folder.join("probe"))?;
    let begin = Instant::now();
    let mut times = Vec::new();
    while begin.elapsed() < Duration::from_secs(2) {
        let before = Instant::now();
        file.write_all_at(&[1; 4096], times.len() as u64 * 4096)?;
        file.sync_data()?;
        times.push(before.elapsed());
    }
    times.sort_unstable();
    println!(
        "fdatasync: p50 {:?}, {} in 2 s",
        times[times.len() / 2],
        times.len()
    );
    Ok(())
}

/// `POST /jobs` with a design, as the bytes on the wire.
fn request(number: usize) -> anyhow::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("blinky.v", options)?;
    writeln!(zip, "// variant {number}")?;
    zip.write_all(include_bytes!("../../../examples/blinky/blinky.v"))?;
    zip.start_file("blinky.pcf", options)?;
    zip.write_all(include_bytes!("../../../examples/blinky/blinky.pcf"))?;
    let zip = zip.finish()?.into_inner();
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"mode\"\r\n\r\nestimate\r\n--{BOUNDARY}\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"d.zip\"\r\n\r\n"
    )
    .into_bytes();
    body.extend(zip);
    write!(body, "\r\n--{BOUNDARY}--\r\n")?;
    let mut request = format!(
        "POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    Ok(request)
}

async fn measure(
    instance: &Path,
    requests: Arc<[Vec<u8>]>,
    clients: usize,
    time: Duration,
) -> anyhow::Result<()> {
    let config = Config {
        instance: instance.to_owned(),
        ..Config::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move { drop(stopped.await) };
    let server = tokio::spawn(polyphemus_server::run(config, listener, shutdown));
    let (begin, cpu_before) = (Instant::now(), cpu_seconds()?);
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let requests = requests.clone();
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let (mut times, mut next) = (Vec::new(), client);
                while begin.elapsed() < time {
                    let before = Instant::now();
                    submit(&mut stream, &requests[next % requests.len()]).await?;
                    times.push(before.elapsed());
                    next += clients;
                }
                anyhow::Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let (elapsed, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds()? - cpu_before);
    times.sort_unstable();
    println!(
        "{:.0}/s, p50 {:?}, p99 {:?}, processor time {:.0} µs each, both ends together",
        times.len() as f64 / elapsed,
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        cpu / times.len() as f64 * 1e6
    );
    drop(stop);
    server.await?
}

async fn submit(stream: &mut TcpStream, request: &[u8]) -> anyhow::Result<()> {
    stream.write_all(request).await?;
    let (mut answer, mut length) = ([0; 4096], 0);
    loop {
        let count = stream.read(&mut answer[length..]).await?;
        anyhow::ensure!(count > 0, "the server closed the connection");
        length += count;
        let text = std::str::from_utf8(&answer[..length])?;
        // The body is the job's id, which has 11 characters and no line end.
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && body.len() >= 11
        {
            anyhow::ensure!(text.starts_with("HTTP/1.1 200"), "refused: {text}");
            return Ok(());
        }
    }
}

/// Processor time of this process so far.
fn cpu_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("the kernel's format")?;
    let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<f64>);
    let (user, system) = (ticks.next(), ticks.next());
    // In hundredths of a second: USER_HZ, fixed on Linux.
    Ok((user.context("user time")?? + system.context("system time")??) / 100.0)
}
