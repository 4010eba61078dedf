//! `polyphemus doctor`: is this machine fit for its part, and what to do where it is not?

mod instance;
mod machine;
mod server;
mod tools;

use crate::config::InstanceArg;
use crate::failure::Exit;
use crate::neutral;
use crate::server::ServerArg;
use crate::{Failure, out};
use polyphemus_server::config::Settings;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// Look this machine over: tools, sandbox, disks, permissions, settings, boards, clock, server.
///
/// Each line says ok, warn or fail, and what to do. Exit code 1: something fails.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    instance: InstanceArg,
    #[command(flatten)]
    server: ServerArg,
    /// The folder of workspaces, of which disk and sandbox are tried [default: work/ in the instance]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Print one JSON document: the list of the lines
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus doctor --instance /srv/polyphemus
  polyphemus doctor --server http://fpga.example.org:8000 --folder /var/lib/polyphemus    on a worker's machine";

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Ok,
    /// It works, but not as well as it could, or not for everybody.
    Warn,
    Fail,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub health: Health,
    /// What was looked at.
    pub of: String,
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Line {
    fn ok(of: &str, what: impl Into<String>) -> Self {
        Self::new(Health::Ok, of, what.into(), None)
    }

    fn warn(of: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Health::Warn, of, what.into(), Some(remedy.into()))
    }

    fn fail(of: &str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Health::Fail, of, what.into(), Some(remedy.into()))
    }

    fn new(health: Health, of: &str, what: String, remedy: Option<String>) -> Self {
        Self {
            health,
            of: of.to_owned(),
            what,
            remedy,
        }
    }
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let instance = args.instance.absolute()?;
    let folder = args.folder.clone().unwrap_or_else(|| instance.join("work"));
    let settings = Settings::load(&instance, std::env::vars_os());
    let required = settings
        .as_ref()
        .is_ok_and(|settings| settings.values.sandbox == "required");
    let mut lines = instance::lines(&instance, &folder, &settings).await;
    lines.extend(tools::lines(&folder, required).await);
    lines.extend(machine::lines());
    lines.extend(server::lines(&args.server).await);
    if args.json {
        out::json(&lines)?;
    } else {
        for line in &lines {
            out::line(&shown(line))?;
        }
    }
    let worst = lines.iter().map(|line| line.health).max();
    Ok(match worst {
        Some(Health::Fail) => Exit::JobFailed.into(),
        _ => Exit::Good.into(),
    })
}

fn shown(line: &Line) -> String {
    let palette = out::stdout_palette();
    let word = match line.health {
        Health::Ok => palette.good("ok  "),
        Health::Warn => palette.busy("warn"),
        Health::Fail => palette.bad("fail"),
    };
    let mut text = format!("{word}  {}: {}", line.of, neutral::line(&line.what));
    if let Some(remedy) = &line.remedy {
        text.push_str(&format!("\n      {}", neutral::line(remedy)));
    }
    text
}
