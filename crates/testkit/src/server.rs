//! A server and workers as real processes of the real program, each in folders of its own, with the
//! proof at the end that nothing of them is left.

use crate::{process, wait};
use futures::TryStreamExt;
use polyphemus_api::Client;
use polyphemus_api::job::Job;
use polyphemus_core::job::JobId;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How long a process may take to become ready or to end when asked to.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often an end is looked for.
const PERIOD: Duration = Duration::from_millis(20);

/// A running `polyphemus serve`.
#[derive(Debug)]
pub struct TestServer {
    program: PathBuf,
    arguments: Vec<String>,
    folder: TempDir,
    child: Option<Child>,
    address: String,
    /// The point at which it kills itself, and whenever it is started again.
    fault: Option<String>,
}

/// A running `polyphemus worker`.
#[derive(Debug)]
pub struct TestWorker {
    program: PathBuf,
    arguments: Vec<String>,
    folder: TempDir,
    child: Child,
}

/// The variable of the crate `polyphemus-fault`.
const FAULT: &str = "POLYPHEMUS_FAULT";

impl TestServer {
    /// Starts the program as `serve` on a free port with a fresh instance and these further arguments.
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        let mut server = Self {
            program: program.into(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            folder: tempfile::Builder::new()
                .prefix("polyphemus-test-")
                .tempdir()
                .expect("a temporary folder"),
            child: None,
            address: "127.0.0.1:0".into(),
            fault: None,
        };
        server.launch();
        server
    }

    fn launch(&mut self) {
        let line = self.spawn();
        assert!(
            self.became_ready(&line),
            "the server did not start: {line:?}\n{}",
            self.errors()
        );
    }

    /// Starts it, and gives what it says first; nothing if it ends before.
    fn spawn(&mut self) -> String {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("server.err"))
            .expect("the server's log can be written");
        let mut child = Command::new(&self.program)
            .arg("serve")
            // A test that ends waits for no stage; arguments of the test go before the environment.
            .env("POLYPHEMUS_DRAIN_SECONDS", "0")
            .envs(self.fault.iter().map(|fault| (FAULT, fault)))
            .args(["--listen", &self.address, "--instance"])
            .arg(self.instance())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("standard output is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the server says that it is ready");
        self.child = Some(child);
        line
    }

    fn became_ready(&mut self, line: &str) -> bool {
        let url = line.trim().strip_prefix("Polyphemus is ready at http://");
        let Some(address) = url.map(|url| url.trim_end_matches('/')) else {
            return false;
        };
        // The port stays the same over restarts, so that workers and streams find it again.
        self.address = address.to_owned();
        true
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn client(&self) -> Client {
        Client::new(&self.url()).expect("the server's own address is good")
    }

    pub fn instance(&self) -> PathBuf {
        self.folder.path().join("instance")
    }

    /// What the server wrote to standard error so far.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.err")).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// The processes that work in this server's folder, without the server itself.
    pub fn processes(&self) -> Vec<process::Found> {
        let own = self.child.as_ref().map(|child| child.id() as i32);
        process::around(self.folder.path())
            .into_iter()
            .filter(|found| Some(found.pid) != own)
            .collect()
    }

    /// Ends the server as a power cut would.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        child.kill().expect("the server can be killed");
        child.wait().expect("the server has ended");
    }

    /// Waits until it has ended by itself, as it was asked to.
    pub async fn ended(&mut self) {
        let mut child = self.child.take().expect("the server runs");
        wait::until(PATIENCE, "the end of the server", || {
            let ended = match child.try_wait() {
                Ok(Some(_)) => Ok(()),
                seen => Err(format!("{seen:?}")),
            };
            std::future::ready(ended)
        })
        .await;
    }

    /// Starts it again on the same instance and the same port.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        self.launch();
    }

    /// Starts it again to die at a point of `polyphemus-fault`: `NAME:N`. It may be dead already.
    pub fn restart_to_die(&mut self, fault: &str) {
        assert!(self.child.is_none(), "the server runs already");
        self.fault = Some(fault.to_owned());
        let line = self.spawn();
        self.became_ready(&line);
        self.fault = None;
    }

    /// How it ended, if it has.
    pub fn has_died(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().expect("it is a child");
        if status.is_some() {
            self.child = None;
        }
        status
    }

    /// A worker of this server, in a process and a folder of its own.
    pub fn worker(&self, arguments: &[&str]) -> TestWorker {
        self.worker_with(arguments, None)
    }

    /// One that dies at a point of `polyphemus-fault`: `NAME:N`.
    pub fn worker_to_die(&self, arguments: &[&str], fault: &str) -> TestWorker {
        self.worker_with(arguments, Some(fault))
    }

    fn worker_with(&self, arguments: &[&str], fault: Option<&str>) -> TestWorker {
        let folder = tempfile::Builder::new()
            .prefix("polyphemus-work-")
            .tempdir()
            .expect("a temporary folder");
        let work = folder.path().join("work").to_string_lossy().into_owned();
        let url = self.url();
        let begin = ["worker", "--server", &url, "--folder", &work];
        let arguments: Vec<String> = begin
            .iter()
            .chain(arguments)
            .map(|&argument| argument.to_owned())
            .collect();
        let child = spawn_worker(&self.program, &arguments, folder.path(), fault);
        TestWorker {
            program: self.program.clone(),
            arguments,
            folder,
            child,
        }
    }

    /// Submits a folder with the program's own command line; the id is what it prints.
    pub fn submit(&self, folder: &Path, options: &[&str]) -> JobId {
        let mut command = Command::new(&self.program);
        command.args(["submit", "--server", &self.url()]).arg(folder);
        for option in options {
            command.args(["-o", option]);
        }
        let output = command.output().expect("the command line runs");
        let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        printed.parse().unwrap_or_else(|_| {
            panic!(
                "submit printed {printed:?}\n{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// The job once it is over.
    pub async fn finished(&self, id: &JobId, bound: Duration) -> Job {
        let client = self.client();
        wait::until(bound, "the end of the job", || async {
            match client.job(id).await {
                Ok(job) if job.state.is_terminal() => Ok(job),
                Ok(job) => Err(format!("{} {:?}", job.state, job.stages)),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    /// The job once a stage of it is in this state.
    pub async fn reached(&self, id: &JobId, stage: &str, state: &str, bound: Duration) -> Job {
        let client = self.client();
        wait::until(bound, &format!("stage {stage} {state}"), || async {
            match client.job(id).await {
                Ok(job)
                    if job
                        .stages
                        .iter()
                        .any(|s| s.name.as_str() == stage && s.state == state) =>
                {
                    Ok(job)
                }
                Ok(job) => Err(format!("{} {:?}", job.state, job.stages)),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    /// The job's whole log as it is now.
    pub async fn log(&self, id: &JobId) -> String {
        let stream = self.client().log(id, 0).await.expect("the log can be read");
        let parts: Vec<_> = stream.try_collect().await.expect("the log is read to its end");
        String::from_utf8_lossy(&parts.concat()).into_owned()
    }

    /// The content of a file of the job.
    pub async fn file(&self, id: &JobId, path: &str) -> Vec<u8> {
        let (_, stream) = self.client().file(id, path).await.expect("the job has the file");
        let parts: Vec<_> = stream.try_collect().await.expect("the file is read to its end");
        parts.concat()
    }
}

impl TestWorker {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the worker as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().expect("the worker can be killed");
        self.child.wait().expect("the worker has ended");
    }

    pub fn has_ended(&mut self) -> bool {
        self.has_died().is_some()
    }

    /// How it ended, if it has.
    pub fn has_died(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is a child")
    }

    /// Starts it again, in the same folder.
    pub fn restart(&mut self) {
        assert!(self.has_ended(), "the worker runs already");
        self.child = spawn_worker(&self.program, &self.arguments, self.folder.path(), None);
    }

    /// Where it has its workspaces and contents.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The processes that work in this worker's folder, without the worker itself.
    pub fn processes(&self) -> Vec<process::Found> {
        let own = self.child.id() as i32;
        process::around(self.folder.path())
            .into_iter()
            .filter(|found| found.pid != own)
            .collect()
    }

    /// What the worker wrote to standard error so far.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("worker.err")).unwrap_or_default()
    }
}

fn spawn_worker(program: &Path, arguments: &[String], folder: &Path, fault: Option<&str>) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("worker.err"))
        .expect("the worker's log can be written");
    Command::new(program)
        .env("POLYPHEMUS_DRAIN_SECONDS", "0")
        .envs(fault.map(|fault| (FAULT, fault)))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the worker starts")
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_mut() {
            stop(child);
        }
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}", self.errors());
            return;
        }
        assert_nothing_left(self.folder.path());
        let workspaces = self.instance().join("work/workspaces");
        let left: Vec<_> = std::fs::read_dir(&workspaces)
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        assert!(left.is_empty(), "workspaces are left: {left:?}");
    }
}

impl Drop for TestWorker {
    fn drop(&mut self) {
        stop(&mut self.child);
        if std::thread::panicking() {
            eprintln!("--- the worker's log\n{}", self.errors());
            return;
        }
        assert_nothing_left(self.folder.path());
    }
}

/// Asks the process to end and waits for it, with a bound.
fn stop(child: &mut Child) {
    let pid = child.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(asked.is_ok(), "there is a program `kill`");
    let begin = std::time::Instant::now();
    while begin.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(None) => std::thread::park_timeout(PERIOD),
            _ => return,
        }
    }
    let killed = child.kill();
    let waited = child.wait();
    if !std::thread::panicking() {
        panic!(
            "process {pid} did not end within {} s of SIGTERM ({killed:?}, {waited:?})",
            PATIENCE.as_secs()
        );
    }
}

fn assert_nothing_left(folder: &Path) {
    let begin = std::time::Instant::now();
    loop {
        let left = process::around(folder);
        if left.is_empty() {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "processes are left: {left:?}");
        std::thread::park_timeout(PERIOD);
    }
}
