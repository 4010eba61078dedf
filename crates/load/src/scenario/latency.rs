//! From the moment before the submission is sent to the first instruction of the job, by one clock.

use super::run_name;
use crate::args::Args;
use crate::design::{MARK, trivial};
use crate::figure::{Figure, Unit, ms};
use crate::http::HttpError;
use crate::probe::Probe;
use crate::sample::Sample;
use crate::server::Client;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SCENARIO: &str = "latency";
const JOBS: usize = 100;
/// So that the worker is idle again when the next job comes.
const PAUSE: Duration = Duration::from_millis(50);
/// The first jobs, which warm the caches of a fresh server and are not counted.
const WARM_UP: usize = 3;

pub(super) fn measure(args: &Args, probe: &Probe) -> anyhow::Result<Vec<Figure>> {
    let mut client = Client::of(&args.server)?;
    let (mut accepted, mut begun, mut over) = (Sample::default(), Sample::default(), Sample::default());
    let run = run_name();
    for number in 0..args.jobs.unwrap_or(JOBS) + WARM_UP {
        let archive = trivial(&format!("{run}-{number}"));
        std::thread::sleep(PAUSE);
        match one(&mut client, &archive) {
            Ok(times) if number >= WARM_UP => {
                accepted.take(times.accepted);
                begun.take(times.begun);
                over.take(times.over);
            }
            Ok(_) => {}
            Err(error) => begun.fail(&error),
        }
    }
    let mut figures = Vec::new();
    if let (Some(accepted), Some(begun), Some(over)) = (accepted.spread(), begun.spread(), over.spread()) {
        for (name, time) in [("p50", begun.p50), ("p90", begun.p90), ("p99", begun.p99)] {
            let what = format!("submit → first instruction, {name}");
            figures.push(Figure::time(SCENARIO, what, time).in_syncs(probe));
        }
        let beyond = ms(begun.p50) - 2.0 * ms(probe.sync.p50);
        let what = "first instruction beyond 2 fdatasync, p50";
        figures.push(Figure::new(SCENARIO, what, beyond, Unit::Milliseconds));
        figures.push(Figure::time(SCENARIO, "of that submit → answer, p50", accepted.p50).in_syncs(probe));
        figures.push(Figure::time(SCENARIO, "submit → seen to be done, p50", over.p50).in_syncs(probe));
    }
    figures.extend(begun.failures(SCENARIO));
    Ok(figures)
}

struct Times {
    accepted: Duration,
    begun: Duration,
    over: Duration,
}

fn one(client: &mut Client, archive: &[u8]) -> Result<Times, HttpError> {
    let begin = since_1970();
    let id = client.submit(archive)?;
    let accepted = since_1970().saturating_sub(begin);
    let job = client.wait_for(&id)?;
    let over = since_1970().saturating_sub(begin);
    let log = client.log(&id)?;
    // Nanoseconds of this century fit into 64 bits.
    let first = log
        .lines()
        .find_map(|line| line.strip_prefix(MARK)?.trim().parse().ok());
    let first = first.map(Duration::from_nanos).ok_or_else(|| {
        HttpError::NotHttp(format!(
            "a log with the first instruction's time: the job ended as {}",
            job.state
        ))
    })?;
    Ok(Times {
        accepted,
        begun: first.saturating_sub(begin),
        over,
    })
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
