//! `polyphemus jobs`: the jobs of a server, newest first.

use crate::Failure;
use crate::failure::Exit;
use crate::moment::{duration, moment, now_ms, past};
use crate::out;
use crate::server::ServerArg;
use crate::table::{Cell, Paint, Table};
use clap::builder::PossibleValuesParser;
use jiff::tz::TimeZone;
use polyphemus_api::job::{JobQuery, JobRow};
use polyphemus_core::JobState;
use polyphemus_core::flow::Flow;
use std::process::ExitCode;

/// List the jobs, newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only jobs in this state; may be repeated, or a list: failed,cancelled
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = PossibleValuesParser::new(JobState::ALL.map(JobState::as_str)))]
    state: Vec<String>,
    /// Only jobs of this flow
    #[arg(long, value_name = "FLOW", value_parser = PossibleValuesParser::new(Flow::ALL.map(Flow::as_str)))]
    flow: Option<String>,
    /// Only jobs that are called exactly so
    #[arg(long, value_name = "TITLE", conflicts_with_all = ["state", "flow"])]
    name: Option<String>,
    /// Only jobs handed in since then: `2h`, `3 days`, `2026-11-22`, `2026-11-22T10:30`
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<i64>,
    /// Only jobs handed in before then, written in the same ways
    #[arg(long, value_name = "TIME", value_parser = past)]
    until: Option<i64>,
    /// The page before this cursor, which the page after it names
    #[arg(long, value_name = "CURSOR")]
    before: Option<i64>,
    /// Print one JSON document: {"jobs": […], "next": CURSOR}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArg,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus jobs --state failed,cancelled --since 1d
  polyphemus jobs --limit 1000 --json | jq -r '.jobs[].id'";

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let server = args.server.connect()?;
    let query = JobQuery {
        limit: Some(args.limit),
        before: args.before,
        state: (!args.state.is_empty()).then(|| args.state.join(",")),
        flow: args.flow.clone(),
        title: args.name.clone(),
        since_ms: args.since,
        until_ms: args.until,
    };
    let page = server.client.jobs(&query).await?;
    if args.json {
        out::json(&page)?;
        return Ok(Exit::Good.into());
    }
    if page.jobs.is_empty() {
        out::note("there is no such job; hand one in with `polyphemus submit PATH`");
        return Ok(Exit::Good.into());
    }
    let table = table(&page.jobs, now_ms(), &TimeZone::system());
    out::bytes(table.render(out::stdout_palette()).as_bytes())?;
    if let Some(next) = page.next {
        out::note(&format!(
            "more: {}",
            server.command(&format!("jobs --before {next}"))
        ));
    }
    Ok(Exit::Good.into())
}

/// The list at a moment, with times of a zone.
pub fn table(jobs: &[JobRow], now_ms: i64, zone: &TimeZone) -> Table {
    let mut table = Table::new(&["ID", "STATE", "MODE", "SUBMITTED", "TOOK", "TITLE"]);
    for job in jobs {
        let took = duration(job.finished_ms.unwrap_or(now_ms) - job.submitted_ms);
        table.row([
            Cell::from(job.id.as_str()),
            Cell::painted(job.state.as_str(), paint(job.state)),
            Cell::from(&job.mode),
            Cell::from(moment(job.submitted_ms, zone)),
            Cell::from(took),
            Cell::from(&job.title),
        ]);
    }
    table
}

pub fn paint(state: JobState) -> Paint {
    match state {
        JobState::Done => Paint::Good,
        JobState::Failed | JobState::Cancelled => Paint::Bad,
        _ => Paint::Busy,
    }
}
