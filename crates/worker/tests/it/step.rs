//! A single step without a server: its process, its limits, what it printed.

use polyphemus_worker::Config;
use polyphemus_worker::process::{Finished, Limits, Process, ProcessError};
use polyphemus_worker::sandbox::{Access, Sandbox};
use polyphemus_worker::stop::Stop;
use polyphemus_worker::supervise::Order;
use polyphemus_worker::workspace::{AttemptFolder, WorkerFolder};
use polyphemus_worker::{self as worker};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// The command of the supervisor.
pub fn supervisor() -> Vec<OsString> {
    vec![
        env!("CARGO_BIN_EXE_polyphemus-worker-role").into(),
        "supervise".into(),
    ]
}

/// A word that is in the command line of one test's processes only.
pub fn marker() -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{}{:04}", std::process::id(), count)
}

/// The command lines, other than of this process, that hold the word.
pub fn processes_with(marker: &str) -> Vec<String> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let own = std::process::id().to_string();
    pids.filter(|entry| entry.file_name() != *own)
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(marker))
        .collect()
}

/// The folders of one attempt, and how its steps are run.
pub struct Bench {
    pub sandbox: Sandbox,
    pub attempt: AttemptFolder,
    pub folder: WorkerFolder,
    pub file_limit_bytes: u64,
    pub cgroups: Vec<PathBuf>,
    pub access: Access,
    _temporary: TempDir,
}

impl Bench {
    pub async fn new(sandbox: worker::Sandbox) -> Self {
        Self::with(|config| config.sandbox = sandbox).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let temporary = tempfile::Builder::new()
            .prefix("polyphemus-step-")
            .tempdir()
            .unwrap();
        let mut config = Config::new("http://127.0.0.1:1", "bench", temporary.path().join("work"));
        change(&mut config);
        let folder = WorkerFolder::open(&config.folder, &config.name).unwrap();
        let sandbox = Sandbox::new(&config, &folder).await.unwrap();
        let attempt = folder.attempt("job-make-1").unwrap();
        Self {
            sandbox,
            attempt,
            folder,
            file_limit_bytes: 1 << 30,
            cgroups: Vec::new(),
            access: Access::default(),
            _temporary: temporary,
        }
    }

    /// The order to run a shell script as a step.
    pub fn order(&self, script: &str) -> Order {
        let argv = vec!["/bin/sh".into(), "-c".into(), script.into()];
        let env = self.sandbox.environment(&self.attempt);
        let job = self.sandbox.job(&self.attempt);
        let wrapped = self.sandbox.wrap(&self.attempt, argv, env, &job, &self.access);
        Order {
            argv: wrapped.argv,
            sandbox: wrapped.sandbox,
            env: wrapped.env,
            folder: wrapped.folder,
            stdout_to: None,
            file_limit_bytes: self.file_limit_bytes,
            cgroups: self.cgroups.clone(),
            grace_ms: 500,
            trouble: self.attempt.path().join("trouble"),
            role: vec!["supervise".into()],
        }
    }

    pub async fn start(&self, script: &str) -> Process {
        Process::start(&supervisor(), self.order(script), None)
            .await
            .unwrap()
    }

    /// Runs a shell script to its end. Gives its end and what it printed.
    pub async fn sh(&self, script: &str) -> (Finished, String) {
        self.limited(script, Duration::from_secs(30), 1 << 20).await
    }

    pub async fn limited(&self, script: &str, time: Duration, output_bytes: u64) -> (Finished, String) {
        let process = self.start(script).await;
        let (finished, output) = finish(process, Limits { time, output_bytes }, &Stop::default()).await;
        (finished.unwrap(), output)
    }
}

pub async fn finish(
    process: Process,
    limits: Limits,
    stop: &Stop,
) -> (Result<Finished, ProcessError>, String) {
    let output = Arc::new(Mutex::new(Vec::new()));
    let sink = output.clone();
    let finished = process
        .finish(limits, stop, move |bytes| {
            sink.lock().unwrap().extend_from_slice(bytes);
            Ok(())
        })
        .await;
    let output = String::from_utf8_lossy(&output.lock().unwrap()).into_owned();
    (finished, output)
}

pub const MANY: Limits = Limits {
    time: Duration::from_secs(60),
    output_bytes: 1 << 30,
};
