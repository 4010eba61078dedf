//! `polyphemus workers`: who works for a server.

use crate::Failure;
use crate::failure::Exit;
use crate::moment::{duration, now_ms};
use crate::out;
use crate::server::ServerArg;
use crate::table::{Cell, Table};
use polyphemus_api::worker::Worker;
use std::process::ExitCode;

/// List the workers of a server, with what they offer and what they do.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON document: the list of the workers
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArg,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let server = args.server.connect()?;
    let workers = server.client.workers().await?;
    if args.json {
        out::json(&workers)?;
    } else if workers.is_empty() {
        out::note(&format!(
            "no worker is there; start one with: polyphemus worker --server {}",
            server.client.server()
        ));
    } else {
        out::bytes(table(&workers, now_ms()).render(out::stdout_palette()).as_bytes())?;
        for worker in &workers {
            if let Some(why) = &worker.refuses {
                out::note(&format!("{} takes no stage now: {why}", worker.id));
            }
        }
    }
    Ok(Exit::Good.into())
}

/// The workers at a moment.
pub fn table(workers: &[Worker], now_ms: i64) -> Table {
    let mut table = Table::new(&["WORKER", "SEEN", "RUNNING", "OFFERS"]);
    for worker in workers {
        let running: Vec<String> = worker
            .running
            .iter()
            .map(|stage| format!("{}/{}#{}", stage.job, stage.stage, stage.attempt))
            .collect();
        let labels: Vec<&str> = worker.labels.iter().map(|label| label.0.as_str()).collect();
        table.row([
            Cell::from(&worker.id.0),
            Cell::from(format!("{} ago", duration(now_ms - worker.seen_ms))),
            Cell::from(running.join(" ")),
            Cell::from(labels.join(" ")),
        ]);
    }
    table
}
