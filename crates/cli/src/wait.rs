//! `polyphemus wait`: until jobs are over.

use crate::failure::Exit;
use crate::job_ref::{Found, JobRef};
use crate::server::ServerArg;
use crate::submit::verdict;
use crate::{Failure, follow, out};
use futures::{StreamExt as _, TryStreamExt as _};
use polyphemus_api::job::Job;
use std::process::ExitCode;
use std::time::Duration;

/// Connections held open at the same time.
const AT_ONCE: usize = 32;

/// Wait until jobs are over; the exit code is 0 only if all are done.
///
/// Prints `ID STATE` for each when it is over. When --timeout ends first, the exit code is 124.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids of jobs, addresses of their pages, or `last`
    #[arg(value_name = "ID", required = true)]
    jobs: Vec<JobRef>,
    /// Wait no longer than this
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Print one JSON document: the list of the jobs, in the order of the ids
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArg,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let waiting = wait_for_all(&args);
    let jobs = match args.timeout {
        None => waiting.await?,
        Some(seconds) => match tokio::time::timeout(Duration::from_secs(seconds), waiting).await {
            Ok(jobs) => jobs?,
            Err(_) => {
                let message = format!(
                    "after {seconds} s not all jobs are over; they go on, and `polyphemus jobs` shows where they are"
                );
                return Err(Failure::NotInTime(message));
            }
        },
    };
    if args.json {
        out::json(&jobs)?;
    }
    let worst = jobs
        .iter()
        .map(|job| verdict(job.state))
        .find(|exit| *exit != Exit::Good);
    Ok(worst.unwrap_or(Exit::Good).into())
}

async fn wait_for_all(args: &Args) -> Result<Vec<Job>, Failure> {
    let mut found = Vec::new();
    for job in &args.jobs {
        found.push(job.find(&args.server).await?);
    }
    let mut jobs: Vec<(usize, Job)> = futures::stream::iter(found.iter().enumerate())
        .map(|(index, found)| async move { wait_for(found, args.json).await.map(|job| (index, job)) })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    jobs.sort_unstable_by_key(|(index, _)| *index);
    Ok(jobs.into_iter().map(|(_, job)| job).collect())
}

async fn wait_for(found: &Found, as_json: bool) -> Result<Job, Failure> {
    let Found { server, id } = found;
    // Entered again just after its end, a job is at work again: its end is still to come.
    let job = loop {
        follow::end(&server.client, id).await?;
        let job = follow::job(&server.client, id).await?;
        if job.state.is_terminal() {
            break job;
        }
    };
    if !as_json {
        out::line(&format!("{id} {}", job.state))?;
    }
    Ok(job)
}
