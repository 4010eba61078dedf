//! One large upload: how much of the disk's speed it has, and how much memory it takes.

use crate::args::Args;
use crate::design::Large;
use crate::figure::{Figure, Unit};
use crate::probe::Probe;
use crate::process::Process;
use crate::sample::Sample;
use crate::server::{Client, MAKE_ONLY};
use anyhow::Context as _;
use std::time::Instant;

const SCENARIO: &str = "upload";

pub(super) fn measure(args: &Args, probe: &Probe) -> anyhow::Result<Vec<Figure>> {
    let large = Large::new(args.size_mb).context("the data to upload could not be made")?;
    let mut client = Client::of(&args.server)?;
    let process = args.pid.map(Process);
    let before = process.map(before).transpose()?;
    let begin = Instant::now();
    let sent = client.submit_form(large.form_bytes(&MAKE_ONLY), &mut |to| {
        large.write_form(&MAKE_ONLY, to)
    });
    let took = begin.elapsed();
    let mut figures = Vec::new();
    match sent {
        Ok(_) => {
            let mb_s = large.size_bytes() as f64 / 1e6 / took.as_secs_f64();
            let what = format!("{} MB, until accepted", large.size_bytes() / 1_000_000);
            figures.push(Figure::new(SCENARIO, what, took.as_secs_f64(), Unit::Seconds));
            figures.push(Figure::new(SCENARIO, "speed", mb_s, Unit::MegabytesPerSecond).of_disk(probe));
        }
        Err(error) => {
            let mut sample = Sample::default();
            sample.fail(&error);
            figures.extend(sample.failures(SCENARIO));
        }
    }
    if let (Some(process), Some(before_bytes)) = (process, before) {
        let more_bytes = process
            .peak_bytes()
            .context("the memory of --pid")?
            .saturating_sub(before_bytes);
        let what = "most memory beyond that before";
        figures.push(Figure::new(
            SCENARIO,
            what,
            more_bytes as f64 / 1e6,
            Unit::Megabytes,
        ));
    }
    Ok(figures)
}

fn before(process: Process) -> anyhow::Result<u64> {
    process
        .forget_peak()
        .and_then(|()| process.memory_bytes())
        .context("the memory of --pid cannot be told; is it a process of yours?")
}
