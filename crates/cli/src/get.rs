//! `polyphemus get`: files of a job, verified.

pub mod choice;
mod download;
pub mod place;
mod running;

use crate::failure::Exit;
use crate::job_ref::JobRef;
use crate::moment::{count, size};
use crate::out::{self, Sink};
use crate::server::ServerArg;
use crate::{Failure, progress};
use download::Download;
use futures::{StreamExt as _, TryStreamExt as _};
use polyphemus_api::job::JobFile;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Files on their way at the same time: enough to hide the way there and back for small ones.
const AT_ONCE: usize = 6;

/// Get files of a job, all or the named ones.
///
/// Each is checked against its BLAKE3 hash before it appears under its name, which it does at once
/// and whole; a file of the same name is replaced. Nothing is ever written outside of DIR.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A job's id, the address of its page, or `last`
    #[arg(value_name = "ID")]
    job: JobRef,
    /// Files, directories or globs, as `polyphemus files` lists them [default: all]
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Where to put them; `-` prints one file [default: a directory named as the job]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Get those of the stage that runs now, as they are at this moment; there is no hash to check them by
    #[arg(long)]
    running: bool,
    #[command(flatten)]
    server: ServerArg,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus get last                          all files, into a directory named as the job
  polyphemus get last '**/*.bin' -o results    the bitstreams, into results/
  polyphemus get last build/stat.json -o - | jq .
  polyphemus get last --running build/yosys.log -o -     while it is being written";

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let found = args.job.find(&args.server).await?;
    if args.running {
        running::get(&found, &args.paths, args.output.as_deref()).await?;
        return Ok(Exit::Good.into());
    }
    let files = found.server.client.files(&found.id).await?;
    let chosen = choice::choose(&files.files, &args.paths)?;
    let total_bytes = chosen.iter().map(|file| file.size_bytes).sum();
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    let download = Download {
        client: found.server.client.clone(),
        id: found.id.clone(),
        bar: progress::bytes("downloading", Some(total_bytes)),
    };
    if to_stdout {
        print(&download, &chosen).await?;
    } else {
        let folder = args.output.unwrap_or_else(|| found.id.as_str().into());
        store(&download, &folder, &chosen).await?;
        out::note(&format!(
            "{}, {}, all as their BLAKE3 hashes say, in {}",
            count(chosen.len(), "file"),
            size(total_bytes),
            folder.display()
        ));
    }
    Ok(Exit::Good.into())
}

async fn store(download: &Download, folder: &Path, files: &[&JobFile]) -> Result<(), Failure> {
    // All paths are judged before the first is written.
    let places: Vec<PathBuf> = files
        .iter()
        .map(|file| place::place(folder, &file.path))
        .collect::<Result<_, _>>()?;
    let outcome = futures::stream::iter(files.iter().zip(places))
        .map(|(file, place)| async move {
            place::make_folders(folder, &file.path)?;
            download.store(file, &place).await
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await;
    download.bar.finish_and_clear();
    outcome
}

async fn print(download: &Download, files: &[&JobFile]) -> Result<(), Failure> {
    let [file] = files else {
        return Err(not_one(files.len()));
    };
    download.bar.finish_and_clear();
    download.print(file, &mut Sink::stdout()).await?;
    out::note(&format!("{}: as its BLAKE3 hash says", file.path));
    Ok(())
}

fn not_one(files: usize) -> Failure {
    Failure::Usage(format!(
        "`-o -` prints one file, but {files} are chosen: name one of those that `polyphemus files` lists"
    ))
}
