//! `polyphemus files`: what a job has left behind.

use crate::Failure;
use crate::failure::Exit;
use crate::job_ref::{Found, JobRef};
use crate::moment::{count, duration, now_ms, size};
use crate::out;
use crate::server::ServerArg;
use crate::table::{Cell, Table};
use polyphemus_api::job::JobFile;
use polyphemus_api::running::RunningFile;
use std::process::ExitCode;

/// List the files of a job: of its latest stage that left any, else of the upload.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A job's id, the address of its page, or `last`
    #[arg(value_name = "ID")]
    job: JobRef,
    /// List those of the stage that runs now; they may change or vanish until it has ended
    #[arg(long)]
    running: bool,
    /// Print one JSON document: {"tree", "of", "files": […]}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArg,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let found = args.job.find(&args.server).await?;
    if args.running {
        return running(&found, args.json).await;
    }
    let files = found.server.client.files(&found.id).await?;
    if args.json {
        out::json(&files)?;
        return Ok(Exit::Good.into());
    }
    out::bytes(table(&files.files).render(out::stdout_palette()).as_bytes())?;
    let total_bytes = files.files.iter().map(|file| file.size_bytes).sum();
    let get = found.server.command(&format!("get {}", found.id));
    out::note(&format!(
        "{} of {}, {}; get them with: {get}",
        count(files.files.len(), "file"),
        files.of,
        size(total_bytes)
    ));
    Ok(Exit::Good.into())
}

async fn running(found: &Found, json: bool) -> Result<ExitCode, Failure> {
    let files = found.server.client.running_files(&found.id).await?;
    if json {
        out::json(&files)?;
        return Ok(Exit::Good.into());
    }
    out::bytes(
        running_table(&files.files, now_ms())
            .render(out::stdout_palette())
            .as_bytes(),
    )?;
    let total_bytes = files.files.iter().map(|file| file.size_bytes).sum();
    let get = found.server.command(&format!("get {} --running", found.id));
    out::note(&format!(
        "{}{} of {}, attempt {}, which still runs, {}; get them as they are with: {get}",
        if files.truncated { "the first " } else { "" },
        count(files.files.len(), "file"),
        files.stage,
        files.attempt,
        size(total_bytes)
    ));
    Ok(Exit::Good.into())
}

/// Files that are not committed, at a moment.
pub fn running_table(files: &[RunningFile], now_ms: i64) -> Table {
    let mut table = Table::new(&["SIZE", "MODE", "CHANGED", "PATH"]);
    for file in files {
        table.row([
            Cell::from(size(file.size_bytes)),
            Cell::from(if file.executable { "x" } else { "-" }),
            Cell::from(format!("{} ago", duration((now_ms - file.modified_ms).max(0)))),
            Cell::from(&file.path),
        ]);
    }
    table
}

/// The hash is enough to tell files apart, not to verify them; `--json` has it whole.
pub fn table(files: &[JobFile]) -> Table {
    let mut table = Table::new(&["SIZE", "MODE", "BLAKE3", "PATH"]);
    for file in files {
        table.row([
            Cell::from(size(file.size_bytes)),
            Cell::from(if file.executable { "x" } else { "-" }),
            Cell::from(&file.hash.as_str()[..12]),
            Cell::from(&file.path),
        ]);
    }
    table
}
