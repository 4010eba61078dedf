//! The steps of one attempt in their order, and what is made of their end.

use super::Slot;
use super::dry_run::{self, Rehearsal};
use super::failure::{Judge, unreadable};
use super::program::{Program, Ran, StdoutTo};
use super::results;
use super::usage::Gauge;
use crate::backoff::chain;
use crate::board::{self, Board};
use crate::contents::ContentsError;
use crate::log::Log;
use crate::machine::Machine;
use crate::ready::{Ready, Shell};
use crate::sandbox::Access;
use crate::stop::{Stop, StopReason};
use crate::workspace::AttemptFolder;
use polyphemus_api::worker::{Assignment, Outcome};
use polyphemus_artifacts::Tree;
use polyphemus_artifacts::workspace::materialise;
use polyphemus_core::TreeHash;
use polyphemus_core::cause::{Cause, CauseKind};
use polyphemus_core::flow::Flow;
use polyphemus_core::plan::{Run, Step};
use polyphemus_core::result::{StageResult, Verdict};
use polyphemus_core::stage::StageName;
use polyphemus_device::{Device, DeviceLock};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::SemaphorePermit;
use tokio_util::task::AbortOnDropHandle;

/// One attempt at work.
#[derive(Debug)]
pub struct Attempt<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) assignment: &'a Assignment,
    pub(crate) name: String,
    // Dropped in this order: the shell and the board's simulation live in the folder.
    /// It waits for the first program.
    pub(crate) shell: Mutex<Option<Shell>>,
    pub(crate) board: Option<Board>,
    pub(crate) folder: AttemptFolder,
    pub(crate) log: Log,
    pub(crate) stop: Stop,
    pub(crate) slot: Slot<'a>,
    pub(crate) device: Option<&'a Device>,
    pub(crate) device_lock: Option<DeviceLock>,
    pub(crate) deadline: Instant,
    /// Of the stage's limit, in bytes.
    pub(crate) output_left: AtomicU64,
    /// What of the limits of the workspace was passed.
    excess: Arc<OnceLock<String>>,
    notes: Vec<String>,
    verdict: Option<Verdict>,
    reports: Vec<polyphemus_core::report::Report>,
    bitstream: Option<String>,
    make_conf: BTreeMap<String, String>,
    /// What its own steps have told by name.
    told: BTreeMap<String, String>,
}

/// Why no further step is done.
#[derive(Debug)]
pub enum Fault {
    Stopped(StopReason),
    Failed(Cause),
}

impl Fault {
    /// The worker itself is at fault, not the design.
    pub(crate) fn trouble(doing: &str, error: &dyn std::error::Error) -> Self {
        let message = format!(
            "this worker could not {doing}: {}. Nothing is wrong with the design; the worker's operator has to look at it if it happens again",
            chain(error)
        );
        Self::Failed(Cause::new(CauseKind::WorkerTrouble, message))
    }
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(
        machine: &'a Machine,
        assignment: &'a Assignment,
        name: String,
        place: Ready,
        slot: Slot<'a>,
        stop: Stop,
    ) -> Self {
        Self {
            machine,
            assignment,
            name,
            shell: Mutex::new(place.shell),
            board: None,
            folder: place.folder,
            log: place.log,
            stop,
            slot,
            device: slot.device,
            device_lock: None,
            deadline: Instant::now() + Duration::from_secs(assignment.stage.time_limit_s),
            output_left: AtomicU64::new(machine.config.limits.output_bytes),
            excess: Arc::default(),
            notes: Vec::new(),
            verdict: None,
            reports: Vec::new(),
            bitstream: None,
            make_conf: BTreeMap::new(),
            told: BTreeMap::new(),
        }
    }

    /// What became known, for [`polyphemus_api::worker::FinishRequest`].
    pub(crate) fn result(&mut self) -> StageResult {
        StageResult {
            reports: std::mem::take(&mut self.reports),
            verdict: self.verdict.take(),
            bitstream: self.bitstream.take(),
            device: self.device.map(|device| device.id.clone()),
            make_conf: std::mem::take(&mut self.make_conf),
            values: std::mem::take(&mut self.told),
            stand_ins: self.has_stand_ins(),
            notes: std::mem::take(&mut self.notes),
        }
    }

    /// Removes the folder, beside this thread: what a job left can take long to remove, and the leases
    /// of other attempts cannot wait for it.
    pub(crate) async fn end(self) {
        let Self {
            shell,
            board,
            folder,
            device_lock,
            ..
        } = self;
        if let Some(shell) = shell.into_inner().unwrap_or_else(PoisonError::into_inner) {
            shell.end().await;
        }
        drop(board);
        if let Err(error) = tokio::task::spawn_blocking(|| drop(folder)).await {
            tracing::error!(%error, "the folder of an attempt was not removed to its end");
        }
        drop(device_lock);
    }

    pub(crate) async fn carry_out(&mut self) -> Outcome {
        let input = match self.prepare().await {
            Ok(input) => input,
            Err(fault) => return self.ended_without_tree(fault),
        };
        let mut fault = self.steps_within_limits().await.err();
        polyphemus_fault::point("worker.steps_ended");
        self.prepare_next();
        self.end_board().await;
        // A cancel that comes with the last step's end is a cancel; a lost lease a lost lease.
        if let Some(reason) = self.stop.get().filter(|reason| *reason != StopReason::Shutdown) {
            fault = Some(Fault::Stopped(reason));
        }
        match fault {
            Some(Fault::Stopped(reason)) => self.ended_without_tree(Fault::Stopped(reason)),
            Some(Fault::Failed(cause)) => {
                self.read_results(false);
                let tree = match self.leave(&input).await {
                    Ok(tree) => Some(tree),
                    Err(Fault::Failed(why)) => {
                        self.note(format!(
                            "the files of the failed stage are not kept: {}",
                            why.message
                        ));
                        None
                    }
                    Err(stopped) => return self.ended_without_tree(stopped),
                };
                self.say_failed(&cause);
                Outcome::Failed { cause, tree }
            }
            None => {
                self.read_results(true);
                match self.leave(&input).await {
                    Ok(tree) => Outcome::Succeeded { tree },
                    Err(fault) => self.ended_without_tree(fault),
                }
            }
        }
    }

    /// While this stage is handed in, what the next one needs is made ready.
    fn prepare_next(&self) {
        if let Some(standby) = self.slot.standby.filter(|_| !self.slot.enough.is_cancelled()) {
            standby.prepare();
        }
    }

    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// A line in the log; that it cannot be written shows at the next output of a step.
    pub(crate) fn say(&self, line: &str) {
        if let Err(error) = self.log.line(line) {
            tracing::warn!(attempt = self.name, %error, "a line of the log is lost");
        }
    }

    async fn prepare(&mut self) -> Result<Tree, Fault> {
        if self.has_stand_ins() {
            let stage = self.assignment.stage.name;
            let note = format!("{stage} was done by stand-ins for the vendor's tools: nothing in it is real");
            self.say(&note);
            self.note(note);
        }
        if let Some(reason) = self.machine.sandbox.reason_without() {
            self.note(format!("ran without sandbox because {reason}"));
        }
        if let Some(device) = self.device {
            let holder = format!("{} of {}", self.name, self.machine.config.name);
            let lock = DeviceLock::acquire(&self.machine.folder.devices(), &device.id, &holder)
                .map_err(|error| Fault::Failed(Cause::new(CauseKind::Device, chain(&error))))?;
            self.device_lock = Some(lock);
            polyphemus_fault::point("worker.device_locked");
        }
        let contents = &self.machine.contents;
        let fetched = contents.fetch(&self.assignment.tree, &self.stop).await;
        let tree = fetched.map_err(|error| self.contents_fault("fetch the files of the stage", error))?;
        polyphemus_fault::point("worker.tree_fetched");
        match materialise(&tree, contents.blobs(), &self.folder.job()).await {
            Ok(()) => {
                polyphemus_fault::point("worker.tree_laid_out");
                Ok(tree)
            }
            Err(polyphemus_artifacts::workspace::WorkspaceError::Blob(error)) => {
                Err(self.contents_fault("read the files of the stage", error.into()))
            }
            Err(error) => Err(Fault::trouble("lay out the files of the stage", &error)),
        }
    }

    /// The steps, while it is counted what they write.
    async fn steps_within_limits(&mut self) -> Result<(), Fault> {
        let steps = &self.assignment.stage.steps;
        if steps.iter().any(|step| matches!(step, Step::Load(_))) {
            let made = self.folder.make_board();
            made.map_err(|error| Fault::trouble("make a folder for the board", &error))?;
        }
        let gauge = Gauge::new(&self.folder, self.machine.config.limits.workspace)
            .map_err(|error| Fault::trouble("watch the size of the workspace", &error))?;
        self.excess = gauge.excess.clone();
        let _counting = AbortOnDropHandle::new(tokio::spawn(gauge.watch(self.stop.clone())));
        self.steps().await
    }

    async fn steps(&mut self) -> Result<(), Fault> {
        for step in &self.assignment.stage.steps {
            if let Some(reason) = self.stop.get() {
                return Err(Fault::Stopped(reason));
            }
            match step {
                Step::Run(run) => self.run(run).await?,
                Step::Load(load) => board::load(self, load).await?,
                Step::Poll(poll) => self.poll(poll).await?,
            }
        }
        Ok(())
    }

    async fn run(&mut self, run: &Run) -> Result<(), Fault> {
        if !run.make_conf.is_empty() {
            self.say(&dry_run::line(&run.make_conf));
            self.make_conf.extend(run.make_conf.clone());
        }
        let mut judge = Judge::new(run).map_err(|error| unreadable(run, &error))?;
        let ran = self.run_once(run, &mut judge).await?;
        judge.read_file(run, &self.folder);
        let mut judged = judge.judge(run, &ran, |file| self.folder.find(file).is_some());
        if let Some(dry_run) = ran.dry_run {
            judged.outcome = judged.outcome.map_err(|cause| dry_run.cause(run, cause));
            self.make_conf.extend(dry_run.values);
        }
        self.verdict = judged.verdict.or(self.verdict.take());
        self.keep_told(judged.told);
        judged.outcome.map_err(Fault::Failed)
    }

    /// Runs the step's program to its end, within one of the few places for those of stages that wait.
    pub(super) async fn run_once(&mut self, run: &Run, judge: &mut Judge) -> Result<Ran, Fault> {
        let (argv, env) = self.filled(run)?;
        let _place = match self.assignment.stage.name {
            StageName::Afi => Some(self.place_to_ask().await?),
            StageName::Make | StageName::Run => None,
        };
        let inherited = self.machine.sandbox.inherited(&run.inherit);
        let program = Program {
            title: run.title.clone(),
            argv,
            env,
            folder: self.machine.sandbox.job(&self.folder).join(&run.folder),
            stdout_to: run.stdout_to.clone().map(StdoutTo::Workspace),
            time_limit: run.time_limit_s.map(Duration::from_secs),
            access: Access {
                network: self.assignment.stage.network,
                serial: self.board.as_ref().and_then(|board| board.port().map(Into::into)),
                read_only: self.machine.sandbox.named_by(&inherited),
                cards: run.card,
                ..Access::default()
            },
            inherited,
            stdin: None,
            outside: run.outside,
            dry_run: self.rehearsal(run)?,
        };
        self.start_and_wait(program, |bytes| judge.feed(bytes)).await
    }

    pub(super) fn keep_told(&mut self, told: BTreeMap<String, String>) {
        self.told.extend(told);
    }

    async fn place_to_ask(&self) -> Result<SemaphorePermit<'a>, Fault> {
        tokio::select! {
            place = self.machine.asking.acquire() => Ok(place.expect("the semaphore is never closed")),
            reason = self.stop.after(None) => Err(Fault::Stopped(reason)),
        }
    }

    fn rehearsal(&self, run: &Run) -> Result<Option<Rehearsal>, Fault> {
        let Some(dry_run) = &run.dry_run else {
            return Ok(None);
        };
        let mark = getrandom::u64().map_err(|error| Fault::trouble("get a random number", &error))?;
        let inside = self.machine.sandbox.temporary(&self.folder);
        Ok(Some(Rehearsal::new(
            dry_run,
            mark,
            &self.folder.temporary(),
            &inside,
        )))
    }

    /// Puts what is known only now into what the plan says.
    fn filled(&self, run: &Run) -> Result<(Vec<String>, BTreeMap<String, String>), Fault> {
        const SERIAL: &str = "serial";
        let port = self.board.as_ref().and_then(|board| board.port());
        let port = port.map(|port| self.machine.sandbox.serial(port).to_string_lossy().into_owned());
        let mut known: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in self.assignment.values.iter().chain(&self.told) {
            known.insert(name, value);
        }
        known.insert("token", &self.assignment.token);
        let mut env = run.env.clone();
        let mut argv = run.argv.clone();
        match &port {
            None if argv
                .iter()
                .chain(env.values())
                .any(|text| text.contains("{serial}")) =>
            {
                let message = format!(
                    "the step `{}` needs the serial port of a board, and no board with one is loaded",
                    run.title
                );
                return Err(Fault::Failed(Cause::new(CauseKind::Device, message)));
            }
            None => {}
            Some(port) => {
                known.insert(SERIAL, port);
                env.insert("POLYPHEMUS_SERIAL".to_owned(), port.clone());
            }
        }
        for text in argv
            .iter_mut()
            .chain(env.values_mut())
            .filter(|text| text.contains('{'))
        {
            for (name, value) in &known {
                *text = text.replace(&format!("{{{name}}}"), value);
            }
        }
        Ok((argv, env))
    }

    /// The open flow has its real tools.
    fn has_stand_ins(&self) -> bool {
        self.machine.config.stand_ins && self.assignment.flow != Flow::Open
    }

    async fn end_board(&mut self) {
        if let Some(board) = self.board.take() {
            board.end().await;
        }
    }

    fn read_results(&mut self, succeeded: bool) {
        let stage = &self.assignment.stage;
        let (reports, notes) = results::read_reports(&stage.reports, &self.folder, succeeded);
        self.reports = reports;
        self.notes.extend(notes);
        self.bitstream = stage
            .bitstream
            .clone()
            .filter(|path| self.folder.find(path).is_some());
    }

    /// Makes the workspace the stage's tree, at the server too.
    async fn leave(&mut self, input: &Tree) -> Result<TreeHash, Fault> {
        let config = &self.machine.config;
        let stage = &self.assignment.stage;
        let contents = &self.machine.contents;
        let taken = results::snapshot(
            &self.folder,
            contents.blobs(),
            input,
            &stage.discard,
            &config.tree_limits,
        );
        let taken = tokio::select! {
            taken = taken => taken?,
            () = crate::backoff::stopped_hard(&self.stop) => {
                return Err(Fault::Stopped(self.stop.get().unwrap_or(StopReason::Superseded)));
            }
        };
        self.notes.extend(taken.notes);
        polyphemus_fault::point("worker.tree_stored");
        let published = contents.publish(&taken.tree, &self.stop).await;
        polyphemus_fault::point("worker.blobs_sent");
        published.map_err(|error| self.contents_fault("hand in the files of the stage", error))
    }

    fn contents_fault(&self, doing: &str, error: ContentsError) -> Fault {
        match (&error, self.stop.get()) {
            (ContentsError::Stopped, Some(reason)) => Fault::Stopped(reason),
            _ if error.is_corrupt() => Fault::Failed(Cause::new(
                CauseKind::CorruptContent,
                format!("it was not possible to {doing}: {}", chain(&error)),
            )),
            _ => Fault::trouble(doing, &error),
        }
    }

    fn ended_without_tree(&self, fault: Fault) -> Outcome {
        match fault {
            Fault::Stopped(StopReason::Cancelled) => {
                self.say("cancelled: all processes of the stage were ended");
                Outcome::Cancelled
            }
            Fault::Stopped(StopReason::BoardLost) => {
                let cause = Cause::new(
                    CauseKind::Device,
                    "the virtual board ended while the stage needed it; the end of the log says why",
                );
                self.say_failed(&cause);
                Outcome::Failed { cause, tree: None }
            }
            Fault::Stopped(StopReason::WorkspaceFull) => {
                let message = self.excess.get().cloned().unwrap_or_default();
                let cause = Cause::new(CauseKind::OutputLimit, message);
                self.say_failed(&cause);
                Outcome::Failed { cause, tree: None }
            }
            Fault::Stopped(_) => {
                self.say("handed back: this worker stops, and another one starts the stage anew");
                Outcome::Released
            }
            Fault::Failed(cause) => {
                self.say_failed(&cause);
                Outcome::Failed { cause, tree: None }
            }
        }
    }

    fn say_failed(&self, cause: &Cause) {
        self.say(&format!("failed: {cause}"));
        if let Some(line) = &cause.line {
            self.say(&format!("  {line}"));
        }
    }
}
