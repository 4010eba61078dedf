//! One program of an attempt: started under its limits, shown in the log, waited for.

use super::dry_run::{Output, Rehearsal};
use super::stage::{Attempt, Fault};
use crate::cgroup::Cgroup;
use crate::process::{End, Finished, Limits, Process, ProcessError};
use crate::sandbox::{Access, Sandbox};
use crate::tools;
use polyphemus_core::cause::{Cause, CauseKind};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// In the environment of every process of an attempt: the attempt's name.
const MARK: &str = "POLYPHEMUS_ATTEMPT";

/// What is to be run.
#[derive(Debug, Default)]
pub struct Program {
    /// For people.
    pub title: String,
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Of the worker's own environment; not shown in the log.
    pub inherited: BTreeMap<String, String>,
    /// As the program sees it.
    pub folder: PathBuf,
    /// For standard output: relative to the workspace, or a new file by its path on this machine.
    pub stdout_to: Option<StdoutTo>,
    /// Within what is left to the stage.
    pub time_limit: Option<Duration>,
    pub access: Access,
    pub stdin: Option<OwnedFd>,
    /// Not in the sandbox: it gets nothing of the job's.
    pub outside: bool,
    /// Comes first.
    pub dry_run: Option<Rehearsal>,
}

/// A program's words, the first of them its path as it is seen, and all its variables.
#[derive(Debug)]
struct Command {
    argv: Vec<String>,
    env: BTreeMap<String, String>,
}

/// How a program ended that nobody stopped.
#[derive(Debug)]
pub struct Ran {
    pub finished: Finished,
    pub out_of_memory: Option<OutOfMemory>,
    /// What the program was allowed.
    pub time: Duration,
    pub output_bytes: u64,
    pub file_bytes: u64,
    /// As it was when the program had ended.
    pub dry_run: Option<Rehearsal>,
}

#[derive(Debug)]
pub enum StdoutTo {
    Workspace(String),
    Fresh(PathBuf),
}

impl Ran {
    /// Exit code 0.
    pub fn is_good(&self) -> bool {
        self.finished.end == End::Exited { code: 0 }
    }

    /// How it ended, to stand in parentheses.
    pub fn end_in_words(&self) -> String {
        match &self.finished.end {
            _ if self.out_of_memory.is_some() => "out of memory".to_owned(),
            End::Exited { code } => format!("exit code {code}"),
            End::Signalled { signal } => format!("signal {signal}"),
            End::TimeLimit => format!("not done within {}", seconds(self.time)),
            End::OutputLimit => "too much output".to_owned(),
            End::Stopped(_) => "stopped".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory {
    pub limit_bytes: Option<u64>,
}

impl Attempt<'_> {
    /// Runs a program to its end. All its output goes to the log and to `look`.
    pub(crate) async fn start_and_wait(
        &self,
        mut program: Program,
        mut look: impl FnMut(&[u8]) + Send,
    ) -> Result<Ran, Fault> {
        let title = program.title.clone();
        let time = program
            .time_limit
            .map_or(self.time_left(), |limit| limit.min(self.time_left()));
        let dry_run = program.dry_run.take();
        let in_earnest = command_line(&program.argv, &program);
        let command = self.command(&program, dry_run.as_ref())?;
        let (started, cgroup) = match self.in_the_shell(&program, &command) {
            Some(begun) => begun,
            None => {
                let cgroup = self.machine.cgroup(&self.name);
                let cgroup =
                    cgroup.map_err(|error| Fault::trouble("limit the memory of the step", &error))?;
                (self.begin(program, command, cgroup.as_ref()).await?, cgroup)
            }
        };
        let limits = Limits {
            time,
            output_bytes: self.output_left.load(Ordering::Relaxed),
        };
        polyphemus_fault::point("worker.step_started");
        let mut output = Output {
            log: self.log.clone(),
            dry_run,
            in_earnest,
        };
        let finished = started
            .finish(limits, &self.stop, |bytes| {
                self.count_output(bytes.len());
                output.take(bytes, &mut look)
            })
            .await
            .map_err(|error| self.process_fault(&title, &error))?;
        let dry_run = output
            .end(&mut look)
            .map_err(|error| self.process_fault(&title, &ProcessError::Log(error)))?;
        self.say(&format!(
            "# {title}: {}, at most {} of memory",
            seconds(finished.took),
            bytes_in_words(finished.peak_bytes)
        ));
        if let End::Stopped(reason) = finished.end {
            return Err(Fault::Stopped(reason));
        }
        let killed = cgroup.as_ref().is_some_and(|one| one.oom_kills() > 0);
        Ok(Ran {
            finished,
            out_of_memory: killed.then_some(OutOfMemory {
                limit_bytes: self.machine.config.limits.memory_bytes,
            }),
            time,
            output_bytes: self.machine.config.limits.output_bytes,
            file_bytes: self.machine.config.limits.file_bytes,
            dry_run,
        })
    }

    /// Starts a program without limits of its own and shows its command in the log.
    pub(crate) async fn start(&self, program: Program) -> Result<Process, Fault> {
        let command = self.command(&program, None)?;
        self.begin(program, command, None).await
    }

    /// What is to be started, after it was shown in the log.
    fn command(&self, program: &Program, dry_run: Option<&Rehearsal>) -> Result<Command, Fault> {
        let shown = dry_run.map_or(program.argv.clone(), |one| one.shown(&program.argv));
        self.say(&command_line(&shown, program));
        let mut argv = program.argv.clone();
        if let Some(first) = argv.first_mut() {
            *first = self.locate(first, &program.folder)?;
        }
        if let Some(dry_run) = dry_run {
            argv = dry_run.around(argv);
        }
        let sandbox = &self.machine.sandbox;
        let mut env = match program.outside {
            true => sandbox.environment_outside(&self.folder),
            false => sandbox.environment(&self.folder),
        };
        env.extend(program.inherited.clone());
        env.extend(program.env.clone());
        // After the step's own: a process without the marks is not found when its supervisor is gone.
        env.extend(self.marks());
        Ok(Command { argv, env })
    }

    /// Lets the shell that is ready become the program, if there is one and it can.
    fn in_the_shell(&self, program: &Program, command: &Command) -> Option<(Process, Option<Cgroup>)> {
        let shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        if let Some(standby) = self.slot.standby {
            standby.expect(&program.access);
        }
        if program.outside || program.stdout_to.is_some() || program.stdin.is_some() {
            return None;
        }
        shell.become_program(&command.argv, &command.env, &program.folder, &program.access)
    }

    async fn begin(
        &self,
        program: Program,
        command: Command,
        cgroup: Option<&Cgroup>,
    ) -> Result<Process, Fault> {
        let stdout_to = match program.stdout_to {
            Some(StdoutTo::Workspace(file)) => Some(self.folder.place(&file).map_err(|error| {
                let name = program.argv.first().map_or("", String::as_str);
                Fault::trouble(
                    &format!("make the file `{file}` for the output of `{name}`"),
                    &error,
                )
            })?),
            Some(StdoutTo::Fresh(path)) => Some(path),
            None => None,
        };
        let Command { argv, env } = command;
        let mut wrapped = match program.outside {
            true => Sandbox::outside(argv, env),
            false => {
                let sandbox = &self.machine.sandbox;
                sandbox.wrap(&self.folder, argv, env, &program.folder, &program.access)
            }
        };
        wrapped.env.extend(self.marks());
        let order = self.machine.order(wrapped, stdout_to, cgroup);
        Process::start(&self.machine.config.supervisor, order, program.stdin)
            .await
            .map_err(|error| self.process_fault(&program.title, &error))
    }

    fn marks(&self) -> [(String, String); 2] {
        [self.machine.mark(), (MARK.to_owned(), self.name.clone())]
    }

    /// Counts what was written against the stage's limit.
    pub(crate) fn count_output(&self, bytes: usize) {
        let count = |left: u64| Some(left.saturating_sub(bytes as u64));
        // The closure always gives a value, so that this cannot fail.
        let _ = self
            .output_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
    }

    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The path of a program as the step sees it.
    fn locate(&self, name: &str, folder: &Path) -> Result<String, Fault> {
        if !name.contains('/') {
            return match self.machine.sandbox.find(name) {
                Some(path) => Ok(path.to_string_lossy().into_owned()),
                None => Err(Fault::Failed(Cause::new(
                    CauseKind::WorkerTrouble,
                    format!(
                        "the program `{name}` is not on the worker {}: {}",
                        self.machine.config.name,
                        tools::remedy(name)
                    ),
                ))),
            };
        }
        let job = self.machine.sandbox.job(&self.folder);
        let seen = folder.join(name);
        // What lies elsewhere is the machine's; starting it shows whether it is there.
        let Ok(relative) = seen.strip_prefix(&job) else {
            return Ok(name.to_owned());
        };
        let shown = relative.display();
        let failed = |kind, message| Err(Fault::Failed(Cause::new(kind, message)));
        match self.folder.find(&relative.to_string_lossy()) {
            None => failed(
                CauseKind::MissingOutput,
                format!("the program `{shown}` is not in the workspace: no earlier step has made it"),
            ),
            Some(path) if !is_executable(&path) => failed(
                CauseKind::Exit,
                format!(
                    "`{shown}` is not executable: make it so (`chmod +x`) before it is handed in, or when it is made"
                ),
            ),
            Some(_) => Ok(name.to_owned()),
        }
    }

    fn process_fault(&self, title: &str, error: &ProcessError) -> Fault {
        if let ProcessError::SupervisorDied(_) = error {
            // Its first process died with it; what has left that one's tree is found by its mark.
            let killed = crate::supervise::kill_marked(&format!("{MARK}={}", self.name));
            tracing::error!(attempt = self.name, killed, "the supervisor of a step died");
        }
        // Nothing more could be written, not even what became of the step: that says enough.
        if let Some(full) = self.folder.full_disk() {
            return Fault::Failed(Cause::new(
                CauseKind::WorkerTrouble,
                format!(
                    "the worker's disk is full ({full}), so the step `{title}` could not go on: if the design writes \
                     that much, make it write less; else the worker's operator has to make room"
                ),
            ));
        }
        Fault::trouble(&format!("run the step `{title}`"), error)
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The command as it would be typed.
fn command_line(argv: &[String], program: &Program) -> String {
    let mut line = String::from("$");
    for (name, value) in &program.env {
        let _ = write!(line, " {name}={}", shell_quoted(value));
    }
    for word in argv {
        let _ = write!(line, " {}", shell_quoted(word));
    }
    let file = match &program.stdout_to {
        Some(StdoutTo::Workspace(file)) => Some(Path::new(file).into()),
        Some(StdoutTo::Fresh(path)) => path.file_name().map(PathBuf::from),
        None => None,
    };
    if let Some(file) = file {
        let _ = write!(line, " > {}", shell_quoted(&file.to_string_lossy()));
    }
    line
}

/// A word as a shell would read it back.
pub fn shell_quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

pub(super) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// A size in bytes, rounded for people.
pub(super) fn bytes_in_words(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.into_iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) if bytes.is_multiple_of(size) => format!("{} {unit}", bytes / size),
        Some((unit, size)) => format!("{:.1} {unit}", bytes as f64 / size as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_a_shell_would_split_or_expand_them() {
        assert_eq!(shell_quoted("--json=a/b.json"), "--json=a/b.json");
        assert_eq!(shell_quoted("read_verilog x; synth"), "'read_verilog x; synth'");
        assert_eq!(shell_quoted("it's"), r"'it'\''s'");
        assert_eq!(shell_quoted(""), "''");
        assert_eq!(shell_quoted("$HOME"), "'$HOME'");
    }
}
