//! Who offers to work: known in memory, saved now and then for the time after a restart.

use super::waiting::Offer;
use super::{App, AppError, ms, now_ms};
use crate::store::{Shape, WorkerRow};
use polyphemus_api::worker::{RunningStage, Worker};
use polyphemus_core::{Label, WorkerId};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long a worker is listed after it was last heard of.
pub(crate) const REMEMBERED_MS: i64 = 3_600_000;
/// How the names of workers begin that live in the process of a server.
pub(crate) const EMBEDDED: &str = "embedded-";
/// The most running stages that a list of workers shows.
const RUNNING: u32 = 10_000;

#[derive(Debug)]
pub(crate) struct Workers(Mutex<HashMap<WorkerId, Known>>);

#[derive(Debug)]
struct Known {
    /// What its slots offer, one for each kind of slot. Empty after a restart, until it claims.
    offers: Vec<Offer>,
    /// Of all its slots.
    labels: Vec<Label>,
    /// Why it takes no stage now.
    refuses: Option<String>,
    seen_ms: i64,
    saved_ms: i64,
}

impl Workers {
    /// Workers that lived in the process of the server before are known dead.
    pub(super) fn new(saved: Vec<WorkerRow>) -> Self {
        let elsewhere = saved.into_iter().filter(|row| !row.id.0.starts_with(EMBEDDED));
        let known = elsewhere.map(|row| {
            let known = Known {
                offers: Vec::new(),
                labels: row.labels,
                refuses: None,
                seen_ms: row.seen_ms,
                saved_ms: row.seen_ms,
            };
            (row.id, known)
        });
        Self(Mutex::new(known.collect()))
    }

    /// A slot of a worker waits for a stage, or says why it does not.
    pub(super) fn offers(&self, offer: &Offer, refuses: Option<&str>, now_ms: i64) {
        let mut workers = self.lock();
        let known = workers.entry(offer.worker.clone()).or_insert_with(|| Known {
            offers: Vec::new(),
            labels: Vec::new(),
            refuses: None,
            seen_ms: now_ms,
            saved_ms: 0,
        });
        known.seen_ms = known.seen_ms.max(now_ms);
        known.refuses = refuses.map(str::to_owned);
        let same_slot = |old: &Offer| old.stages == offer.stages && old.only_for == offer.only_for;
        match known.offers.iter_mut().find(|old| same_slot(old)) {
            Some(old) if old.labels == offer.labels => return,
            Some(old) => old.labels.clone_from(&offer.labels),
            None => known.offers.push(offer.clone()),
        }
        let labels: BTreeSet<&Label> = known.offers.iter().flat_map(|offer| &offer.labels).collect();
        known.labels = labels.into_iter().cloned().collect();
    }

    pub(super) fn seen(&self, worker: &WorkerId, now_ms: i64) {
        if let Some(known) = self.lock().get_mut(worker) {
            known.seen_ms = known.seen_ms.max(now_ms);
        }
    }

    /// Those that were heard of since they were last saved, which they count as now. Forgets those
    /// that were not heard of since `forget_before_ms`.
    pub(crate) fn take_unsaved(&self, forget_before_ms: i64) -> Vec<WorkerRow> {
        let mut workers = self.lock();
        workers.retain(|_, known| known.seen_ms > forget_before_ms);
        let unsaved = workers
            .iter_mut()
            .filter(|(_, known)| known.saved_ms < known.seen_ms);
        unsaved
            .map(|(id, known)| {
                known.saved_ms = known.seen_ms;
                row(id, known)
            })
            .collect()
    }

    /// What all of them offer together.
    pub(super) fn labels(&self) -> Vec<Label> {
        let workers = self.lock();
        workers.values().flat_map(|known| known.labels.clone()).collect()
    }

    /// Each with the reason why it takes no stage now.
    fn list(&self) -> Vec<(WorkerRow, Option<String>)> {
        let workers = self.lock();
        let each = workers.iter();
        each.map(|(id, known)| (row(id, known), known.refuses.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<WorkerId, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn can(&self, shape: &Shape) -> bool {
        match self.offers.is_empty() {
            true => shape.is_met_by(&self.labels),
            false => self.offers.iter().any(|offer| offer.takes(shape)),
        }
    }
}

fn row(id: &WorkerId, known: &Known) -> WorkerRow {
    WorkerRow {
        id: id.clone(),
        labels: known.labels.clone(),
        seen_ms: known.seen_ms,
    }
}

/// The live workers in view of one shape.
#[derive(Debug, Default)]
pub(super) struct Fit {
    /// The labels of all live workers.
    pub(super) labels: Vec<Label>,
    pub(super) live: usize,
    /// How many of the live ones offer all that it needs, for whatever stages.
    pub(super) equipped: usize,
    /// How many of the live ones can do it.
    pub(super) able: usize,
    /// One that could do it and takes nothing now, and why.
    pub(super) refusal: Option<(WorkerId, String)>,
}

impl App {
    /// The workers that were heard of in the last hour, by name, with the stages that they have.
    pub async fn workers(&self) -> Result<Vec<Worker>, AppError> {
        let mut running: HashMap<WorkerId, Vec<RunningStage>> = HashMap::new();
        for stage in self.0.store.stage_list_running(RUNNING).await? {
            running.entry(stage.worker).or_default().push(RunningStage {
                job: stage.job,
                stage: stage.stage,
                attempt: stage.attempt,
            });
        }
        let now_ms = now_ms();
        let live_since_ms = self.live_since_ms(now_ms);
        let known = self.0.workers.list().into_iter();
        let mut workers: Vec<Worker> = known
            .map(|(row, refuses)| {
                let seen_ms = if self.0.waiting.has(&row.id) {
                    now_ms
                } else {
                    row.seen_ms
                };
                Worker {
                    seen_ms,
                    live: seen_ms >= live_since_ms,
                    running: running.remove(&row.id).unwrap_or_default(),
                    id: row.id,
                    labels: row.labels,
                    refuses,
                }
            })
            .collect();
        workers.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Ok(workers)
    }

    /// How many workers are live, and how many are known.
    pub(super) fn worker_counts(&self) -> (usize, usize) {
        let since_ms = self.live_since_ms(now_ms());
        let workers = self.0.workers.lock();
        let live = |(id, known): &(&WorkerId, &Known)| known.seen_ms >= since_ms || self.0.waiting.has(id);
        (workers.iter().filter(live).count(), workers.len())
    }

    fn live_since_ms(&self, now_ms: i64) -> i64 {
        now_ms - 2 * ms(self.0.config.lease)
    }

    /// A worker is live when it was heard of within two leases or waits for a stage now.
    pub(super) fn fit(&self, shape: &Shape) -> Fit {
        let since_ms = self.live_since_ms(now_ms());
        let mut fit = Fit::default();
        for (id, known) in self.0.workers.lock().iter() {
            if known.seen_ms < since_ms && !self.0.waiting.has(id) {
                continue;
            }
            fit.live += 1;
            fit.equipped += usize::from(shape.is_met_by(&known.labels));
            match &known.refuses {
                Some(why) if known.can(shape) => fit.refusal = Some((id.clone(), why.clone())),
                Some(_) => {}
                None => fit.able += usize::from(known.can(shape)),
            }
            fit.labels.extend(known.labels.iter().cloned());
        }
        fit
    }
}
