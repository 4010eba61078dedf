//! Carries out one assignment, from the claim to the moment when the server has taken its end.

mod dry_run;
mod failure;
mod poll;
mod program;
mod results;
mod stage;
mod usage;

pub use program::{Program, StdoutTo, shell_quoted};
pub use stage::{Attempt, Fault};

use crate::backoff::{GivenUp, chain, patiently, stopped_hard};
use crate::lease::Lease;
use crate::log::{Destination, Log};
use crate::look::{self, Looker};
use crate::machine::Machine;
use crate::ready::{Ready, Standby};
use crate::stop::{Stop, StopReason};
use crate::workspace::AttemptFolder;
use polyphemus_api::client::AttemptRef;
use polyphemus_api::running::Look;
use polyphemus_api::worker::{Assignment, FinishRequest, Outcome};
use polyphemus_artifacts::workspace::Window;
use polyphemus_core::cause::{Cause, CauseKind};
use polyphemus_core::result::StageResult;
use polyphemus_device::Device;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// At shutdown, how long the server is waited for to take the stage back; after that its lease runs out.
const FAREWELL: Duration = Duration::from_secs(5);

/// The place of a stage's work.
#[derive(Debug, Clone, Copy)]
pub struct Slot<'a> {
    pub device: Option<&'a Device>,
    /// What is ready for it, if anything is.
    pub standby: Option<&'a Standby>,
    /// No further stage is taken.
    pub enough: &'a CancellationToken,
    pub shutdown: &'a CancellationToken,
}

/// Does the work of `assignment`. When this returns, no process and no folder of the attempt is left, and
/// the server has its end, or never will.
pub async fn carry_out(machine: &Machine, assignment: Assignment, slot: Slot<'_>) {
    let shutdown = slot.shutdown;
    polyphemus_fault::point("worker.claimed");
    let attempt = AttemptRef::from(&assignment);
    let stop = Stop::default();
    let (looks, to_show) = mpsc::channel(look::WAITING);
    let lease = Lease {
        looks,
        client: machine.client.clone(),
        attempt: attempt.clone(),
        length: Duration::from_millis(assignment.lease_ms),
        stop: stop.clone(),
    };
    let _lease = AbortOnDropHandle::new(tokio::spawn(lease.keep()));
    let _shutdown = AbortOnDropHandle::new(tokio::spawn({
        let (shutdown, stop, wait) = (shutdown.clone(), stop.clone(), machine.config.shutdown_wait);
        async move {
            shutdown.cancelled().await;
            tokio::time::sleep(wait).await;
            stop.set(StopReason::Shutdown);
        }
    }));
    let report = Report {
        machine,
        attempt,
        telling: Telling::of(&stop),
        stop,
        shutdown,
    };
    let (outcome, result) = work(&report, &assignment, slot, to_show).await;
    report.hand_in(&FinishRequest { outcome, result }).await;
}

/// What the server is told of an attempt, also when its lease is lost: then the server alone knows whether it
/// still wants to hear of it, and whoever takes the end must have the whole log before.
struct Report<'a> {
    machine: &'a Machine,
    attempt: AttemptRef,
    /// Of the work.
    stop: Stop,
    telling: Telling,
    shutdown: &'a CancellationToken,
}

/// Ends as superseded when the work does, and the other way round; for no other reason.
struct Telling {
    stop: Stop,
    _link: AbortOnDropHandle<()>,
}

impl Telling {
    fn of(work: &Stop) -> Self {
        let stop = Stop::default();
        let (work, telling) = (work.clone(), stop.clone());
        let link = async move {
            tokio::select! {
                () = superseded(&work) => telling.set(StopReason::Superseded),
                () = superseded(&telling) => work.set(StopReason::Superseded),
            }
        };
        Self {
            stop,
            _link: AbortOnDropHandle::new(tokio::spawn(link)),
        }
    }
}

async fn superseded(stop: &Stop) {
    while stop.get() != Some(StopReason::Superseded) {
        stop.after(stop.get()).await;
    }
}

/// The work itself, with its log sent to the end. Folders and processes are gone afterwards.
async fn work(
    report: &Report<'_>,
    assignment: &Assignment,
    slot: Slot<'_>,
    looks: mpsc::Receiver<Look>,
) -> (Outcome, StageResult) {
    let Report {
        machine,
        attempt,
        stop,
        ..
    } = report;
    let name = format!("{}-{}-{}", attempt.job, attempt.stage, attempt.attempt);
    let ready = match slot.standby {
        Some(standby) => standby.take().await,
        None => None,
    };
    let place = match place(machine, &name, ready) {
        Ok(place) => place,
        Err(error) => return failed_before_its_start(machine, &error),
    };
    polyphemus_fault::point("worker.workspace_made");
    let log = place.log.clone();
    let showing = show(machine, attempt, &place.folder, looks);
    let sending = AbortOnDropHandle::new(tokio::spawn(log.clone().send(Destination {
        client: machine.client.clone(),
        attempt: attempt.clone(),
        begin: assignment.log_offset,
        stop: report.telling.stop.clone(),
    })));
    let mut work = Attempt::new(machine, assignment, name, place, slot, stop.clone());
    let outcome = work.carry_out().await;
    let mut result = work.result();
    drop(showing);
    log.close();
    let removed = async {
        work.end().await;
        polyphemus_fault::point("worker.workspace_removed");
    };
    let ((), sent) = tokio::join!(removed, report.while_it_is_wanted(sending));
    if let Some(Ok(Some(why))) = sent {
        result.notes.push(format!("the log is not complete: {why}"));
    }
    polyphemus_fault::point("worker.log_complete");
    (outcome, result)
}

/// The folders of the attempt: those that are ready, or new ones.
fn place(machine: &Machine, name: &str, ready: Option<Ready>) -> anyhow::Result<Ready> {
    if let Some(mut ready) = ready {
        ready.folder.becomes(&machine.folder, name)?;
        return Ok(ready);
    }
    let folder = machine.folder.attempt(name)?;
    Ok(Ready {
        shell: None,
        log: Log::create(&folder.log())?,
        folder,
    })
}

/// Answers who wants to see files, as long as the handle lives.
fn show(
    machine: &Machine,
    attempt: &AttemptRef,
    folder: &AttemptFolder,
    looks: mpsc::Receiver<Look>,
) -> Option<AbortOnDropHandle<()>> {
    let window = match Window::open(&folder.job()) {
        Ok(window) => window,
        Err(error) => {
            tracing::warn!(error = chain(&error), "the files of an attempt cannot be shown");
            return None;
        }
    };
    let looker = Looker {
        client: machine.client.clone(),
        attempt: attempt.clone(),
        window: Arc::new(window),
        tree: machine.config.tree_limits.clone(),
    };
    Some(AbortOnDropHandle::new(tokio::spawn(looker.answer_all(looks))))
}

fn failed_before_its_start(machine: &Machine, error: &anyhow::Error) -> (Outcome, StageResult) {
    let message = format!(
        "the worker {} could not make a folder for the stage ({error:#}); tell its operator",
        machine.config.name
    );
    tracing::error!(error = format!("{error:#}"), "an attempt could not begin");
    let cause = Cause::new(CauseKind::WorkerTrouble, message);
    (Outcome::Failed { cause, tree: None }, StageResult::default())
}

impl Report<'_> {
    /// What comes of it, unless this worker shuts down and has tried long enough.
    async fn while_it_is_wanted<T>(&self, told: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            told = told => Some(told),
            () = farewell(self.shutdown, &self.stop) => None,
        }
    }

    /// Tells the server the end until it has taken it, or says that it does not want it any more.
    async fn hand_in(&self, finish: &FinishRequest) {
        let Self { machine, attempt, .. } = self;
        if self.stop.get() == Some(StopReason::Superseded) {
            return;
        }
        let told = patiently(&self.telling.stop, || machine.client.finish(attempt, finish));
        let told = self.while_it_is_wanted(told).await;
        let name = format!("{} {} {}", attempt.job, attempt.stage, attempt.attempt);
        match told.unwrap_or(Err(GivenUp::Stopped)) {
            Ok(()) => {
                polyphemus_fault::point("worker.finish_answered");
                tracing::info!(attempt = name, "ended");
            }
            Err(GivenUp::Stopped) => {
                tracing::info!(attempt = name, "given up: the server has ended it, or will")
            }
            Err(GivenUp::Client(error)) => {
                tracing::error!(
                    attempt = name,
                    error = chain(&error),
                    "the server does not take the end"
                );
            }
        }
    }
}

/// Ends when a worker that shuts down has tried long enough.
async fn farewell(shutdown: &CancellationToken, stop: &Stop) {
    shutdown.cancelled().await;
    tokio::select! {
        () = stopped_hard(stop) => {}
        _ = stop.after(None) => {}
    }
    tokio::time::sleep(FAREWELL).await;
}
