//! Looks at the files of running attempts that wait for their worker: in memory only, few for each
//! job, and gone with the attempt or with whoever asked.

use super::{AppError, Attempt};
use bytes::Bytes;
use polyphemus_api::running::{Look, LookAt, Seen, SeenContent};
use polyphemus_core::JobId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Looks at one job at once.
const OF_A_JOB: usize = 8;
/// Looks at all jobs at once: each may bring a part of a file into memory.
const OF_ALL: usize = 64;

/// What a worker shows.
#[derive(Debug)]
pub enum Shown {
    Seen(Seen),
    Content(SeenContent, Bytes),
}

#[derive(Debug)]
struct Asked {
    attempt: Attempt,
    look: Look,
    is_sent: bool,
    answer: oneshot::Sender<Shown>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    count: usize,
    by_job: HashMap<JobId, Vec<Asked>>,
}

#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<Open>);

/// A look that was asked for. Dropped, nobody waits for it any more.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    looks: &'a Looks,
    job: JobId,
    id: u64,
    pub(super) answer: oneshot::Receiver<Shown>,
}

impl Looks {
    pub(super) fn ask(&self, attempt: &Attempt, at: LookAt) -> Result<Ticket<'_>, AppError> {
        let mut open = self.lock();
        let of_job = open.by_job.get(&attempt.job).map_or(0, Vec::len);
        if of_job >= OF_A_JOB || open.count >= OF_ALL {
            return Err(AppError::Unavailable(format!(
                "too many look at the files of running stages now, {of_job} of them at those of job {}; try \
                 again in a few seconds",
                attempt.job
            )));
        }
        let (answer, receiver) = oneshot::channel();
        open.last += 1;
        open.count += 1;
        let id = open.last;
        open.by_job.entry(attempt.job.clone()).or_default().push(Asked {
            attempt: attempt.clone(),
            look: Look { id, at },
            is_sent: false,
            answer,
        });
        Ok(Ticket {
            looks: self,
            job: attempt.job.clone(),
            id,
            answer: receiver,
        })
    }

    /// What is wanted of this attempt and was not passed on yet.
    pub(super) fn take(&self, attempt: &Attempt) -> Vec<Look> {
        let mut open = self.lock();
        let asked = open.by_job.get_mut(&attempt.job).into_iter().flatten();
        asked
            .filter(|asked| asked.attempt == *attempt && !asked.is_sent)
            .map(|asked| {
                asked.is_sent = true;
                asked.look.clone()
            })
            .collect()
    }

    /// Gives the answer to whoever waits for it; `false` when nobody does.
    pub(super) fn answer(&self, attempt: &Attempt, look: u64, shown: Shown) -> bool {
        let asked = self.remove(&attempt.job, |asked| {
            asked.look.id == look && asked.attempt == *attempt
        });
        asked.is_some_and(|asked| asked.answer.send(shown).is_ok())
    }

    /// The attempt of this job is over, or is to end: nobody will answer.
    pub(super) fn end(&self, job: &JobId) {
        let mut open = self.lock();
        if let Some(all) = open.by_job.remove(job) {
            open.count -= all.len();
        }
    }

    fn remove(&self, job: &JobId, is_it: impl Fn(&Asked) -> bool) -> Option<Asked> {
        let mut open = self.lock();
        let all = open.by_job.get_mut(job)?;
        let asked = all.swap_remove(all.iter().position(is_it)?);
        if all.is_empty() {
            open.by_job.remove(job);
        }
        open.count -= 1;
        Some(asked)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.looks.remove(&self.job, |asked| asked.look.id == self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polyphemus_core::StageName;

    fn attempt(key: &str) -> Attempt {
        Attempt {
            job: "AAAAAAAAAAA".parse().unwrap(),
            stage: StageName::Make,
            attempt: 1,
            key: key.to_owned(),
        }
    }

    fn refused() -> Shown {
        Shown::Seen(Seen::NoFile { why: String::new() })
    }

    #[test]
    fn a_look_is_passed_on_once_and_answered_by_its_own_attempt_only() {
        let looks = Looks::default();
        let mut ticket = looks.ask(&attempt("key"), LookAt::Files).unwrap();
        assert!(looks.take(&attempt("other")).is_empty());
        assert_eq!(looks.take(&attempt("key")).len(), 1);
        assert!(looks.take(&attempt("key")).is_empty());
        assert!(!looks.answer(&attempt("other"), ticket.id, refused()));
        assert!(looks.answer(&attempt("key"), ticket.id, refused()));
        assert!(ticket.answer.try_recv().is_ok());
        assert!(
            !looks.answer(&attempt("key"), ticket.id, refused()),
            "a second time"
        );
    }

    #[test]
    fn there_are_few_looks_at_once_and_those_that_end_make_room() {
        let looks = Looks::default();
        let ask = || looks.ask(&attempt("key"), LookAt::Files);
        let mut tickets: Vec<_> = (0..OF_A_JOB).map(|_| ask().unwrap()).collect();
        assert!(matches!(ask(), Err(AppError::Unavailable(_))));
        tickets.pop();
        tickets.push(ask().unwrap());
        looks.end(&attempt("key").job);
        for ticket in &mut tickets {
            assert_eq!(
                ticket.answer.try_recv().unwrap_err(),
                oneshot::error::TryRecvError::Closed
            );
        }
        drop(tickets);
        let open = looks.lock();
        assert_eq!((open.count, open.by_job.len()), (0, 0));
    }
}
