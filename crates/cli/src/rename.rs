//! `polyphemus rename`: calls a job something else.

use crate::Failure;
use crate::failure::Exit;
use crate::job_ref::JobRef;
use crate::out;
use crate::server::ServerArg;
use std::process::ExitCode;

/// Call a job something else.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A job's id, the address of its page, or `last`
    #[arg(value_name = "ID")]
    job: JobRef,
    /// What to call it
    #[arg(value_name = "TITLE")]
    title: String,
    /// Print the job as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArg,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let found = args.job.find(&args.server).await?;
    let job = found.server.client.rename(&found.id, &args.title).await?;
    if args.json {
        out::json(&job)?;
    } else {
        out::line(&crate::neutral::line(&format!("{} {}", job.id, job.title)))?;
    }
    Ok(Exit::Good.into())
}
