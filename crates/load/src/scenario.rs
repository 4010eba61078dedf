//! The scenarios, and the clients that several of them have at work at once.

mod fill;
mod idle;
mod jobs;
mod latency;
mod lists;
mod start;
mod submit;
mod upload;

use crate::args::{Args, Scenario};
use crate::figure::Figure;
use crate::probe::Probe;
use crate::sample::Sample;
use crate::server::Client;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Takes the probe, then every scenario in its turn.
pub fn measure(args: &Args) -> anyhow::Result<Vec<Figure>> {
    let probe = Probe::take(&args.folder)?;
    let mut figures = probe.figures();
    figures.extend(measure_against(args, &probe)?);
    Ok(figures)
}

/// Takes every scenario in its turn, on a machine that is known.
pub fn measure_against(args: &Args, probe: &Probe) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for scenario in &args.scenarios {
        figures.extend(match scenario {
            Scenario::Probe => Vec::new(),
            Scenario::Latency => latency::measure(args, probe)?,
            Scenario::Submit => submit::measure(args, probe)?,
            Scenario::Jobs => jobs::measure(args)?,
            Scenario::Lists => lists::measure(args)?,
            Scenario::Fill => fill::measure(args)?,
            Scenario::Upload => upload::measure(args, probe)?,
            Scenario::Idle => idle::measure(args)?,
            Scenario::Start => start::measure(args)?,
        });
    }
    Ok(figures)
}

/// Has `count` things done by `clients` threads with a connection each, and gives what they saw and
/// how long all took. `each` is told the number of the thing.
fn at_once(
    server: &str,
    clients: usize,
    count: usize,
    each: impl Fn(&mut Client, usize, &mut Sample) + Sync,
) -> anyhow::Result<(Sample, Duration)> {
    let next = AtomicUsize::new(0);
    let mut open = (0..clients)
        .map(|_| Client::of(server))
        .collect::<Result<Vec<_>, _>>()?;
    let begin = Instant::now();
    let samples: Vec<Sample> = std::thread::scope(|scope| {
        let threads: Vec<_> = open
            .iter_mut()
            .map(|client| {
                scope.spawn(|| {
                    let mut sample = Sample::default();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return sample;
                        }
                        each(client, number, &mut sample);
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    anyhow::ensure!(samples.len() == clients, "a client of the load program broke off");
    let took = begin.elapsed();
    let mut all = Sample::default();
    for sample in samples {
        all.merge(sample);
    }
    Ok((all, took))
}

/// Makes the designs of one run distinct from those of every other.
fn run_name() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{}-{}", std::process::id(), since.unwrap_or_default().as_nanos())
}
