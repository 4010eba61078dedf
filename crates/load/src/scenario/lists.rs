//! The two requests that a server with many jobs is slow at.

use crate::args::Args;
use crate::figure::{Figure, Unit};
use crate::sample::Sample;
use crate::server::Client;
use std::time::Instant;

const SCENARIO: &str = "lists";
const REQUESTS: usize = 20;

pub(super) fn measure(args: &Args) -> anyhow::Result<Vec<Figure>> {
    let mut client = Client::of(&args.server)?;
    let mut figures = Vec::new();
    for path in ["/jobs.csv", "/"] {
        let mut sample = Sample::default();
        let mut rows = 0;
        for _ in 0..args.jobs.unwrap_or(REQUESTS) {
            let begin = Instant::now();
            match client.get(path) {
                Ok(body) => {
                    sample.take(begin.elapsed());
                    rows = body.iter().filter(|&&byte| byte == b'\n').count();
                }
                Err(error) => sample.fail(&error),
            }
        }
        if let Some(spread) = sample.spread() {
            figures.push(Figure::new(
                SCENARIO,
                format!("{path}, lines"),
                rows as f64,
                Unit::Count,
            ));
            figures.push(Figure::time(SCENARIO, format!("{path}, p50"), spread.p50));
            figures.push(Figure::time(SCENARIO, format!("{path}, p99"), spread.p99));
        }
        figures.extend(sample.failures(SCENARIO));
    }
    Ok(figures)
}
