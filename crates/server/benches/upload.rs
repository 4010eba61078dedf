//! How fast an archive of 1 GB becomes a job, against what the disk takes, and how much memory that needs:
//! `cargo bench -p polyphemus-server --bench upload`. `POLYPHEMUS_BENCH_MIB` says how large it is (1000).

#![allow(clippy::print_stdout)]

use anyhow::Context as _;
use polyphemus_server::Config;
use std::fs::File;
use std::io::{Read as _, Write};
use std::path::Path;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const MIB: usize = 1024 * 1024;
const BOUNDARY: &str = "----design";

fn main() -> anyhow::Result<()> {
    let size_mib = std::env::var("POLYPHEMUS_BENCH_MIB").map_or(Ok(1000), |text| text.parse())?;
    let folder = tempfile::tempdir_in(".")?;
    let archive = folder.path().join("design.zip");
    make(&archive, size_mib)?;
    let runtime = tokio::runtime::Runtime::new()?;
    for round in 1..=3 {
        let seconds = probe(&folder.path().join("probe"), size_mib)?;
        println!(
            "probe: {size_mib} MiB written and synced at {:.0} MiB/s",
            size_mib as f64 / seconds
        );
        let instance = folder.path().join(format!("instance-{round}"));
        let (took, memory_kib) = runtime.block_on(measure(&instance, &archive))?;
        println!(
            "upload: {:.0} MiB/s, {:.0} % of the probe, {:.1} MiB more memory, both ends together",
            size_mib as f64 / took,
            seconds / took * 100.0,
            memory_kib as f64 / 1024.0
        );
        std::fs::remove_dir_all(&instance)?;
    }
    Ok(())
}

/// Bytes that do not repeat and cannot be compressed.
fn noise(mut to: impl Write, size_mib: usize) -> std::io::Result<()> {
    let mut noise = blake3::Hasher::new().finalize_xof();
    let mut block = vec![0; MIB];
    for _ in 0..size_mib {
        noise.fill(&mut block);
        to.write_all(&block)?;
    }
    Ok(())
}

fn make(path: &Path, size_mib: usize) -> anyhow::Result<()> {
    let mut zip = zip::ZipWriter::new(File::create(path)?);
    let stored = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .large_file(true);
    zip.start_file("blinky.v", stored)?;
    zip.write_all(include_bytes!("../../../examples/blinky/blinky.v"))?;
    zip.start_file("samples.bin", stored)?;
    noise(&mut zip, size_mib)?;
    zip.finish()?.sync_all()?;
    Ok(())
}

/// Seconds that the same amount takes when it is only written and synced.
fn probe(path: &Path, size_mib: usize) -> anyhow::Result<f64> {
    let block = vec![1; MIB];
    let mut file = File::create(path)?;
    let begin = Instant::now();
    for _ in 0..size_mib {
        file.write_all(&block)?;
    }
    file.sync_data()?;
    let seconds = begin.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(seconds)
}

/// Seconds until the job's id is there, and the memory of the process beyond what it had before.
async fn measure(instance: &Path, archive: &Path) -> anyhow::Result<(f64, u64)> {
    let config = Config {
        instance: instance.to_owned(),
        ..Config::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move { drop(stopped.await) };
    let server = tokio::spawn(polyphemus_server::run(config, listener, shutdown));
    let mut stream = TcpStream::connect(address).await?;
    // Answered when the instance is open.
    stream
        .write_all(b"GET /jobs.csv HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await?;
    let mut answer = [0; 4096];
    anyhow::ensure!(stream.read(&mut answer).await? > 0, "the server does not answer");
    // From here on the peak is counted anew.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let (before, begin) = (memory_kib("VmRSS")?, Instant::now());
    send(&mut stream, archive).await?;
    let count = stream.read(&mut answer).await?;
    let took = begin.elapsed().as_secs_f64();
    let answer = String::from_utf8_lossy(&answer[..count]);
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "refused: {answer}");
    let memory = memory_kib("VmHWM")?.saturating_sub(before);
    drop(stop);
    server.await??;
    Ok((took, memory))
}

async fn send(stream: &mut TcpStream, archive: &Path) -> anyhow::Result<()> {
    let begin = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"mode\"\r\n\r\nestimate\r\n--{BOUNDARY}\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"d.zip\"\r\n\r\n"
    );
    let end = format!("\r\n--{BOUNDARY}--\r\n");
    let mut file = File::open(archive)?;
    let length = begin.len() as u64 + file.metadata()?.len() + end.len() as u64;
    let head = format!(
        "POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n{begin}"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut block = vec![0; 256 * 1024];
    loop {
        let count = file.read(&mut block)?;
        if count == 0 {
            break;
        }
        stream.write_all(&block[..count]).await?;
    }
    Ok(stream.write_all(end.as_bytes()).await?)
}

/// A figure of `/proc/self/status`.
fn memory_kib(name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let figure = line.and_then(|line| line.trim_matches([':', ' ', '\t']).split_whitespace().next());
    Ok(figure.context("the kernel's format")?.parse()?)
}
