//! What a step can see of the machine: nothing but the system's programs and its own workspace, by
//! bubblewrap where it works, and plainly where it does not. The only place that knows the profile.

mod etc;
mod probe;
mod profile;

pub use profile::{Access, DeviceNode};

use crate::config;
use crate::workspace::{AttemptFolder, WorkerFolder};
use etc::Etc;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The workspace as every step sees it, so that the same bytes come out wherever it runs.
pub const JOB: &str = "/job";
/// Where a virtual board is built.
const BOARD: &str = "/board";
const HOME: &str = "/home/job";
const TEMPORARY: &str = "/tmp";

/// How steps are run on this machine.
#[derive(Debug, Clone)]
pub struct Sandbox {
    kind: Kind,
    /// Folders of programs that steps can see, in the order in which they are looked through.
    path: Vec<PathBuf>,
    read_only: Vec<PathBuf>,
    hidden: Vec<PathBuf>,
    network: bool,
    /// What steps may ask for by name.
    environment: BTreeMap<String, String>,
    etc: Etc,
}

#[derive(Debug, Clone)]
enum Kind {
    Bubblewrap {
        program: PathBuf,
        /// In a user namespace of its own, as the same unprivileged user on every machine.
        as_user: bool,
    },
    Plain {
        reason: String,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(
        "this worker may run steps only in a sandbox, and there is none: {0}; install bubblewrap (Debian: `apt-get install bubblewrap`), or allow steps without"
    )]
    Required(String),
    #[error("could not write {}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

/// A step as it is to be started; see [`crate::supervise::Order`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    pub argv: Vec<String>,
    pub sandbox: Vec<String>,
    /// Of the first program of `argv`; a sandbox passes the step's own environment by its arguments.
    pub env: BTreeMap<String, String>,
    pub folder: PathBuf,
}

impl Sandbox {
    /// Finds out by a try how steps can be run here.
    pub async fn new(config: &config::Config, folder: &WorkerFolder) -> Result<Self, SandboxError> {
        let own_path = || std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
        let path = config.path.clone().unwrap_or_else(own_path);
        let mut hidden = config.hidden.clone();
        hidden.push(folder.shared().to_owned());
        hidden.extend(config.shared_blobs.clone());
        let mut sandbox = Self {
            kind: Kind::Plain {
                reason: "it is switched off".to_owned(),
            },
            path: std::env::split_paths(&path)
                .filter(|one| one.is_absolute())
                .collect(),
            read_only: config.read_only.clone(),
            hidden,
            network: config.network,
            environment: config.environment.clone(),
            etc: Etc::new(folder.path(), Path::new("/etc")),
        };
        if config.sandbox != config::Sandbox::Off {
            sandbox.refresh()?;
            sandbox.kind = probe::probe(&sandbox, folder).await?;
        }
        match &sandbox.kind {
            Kind::Plain { reason } if config.sandbox == config::Sandbox::Required => {
                return Err(SandboxError::Required(reason.clone()));
            }
            Kind::Bubblewrap { .. } => sandbox
                .path
                .retain(|folder| profile::is_seen(folder, &sandbox.read_only)),
            Kind::Plain { .. } => {}
        }
        Ok(sandbox)
    }

    /// Has steps see what is installed now.
    pub fn refresh(&self) -> Result<(), SandboxError> {
        self.etc.refresh()
    }

    /// Why steps run without a sandbox; `None` where they run in one.
    pub fn reason_without(&self) -> Option<&str> {
        match &self.kind {
            Kind::Bubblewrap { .. } => None,
            Kind::Plain { reason } => Some(reason),
        }
    }

    /// The program of this name that a step would start.
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        use std::os::unix::fs::PermissionsExt as _;
        self.path.iter().map(|folder| folder.join(program)).find(|path| {
            std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
    }

    /// Those of the worker's own variables that are set, of these names.
    pub fn inherited(&self, names: &[String]) -> BTreeMap<String, String> {
        let set = names
            .iter()
            .filter_map(|name| Some((name.clone(), self.environment.get(name)?.clone())));
        set.collect()
    }

    /// What these variables name on this machine, for a step to read; nothing that holds hidden folders.
    pub fn named_by(&self, variables: &BTreeMap<String, String>) -> Vec<PathBuf> {
        let paths = variables.values().map(PathBuf::from);
        let may_be_seen = |path: &PathBuf| !self.hidden.iter().any(|hidden| hidden.starts_with(path));
        paths
            .filter(|path| path.is_absolute() && path.exists() && may_be_seen(path))
            .collect()
    }

    /// The path of the workspace as a step sees it.
    pub fn job(&self, attempt: &AttemptFolder) -> PathBuf {
        self.seen(JOB, attempt.job())
    }

    /// The folder for temporary files as a step sees it.
    pub fn temporary(&self, attempt: &AttemptFolder) -> PathBuf {
        self.seen(TEMPORARY, attempt.temporary())
    }

    /// The path of the board's folder as a step sees it.
    pub fn board(&self, attempt: &AttemptFolder) -> PathBuf {
        self.seen(BOARD, attempt.board())
    }

    /// The path of a board's serial port as a step sees it.
    pub fn serial(&self, port: &Path) -> PathBuf {
        self.seen(profile::SERIAL, port.to_owned())
    }

    /// The environment that every step has, before its own entries.
    pub fn environment(&self, attempt: &AttemptFolder) -> BTreeMap<String, String> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let path: Vec<String> = self.path.iter().map(|one| text(one.clone())).collect();
        let entries = [
            ("PATH", path.join(":")),
            ("HOME", text(self.seen(HOME, attempt.home()))),
            ("TMPDIR", text(self.temporary(attempt))),
            ("USER", "job".to_owned()),
            ("LOGNAME", "job".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
        ];
        entries.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// The same for a program outside of the sandbox: with the folders as this machine has them.
    pub fn environment_outside(&self, attempt: &AttemptFolder) -> BTreeMap<String, String> {
        let folders = [("HOME", attempt.home()), ("TMPDIR", attempt.temporary())];
        let folders = folders.map(|(name, path)| (name.to_owned(), path.to_string_lossy().into_owned()));
        let mut env = self.environment(attempt);
        env.extend(folders);
        env
    }

    /// The command that runs `argv` (its first word a path that steps see) with the environment `env`
    /// in `folder`, a path as steps see it.
    pub fn wrap(
        &self,
        attempt: &AttemptFolder,
        argv: Vec<String>,
        env: BTreeMap<String, String>,
        folder: &Path,
        access: &Access,
    ) -> Wrapped {
        match &self.kind {
            Kind::Plain { .. } => Wrapped {
                argv,
                sandbox: Vec::new(),
                env,
                folder: folder.to_owned(),
            },
            Kind::Bubblewrap { program, as_user } => Wrapped {
                argv: std::iter::once(program.to_string_lossy().into_owned())
                    .chain(argv)
                    .collect(),
                sandbox: profile::arguments(self, *as_user, attempt, &env, folder, access),
                env: BTreeMap::new(),
                folder: PathBuf::from("/"),
            },
        }
    }

    /// A program of the machine as it is to be started outside of every sandbox.
    pub fn outside(argv: Vec<String>, env: BTreeMap<String, String>) -> Wrapped {
        Wrapped {
            argv,
            sandbox: Vec::new(),
            env,
            folder: PathBuf::from("/"),
        }
    }

    fn seen(&self, inside: &str, outside: PathBuf) -> PathBuf {
        match self.kind {
            Kind::Bubblewrap { .. } => PathBuf::from(inside),
            Kind::Plain { .. } => outside,
        }
    }
}
