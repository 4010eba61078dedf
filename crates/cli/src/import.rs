//! `polyphemus import`: an instance of the original is taken over.

use crate::config::{InstanceArg, of_instance};
use crate::failure::Exit;
use crate::news::{Teller, refused};
use crate::{Failure, out};
use polyphemus_server::care::import;
use polyphemus_server::config::Settings;
use polyphemus_server::config::load::FILE_NAME;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Take over the jobs of the original Polyphemus, with their logs and files.
///
/// Jobs keep their ids, names, times, states, options. The source is only read. Jobs that were unfinished
/// there come as failed; `polyphemus retry` runs those whose toolchain is to be had here. A second run
/// adds what is new. Exit code 1: some jobs could not be taken over, or not whole; each is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The original's instance directory: what its POLYPHEMUS_DIR names
    #[arg(value_name = "DIR")]
    source: PathBuf,
    #[command(flatten)]
    instance: InstanceArg,
    /// Copy its polyphemus.cfg, too, if all of it can be read and there is none yet
    #[arg(long)]
    settings: bool,
    /// Print JSON: a line for each finding, then a document with the sums
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus import /srv/original/instance --instance /srv/polyphemus --settings";

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let folder = args.instance.absolute()?;
    let settings = of_instance(&folder)?;
    let taken = settings_of(&args, &folder)?;
    let mut teller = Teller::new(args.json);
    let mut told = 0;
    let imported = import(&args.source, &settings.values.config(folder), &mut |news| {
        told += u64::from(matches!(news, polyphemus_server::care::News::Found(_)));
        teller.tell(news);
    })
    .await;
    teller.end()?;
    let imported = imported.map_err(refused(
        "the import did not come to its end; the same command goes on with it",
    ))?;
    if args.json {
        out::json(&imported)?;
    } else {
        out::line(&format!(
            "{} jobs are imported ({} of them unfinished), {} were there already, {} could not be taken over",
            imported.imported, imported.unfinished, imported.known, imported.faulty
        ))?;
    }
    out::note(&taken);
    Ok(match told {
        0 => Exit::Good.into(),
        _ => Exit::JobFailed.into(),
    })
}

/// Checks the original's settings, copies them on request, and says what came of it.
fn settings_of(args: &Args, instance: &Path) -> Result<String, Failure> {
    let (from, to) = (args.source.join(FILE_NAME), instance.join(FILE_NAME));
    if !from.exists() {
        return Ok("settings: the original has no polyphemus.cfg; the defaults hold".to_owned());
    }
    let checked = match Settings::load(&args.source, []) {
        Ok(checked) => checked,
        // The plans of the jobs depend on them, and a second import takes nothing over again.
        Err(error) if args.settings => {
            return Err(Failure::Usage(format!(
                "the settings cannot be copied, so nothing was imported: {error}; put a corrected copy at {} and \
                 import without --settings",
                to.display()
            )));
        }
        Err(error) => {
            return Ok(format!(
                "settings: not copied: {error}; correct that in a copy of it at {}",
                to.display()
            ));
        }
    };
    if !args.settings {
        return Ok("settings: its polyphemus.cfg can be used as it is; --settings copies it".to_owned());
    }
    if to.exists() {
        return Ok(format!(
            "settings: not copied, for {} is there already",
            to.display()
        ));
    }
    std::fs::create_dir_all(instance)
        .and_then(|()| std::fs::copy(&from, &to))
        .map_err(|error| Failure::local(format!("{} cannot be written", to.display()), error))?;
    let mut said = format!("settings: copied to {}", to.display());
    for note in checked.notes() {
        said.push_str(&format!("\n  {note}"));
    }
    Ok(said)
}
