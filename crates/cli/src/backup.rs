//! `polyphemus backup`: a copy of an instance from which it can be restored.

use crate::config::InstanceArg;
use crate::failure::Exit;
use crate::moment::size;
use crate::news::{Teller, refused};
use crate::{Failure, out};
use polyphemus_server::care::{Instance, backup};
use std::path::PathBuf;
use std::process::ExitCode;

/// Back an instance up, while its server runs or not.
///
/// The copy is of one moment: database, contents, logs, settings. Into a folder with an earlier backup
/// of the same instance only what is new is copied; the two newest backups can be restored. When this
/// ends well, all of it is on the disk. Exit code 1: it is complete but for contents that are damaged
/// in the instance, which are told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The folder of the backups; made where it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    instance: InstanceArg,
    /// Read back what earlier backups have stored, too, and store anew what is damaged of it
    #[arg(long)]
    verify: bool,
    /// Print one JSON document with the sums
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus backup /mnt/backup/polyphemus --instance /srv/polyphemus
  polyphemus restore /mnt/backup/polyphemus --instance /srv/again";

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let instance = args.instance.absolute()?;
    let folder = std::path::absolute(&args.folder)
        .map_err(|error| Failure::local(format!("{} cannot be used", args.folder.display()), error))?;
    let instance = Instance::open(&instance)
        .await
        .map_err(refused("the instance cannot be backed up"))?;
    let mut teller = Teller::new(args.json);
    let made = backup(&instance, &folder, args.verify, &mut |news| teller.tell(news)).await;
    teller.end()?;
    let made = made.map_err(refused(
        "the backup was not finished, and nothing can be restored from this one",
    ))?;
    instance.close().await;
    if args.json {
        out::json(&made)?;
    } else {
        out::line(&format!(
            "{} jobs are backed up in {}: {} contents, of which {} ({}) were copied now",
            made.jobs,
            folder.display(),
            made.contents,
            made.copied,
            size(made.copied_bytes)
        ))?;
    }
    Ok(match made.damaged {
        0 => Exit::Good.into(),
        _ => Exit::JobFailed.into(),
    })
}
