//! `polyphemus show`: one job, whole.

use crate::Failure;
use crate::failure::Exit;
use crate::job_ref::JobRef;
use crate::moment::{duration, now_ms};
use crate::server::ServerArg;
use crate::table::{Cell, Paint, Table};
use crate::{card, neutral, out};
use polyphemus_api::job::{Job, JobStage};
use std::process::ExitCode;

/// Show a job: its state, cause, numbers, stages and options.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A job's id, the address of its page, or `last`
    #[arg(value_name = "ID")]
    job: JobRef,
    /// Print the job as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArg,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let found = args.job.find(&args.server).await?;
    let job = found.server.client.job(&found.id).await?;
    if args.json {
        out::json(&job)?;
        return Ok(Exit::Good.into());
    }
    let palette = out::stdout_palette();
    let mut text = card::render(&job, &found.server, palette);
    text.push('\n');
    text.push_str(&stages(&job, now_ms()).render(palette));
    for (title, pairs) in [("options", &job.options), ("decided for you", &job.decisions)] {
        if !pairs.is_empty() {
            text.push_str(&format!("\n{}\n", palette.bold(title)));
        }
        for (name, value) in pairs {
            text.push_str(&format!("  {} = {}\n", neutral::line(name), neutral::line(value)));
        }
    }
    out::bytes(text.as_bytes())?;
    Ok(Exit::Good.into())
}

/// What became of each stage up to a moment.
pub fn stages(job: &Job, now_ms: i64) -> Table {
    let mut table = Table::new(&["STAGE", "STATE", "ATTEMPTS", "TOOK", "WORKER", "NEEDS"]);
    for stage in &job.stages {
        let needs: Vec<&str> = stage.needs.iter().map(|need| need.0.as_str()).collect();
        let worker = stage.worker.as_ref().map(|worker| worker.0.as_str());
        table.row([
            Cell::from(stage.name.as_str()),
            Cell::painted(&stage.state, paint(stage)),
            Cell::from(stage.attempts.to_string()),
            Cell::from(took(stage, now_ms)),
            Cell::from(worker.unwrap_or_default()),
            Cell::from(needs.join(" ")),
        ]);
    }
    table
}

fn took(stage: &JobStage, now_ms: i64) -> String {
    match stage.started_ms {
        Some(started_ms) => duration(stage.finished_ms.unwrap_or(now_ms) - started_ms),
        None => String::new(),
    }
}

fn paint(stage: &JobStage) -> Paint {
    match stage.state.as_str() {
        "succeeded" => Paint::Good,
        "failed" | "cancelled" => Paint::Bad,
        "running" => Paint::Busy,
        _ => Paint::Dim,
    }
}
