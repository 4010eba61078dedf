//! `polyphemus cancel`: ends jobs.

use crate::Failure;
use crate::failure::Exit;
use crate::job_ref::JobRef;
use crate::out;
use crate::server::ServerArg;
use polyphemus_api::job::Job;
use std::process::ExitCode;

/// Cancel jobs. Each is asked for, also when one before it cannot be cancelled.
///
/// A stage at work is ended by its worker; `polyphemus wait` waits for that.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids of jobs, addresses of their pages, or `last`
    #[arg(value_name = "ID", required = true)]
    jobs: Vec<JobRef>,
    /// Print one JSON document: the list of the jobs that are cancelled
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArg,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let mut cancelled = Vec::new();
    let mut exit = ExitCode::from(Exit::Good);
    for job in &args.jobs {
        match cancel(job, &args.server).await {
            Ok(job) => {
                if !args.json {
                    out::line(&format!("{} {}", job.id, word(&job)))?;
                }
                cancelled.push(job);
            }
            Err(failure) => exit = out::failure(&failure),
        }
    }
    if args.json {
        out::json(&cancelled)?;
    }
    Ok(exit)
}

async fn cancel(job: &JobRef, server: &ServerArg) -> Result<Job, Failure> {
    let found = job.find(server).await?;
    Ok(found.server.client.cancel(&found.id).await?)
}

fn word(job: &Job) -> &'static str {
    if job.state.is_terminal() {
        job.state.as_str()
    } else {
        "cancelling"
    }
}
