//! The virtual board at work: a process beside the steps, behind a pseudo-terminal that is opened here,
//! since each sandbox has terminals of its own.

use super::build::in_board_folder;
use super::failed;
use crate::process::{Limits, Process};
use crate::run::{Attempt, Fault};
use crate::stop::{Stop, StopReason};
use polyphemus_core::cause::CauseKind;
use polyphemus_device::simulate::{Pty, Ready};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// How long the program may take to open its port; it does nothing before.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// A line is looked at when it is whole; a longer one is not the board's.
const LINE_BYTES: usize = 4096;

#[derive(Debug)]
pub(super) struct Simulation {
    /// Ends the board and nothing else.
    stop: Stop,
    task: AbortOnDropHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Ready,
    Ended,
}

impl Simulation {
    /// Starts the board and waits until it is ready. Gives the serial port on this machine.
    pub(super) async fn start(attempt: &Attempt<'_>, program: &Path) -> Result<(Self, PathBuf), Fault> {
        let pty = Pty::open().map_err(|error| Fault::trouble("open a pseudo-terminal", &error))?;
        let argv = [&program.to_string_lossy(), "--pty-fd", "0"].map(str::to_owned);
        let mut order = in_board_folder(attempt, "the virtual board", argv.into());
        order.stdin = Some(pty.master);
        let process = attempt.start(order).await?;
        let (phase, mut phases) = watch::channel(Phase::Starting);
        let stop = Stop::default();
        let task = AbortOnDropHandle::new(tokio::spawn(watch_board(
            process,
            limits(attempt),
            attempt.log.clone(),
            stop.clone(),
            attempt.stop.clone(),
            phase,
        )));
        let simulation = Self { stop, task };
        let ready = phases.wait_for(|phase| *phase != Phase::Starting);
        let patience = READY_WITHIN.min(attempt.time_left());
        let reason = tokio::select! {
            phase = tokio::time::timeout(patience, ready) => match phase.map(|phase| phase.map(|phase| *phase)) {
                Ok(Ok(Phase::Ready)) => return Ok((simulation, pty.port)),
                Ok(_) => "it ended at once; the log says why".to_owned(),
                Err(_) => format!("it did not open its serial port within {} s", patience.as_secs()),
            },
            reason = attempt.stop.after(None) => return Err(Fault::Stopped(reason)),
        };
        Err(failed(
            CauseKind::Device,
            format!("the virtual board did not start: {reason}"),
        ))
    }

    /// Asks the board to end and waits until it has, so that its summary is in the log.
    pub(super) async fn end(self) {
        self.stop.set(StopReason::Shutdown);
        // It fails only where the task was ended from outside, and then the board is gone too.
        let _ = self.task.await;
    }
}

fn limits(attempt: &Attempt<'_>) -> Limits {
    Limits {
        time: attempt.time_left(),
        output_bytes: attempt.output_left.load(Ordering::Relaxed),
    }
}

/// Follows the board's output to its end, and tells the attempt if that was not wanted.
async fn watch_board(
    process: Process,
    limits: Limits,
    log: crate::log::Log,
    stop: Stop,
    attempt: Stop,
    phase: watch::Sender<Phase>,
) {
    let mut line = Vec::new();
    let finished = process
        .finish(limits, &stop, |bytes| {
            for &byte in bytes {
                if byte != b'\n' && line.len() < LINE_BYTES {
                    line.push(byte);
                } else if byte == b'\n' {
                    if Ready::parse(&String::from_utf8_lossy(&line)).is_some() {
                        phase.send_replace(Phase::Ready);
                    }
                    line.clear();
                }
            }
            log.write(bytes)
        })
        .await;
    if stop.get().is_none() {
        let said = match finished {
            Ok(finished) => log.line(&format!(
                "# the virtual board ended by itself: {:?}",
                finished.end
            )),
            Err(error) => log.line(&format!(
                "# the virtual board was lost: {}",
                crate::backoff::chain(&error)
            )),
        };
        if let Err(error) = said {
            tracing::warn!(%error, "a line of a log is lost");
        }
        // Before it was ready, whoever started it says so.
        if *phase.borrow() == Phase::Ready {
            attempt.set(StopReason::BoardLost);
        }
    }
    phase.send_replace(Phase::Ended);
}
