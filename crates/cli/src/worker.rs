//! `polyphemus worker`: works for a server, from this machine or another.

use crate::failure::Exit;
use crate::logging::LogArg;
use crate::notify::Notifier;
use crate::server::ServerArg;
use crate::simulate::SimulateArg;
use crate::{Failure, config, stop};
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use polyphemus_api::Address;
use polyphemus_api::address::socket_of;
use polyphemus_artifacts::workspace::UsageLimits;
use polyphemus_core::StageName;
use polyphemus_core::flow::VENDOR_VARIABLES;
use polyphemus_server::config::Settings;
use polyphemus_server::config::values::Values;
use polyphemus_worker::{Config, Pulse, Sandbox};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// A slot that does not get on for so long is stuck.
const STUCK: Duration = Duration::from_secs(30);

/// Work for a server, with this machine's tools and boards.
///
/// SIGTERM or Ctrl-C ends it in peace: it takes no further stage; running ones may end within --drain,
/// and are then handed back to the server, which gives them to another worker. A second one ends it at
/// once.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The instance directory of a server on this machine: works through the socket in it, by its
    /// settings, and moves files instead of sending them [default: the variable POLYPHEMUS_DIR]
    #[arg(value_name = "DIR", conflicts_with = "server")]
    instance: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArg,
    /// Its name, unique among the workers of the server [default: HOST-PID]
    #[arg(long, value_name = "NAME", value_parser = worker_name)]
    name: Option<String>,
    /// For workspaces, fetched files and the locks of the boards: all workers of a machine should
    /// have the same [default: work/ in DIR, else polyphemus/ in XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Take one stage, do it, and end
    #[arg(long)]
    once: bool,
    /// Take only these stages; also by the original's names: unpack, make_f1, make_sdsoc, exec_f1,
    /// exec_zynq [default: all]
    #[arg(short, long, value_name = "STAGE", num_args = 1.., value_parser = stage_words())]
    stages: Vec<StageWord>,
    /// Changes nothing: work comes as soon as there is some. The original's workers looked for it
    #[arg(short, long)]
    poll: bool,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    log: LogArg,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus worker /srv/polyphemus                  beside a server with --no-worker
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
    #[arg(long, value_name = "N", value_parser = slots_of)]
    make_slots: Option<usize>,
    /// Runs at once that need no board [setting: RUN_SLOTS, else half of this machine's processors]
    #[arg(long, value_name = "N", value_parser = slots_of)]
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
    if args.poll {
        tracing::info!("--poll changes nothing: work comes as soon as there is some");
    }
    let stop = stop::on_signals()?;
    let Some(stages) = stages_of(&args.stages) else {
        tracing::warn!(
            "the stage `unpack` has no work any more: the server unpacks what is handed in; this worker only waits \
             for its end, and can be left out"
        );
        stop.cancelled().await;
        return Ok(Exit::Good.into());
    };
    let mut config = args.config()?;
    config.once = args.once;
    config.stages = stages;
    let notifier = Notifier::from_environment();
    let pulse = config.pulse.clone();
    let told = async {
        pulse.ready().await;
        notifier.ready();
        tokio::select! {
            never = notifier.watch(|| std::future::ready(is_alive(&pulse))) => never,
            () = stop.cancelled() => notifier.stopping().await,
        }
    };
    let worked = tokio::select! {
        // The end is told first, however fast it comes.
        biased;
        never = told => match never {},
        worked = polyphemus_worker::run(config, stop.clone()) => worked,
    };
    worked.map_err(|error| Failure::Role {
        what: "the worker failed",
        source: error.into(),
    })?;
    Ok(Exit::Good.into())
}

/// Whether all loops of the worker get on.
pub fn is_alive(pulse: &Pulse) -> Result<(), String> {
    match pulse.stuck(STUCK) {
        None => Ok(()),
        Some(slot) => Err(format!("slot {slot} of this worker is stuck")),
    }
}

impl Args {
    fn config(&self) -> Result<Config, Failure> {
        let name = self
            .name
            .clone()
            .unwrap_or_else(|| format!("{}-{}", host_name(), std::process::id()));
        let unusable = |path: &Path| {
            let what = format!("{} cannot be used", path.display());
            move |error| Failure::local(what, error)
        };
        let folder = self.folder.as_deref();
        let folder = folder.map(|folder| std::path::absolute(folder).map_err(unusable(folder)));
        let folder = folder.transpose()?;
        let Some(instance) = self.instance() else {
            let server = self.server.connect()?;
            let folder = folder.map_or_else(state_folder, Ok)?;
            let settings = config::of_environment()?;
            let mut config = self
                .work
                .config(&settings, server.client.server(), name, folder)?;
            config.token = server.client.token().cloned();
            return Ok(config);
        };
        let instance = std::path::absolute(&instance).map_err(unusable(&instance))?;
        // The server may come later; it uses the folder that is there.
        std::fs::create_dir_all(&instance).map_err(unusable(&instance))?;
        let settings = config::of_instance(&instance)?;
        let mut config = self.work.config_beside(&settings, name, &instance)?;
        config.folder = folder.unwrap_or(config.folder);
        Ok(config)
    }

    /// What was said last goes first: an argument, then `--server`, then the environment.
    fn instance(&self) -> Option<PathBuf> {
        let of_server = || {
            let server = self.server.server.as_ref()?;
            Path::new(server).is_dir().then(|| PathBuf::from(server))
        };
        let of_environment = || {
            let named = std::env::var_os("POLYPHEMUS_DIR").filter(|_| self.server.server.is_none());
            named.filter(|folder| !folder.is_empty()).map(PathBuf::from)
        };
        self.instance.clone().or_else(of_server).or_else(of_environment)
    }
}

/// A stage, by our name or the original's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StageWord {
    Is(StageName),
    /// `unpack`: the server does it.
    NoWork,
}

/// The original had a thread for each of these.
const ORIGINAL_STAGES: [(&str, StageWord); 5] = [
    ("unpack", StageWord::NoWork),
    ("make_f1", StageWord::Is(StageName::Make)),
    ("make_sdsoc", StageWord::Is(StageName::Make)),
    ("exec_f1", StageWord::Is(StageName::Run)),
    ("exec_zynq", StageWord::Is(StageName::Run)),
];

fn stage_words() -> impl TypedValueParser<Value = StageWord> {
    let ours = StageName::ALL.map(StageName::as_str).into_iter();
    PossibleValuesParser::new(ours.chain(ORIGINAL_STAGES.map(|(word, _)| word))).try_map(|word| {
        let original = || ORIGINAL_STAGES.into_iter().find(|(name, _)| *name == word);
        let ours = StageName::parse(&word).map(StageWord::Is);
        ours.or_else(|| original().map(|(_, stage)| stage))
            .ok_or("there is no such stage")
    })
}

/// `None` where only stages without work were named.
fn stages_of(words: &[StageWord]) -> Option<Vec<StageName>> {
    if words.is_empty() {
        return Some(StageName::ALL.to_vec());
    }
    let named = |stage: &StageName| words.contains(&StageWord::Is(*stage));
    let stages: Vec<StageName> = StageName::ALL.into_iter().filter(named).collect();
    (!stages.is_empty()).then_some(stages)
}

impl WorkArgs {
    /// For a worker of this machine's server of this instance: through its socket, with its blobs.
    pub fn config_beside(
        &self,
        settings: &Settings,
        name: String,
        instance: &Path,
    ) -> Result<Config, Failure> {
        let socket = Address::of_socket(&socket_of(instance));
        let mut config = self.config(settings, &socket, name, instance.join("work"))?;
        config.shared_blobs = Some(instance.join("blobs"));
        // No step may read the database, other jobs' files or their logs.
        config.hidden.push(instance.to_owned());
        Ok(config)
    }

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
        config.read_only = tool_folders(values);
        config.limits.memory_bytes = values.memory_limit_bytes.or_else(most_of_the_memory);
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

/// As many as the settings may say.
fn slots_of(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(slots @ 0..=1024) => Ok(slots),
        _ => Err("a number from 0 to 1024".to_owned()),
    }
}

/// Where tools are beside the system's folders: as the settings say, where the prefix of their commands lies,
/// and what the vendors' own variables name.
fn tool_folders(values: &Values) -> Vec<PathBuf> {
    let prefix = values.command_prefix.first().map(Path::new);
    let prefix = prefix
        .filter(|program| program.is_absolute())
        .and_then(Path::parent);
    let named = VENDOR_VARIABLES
        .iter()
        .filter_map(std::env::var_os)
        .map(PathBuf::from);
    let named = named.filter(|folder| folder.is_absolute() && folder.is_dir());
    let all = values
        .tool_folders
        .iter()
        .cloned()
        .chain(prefix.map(Path::to_owned))
        .chain(named);
    all.filter(|folder| folder.parent().is_some()).collect()
}

/// What a step may take so that the machine, and this worker on it, go on: all but a tenth, and all but 1 GiB;
/// of a machine with less than 2 GiB the half.
fn most_of_the_memory() -> Option<u64> {
    let found = rustix::system::sysinfo();
    let all = found.totalram.checked_mul(u64::from(found.mem_unit))?;
    let kept = (all / 10).max(1 << 30).min(all / 2);
    Some(all - kept)
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
