//! Brings a server to many finished jobs, by nothing but its API: each is submitted and then set to
//! `done` by the form of its page. The server should have no worker meanwhile.

use super::{at_once, run_name};
use crate::args::Args;
use crate::design::trivial;
use crate::figure::{Figure, Unit};
use crate::server::Client;
use std::time::Instant;

const SCENARIO: &str = "fill";
const CLIENTS: usize = 64;
const JOBS: usize = 100_000;

pub(super) fn measure(args: &Args) -> anyhow::Result<Vec<Figure>> {
    let wanted = args.jobs.unwrap_or(JOBS);
    let there = jobs_of(&args.server)?;
    let run = run_name();
    let missing = wanted.saturating_sub(there);
    let clients = args.clients.unwrap_or(CLIENTS);
    let (sample, took) = at_once(&args.server, clients, missing, |client, number, sample| {
        let begin = Instant::now();
        // Of the same few contents: it is the number of jobs that counts here.
        let archive = trivial(&format!("{run}-{}", number % 100));
        let done = client
            .submit(&archive)
            .and_then(|id| client.set_state(&id, "done"));
        match done {
            Ok(()) => sample.take(begin.elapsed()),
            Err(error) => sample.fail(&error),
        }
    })?;
    let mut figures = vec![
        Figure::new(SCENARIO, "jobs there before", there as f64, Unit::Count),
        Figure::new(SCENARIO, "jobs added", sample.len() as f64, Unit::Count),
    ];
    if !sample.is_empty() {
        let rate = sample.len() as f64 / took.as_secs_f64();
        figures.push(Figure::new(
            SCENARIO,
            "added and ended, rate",
            rate,
            Unit::PerSecond,
        ));
    }
    figures.extend(sample.failures(SCENARIO));
    Ok(figures)
}

/// The lines of /jobs.csv below its head.
fn jobs_of(server: &str) -> anyhow::Result<usize> {
    let list = Client::of(server)?.get("/jobs.csv")?;
    let lines = list.iter().filter(|&&byte| byte == b'\n').count();
    Ok(lines.saturating_sub(1))
}
