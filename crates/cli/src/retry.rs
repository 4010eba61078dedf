//! `polyphemus retry`: enters a job again.

use crate::Failure;
use crate::failure::Exit;
use crate::job_ref::JobRef;
use crate::out;
use crate::server::ServerArg;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use polyphemus_core::StageName;
use std::process::ExitCode;

/// Enter a job again, from the stage that did not succeed or from another; earlier stages stand.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A job's id, the address of its page, or `last`
    #[arg(value_name = "ID")]
    job: JobRef,
    /// The stage to begin with
    #[arg(long, value_name = "STAGE", value_parser = stage_names())]
    from: Option<StageName>,
    /// Print the job as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArg,
}

/// Understands the names of stages, and lists them where another word stands.
fn stage_names() -> impl clap::builder::TypedValueParser<Value = StageName> {
    PossibleValuesParser::new(StageName::ALL.map(StageName::as_str))
        .try_map(|word| StageName::parse(&word).ok_or("there is no such stage"))
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let found = args.job.find(&args.server).await?;
    let job = found.server.client.retry(&found.id, args.from).await?;
    if args.json {
        out::json(&job)?;
    } else {
        out::line(&format!("{} {}", job.id, job.state))?;
        let hint = found
            .server
            .command(&format!("logs {} --follow --from {}", job.id, job.log_bytes));
        out::note(&format!("watch it with: {hint}"));
    }
    Ok(Exit::Good.into())
}
