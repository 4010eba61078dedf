//! `polyphemus config`: the settings that hold, and where each comes from. And how roles read them.

use crate::failure::Exit;
use crate::table::{Cell, Paint, Table};
use crate::{Failure, out};
use polyphemus_server::config::python::Value;
use polyphemus_server::config::{Effective, Origin, Settings, SettingsError, load};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Show the settings of an instance, and where each comes from.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    instance: InstanceArg,
    /// Print one JSON document: {"instance": …, "settings": […], "notes": […]}
    #[arg(long)]
    json: bool,
    /// Print the file of all settings with their defaults and meanings, to copy from
    #[arg(long, conflicts_with = "json")]
    example: bool,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus config --instance /srv/polyphemus
  POLYPHEMUS_LEASE_SECONDS=60 polyphemus config
  polyphemus config --example

Settings are in polyphemus.cfg in the instance directory. A variable POLYPHEMUS_NAME goes before
the setting NAME of the file, an option of `polyphemus serve` before both.";

/// Where everything is kept.
#[derive(Debug, clap::Args)]
pub struct InstanceArg {
    /// Where everything is kept
    #[arg(
        long,
        value_name = "DIR",
        env = "POLYPHEMUS_DIR",
        hide_env_values = true,
        default_value = "instance"
    )]
    instance: PathBuf,
}

impl InstanceArg {
    pub fn absolute(&self) -> Result<PathBuf, Failure> {
        std::path::absolute(&self.instance)
            .map_err(|error| Failure::local(format!("{} cannot be used", self.instance.display()), error))
    }
}

/// The settings of an instance, with what the environment says.
pub fn of_instance(instance: &Path) -> Result<Settings, Failure> {
    Settings::load(instance, std::env::vars_os()).map_err(refused)
}

/// The settings of a role without an instance: defaults and the environment.
pub fn of_environment() -> Result<Settings, Failure> {
    Settings::without_instance(std::env::vars_os()).map_err(refused)
}

fn refused(error: SettingsError) -> Failure {
    let what = error.to_string();
    match error {
        SettingsError::Unreadable { source, .. } => Failure::local(what, source),
        _ => Failure::Usage(what),
    }
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    instance: String,
    settings: Vec<Row<'a>>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'static str,
    value: &'a Value,
    from: Place<'a>,
    meaning: &'static str,
    allowed: &'static str,
    /// Why it changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Place<'a> {
    Default,
    File { path: String, line: usize },
    Environment { variable: &'a str },
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    if args.example {
        out::bytes(load::DEFAULTS.as_bytes())?;
        return Ok(Exit::Good.into());
    }
    let instance = args.instance.absolute()?;
    let settings = of_instance(&instance)?;
    if args.json {
        out::json(&Document {
            instance: instance.display().to_string(),
            settings: settings.effective().map(row).collect(),
            notes: settings.notes(),
        })?;
        return Ok(Exit::Good.into());
    }
    out::bytes(
        table(&settings, &instance)
            .render(out::stdout_palette())
            .as_bytes(),
    )?;
    for note in settings.notes() {
        out::note(&format!("note: {note}"));
    }
    Ok(Exit::Good.into())
}

fn row(one: Effective<'_>) -> Row<'_> {
    Row {
        name: one.setting.name,
        value: one.value,
        from: match one.origin {
            Origin::Default => Place::Default,
            Origin::File { path, line } => Place::File {
                path: path.display().to_string(),
                line: *line,
            },
            Origin::Environment { variable } => Place::Environment { variable },
        },
        meaning: one.setting.meaning,
        allowed: one.setting.allowed,
        idle: one.setting.idle,
    }
}

/// Settings that change nothing are listed, too: dimmed, and with the word.
fn table(settings: &Settings, instance: &Path) -> Table {
    let mut table = Table::new(&["SETTING", "VALUE", "FROM", "EFFECT"]);
    for one in settings.effective() {
        let from = match one.origin {
            Origin::File { path, line } => {
                let path = path.strip_prefix(instance).unwrap_or(path);
                format!("{}:{line}", path.display())
            }
            Origin::Environment { variable } => variable.clone(),
            Origin::Default => "default".to_owned(),
        };
        let (paint, effect) = match one.setting.idle {
            None => (Paint::Plain, ""),
            Some(_) => (Paint::Dim, "none"),
        };
        table.row([
            Cell::painted(one.setting.name, paint),
            Cell::painted(one.value.to_string(), paint),
            Cell::painted(from, paint),
            Cell::painted(effect, paint),
        ]);
    }
    table
}
