//! What the machine can do at best, measured in the same run: every figure is worth only as much as
//! its ratio to this.

use crate::figure::{Figure, Unit};
use crate::sample::{Sample, Spread};
use anyhow::Context as _;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SCENARIO: &str = "probe";
const SYNC_TIME: Duration = Duration::from_millis(1500);
const SPAWNS: usize = 200;
const WRITE_BYTES: u64 = 256 << 20;
const PIECE: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probe {
    /// Of writing 4 KiB behind the others of a file and `fdatasync`.
    pub sync: Spread,
    /// Of starting `/bin/true` and waiting for its end.
    pub spawn: Spread,
    /// Of writing a large file from its beginning to the `fdatasync` at its end.
    pub write_mb_s: f64,
}

impl Probe {
    /// Measures the disk below `folder`, and the machine.
    pub fn take(folder: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(folder).with_context(|| {
            format!(
                "the probe cannot write to {}; name another --folder",
                folder.display()
            )
        })?;
        Ok(Self {
            sync: syncs(folder.path()).context("fdatasync could not be measured")?,
            spawn: spawns().context("starting a program could not be measured")?,
            write_mb_s: write(folder.path()).context("writing a file could not be measured")?,
        })
    }

    pub fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::time(SCENARIO, "fdatasync of 4 KiB, p50", self.sync.p50),
            Figure::time(SCENARIO, "fdatasync of 4 KiB, p99", self.sync.p99),
            Figure::time(SCENARIO, "starting a program, p50", self.spawn.p50),
            Figure::new(
                SCENARIO,
                "writing a file, with fdatasync",
                self.write_mb_s,
                Unit::MegabytesPerSecond,
            ),
        ]
    }
}

fn syncs(folder: &Path) -> anyhow::Result<Spread> {
    let file = File::create(folder.join("syncs"))?;
    let mut sample = Sample::default();
    let begin = Instant::now();
    while begin.elapsed() < SYNC_TIME {
        let before = Instant::now();
        file.write_all_at(&[1; 4096], sample.len() as u64 * 4096)?;
        file.sync_data()?;
        sample.take(before.elapsed());
    }
    sample.spread().context("no fdatasync came to its end")
}

fn spawns() -> anyhow::Result<Spread> {
    let mut sample = Sample::default();
    for _ in 0..SPAWNS {
        let before = Instant::now();
        let status = Command::new("/bin/true")
            .env_clear()
            .stdin(Stdio::null())
            .status()?;
        anyhow::ensure!(status.success(), "/bin/true ended with {status}");
        sample.take(before.elapsed());
    }
    sample.spread().context("no program was started")
}

fn write(folder: &Path) -> anyhow::Result<f64> {
    let mut piece = vec![0; PIECE];
    getrandom::fill(&mut piece).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let begin = Instant::now();
    let mut file = File::create(folder.join("large"))?;
    for _ in 0..WRITE_BYTES / PIECE as u64 {
        file.write_all(&piece)?;
    }
    file.sync_data()?;
    Ok(WRITE_BYTES as f64 / 1e6 / begin.elapsed().as_secs_f64())
}
