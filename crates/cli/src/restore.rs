//! `polyphemus restore`: an instance made of a backup.

use crate::config::InstanceArg;
use crate::failure::Exit;
use crate::moment::{moment, size};
use crate::news::{Teller, refused};
use crate::{Failure, out};
use jiff::tz::TimeZone;
use polyphemus_server::care::restore;
use std::path::PathBuf;
use std::process::ExitCode;

/// Restore the newest complete backup into an empty folder.
///
/// Jobs that were at work when the backup was made are queued again. Broken off, the same command goes
/// on with it; until it has ended well, no server starts on the folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the backups
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    #[command(flatten)]
    instance: InstanceArg,
    /// Print one JSON document with the sums
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let instance = args.instance.absolute()?;
    let mut teller = Teller::new(args.json);
    let restored = restore(&args.backup, &instance, &mut |news| teller.tell(news)).await;
    teller.end()?;
    let restored = restored.map_err(refused(
        "the backup was not restored to the end; the same command goes on with it",
    ))?;
    if restored.newer_unfinished {
        out::note("note: a newer backup was begun in that folder and never finished; this is the one before");
    }
    if args.json {
        out::json(&restored)?;
    } else {
        let folder = instance.display();
        out::line(&format!(
            "{} jobs are restored in {folder} as of {}: {} contents ({} copied), {} stages queued again\n\
             next: polyphemus fsck --instance {folder}, then polyphemus serve --instance {folder}",
            restored.jobs,
            moment(restored.taken_ms, &TimeZone::system()),
            restored.contents,
            size(restored.content_bytes),
            restored.queued_again,
        ))?;
    }
    Ok(Exit::Good.into())
}
