//! `polyphemus delete`: deletes jobs for good.

use crate::Failure;
use crate::failure::Exit;
use crate::job_ref::JobRef;
use crate::out;
use crate::server::ServerArg;
use polyphemus_core::JobId;
use std::process::ExitCode;

/// Delete jobs with their logs and files. Each is asked for, also when one before it cannot be deleted.
///
/// Only a job that is over can be deleted; with --cancel one that is not is cancelled first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids of jobs, addresses of their pages, or `last`
    #[arg(value_name = "ID", required = true)]
    jobs: Vec<JobRef>,
    /// Cancel what is not over
    #[arg(long)]
    cancel: bool,
    /// Print one JSON document: the list of the ids that are deleted
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArg,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let mut deleted = Vec::new();
    let mut exit = ExitCode::from(Exit::Good);
    for job in &args.jobs {
        match delete(job, &args).await {
            Ok(id) => {
                if !args.json {
                    out::line(&format!("{id} deleted"))?;
                }
                deleted.push(id);
            }
            Err(failure) => exit = out::failure(&failure),
        }
    }
    if args.json {
        out::json(&deleted)?;
    }
    Ok(exit)
}

async fn delete(job: &JobRef, args: &Args) -> Result<JobId, Failure> {
    let found = job.find(&args.server).await?;
    found.server.client.delete(&found.id, args.cancel).await?;
    Ok(found.id)
}
