//! The claims that wait for a stage. A waiting claim is registered before it looks, and for each
//! stage that becomes ready exactly one of those that can do it is woken.

use crate::store::Shape;
use polyphemus_core::{Label, StageName, WorkerId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What a free slot of a worker can do.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) worker: WorkerId,
    pub(crate) labels: Vec<Label>,
    pub(crate) stages: Vec<StageName>,
    pub(crate) only_for: Option<Label>,
}

impl Offer {
    pub(crate) fn takes(&self, shape: &Shape) -> bool {
        let wanted = |label: &Label| shape.needs.iter().any(|need| need.is_met_by(label));
        self.stages.contains(&shape.stage)
            && self.only_for.as_ref().is_none_or(wanted)
            && shape.is_met_by(&self.labels)
    }
}

/// A stage that became ready.
#[derive(Debug, Clone)]
pub(crate) struct Ready {
    pub(crate) job_seq: i64,
    pub(crate) position: i64,
    pub(crate) shape: Arc<Shape>,
}

#[derive(Debug)]
struct Waiter {
    offer: Offer,
    /// What it was woken for and has not seen yet; one at a time, the others go to others.
    woken_for: Option<Ready>,
    notify: Arc<Notify>,
}

/// In the order of their coming, so that nobody waits for ever.
#[derive(Debug, Default)]
struct Waiters {
    last: u64,
    by_number: BTreeMap<u64, Waiter>,
}

#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<Waiters>);

/// A place among the waiting. Dropped, it passes on what it was woken for and did not take.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    waiting: &'a Waiting,
    number: u64,
    notify: Arc<Notify>,
    held: Option<Ready>,
}

impl Waiting {
    pub(super) fn register(&self, offer: Offer) -> Ticket<'_> {
        let notify = Arc::new(Notify::new());
        let mut waiters = self.lock();
        waiters.last += 1;
        let number = waiters.last;
        let waiter = Waiter {
            offer,
            woken_for: None,
            notify: notify.clone(),
        };
        waiters.by_number.insert(number, waiter);
        Ticket {
            waiting: self,
            number,
            notify,
            held: None,
        }
    }

    /// Wakes the one that has waited longest of those that can do it and were not woken yet.
    /// Without one nothing happens: whoever comes next looks for himself.
    pub(crate) fn wake(&self, ready: Ready) {
        let mut waiters = self.lock();
        let fit = waiters
            .by_number
            .values_mut()
            .find(|waiter| waiter.woken_for.is_none() && waiter.offer.takes(&ready.shape));
        if let Some(waiter) = fit {
            waiter.woken_for = Some(ready);
            waiter.notify.notify_one();
        }
    }

    /// How many wait for a stage of this shape and were not woken.
    pub(crate) fn idle(&self, shape: &Shape) -> usize {
        self.lock()
            .by_number
            .values()
            .filter(|waiter| waiter.woken_for.is_none() && waiter.offer.takes(shape))
            .count()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().by_number.len()
    }

    /// Whether a claim of this worker waits.
    pub(crate) fn has(&self, worker: &WorkerId) -> bool {
        let waiters = self.lock();
        waiters
            .by_number
            .values()
            .any(|waiter| waiter.offer.worker == *worker)
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// Waits until there may be a stage. The waiter can be woken again from now on, so that nothing
    /// is missed while it looks.
    pub(super) async fn woken(&mut self) {
        self.notify.notified().await;
        let mut waiters = self.waiting.lock();
        let waiter = waiters.by_number.get_mut(&self.number);
        self.held = waiter.and_then(|waiter| waiter.woken_for.take());
    }

    /// What it was woken for is gone: somebody else has it.
    pub(super) fn looked_in_vain(&mut self) {
        self.held = None;
    }

    /// It has a stage now; what it was woken for is passed on, unless it is the same.
    pub(super) fn took(mut self, job_seq: i64, position: i64) {
        let same = |ready: &Ready| ready.job_seq == job_seq && ready.position == position;
        if self.held.as_ref().is_some_and(same) {
            self.held = None;
        }
        let mut waiters = self.waiting.lock();
        if let Some(waiter) = waiters.by_number.get_mut(&self.number)
            && waiter.woken_for.as_ref().is_some_and(same)
        {
            waiter.woken_for = None;
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let waiter = self.waiting.lock().by_number.remove(&self.number);
        let unseen = waiter.and_then(|waiter| waiter.woken_for);
        for ready in self.held.take().into_iter().chain(unseen) {
            self.waiting.wake(ready);
        }
    }
}
