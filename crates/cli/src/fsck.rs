//! `polyphemus fsck`: is everything in an instance as it should be?

use crate::config::InstanceArg;
use crate::failure::Exit;
use crate::moment::size;
use crate::news::{Teller, refused};
use crate::{Failure, out};
use polyphemus_server::care::{Checked, Instance, check};
use serde::Serialize;
use std::process::ExitCode;

/// Check an instance: every content against its hash, every reference, every log, the database.
///
/// Works beside a running server, too, and changes nothing unless told to. Exit code 0: all is as it
/// should be, or was mended; 1: something is not.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    instance: InstanceArg,
    /// Mend what can be mended; no server may run on the instance. Damaged contents are moved to
    /// quarantine/ in it, and the logs of the jobs concerned tell of the damage
    #[arg(long)]
    repair: bool,
    /// Print JSON, a line for each finding and one for the sums: {"finding": …}, {"checked": …}
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus fsck --instance /srv/polyphemus
  polyphemus fsck --instance /srv/polyphemus --repair      with the server stopped";

#[derive(Debug, Serialize)]
struct Sums {
    checked: Checked,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let failed = refused("the instance could not be checked to the end");
    let instance = args.instance.absolute()?;
    let instance = Instance::open(&instance)
        .await
        .map_err(refused("the instance cannot be checked"))?;
    if let Some(process) = instance.served_by() {
        out::note(&format!(
            "note: checked beside the server that runs on it, process {process}"
        ));
    }
    let mut teller = Teller::new(args.json);
    let checked = check(&instance, args.repair, &mut |news| teller.tell(news)).await;
    teller.end()?;
    let checked = checked.map_err(failed)?;
    instance.close().await;
    if args.json {
        let sums = serde_json::to_string(&Sums { checked })
            .map_err(|error| Failure::local("the sums cannot be written as JSON", error.into()))?;
        out::line(&sums)?;
    } else {
        out::line(&sentence(&checked))?;
    }
    Ok(match checked.findings - checked.repaired {
        0 => Exit::Good.into(),
        _ => Exit::JobFailed.into(),
    })
}

fn sentence(checked: &Checked) -> String {
    let Checked {
        jobs,
        contents,
        content_bytes,
        log_bytes,
        findings,
        repaired,
    } = checked;
    let all = format!(
        "{jobs} jobs, {contents} contents ({}) and {} of logs were checked",
        size(*content_bytes),
        size(*log_bytes)
    );
    match (findings, repaired) {
        (0, _) => format!("{all}: all is as it should be"),
        (found, 0) => format!("{all}: {found} findings"),
        (found, mended) => format!("{all}: {found} findings, {mended} mended"),
    }
}
