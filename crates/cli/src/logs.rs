//! `polyphemus logs`: a job's log, as it is or as it grows.

use crate::Failure;
use crate::failure::Exit;
use crate::follow;
use crate::job_ref::JobRef;
use crate::out::Sink;
use crate::server::ServerArg;
use futures::TryStreamExt as _;
use std::pin::pin;
use std::process::ExitCode;

/// Print a job's log.
///
/// As it is where a file or program reads it; on a terminal without control characters, for a log
/// says what a job's programs like. `polyphemus wait` gives the job's verdict.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A job's id, the address of its page, or `last`
    #[arg(value_name = "ID")]
    job: JobRef,
    /// Go on until the job is over
    #[arg(short, long)]
    follow: bool,
    /// Begin at this byte
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    from: u64,
    #[command(flatten)]
    server: ServerArg,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let found = args.job.find(&args.server).await?;
    let mut sink = Sink::stdout();
    if args.follow {
        follow::log(&found.server.client, &found.id, args.from, &mut sink).await?;
    } else {
        let mut chunks = pin!(found.server.client.log(&found.id, args.from).await?);
        while let Some(chunk) = chunks.try_next().await? {
            sink.write(&chunk)?;
        }
        sink.end()?;
    }
    Ok(Exit::Good.into())
}
