//! What all attempts of one worker share: its folders, its sandbox, its control groups, its server.

use crate::cgroup::{Cgroup, CgroupLimits, Cgroups};
use crate::config::Config;
use crate::contents::Contents;
use crate::sandbox::{Sandbox, Wrapped};
use crate::supervise::Order;
use crate::workspace::WorkerFolder;
use anyhow::Context as _;
use polyphemus_api::Client;
use polyphemus_api::token::Secret;
use polyphemus_artifacts::Blobs;
use polyphemus_device::simulate::Tools;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::Semaphore;

/// How long Verilator may take to say where its files are.
const PATIENCE: Duration = Duration::from_secs(30);
/// They copy files and ask for a line of text.
const ASKING: usize = 4;

/// One worker on one machine.
#[derive(Debug)]
pub struct Machine {
    pub config: Config,
    pub client: Client,
    pub folder: WorkerFolder,
    pub sandbox: Sandbox,
    /// `None` where steps run without a memory limit.
    pub cgroups: Option<Cgroups>,
    pub contents: Contents,
    /// What virtual boards are built with.
    pub board_tools: Tools,
    /// Places for the programs of stages that wait for a service outside: those may be many at once.
    pub asking: Semaphore,
    numbers: AtomicU64,
}

impl Machine {
    /// Looks the machine over, and removes what a dead worker of this name left on it.
    pub async fn prepare(config: Config) -> anyhow::Result<Self> {
        let token = config.token.as_ref().map(Secret::reveal);
        let client = Client::with_token(&config.server, token)?;
        let folder = WorkerFolder::open(&config.folder, &config.name)?;
        bury(&config.name, folder.path());
        folder.remove_dead(bury)?;
        let sandbox = Sandbox::new(&config, &folder).await?;
        if let Some(reason) = sandbox.reason_without() {
            tracing::warn!(
                reason,
                "steps run without a sandbox, so that jobs can read this machine's files"
            );
        }
        let cgroups = match Cgroups::detect() {
            Ok(cgroups) => Some(cgroups),
            Err(reason) => {
                tracing::warn!(reason, "steps run without a limit on their memory");
                None
            }
        };
        let contents = contents(&config, &folder, &client)?;
        contents
            .trim(config.cache_bytes)
            .await
            .context("the fetched contents cannot be looked through")?;
        let board_tools = board_tools(&sandbox).await;
        Ok(Self {
            config,
            client,
            folder,
            sandbox,
            cgroups,
            contents,
            board_tools,
            asking: Semaphore::new(ASKING),
            numbers: AtomicU64::new(0),
        })
    }

    /// A number that this worker has not had before.
    pub fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// A control group with the limits of a step, where there are any.
    pub fn cgroup(&self, name: &str) -> io::Result<Option<Cgroup>> {
        let Some(cgroups) = &self.cgroups else {
            return Ok(None);
        };
        let limits = CgroupLimits {
            memory_bytes: self.config.limits.memory_bytes,
            processes: self.config.limits.processes,
        };
        // Programs of one step that run together have a group each.
        let name = format!("{}-{name}-{}", self.mark().1, self.number());
        cgroups.create(&name, limits).map(Some)
    }

    /// What a supervisor is told to start.
    pub fn order(&self, wrapped: Wrapped, stdout_to: Option<PathBuf>, cgroup: Option<&Cgroup>) -> Order {
        let role = self.config.supervisor.iter().skip(1);
        Order {
            argv: wrapped.argv,
            sandbox: wrapped.sandbox,
            env: wrapped.env,
            folder: wrapped.folder,
            stdout_to,
            file_limit_bytes: self.config.limits.file_bytes,
            cgroups: cgroup.map(Cgroup::folders).unwrap_or_default(),
            grace_ms: u64::try_from(self.config.limits.grace.as_millis()).unwrap_or(u64::MAX),
            trouble: self.folder.trouble(self.number()),
            role: role.map(|word| word.to_string_lossy().into_owned()).collect(),
        }
    }

    /// The entry in the environment of every process of every step of this worker.
    pub fn mark(&self) -> (String, String) {
        (MARK.to_owned(), mark_of(self.folder.path()))
    }

    /// Why no stage can be taken now, for people.
    pub fn refusal(&self) -> Option<String> {
        let least_bytes = self.config.min_free_bytes;
        let disk = rustix::fs::statvfs(self.folder.path()).ok()?;
        let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        (free_bytes < least_bytes).then(|| {
            format!(
                "its disk has {} MiB free, less than the {} MiB that a stage must find (MIN_FREE_BYTES); \
                 its operator has to make room",
                free_bytes >> 20,
                least_bytes >> 20
            )
        })
    }

    /// Whether a virtual board can be built and run here.
    pub fn can_simulate(&self) -> bool {
        let programs = ["iceunpack", "icebox_vlog", "verilator", "g++", "make"];
        programs
            .iter()
            .all(|program| self.sandbox.find(program).is_some())
            && Path::new(&self.board_tools.cells_sim).is_file()
    }
}

const MARK: &str = "POLYPHEMUS_WORKER";

/// Tells this worker's processes from those of another of the same name, without showing its folder.
fn mark_of(folder: &Path) -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Ends what a dead worker left running. Its supervisors have done so, unless they were killed too.
fn bury(name: &str, folder: &Path) {
    let killed = crate::supervise::kill_marked(&format!("{MARK}={}", mark_of(folder)));
    if killed > 0 {
        tracing::warn!(worker = name, killed, "processes were left of a worker that died");
    }
    if let Ok(cgroups) = Cgroups::detect() {
        cgroups.remove_leftovers(&format!("{}-", mark_of(folder)));
    }
}

fn contents(config: &Config, folder: &WorkerFolder, client: &Client) -> anyhow::Result<Contents> {
    let open = |path: &Path| {
        Blobs::open_folder(path).with_context(|| format!("the contents in {} cannot be used", path.display()))
    };
    Ok(match &config.shared_blobs {
        Some(path) => Contents::shared(open(path)?, client.clone()),
        None => Contents::remote(open(&folder.blobs())?, client.clone()),
    })
}

/// Where the tools keep their files: as they say, or as Debian has it.
async fn board_tools(sandbox: &Sandbox) -> Tools {
    let jobs = std::thread::available_parallelism().map_or(1, |count| count.get());
    let mut tools = Tools::of_debian(u16::try_from(jobs).unwrap_or(u16::MAX));
    if let Some(root) = verilator_root(sandbox).await {
        tools.verilator_root = root;
    }
    let yosys = sandbox
        .find("yosys")
        .and_then(|program| program.canonicalize().ok());
    if let Some(prefix) = yosys.as_deref().and_then(Path::parent).and_then(Path::parent) {
        let cells = prefix.join("share/yosys/ice40/cells_sim.v");
        if let (true, Some(cells)) = (cells.is_file(), cells.to_str()) {
            tools.cells_sim = cells.to_owned();
        }
    }
    tools
}

async fn verilator_root(sandbox: &Sandbox) -> Option<String> {
    let run = Command::new(sandbox.find("verilator")?)
        .args(["--getenv", "VERILATOR_ROOT"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, run).await.ok()?.ok()?;
    let root = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    Path::new(&root).is_dir().then_some(root)
}
