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
    let mut all = root.descendants();
    all.push(root);
    let before = used(&all)?;
    let begin = Instant::now();
    std::thread::sleep(Duration::from_secs(args.seconds));
    let after = used(&all)?;
    let seconds = begin.elapsed().as_secs_f64();
    let memory_bytes = all.iter().map(|one| one.memory_bytes()).sum::<Result<u64, _>>()?;
    let cpu = after.cpu.saturating_sub(before.cpu);
    let count = all.len();
    let what = format!("memory of {count} process{}", if count == 1 { "" } else { "es" });
    Ok(vec![
        Figure::new(SCENARIO, what, memory_bytes as f64 / 1e6, Unit::Megabytes),
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

struct Used {
    cpu: Duration,
    /// By the number of the thread.
    wake_ups: BTreeMap<String, u64>,
}

impl Used {
    /// Of the threads that live now: one that has ended has taken its count with it.
    fn wake_ups_since(&self, before: &Self) -> u64 {
        let since = |(thread, count): (&String, &u64)| {
            count.saturating_sub(before.wake_ups.get(thread).copied().unwrap_or(0))
        };
        self.wake_ups.iter().map(since).sum()
    }
}

fn used(processes: &[Process]) -> anyhow::Result<Used> {
    let mut used = Used {
        cpu: Duration::ZERO,
        wake_ups: BTreeMap::new(),
    };
    for process in processes {
        let gone = || format!("process {} cannot be looked at; does it still run?", process.0);
        used.cpu += process.cpu().with_context(gone)?;
        used.wake_ups.extend(process.wake_ups().with_context(gone)?);
    }
    Ok(used)
}
