//! Trivial make jobs through all of the system: submitted by several clients, built, and done.

use super::{at_once, run_name};
use crate::args::Args;
use crate::design::trivial;
use crate::figure::{Figure, Unit};
use crate::sample::Sample;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

const SCENARIO: &str = "jobs";
const CLIENTS: usize = 8;
const JOBS: usize = 200;

pub(super) fn measure(args: &Args) -> anyhow::Result<Vec<Figure>> {
    let (clients, jobs) = (args.clients.unwrap_or(CLIENTS), args.jobs.unwrap_or(JOBS));
    let run = run_name();
    let ids = Mutex::new(Vec::with_capacity(jobs));
    let begin = Instant::now();
    let (mut sample, submitted) =
        at_once(&args.server, clients, jobs, |client, number, sample| match client
            .submit(&trivial(&format!("{run}-{number}")))
        {
            Ok(id) => ids.lock().unwrap_or_else(PoisonError::into_inner).push(id),
            Err(error) => sample.fail(&error),
        })?;
    let ids = ids.into_inner().unwrap_or_else(PoisonError::into_inner);
    // One client waits for them in the order of their coming: the others would only take processor time.
    let (ended, _) = at_once(&args.server, 1, ids.len(), |client, number, sample| match client
        .wait_for(&ids[number])
    {
        Ok(job) if job.state == "done" => sample.take(begin.elapsed()),
        Ok(job) => sample.fail_as(format!("a job ended as {}", job.state)),
        Err(error) => sample.fail(&error),
    })?;
    let took = begin.elapsed();
    let done = ended.len();
    sample.merge(ended);
    Ok(figures(
        &sample,
        (clients, jobs, done),
        [submitted, took].map(|time| time.as_secs_f64()),
    ))
}

fn figures(
    sample: &Sample,
    (clients, jobs, done): (usize, usize, usize),
    [submitted_s, took_s]: [f64; 2],
) -> Vec<Figure> {
    let mut figures = vec![
        Figure::new(
            SCENARIO,
            format!("{jobs} submitted by {clients} clients"),
            submitted_s,
            Unit::Seconds,
        ),
        Figure::new(SCENARIO, format!("{done} of them done"), took_s, Unit::Seconds),
        Figure::new(SCENARIO, "done, rate", done as f64 / took_s, Unit::PerSecond),
    ];
    figures.extend(sample.failures(SCENARIO));
    figures
}
