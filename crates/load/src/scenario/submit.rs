//! How many small submissions a second are accepted. What becomes of the jobs is not waited for.

use super::{at_once, run_name};
use crate::args::Args;
use crate::design::trivial;
use crate::figure::{Figure, Unit};
use crate::probe::Probe;
use std::time::Instant;

const SCENARIO: &str = "submit";
const CLIENTS: usize = 64;
const JOBS: usize = 3000;

pub(super) fn measure(args: &Args, probe: &Probe) -> anyhow::Result<Vec<Figure>> {
    let (clients, jobs) = (args.clients.unwrap_or(CLIENTS), args.jobs.unwrap_or(JOBS));
    let run = run_name();
    let (sample, took) = at_once(&args.server, clients, jobs, |client, number, sample| {
        let archive = trivial(&format!("{run}-{number}"));
        let begin = Instant::now();
        match client.submit(&archive) {
            Ok(_) => sample.take(begin.elapsed()),
            Err(error) => sample.fail(&error),
        }
    })?;
    let mut figures = Vec::new();
    if let Some(spread) = sample.spread() {
        let rate = sample.len() as f64 / took.as_secs_f64();
        let what = format!("accepted, {clients} clients");
        figures.push(Figure::new(SCENARIO, what, rate, Unit::PerSecond).for_each_sync(probe));
        for (name, time) in [("p50", spread.p50), ("p99", spread.p99)] {
            figures.push(Figure::time(SCENARIO, format!("answer, {name}"), time).in_syncs(probe));
        }
    }
    figures.extend(sample.failures(SCENARIO));
    Ok(figures)
}
