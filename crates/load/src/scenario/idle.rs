//! What a server takes that nobody asks anything of: memory, processor time, wake-ups.

use crate::args::Args;
use crate::figure::{Figure, Unit};
use crate::process::Process;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const SCENARIO: &str = "idle";

pub(super) fn measure(args: &Args) -> anyhow::Result<Vec<Figure>> {
    let root = Process(args.pid.context("`idle` needs --pid")?);
    let before = used(root)?;
    let begin = Instant::now();
    std::thread::sleep(Duration::from_secs(args.seconds));
    let after = used(root)?;
    let seconds = begin.elapsed().as_secs_f64();
    let cpu = after.cpu_since(&before);
    let count = after.cpu.len();
    let what = format!("memory of {count} process{}", if count == 1 { "" } else { "es" });
    Ok(vec![
        Figure::new(SCENARIO, what, after.memory_bytes as f64 / 1e6, Unit::Megabytes),
        Figure::new(
            SCENARIO,
            "processor time, of one processor",
            cpu.as_secs_f64() / seconds * 100.0,
            Unit::Percent,
        ),
        Figure::new(
            SCENARIO,
            "wake-ups",
            after.wake_ups_since(&before) as f64 / seconds,
            Unit::PerSecond,
        ),
    ])
}

#[derive(Default)]
struct Used {
    memory_bytes: u64,
    /// By the number of the process.
    cpu: BTreeMap<i32, Duration>,
    /// By the number of the thread.
    wake_ups: BTreeMap<String, u64>,
}

/// Of the processes and threads that live now: one that has ended has taken its count with it.
impl Used {
    fn cpu_since(&self, before: &Self) -> Duration {
        let since = |(process, cpu): (&i32, &Duration)| {
            cpu.saturating_sub(before.cpu.get(process).copied().unwrap_or_default())
        };
        self.cpu.iter().map(since).sum()
    }

    fn wake_ups_since(&self, before: &Self) -> u64 {
        let since = |(thread, count): (&String, &u64)| {
            count.saturating_sub(before.wake_ups.get(thread).copied().unwrap_or(0))
        };
        self.wake_ups.iter().map(since).sum()
    }

    fn add(&mut self, process: Process) -> std::io::Result<()> {
        let (memory_bytes, cpu) = (process.memory_bytes()?, process.cpu()?);
        self.wake_ups.extend(process.wake_ups()?);
        self.memory_bytes += memory_bytes;
        self.cpu.insert(process.0, cpu);
        Ok(())
    }
}

/// What `root` and all that it started use.
fn used(root: Process) -> anyhow::Result<Used> {
    let mut used = Used::default();
    used.add(root)
        .with_context(|| format!("process {} cannot be looked at; does it still run?", root.0))?;
    for process in root.descendants() {
        // One that ends meanwhile is no error: what a worker has ready is given back after a while.
        let _ = used.add(process);
    }
    Ok(used)
}
