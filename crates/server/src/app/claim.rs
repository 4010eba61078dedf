//! Claims: a worker's free slot waits for a stage that it can do.

use super::attempt::{Attempt, handed_back, unreadable};
use super::change::lines;
use super::waiting::Offer;
use super::{App, AppError, ms, now_ms};
use crate::store::{Claim, ClaimStage, Claimed, StoreError};
use polyphemus_api::worker::{Assignment, ClaimRequest};
use polyphemus_artifacts::BlobError;
use polyphemus_core::job;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The longest that a claim may wait.
const WAIT: Duration = Duration::from_secs(60);
/// Of a worker's name and of a label, in bytes.
const NAME_BYTES: usize = 200;
/// Of the reason why a worker takes no stage.
const REFUSAL_BYTES: usize = 1000;
/// The most labels of a worker.
const LABELS: usize = 1000;

impl App {
    /// Gives the stage that is ready for the longest time of those that this slot can do, or waits
    /// for one. Dropped before it has given a stage, it hands back at once what it had claimed.
    pub async fn claim(&self, request: ClaimRequest) -> Result<Option<Assignment>, AppError> {
        check(&request)?;
        let until = Instant::now() + Duration::from_millis(request.wait_ms).min(WAIT);
        let offer = Offer {
            worker: request.worker,
            labels: request.labels,
            stages: request.stages,
            only_for: request.only_for,
        };
        self.0
            .workers
            .offers(&offer, request.refuses.as_deref(), now_ms());
        if request.refuses.is_some() {
            return Ok(None);
        }
        // Registered before the look, so that no stage is missed in between.
        let mut ticket = self.0.waiting.register(offer.clone());
        loop {
            if let Some((assignment, job_seq, position)) = self.claim_now(&offer).await? {
                ticket.took(job_seq, position);
                return Ok(Some(assignment));
            }
            ticket.looked_in_vain();
            if timeout_at(until, ticket.woken()).await.is_err() {
                self.0.workers.seen(&offer.worker, now_ms());
                return Ok(None);
            }
        }
    }

    /// A stage that is ready now, with the sequence number of its job and its position.
    async fn claim_now(&self, offer: &Offer) -> Result<Option<(Assignment, i64, i64)>, AppError> {
        let shapes = self.0.store.shape_list().into_iter();
        let shapes: Vec<String> = shapes
            .filter(|shape| offer.takes(shape))
            .map(|shape| shape.key.clone())
            .collect();
        if shapes.is_empty() {
            return Ok(None);
        }
        let (app, worker) = (self.clone(), offer.worker.clone());
        let taken = self.to_its_end(async move {
            // A job that cannot be read fails, and the next one has its turn: it must not stand in the
            // way of all others for ever.
            loop {
                let now_ms = now_ms();
                let claim = ClaimStage {
                    worker: worker.clone(),
                    shapes: shapes.clone(),
                    now_ms,
                    lease_until_ms: now_ms + ms(app.0.config.lease),
                    key: new_key()?,
                };
                let claimed = match app.0.store.write(claim).await? {
                    Claim::Nothing => return Ok(None),
                    Claim::SetAside { job_seq, why } => {
                        tracing::error!(job_seq, why, "a job cannot be read and is set aside as failed");
                        continue;
                    }
                    Claim::Claimed(claimed) => *claimed,
                };
                polyphemus_fault::point("claim.committed");
                let (job_seq, position) = (claimed.changed.job_seq, claimed.position);
                let taken = Taken::new(&app, &claimed);
                match app.assign(claimed, now_ms).await {
                    Err(AppError::Corrupt(why)) => taken.fail(why).await?,
                    assigned => return Ok(Some((taken, assigned?, job_seq, position))),
                }
            }
        });
        // Without an await behind it, nothing can get lost between here and the caller.
        Ok(taken.await?.map(|(taken, assignment, job_seq, position)| {
            taken.keep();
            (assignment, job_seq, position)
        }))
    }

    /// Writes the claim into the log and gathers what the worker must know.
    async fn assign(&self, claimed: Claimed, now_ms: i64) -> Result<Assignment, AppError> {
        let Claimed {
            job: id,
            stage,
            attempt,
            key,
            changed,
            ..
        } = claimed;
        let job = match self.0.store.job(&id).await {
            Err(StoreError::Unreadable { what, why }) => {
                let message = format!("{what} of job {id} cannot be read ({why}); submit the design again");
                return Err(AppError::Corrupt(message));
            }
            job => job?.ok_or_else(|| AppError::no_job(&id))?,
        };
        let planned = job.plan.stages.iter().find(|planned| planned.name == stage);
        let planned = planned.ok_or_else(|| {
            AppError::Corrupt(format!(
                "the plan of job {id} has no stage {stage}; submit it again"
            ))
        })?;
        let stages: Vec<_> = changed.new.iter().map(|row| row.stage.clone()).collect();
        let tree = job::input_of(&stages, stage, &job.tree).ok_or_else(|| {
            AppError::Corrupt(format!(
                "job {id} has no tree for its stage {stage}; submit it again"
            ))
        })?;
        let before = changed.new.iter().take_while(|row| row.stage.name != stage);
        let told = before.filter_map(|row| row.result.as_ref());
        let values = told.flat_map(|result| result.values.clone()).collect();
        let round = stages
            .iter()
            .find(|one| one.name == stage)
            .map_or(0, |one| one.round);
        let token = format!("polyphemus-{id}-{stage}-{round}");
        // A worker of this machine takes the files from the folder. What is wrong with them it tells itself.
        match self.0.blobs.lay_open(tree).await {
            Err(BlobError::Missing(_) | BlobError::Corrupt { .. } | BlobError::Tree { .. }) => {}
            laid_open => laid_open?,
        }
        polyphemus_fault::point("claim.laid_open");
        let mut written = vec![format!("acquired in state {}", changed.before)];
        written.extend(lines(&changed));
        let mut log = self.0.logs.lock(&id).await;
        log.settle(job.submitted_ms).await?;
        let log_offset = log.append_lines(now_ms, &written).await?;
        polyphemus_fault::point("claim.logged");
        drop(log);
        self.tell(&id, &changed);
        Ok(Assignment {
            job: id,
            flow: job.plan.flow,
            mode: job.plan.mode.clone(),
            stage: planned.clone(),
            attempt,
            key,
            tree: tree.clone(),
            log_offset,
            lease_ms: u64::try_from(self.0.config.lease.as_millis()).unwrap_or(u64::MAX),
            token,
            values,
        })
    }
}

/// A claimed stage on its way to its worker. Dropped on the way, it is handed back.
#[derive(Debug)]
struct Taken {
    app: App,
    attempt: Option<Attempt>,
}

impl Taken {
    fn new(app: &App, claimed: &Claimed) -> Self {
        Self {
            app: app.clone(),
            attempt: Some(Attempt {
                job: claimed.job.clone(),
                stage: claimed.stage,
                attempt: claimed.attempt,
                key: claimed.key.clone(),
            }),
        }
    }

    fn keep(mut self) {
        self.attempt = None;
    }

    /// Ends the stage, which no worker could do.
    async fn fail(mut self, why: String) -> Result<(), AppError> {
        if let Some(attempt) = self.attempt.take() {
            tracing::error!(job = %attempt.job, why, "a stage cannot be given to a worker");
            self.app.change(&attempt.job, unreadable(&attempt, why)).await?;
        }
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let (Some(attempt), Ok(runtime)) = (self.attempt.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let app = self.app.clone();
        runtime.spawn(async move {
            match app.change(&attempt.job, handed_back(&attempt)).await {
                Ok(_) | Err(AppError::Superseded(_)) => {}
                // Its lease ends soon, and then it is queued again all the same.
                Err(error) => tracing::warn!(job = %attempt.job, %error, "a stage was not handed back"),
            }
        });
    }
}

fn check(request: &ClaimRequest) -> Result<(), AppError> {
    let refuse = |text: &str| Err(AppError::BadRequest(text.into()));
    let name = &request.worker.0;
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        return refuse(
            "a worker's name has 1 to 200 bytes and no control characters; start it with another one",
        );
    }
    let bad = |label: &polyphemus_core::Label| {
        label.0.len() > NAME_BYTES || label.0.chars().any(|c| c.is_whitespace() || c.is_control())
    };
    if request.labels.len() > LABELS || request.labels.iter().any(bad) {
        return refuse("a worker has at most 1,000 labels, each of at most 200 bytes and without spaces");
    }
    if request
        .refuses
        .as_ref()
        .is_some_and(|why| why.len() > REFUSAL_BYTES)
    {
        return refuse("the reason why a worker takes no stage has at most 1,000 bytes");
    }
    if request.stages.is_empty() {
        return refuse("a claim names the stages that its slot is for; without one it would wait for ever");
    }
    Ok(())
}

fn new_key() -> Result<String, AppError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| AppError::Internal(error.into()))?;
    let mut key = String::with_capacity(32);
    for byte in bytes {
        write!(key, "{byte:02x}").expect("writing to a String cannot fail");
    }
    Ok(key)
}
