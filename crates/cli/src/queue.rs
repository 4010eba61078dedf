//! `polyphemus queue`: what waits for a worker.

use crate::Failure;
use crate::failure::Exit;
use crate::moment::moment;
use crate::out;
use crate::server::ServerArg;
use crate::table::{Cell, Table};
use jiff::tz::TimeZone;
use polyphemus_api::queue::QueuedStage;
use std::process::ExitCode;

/// List the stages that wait for a worker, in the order in which they are handed out, and why.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Print one JSON document: {"stages": […], "more": true or false}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArg,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let server = args.server.connect()?;
    let queue = server.client.queue(Some(args.limit)).await?;
    if args.json {
        out::json(&queue)?;
        return Ok(Exit::Good.into());
    }
    if queue.stages.is_empty() {
        out::note("nothing waits for a worker");
        return Ok(Exit::Good.into());
    }
    let table = table(&queue.stages, &TimeZone::system());
    out::bytes(table.render(out::stdout_palette()).as_bytes())?;
    if queue.more {
        out::note("more wait; --limit shows up to 1000");
    }
    Ok(Exit::Good.into())
}

/// The queue, with times of a zone.
pub fn table(stages: &[QueuedStage], zone: &TimeZone) -> Table {
    let mut table = Table::new(&["JOB", "STAGE", "READY", "TITLE", "WAITS BECAUSE"]);
    for stage in stages {
        table.row([
            Cell::from(stage.job.as_str()),
            Cell::from(stage.stage.as_str()),
            Cell::from(moment(stage.ready_ms, zone)),
            Cell::from(&stage.title),
            Cell::from(&stage.waiting_for),
        ]);
    }
    table
}
