//! A worker at work: its slots, each of which waits for a stage, does it, and waits again. The only
//! place that claims.

use crate::backoff::{Backoff, chain};
use crate::config::Config;
use crate::machine::Machine;
use crate::ready::Standby;
use crate::run::{self, carry_out};
use crate::tools;
use polyphemus_api::client::AttemptRef;
use polyphemus_api::worker::{Assignment, ClaimRequest, FinishRequest, Outcome};
use polyphemus_core::label::Label;
use polyphemus_core::result::StageResult;
use polyphemus_core::stage::{StageName, WorkerId};
use polyphemus_device::Device;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long the server may hold a claim back.
const CLAIM_WAIT: Duration = Duration::from_secs(30);

/// Stages at once that mostly wait for a service outside. Each has its files on the disk.
const WAITING: usize = 256;

/// How often it is looked whether the reason is gone why no stage is taken.
const REFUSAL_PAUSE: Duration = Duration::from_secs(5);

/// Works until `shutdown`, or with [`Config::once`] until one stage is done. Fails only where this
/// machine cannot work at all; whatever happens to the server is waited out.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    let machine = Machine::prepare(config).await?;
    let labels = tools::detect(&machine.sandbox).await;
    tracing::info!(
        worker = machine.config.name,
        server = machine.config.server,
        labels = labels
            .iter()
            .map(|label| label.0.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        "this worker offers its tools"
    );
    let agent = Arc::new(Agent {
        labels: watch::Sender::new(labels),
        is_server_away: AtomicBool::new(false),
        at_work: AtomicUsize::new(0),
        is_refusing: AtomicBool::new(false),
        is_taken: AtomicBool::new(false),
        enough: shutdown.child_token(),
        shutdown,
        machine: Arc::new(machine),
    });
    let mut work = JoinSet::new();
    for (number, slot) in agent.slots().into_iter().enumerate() {
        let agent = agent.clone();
        work.spawn(async move {
            let pulse = agent.machine.config.pulse.clone();
            pulse.beating(number, agent.serve(slot)).await;
        });
    }
    let stopping = tokio::spawn(agent.clone().tell_of_the_end());
    agent.machine.config.pulse.is_ready();
    let detecting = tokio::spawn(agent.clone().detect_again());
    while let Some(ended) = work.join_next().await {
        ended?;
    }
    detecting.abort();
    stopping.abort();
    Ok(())
}

#[derive(Debug)]
struct Agent {
    machine: Arc<Machine>,
    /// The tools of this machine, as they are now.
    labels: watch::Sender<Vec<Label>>,
    is_server_away: AtomicBool,
    /// How many stages.
    at_work: AtomicUsize,
    /// No stage is taken now.
    is_refusing: AtomicBool,
    /// With [`Config::once`]: there is a stage.
    is_taken: AtomicBool,
    /// No further claims.
    enough: CancellationToken,
    shutdown: CancellationToken,
}

/// What one loop claims.
#[derive(Debug, Clone)]
struct Slot {
    stages: Vec<StageName>,
    device: Option<Device>,
    /// How many stages it has at the same time.
    at_once: usize,
}

impl Agent {
    fn slots(&self) -> Vec<Slot> {
        let config = &self.machine.config;
        let wanted = |stages: &[StageName]| -> Vec<StageName> {
            let wanted = stages.iter().filter(|stage| config.stages.contains(stage));
            wanted.copied().collect()
        };
        let plain = |stages: &[StageName]| Slot {
            stages: wanted(stages),
            device: None,
            at_once: 1,
        };
        let make = std::iter::repeat_n(plain(&[StageName::Make]), config.make_slots);
        let waiting = std::iter::once(Slot {
            at_once: WAITING,
            ..plain(&[StageName::Afi])
        });
        let run = std::iter::repeat_n(plain(&[StageName::Run]), config.run_slots);
        let cards = crate::card::of(&self.machine.sandbox);
        let boards = config.devices.iter().chain(&cards);
        let boards = boards.filter(|device| self.is_usable(device));
        let boards = boards.map(|device| Slot {
            stages: wanted(&[StageName::Run]),
            device: Some(device.clone()),
            at_once: 1,
        });
        make.chain(waiting)
            .chain(run)
            .chain(boards)
            .filter(|slot| !slot.stages.is_empty())
            .collect()
    }

    fn is_usable(&self, device: &Device) -> bool {
        let reason = if device.labels.is_empty() {
            "it is not known which board it is"
        } else if device.simulated && !self.machine.can_simulate() {
            "a virtual board needs iceunpack, icebox_vlog, yosys' cell models, verilator, g++ and make (Debian: `apt-get install fpga-icestorm yosys verilator g++ make`)"
        } else if let polyphemus_device::Health::Sick { reason } = &device.health {
            reason
        } else {
            return true;
        };
        tracing::warn!(device = device.id, reason, "a board is not offered");
        false
    }

    /// Works in a slot until there is enough; nothing is left of it then.
    async fn serve(self: Arc<Self>, slot: Slot) {
        // A stage for a board begins with loading it, and those that are many at once wait for others:
        // both take their time anyway.
        let has_standby = slot.device.is_none() && slot.at_once == 1;
        let standby = has_standby.then(|| Standby::new(self.machine.clone()));
        if let Some(standby) = &standby {
            standby.prepare();
        }
        let mut beside = JoinSet::new();
        self.claim_and_work(&slot, standby.as_ref(), &mut beside).await;
        while beside.join_next().await.is_some_and(passed_on) {}
        if let Some(standby) = &standby {
            standby.release().await;
        }
    }

    /// Claims and works, one stage after the other; where several fit into the slot, beside the claims.
    async fn claim_and_work(
        self: &Arc<Self>,
        slot: &Slot,
        standby: Option<&Standby>,
        beside: &mut JoinSet<()>,
    ) {
        let mut backoff = Backoff::default();
        while !self.enough.is_cancelled() {
            if let Some(why) = self.machine.refusal() {
                tokio::select! {
                    () = self.enough.cancelled() => return,
                    () = self.refuse(slot, why) => continue,
                }
            }
            self.takes_again();
            let claimed = tokio::select! {
                () = self.enough.cancelled() => return,
                claimed = self.claim(slot) => claimed,
            };
            match claimed {
                Ok(None) => {
                    backoff = Backoff::default();
                    // Nobody has wanted it for as long as a claim waits: the memory is better used.
                    if let Some(standby) = standby {
                        standby.release().await;
                    }
                }
                Ok(Some(assignment)) => {
                    backoff = Backoff::default();
                    // The disk may have filled up while the claim waited.
                    if self.machine.refusal().is_some() {
                        self.hand_back(&assignment).await;
                        continue;
                    }
                    if !self.may_take() {
                        self.hand_back(&assignment).await;
                        return;
                    }
                    if slot.at_once == 1 {
                        self.work(slot, standby, assignment).await;
                        continue;
                    }
                    let (agent, slot) = (self.clone(), slot.clone());
                    let most = slot.at_once;
                    beside.spawn(async move { agent.work(&slot, None, assignment).await });
                    while beside.len() >= most && beside.join_next().await.is_some_and(passed_on) {}
                }
                Err(error) => {
                    self.server_is_away(&error);
                    tokio::select! {
                        () = self.enough.cancelled() => return,
                        () = backoff.wait() => {}
                    }
                }
            }
        }
    }

    /// Tells the server why no stage is taken, and waits a moment for that to change.
    async fn refuse(&self, slot: &Slot, why: String) {
        if !self.is_refusing.swap(true, Ordering::Relaxed) {
            let folder = self.machine.folder.shared().display();
            tracing::warn!(why, %folder, "no stage is taken");
        }
        let request = ClaimRequest {
            wait_ms: 0,
            refuses: Some(why),
            ..self.offer(slot)
        };
        match self.machine.client.claim(&request).await {
            Ok(None) => {}
            // A server that is older than this field takes it for a claim.
            Ok(Some(assignment)) => self.hand_back(&assignment).await,
            Err(error) => self.server_is_away(&error),
        }
        tokio::time::sleep(REFUSAL_PAUSE).await;
    }

    fn takes_again(&self) {
        if self.is_refusing.swap(false, Ordering::Relaxed) {
            tracing::info!("stages are taken again");
        }
    }

    async fn claim(&self, slot: &Slot) -> Result<Option<Assignment>, polyphemus_api::ClientError> {
        let claimed = self.machine.client.claim(&self.offer(slot)).await?;
        if self.is_server_away.swap(false, Ordering::Relaxed) {
            tracing::info!(server = self.machine.config.server, "the server is back");
        }
        Ok(claimed)
    }

    fn offer(&self, slot: &Slot) -> ClaimRequest {
        let mut labels = self.labels.borrow().clone();
        if self.machine.config.stand_ins {
            labels.push(Label::tool("stand-ins", None));
        }
        let board = slot.device.iter().flat_map(|device| &device.labels);
        labels.extend(board.cloned().map(Label));
        ClaimRequest {
            worker: WorkerId(self.machine.config.name.clone()),
            labels,
            stages: slot.stages.clone(),
            only_for: slot
                .device
                .as_ref()
                .and_then(|device| device.labels.first().cloned())
                .map(Label),
            wait_ms: u64::try_from(CLAIM_WAIT.as_millis()).unwrap_or(0),
            refuses: None,
        }
    }

    /// With [`Config::once`], whether this slot is the one.
    fn may_take(&self) -> bool {
        if !self.machine.config.once {
            return true;
        }
        self.enough.cancel();
        !self.is_taken.swap(true, Ordering::SeqCst)
    }

    /// Another slot was faster. Where this does not reach the server, the lease runs out.
    async fn hand_back(&self, assignment: &Assignment) {
        let release = FinishRequest {
            outcome: Outcome::Released,
            result: StageResult::default(),
        };
        let attempt = AttemptRef::from(assignment);
        if let Err(error) = self.machine.client.finish(&attempt, &release).await {
            tracing::warn!(
                error = chain(&error),
                "a stage that is not wanted could not be handed back"
            );
        }
    }

    async fn work(&self, slot: &Slot, standby: Option<&Standby>, assignment: Assignment) {
        tracing::info!(
            job = %assignment.job, stage = %assignment.stage.name, attempt = assignment.attempt,
            device = slot.device.as_ref().map(|device| device.id.as_str()),
            "claimed"
        );
        self.at_work.fetch_add(1, Ordering::Relaxed);
        let place = run::Slot {
            device: slot.device.as_ref(),
            standby,
            enough: &self.enough,
            shutdown: &self.shutdown,
        };
        carry_out(&self.machine, assignment, place).await;
        self.at_work.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whoever has asked for the end sees what it waits for.
    async fn tell_of_the_end(self: Arc<Self>) {
        self.shutdown.cancelled().await;
        let stages = self.at_work.load(Ordering::Relaxed);
        if stages > 0 {
            tracing::info!(
                stages,
                seconds = self.machine.config.shutdown_wait.as_secs(),
                "no further stage is taken; those at work have so many seconds to end, then they are handed back"
            );
        }
    }

    /// Said once, however many slots ask however often.
    fn server_is_away(&self, error: &polyphemus_api::ClientError) {
        if !self.is_server_away.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                error = chain(error),
                "no stage can be claimed now; it is tried until the server is back"
            );
        }
    }

    /// Looks for tools again and again, so that one that was installed is offered.
    async fn detect_again(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.machine.config.detect_every).await;
            if self.machine.sandbox.reason_without().is_none()
                && let Err(error) = self.machine.sandbox.refresh()
            {
                tracing::warn!(
                    error = chain(&error),
                    "sandboxes see an older /etc; look at the disk of this worker's folder"
                );
            }
            let labels = tools::detect(&self.machine.sandbox).await;
            self.labels.send_if_modified(|now| {
                let changed = *now != labels;
                if changed {
                    let text: Vec<&str> = labels.iter().map(|label| label.0.as_str()).collect();
                    tracing::info!(labels = text.join(" "), "the tools of this machine changed");
                    *now = labels;
                }
                changed
            });
        }
    }
}

/// That a stage's task has ended; its panic is this one's.
fn passed_on(ended: Result<(), tokio::task::JoinError>) -> bool {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
    true
}
