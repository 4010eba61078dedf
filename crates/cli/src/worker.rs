//! `polyphemus worker`: works for a server, from this machine or another.

use crate::failure::Exit;
use crate::logging::LogArg;
use crate::retry::stage_names;
use crate::server::ServerArg;
use crate::simulate::SimulateArg;
use crate::{Failure, config, stop};
use clap::ValueEnum;
use polyphemus_artifacts::workspace::UsageLimits;
use polyphemus_core::StageName;
use polyphemus_server::config::Settings;
use polyphemus_worker::{Config, Sandbox};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Work for a server, with this machine's tools and boards.
///
/// SIGTERM or Ctrl-C ends it in peace: it takes no further stage; running ones may end within --drain,
/// and are then handed back to the server, which gives them to another worker. A second one ends it at
/// once.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    server: ServerArg,
    /// Its name, unique among the workers of the server [default: HOST-PID]
    #[arg(long, value_name = "NAME", value_parser = worker_name)]
    name: Option<String>,
    /// For workspaces, fetched files and the locks of the boards: all workers of a machine should
    /// have the same [default: polyphemus/ in XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Take one stage, do it, and end
    #[arg(long)]
    once: bool,
    /// Take only these stages [default: all]
    #[arg(long, value_name = "STAGE", num_args = 1.., value_parser = stage_names())]
    stages: Vec<StageName>,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    log: LogArg,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus worker --server http://127.0.0.1:8000
  polyphemus worker --stages run --make-slots 0 --simulate ice40-hx8k:4
  ssh -f -N -L 8000:127.0.0.1:8000 SERVER && polyphemus worker    over a tunnel

POLYPHEMUS_LOG filters the log, as in POLYPHEMUS_LOG=polyphemus_worker=debug.";

/// How a worker works, wherever it is.
#[derive(Debug, clap::Args)]
pub struct WorkArgs {
    #[command(flatten)]
    simulate: SimulateArg,
    /// Builds at once [setting: PARALLELISM_MAKE, else half of this machine's processors]
    #[arg(long, value_name = "N")]
    make_slots: Option<usize>,
    /// Runs at once that need no board [setting: RUN_SLOTS, else half of this machine's processors]
    #[arg(long, value_name = "N")]
    run_slots: Option<usize>,
    /// Whether programs of jobs run in a sandbox (bubblewrap) [setting: SANDBOX, else auto]
    #[arg(long, value_name = "WHEN", value_enum)]
    sandbox: Option<SandboxArg>,
    /// Let the programs of jobs reach the network [setting: NETWORK]
    #[arg(long)]
    network: bool,
    /// When asked to stop, how long running stages may go on before they are handed back [setting: DRAIN_SECONDS, else 20]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=86_400))]
    drain: Option<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SandboxArg {
    /// Where there is one; the job says when there is not
    Auto,
    /// Never: jobs can read what this user can
    Off,
    /// Always; does not start without one
    Required,
}

impl From<SandboxArg> for Sandbox {
    fn from(sandbox: SandboxArg) -> Self {
        match sandbox {
            SandboxArg::Auto => Self::Auto,
            SandboxArg::Off => Self::Off,
            SandboxArg::Required => Self::Required,
        }
    }
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    args.log.start()?;
    let server = args.server.connect()?;
    let name = args
        .name
        .unwrap_or_else(|| format!("{}-{}", host_name(), std::process::id()));
    let folder = match args.folder {
        Some(folder) => std::path::absolute(&folder)
            .map_err(|error| Failure::local(format!("{} cannot be used", folder.display()), error))?,
        None => state_folder()?,
    };
    let settings = config::of_environment()?;
    let mut config = args
        .work
        .config(&settings, server.client.server(), name, folder)?;
    config.once = args.once;
    if !args.stages.is_empty() {
        config.stages = args.stages;
    }
    let stop = stop::on_signals()?;
    polyphemus_worker::run(config, stop)
        .await
        .map_err(|error| Failure::Role {
            what: "the worker failed",
            source: error.into(),
        })?;
    Ok(Exit::Good.into())
}

impl WorkArgs {
    /// What the command line says, else the settings.
    pub fn config(
        &self,
        settings: &Settings,
        server: &str,
        name: String,
        folder: PathBuf,
    ) -> Result<Config, Failure> {
        let values = &settings.values;
        let simulate = self.simulate.or(&values.simulate, settings.origin("SIMULATE"))?;
        let slots =
            |given: Option<usize>, set: Option<usize>| given.or(set).unwrap_or_else(half_of_the_processors);
        let mut config = Config::new(server, name, folder);
        config.devices = simulate.with_boards_of_this_machine()?;
        config.make_slots = slots(self.make_slots, values.make_slots);
        config.run_slots = slots(self.run_slots, values.run_slots);
        config.sandbox = self
            .sandbox
            .map_or_else(|| sandbox_of(settings), |given| Ok(given.into()))?;
        config.network = self.network || values.network;
        config.shutdown_wait = self.drain.map_or(values.drain, Duration::from_secs);
        config.limits.workspace = UsageLimits {
            bytes: values.workspace_limit_bytes,
            entries: values.workspace_limit_files,
        };
        config.min_free_bytes = values.min_free_bytes;
        Ok(config)
    }
}

fn sandbox_of(settings: &Settings) -> Result<Sandbox, Failure> {
    let text = &settings.values.sandbox;
    SandboxArg::from_str(text, false).map(Sandbox::from).map_err(|_| {
        let origin = settings.origin("SANDBOX");
        Failure::Usage(format!("{origin}: SANDBOX cannot be {text}"))
    })
}

fn half_of_the_processors() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}

/// This machine's name, as far as it can stand in a worker's.
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let fits = |c: char| if is_of_a_name(c) { c } else { '-' };
    let name: String = name.chars().map(fits).take(63).collect();
    if name.is_empty() { "host".to_owned() } else { name }
}

fn worker_name(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.len() <= 128 && text.chars().all(is_of_a_name) {
        return Ok(text.to_owned());
    }
    Err("a worker's name has up to 128 letters, digits, `-`, `_`, `.` and `@`".to_owned())
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@')
}

fn state_folder() -> Result<PathBuf, Failure> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|state| state.join("polyphemus"))
        .ok_or_else(|| {
            Failure::Usage(
                "there is no place for workspaces: neither XDG_STATE_HOME nor HOME is set; name one with --folder DIR"
                    .to_owned(),
            )
        })
}
