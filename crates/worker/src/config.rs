//! What a worker is told at its start. The only place for its defaults.

use crate::pulse::Pulse;
use polyphemus_api::token::Secret;
use polyphemus_artifacts::Limits;
use polyphemus_artifacts::workspace::UsageLimits;
use polyphemus_core::stage::StageName;
use polyphemus_device::Device;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How a worker works.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address of the server: `http://127.0.0.1:8000`.
    pub server: String,
    /// Shown to the server with each request; not needed through a socket.
    pub token: Option<Secret>,
    /// Its own name, unique among the live workers: letters, digits, `-`, `_`, `.` and `@`.
    pub name: String,
    /// How many `make` and `afi` stages at once.
    pub make_slots: usize,
    /// How many `run` stages at once that need no board.
    pub run_slots: usize,
    /// The boards, each a slot of its own for `run` stages that need it.
    pub devices: Vec<Device>,
    /// For workspaces, spooled logs, fetched contents and the locks of the boards. All workers of a
    /// machine should have the same, since the locks are here; each has its own folder in it.
    pub folder: PathBuf,
    pub sandbox: Sandbox,
    /// Whether every stage may reach the network; otherwise only one whose plan says so.
    pub network: bool,
    /// Further folders that a sandboxed step sees, read-only.
    pub read_only: Vec<PathBuf>,
    /// Folders that a sandboxed step must not see even where they lie below what it sees.
    pub hidden: Vec<PathBuf>,
    /// The folders that programs are looked for in, separated by `:`; this program's own `PATH` if `None`.
    pub path: Option<String>,
    /// What a plan may ask for by name, for its programs: licence servers, where tools are installed.
    /// This program's own variables by default.
    pub environment: BTreeMap<String, String>,
    pub limits: StepLimits,
    /// What a stage may leave behind.
    pub tree_limits: Limits,
    /// The blob folder of a server on the same machine; otherwise contents come and go by HTTP.
    pub shared_blobs: Option<PathBuf>,
    /// How much of fetched contents is kept for later stages, in bytes.
    pub cache_bytes: u64,
    /// The command that starts the role of the supervisor: `["/proc/self/exe", "supervise"]`.
    pub supervisor: Vec<OsString>,
    /// The vendor's tools are stand-ins here; every result says so.
    pub stand_ins: bool,
    /// Take one stage, do it, and end.
    pub once: bool,
    /// The stages to take at all.
    pub stages: Vec<StageName>,
    /// At shutdown, how long running stages may go on before they are handed back.
    pub shutdown_wait: Duration,
    /// With less space than this on the disk of [`Config::folder`] no stage is taken.
    pub min_free_bytes: u64,
    /// How often it is looked for programs that were installed or removed.
    pub detect_every: Duration,
    /// By which whoever started it can see that it lives.
    pub pulse: Pulse,
}

/// Whether steps run in a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sandbox {
    /// Where one is to be had; else plainly, and the job says so.
    #[default]
    Auto,
    Off,
    /// A worker without one does not start.
    Required,
}

/// What the steps of one stage may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepLimits {
    /// For all processes of a step together, where control groups allow it.
    pub memory_bytes: Option<u64>,
    /// For a whole stage, in bytes written to the log.
    pub output_bytes: u64,
    /// For each file that is written, in bytes.
    pub file_bytes: u64,
    /// For all files of a stage together while it runs.
    pub workspace: UsageLimits,
    /// Processes and threads of one step at once, where control groups allow it.
    pub processes: u64,
    /// From the polite signal to the one that nothing survives.
    pub grace: Duration,
}

impl Default for StepLimits {
    fn default() -> Self {
        Self {
            memory_bytes: None,
            output_bytes: 256 << 20,
            file_bytes: 16 << 30,
            workspace: UsageLimits {
                bytes: 100 << 30,
                entries: 2_000_000,
            },
            processes: 8192,
            grace: Duration::from_secs(2),
        }
    }
}

impl Config {
    /// A worker with one slot of each kind, without boards, and with the defaults for everything else.
    pub fn new(server: impl Into<String>, name: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        Self {
            server: server.into(),
            token: None,
            name: name.into(),
            make_slots: 1,
            run_slots: 1,
            devices: Vec::new(),
            folder: folder.into(),
            sandbox: Sandbox::default(),
            network: false,
            read_only: Vec::new(),
            hidden: Vec::new(),
            path: None,
            environment: own_environment(),
            limits: StepLimits::default(),
            tree_limits: Limits::default(),
            shared_blobs: None,
            cache_bytes: 20 << 30,
            supervisor: vec!["/proc/self/exe".into(), "supervise".into()],
            stand_ins: false,
            once: false,
            stages: StageName::ALL.to_vec(),
            shutdown_wait: Duration::ZERO,
            min_free_bytes: 1 << 30,
            detect_every: Duration::from_secs(60),
            pulse: Pulse::default(),
        }
    }
}

/// Where the client of AWS looks, and the variables that name another place.
const LOGIN_FILES: [(&str, &str); 2] = [
    ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
    ("AWS_CONFIG_FILE", ".aws/config"),
];

/// Those variables that are text.
fn own_environment() -> BTreeMap<String, String> {
    let text = |text: OsString| text.into_string().ok();
    let all = std::env::vars_os();
    let mut all: BTreeMap<String, String> = all
        .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
        .collect();
    let home = all.get("HOME").cloned();
    // A step has another home, in which the client of AWS would look in vain.
    for (name, file) in LOGIN_FILES {
        let found = home.iter().map(|home| format!("{home}/{file}"));
        let found = found.filter(|path| std::path::Path::new(path).is_file());
        for path in found {
            all.entry(name.to_owned()).or_insert(path);
        }
    }
    all
}
