//! Keeps the lease of one attempt: renews it by heartbeat, passes on what the server wants (also to see), and ends
//! the work in time where it cannot be renewed.

use crate::backoff::{Backoff, chain};
use crate::stop::{Stop, StopReason};
use polyphemus_api::Client;
use polyphemus_api::client::AttemptRef;
use polyphemus_api::running::Look;
use polyphemus_api::worker::Command;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// The server holds its answer back for at most a third of the lease; what takes longer is lost.
const ANSWER_SHARE: f64 = 5.0 / 12.0;
/// What is kept of the lease for killing the processes of the attempt.
const KILL_SHARE: u32 = 6;
const LONGEST_KILL: Duration = Duration::from_secs(5);
/// The first renewal comes so much of the lease, or at most so long, after the claim, which is one
/// itself: a short stage needs none.
const FIRST_SHARE: u32 = 20;
const LONGEST_FIRST: Duration = Duration::from_millis(500);
/// So that a server that answers at once is not asked without pause.
const PAUSE_SHARE: u32 = 100;
const LONGEST_PAUSE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub struct Lease {
    pub client: Client,
    pub attempt: AttemptRef,
    pub length: Duration,
    pub stop: Stop,
    /// Where the wishes go to see files.
    pub looks: mpsc::Sender<Look>,
}

impl Lease {
    /// Renews until the attempt must end. To be dropped when it has ended by itself.
    ///
    /// Time is counted by the monotonic clock from the moment when the renewing request was *sent*:
    /// the server cannot have counted from an earlier one. The claim may have been answered late, so
    /// that of the first lease only half is trusted.
    pub async fn keep(self) {
        let mut until = Instant::now() + self.length / 2;
        tokio::time::sleep((self.length / FIRST_SHARE).min(LONGEST_FIRST)).await;
        let mut backoff = Backoff::up_to(self.length / 10);
        let kill_time = (self.length / KILL_SHARE).min(LONGEST_KILL);
        loop {
            let sent = Instant::now();
            if sent + kill_time >= until {
                tracing::warn!(
                    attempt = %self.name(),
                    "the lease could not be renewed in time: the work is ended, for another worker may get it"
                );
                self.stop.set(StopReason::LeaseLost);
                return;
            }
            let patience = self.length.mul_f64(ANSWER_SHARE).min(until - kill_time - sent);
            match timeout(patience, self.client.heartbeat(&self.attempt)).await {
                Ok(Ok(answer)) => {
                    until = sent + self.length;
                    backoff = Backoff::up_to(self.length / 10);
                    if answer.command == Command::Cancel {
                        self.stop.set(StopReason::Cancelled);
                    }
                    let is_looked_at = !answer.looks.is_empty();
                    self.pass_on(answer.looks);
                    // Each look was asked for, and more wait for the next question.
                    if !is_looked_at {
                        tokio::time::sleep_until(sent + self.pause()).await;
                    }
                    if answer.command == Command::Cancel {
                        // Asked again at once it would say so again at once.
                        tokio::time::sleep(self.length / KILL_SHARE).await;
                    }
                }
                Ok(Err(error)) if error.is_superseded() => {
                    tracing::info!(attempt = %self.name(), "the server says that the attempt is over");
                    self.stop.set(StopReason::Superseded);
                    return;
                }
                Ok(Err(error)) => {
                    tracing::debug!(attempt = %self.name(), error = chain(&error), "no heartbeat");
                    let rest = (until - kill_time).saturating_duration_since(Instant::now());
                    tokio::time::sleep(backoff.delay().min(rest)).await;
                }
                Err(_) => tracing::debug!(attempt = %self.name(), "no answer to a heartbeat"),
            }
        }
    }

    /// So that somebody who looks at files does not wait long for the next heartbeat either.
    fn pause(&self) -> Duration {
        (self.length / PAUSE_SHARE).min(LONGEST_PAUSE)
    }

    fn pass_on(&self, looks: Vec<Look>) {
        for look in looks {
            if let Err(error) = self.looks.try_send(look) {
                tracing::debug!(attempt = %self.name(), %error, "a look is not answered");
            }
        }
    }

    fn name(&self) -> String {
        let AttemptRef {
            job, stage, attempt, ..
        } = &self.attempt;
        format!("{job} {stage} {attempt}")
    }
}
