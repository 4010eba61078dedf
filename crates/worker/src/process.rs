//! One program run to its end under a supervisor, with its output, its limits and what may stop it.
//! The only place that starts what a plan names.

mod answer;

use crate::stop::{Stop, StopReason};
use crate::supervise::{Ended, Order, Status};
use answer::Answer;
use rustix::io::Errno;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedWriteHalf, pipe};
use tokio::process::{Child, Command};

const CHUNK_BYTES: usize = 64 * 1024;
/// Beyond the grace period, how long the supervisor may take to kill and reap everything. Only a
/// process that hangs in the kernel takes this long.
const KILL_PATIENCE: Duration = Duration::from_secs(30);

/// A program at work. Dropped, it is killed at once with all that it started.
#[derive(Debug)]
pub struct Process {
    supervisor: Child,
    /// Dropped, it tells the supervisor to kill everything.
    control: Option<OwnedWriteHalf>,
    answer: Answer,
    output: pipe::Receiver,
    grace: Duration,
    is_sandboxed: bool,
    begun: Instant,
}

/// How far a program may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub time: Duration,
    /// In bytes of standard output and standard error.
    pub output_bytes: u64,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    pub end: End,
    pub took: Duration,
    pub cpu: Duration,
    /// The largest resident set that one of its processes had, in bytes.
    pub peak_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Exited { code: i32 },
    Signalled { signal: i32 },
    TimeLimit,
    OutputLimit,
    Stopped(StopReason),
}

#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("the supervisor `{program}` could not be started; is the program still installed?")]
    Supervisor { program: String, source: io::Error },
    #[error("the supervisor could not be told what to do")]
    Control(#[source] io::Error),
    #[error("the output could not be read")]
    Output(#[source] io::Error),
    #[error("{0}")]
    NotStarted(String),
    #[error(
        "the supervisor died ({0}), perhaps because this machine has too little memory; what it had started was killed"
    )]
    SupervisorDied(String),
    #[error("a process hangs in the kernel and could not be killed within {} s; look at the machine's disks and drivers", .0.as_secs())]
    Unkillable(Duration),
    #[error("the log could not be written on this worker's disk")]
    Log(#[source] io::Error),
}

impl Process {
    /// Starts `order` by the supervisor command `supervisor`. The program reads from `stdin`, or from
    /// nothing.
    pub async fn start(
        supervisor: &[OsString],
        order: Order,
        stdin: Option<OwnedFd>,
    ) -> Result<Self, ProcessError> {
        let (program, role) = supervisor.split_first().ok_or_else(|| {
            ProcessError::NotStarted("this worker was not told how to start its supervisor".to_owned())
        })?;
        let failed = |source| ProcessError::Supervisor {
            program: program.to_string_lossy().into_owned(),
            source,
        };
        let (reader, writer) = io::pipe().map_err(failed)?;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
        let supervisor = Command::new(program)
            .args(role)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(writer))
            .stderr(stdin.map_or_else(Stdio::null, Stdio::from))
            .spawn()
            .map_err(failed)?;
        let output = pipe::Receiver::from_owned_fd(reader.into()).map_err(ProcessError::Output)?;
        ours.set_nonblocking(true).map_err(ProcessError::Control)?;
        let (answer, mut control) = UnixStream::from_std(ours)
            .map_err(ProcessError::Control)?
            .into_split();
        let mut line = serde_json::to_vec(&order).map_err(|error| ProcessError::Control(error.into()))?;
        line.push(b'\n');
        control.write_all(&line).await.map_err(ProcessError::Control)?;
        Ok(Self {
            supervisor,
            control: Some(control),
            answer: Answer::new(answer),
            output,
            grace: Duration::from_millis(order.grace_ms),
            is_sandboxed: order.is_sandboxed(),
            begun: Instant::now(),
        })
    }

    /// From now on its time counts: what it was started for was not known before.
    pub fn begins_now(&mut self) {
        self.begun = Instant::now();
    }

    /// Waits for its first output, which is to be `text`; whether it is.
    pub async fn says(&mut self, text: &[u8]) -> bool {
        let mut said = vec![0; text.len()];
        let read = self.output.read_exact(&mut said);
        matches!(tokio::time::timeout(KILL_PATIENCE, read).await, Ok(Ok(_))) && said == text
    }

    /// Whether its supervisor is there.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.supervisor.try_wait(), Ok(None))
    }

    /// Kills it with all that it started, and waits until nothing of it is left.
    pub async fn end(mut self) {
        self.control = None;
        let ended = tokio::time::timeout(KILL_PATIENCE, self.supervisor.wait()).await;
        if !matches!(ended, Ok(Ok(_))) {
            tracing::error!(
                "a process that waited for a stage could not be killed; look at the machine's disks and drivers"
            );
        }
    }

    /// Waits for the end, giving all output to `sink` as it comes. When this returns, no process of
    /// the program is left, except with [`ProcessError::Unkillable`].
    pub async fn finish(
        mut self,
        limits: Limits,
        stop: &Stop,
        mut sink: impl FnMut(&[u8]) -> io::Result<()> + Send,
    ) -> Result<Finished, ProcessError> {
        let mut watch = Watch {
            cut: None,
            known: None,
            deadline: Some(self.begun + limits.time),
            left_bytes: limits.output_bytes,
        };
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut is_open = true;
        loop {
            tokio::select! {
                biased;
                reason = stop.after(watch.known) => {
                    watch.known = Some(reason);
                    watch.cut.get_or_insert(End::Stopped(reason));
                    if reason.is_hard() {
                        self.control = None;
                        watch.deadline = Some(Instant::now() + KILL_PATIENCE);
                    } else {
                        self.terminate(&mut watch).await;
                    }
                }
                () = until(watch.deadline) => match (&watch.cut, &self.control) {
                    (None, _) => {
                        watch.cut = Some(End::TimeLimit);
                        self.terminate(&mut watch).await;
                    }
                    // The supervisor did not do its part in time: the end of its input kills at once.
                    (Some(_), Some(_)) => {
                        self.control = None;
                        watch.deadline = Some(Instant::now() + KILL_PATIENCE);
                    }
                    (Some(_), None) => return Err(ProcessError::Unkillable(KILL_PATIENCE)),
                },
                read = self.output.read(&mut buffer), if is_open => {
                    let count = read.map_err(ProcessError::Output)?;
                    is_open = count > 0;
                    let taken = watch.take(count);
                    sink(&buffer[..taken]).map_err(ProcessError::Log)?;
                    if taken < count && watch.cut.is_none() {
                        watch.cut = Some(End::OutputLimit);
                        self.terminate(&mut watch).await;
                    }
                }
                status = self.answer.read() => {
                    if is_open {
                        self.drain(&mut watch, &mut buffer, &mut sink)?;
                    }
                    return self.result(watch.cut, status).await;
                }
            }
        }
    }

    /// Asks politely; the supervisor kills when the grace period is over.
    async fn terminate(&mut self, watch: &mut Watch) {
        watch.deadline = Some(Instant::now() + self.grace + KILL_PATIENCE);
        if let Some(control) = &mut self.control {
            // A supervisor that is gone already has ended the program, and the wait for it shows that.
            let _ = control.write_all(b"term\n").await;
        }
    }

    /// Reads what the ended program left in the pipe, which only its supervisor holds open now.
    fn drain(
        &mut self,
        watch: &mut Watch,
        buffer: &mut [u8],
        sink: &mut (impl FnMut(&[u8]) -> io::Result<()> + Send),
    ) -> Result<(), ProcessError> {
        loop {
            // Past the runtime, which learns of new output only when it looks for it.
            match rustix::io::read(&self.output, &mut *buffer) {
                Ok(0) | Err(Errno::AGAIN) => return Ok(()),
                Ok(count) => {
                    let taken = watch.take(count);
                    if taken < count {
                        watch.cut.get_or_insert(End::OutputLimit);
                    }
                    sink(&buffer[..taken]).map_err(ProcessError::Log)?;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(ProcessError::Output(error.into())),
            }
        }
    }

    async fn result(mut self, cut: Option<End>, status: Option<Status>) -> Result<Finished, ProcessError> {
        let took = self.begun.elapsed();
        let end = match (cut, &status) {
            (None, None) => {
                let ended = self.supervisor.wait().await.map_err(ProcessError::Control)?;
                return Err(ProcessError::SupervisorDied(ended.to_string()));
            }
            (None, Some(status)) => match &status.ended {
                Ended::Exited { code } => self.exited(*code),
                Ended::Signalled { signal } => End::Signalled { signal: *signal },
                Ended::NotStarted { message } => return Err(ProcessError::NotStarted(message.clone())),
            },
            (Some(cut), _) => cut,
        };
        // It has nothing left to do but to end, which nobody needs to wait for.
        let mut supervisor = self.supervisor;
        tokio::spawn(async move { supervisor.wait().await });
        let (cpu_ms, peak_bytes) = status.map_or((0, 0), |status| (status.cpu_ms, status.peak_bytes));
        Ok(Finished {
            end,
            took,
            cpu: Duration::from_millis(cpu_ms),
            peak_bytes,
        })
    }

    /// bubblewrap, as shells do, gives 128 and the signal's number for a program that a signal ended.
    fn exited(&self, code: i32) -> End {
        match code {
            129..=192 if self.is_sandboxed => End::Signalled { signal: code - 128 },
            code => End::Exited { code },
        }
    }
}

/// What one wait has seen so far.
struct Watch {
    /// Why the program was ended from here.
    cut: Option<End>,
    known: Option<StopReason>,
    deadline: Option<Instant>,
    left_bytes: u64,
}

impl Watch {
    /// How many of `count` bytes are within the limit.
    fn take(&mut self, count: usize) -> usize {
        let taken = count.min(usize::try_from(self.left_bytes).unwrap_or(usize::MAX));
        self.left_bytes -= taken as u64;
        taken
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
