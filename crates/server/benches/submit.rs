//! How many submissions a second are durable, against what the disk allows:
//! `cargo bench -p polyphemus-server --bench submit`. Prints the time of an fdatasync of 4 KiB on the
//! same disk, then the rate of 1 and of 64 submitters of a design that is stored already.

#![allow(clippy::print_stdout)]

use polyphemus_artifacts::tree::{Entry, Mode};
use polyphemus_artifacts::{Blobs, Tree};
use polyphemus_server::Config;
use polyphemus_server::app::{App, Submission};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long each measurement takes.
const TIME: Duration = Duration::from_secs(5);

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(".")?;
    probe(folder.path())?;
    let runtime = tokio::runtime::Runtime::new()?;
    for submitters in [1, 64] {
        runtime.block_on(measure(&folder.path().join(submitters.to_string()), submitters))?;
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

async fn measure(instance: &Path, submitters: usize) -> anyhow::Result<()> {
    let config = Config {
        instance: instance.to_owned(),
        ..Config::default()
    };
    let app = App::open(&config).await?;
    let submission = submission(app.blobs()).await?;
    let begin = Instant::now();
    let tasks: Vec<_> = (0..submitters)
        .map(|_| {
            let (app, submission) = (app.clone(), submission.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                while begin.elapsed() < TIME {
                    let before = Instant::now();
                    app.submit(submission.clone()).await?;
                    times.push(before.elapsed());
                }
                anyhow::Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let rate = times.len() as f64 / begin.elapsed().as_secs_f64();
    times.sort_unstable();
    println!(
        "{submitters} submitters: {rate:.0}/s, p50 {:?}, p99 {:?}, {:.1} submissions a transaction",
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times.len() as f64 / app.transactions() as f64
    );
    app.close().await;
    Ok(())
}

async fn submission(blobs: &Blobs) -> anyhow::Result<Submission> {
    let files = [
        ("blinky.v", include_str!("../../../examples/blinky/blinky.v")),
        ("blinky.pcf", include_str!("../../../examples/blinky/blinky.pcf")),
    ];
    let mut entries = Vec::new();
    for (path, text) in files {
        entries.push(Entry {
            path: path.into(),
            mode: Mode::File,
            size_bytes: text.len() as u64,
            hash: blobs.put(text.into()).await?,
        });
    }
    let tree = Tree::from_entries(entries)?;
    Ok(Submission {
        tree_hash: blobs.put_tree(&tree).await?,
        tree,
        options: [("mode".to_owned(), "estimate".to_owned())].into(),
        notes: Vec::new(),
    })
}
