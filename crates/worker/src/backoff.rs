//! Waiting between tries, a little longer each time and never in step with other workers.

use crate::stop::Stop;
use polyphemus_api::ClientError;
use std::time::{Duration, Instant};

const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);
/// How long a server that is there may answer with its own trouble (500, 503, 507) before what was
/// asked of it is given up.
const TROUBLE_PATIENCE: Duration = Duration::from_secs(600);

/// The waiting times of one row of tries.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::up_to(LONGEST)
    }
}

impl Backoff {
    pub fn up_to(longest: Duration) -> Self {
        Self {
            next: SHORTEST.min(longest),
            longest,
        }
    }

    /// How long to wait before the next try: between half of a time that doubles, and all of it.
    pub fn delay(&mut self) -> Duration {
        let full = self.next;
        self.next = (full * 2).min(self.longest);
        let mut random = [0; 1];
        // Without random numbers there is no jitter, which only costs a busy moment at the server.
        let _ = getrandom::fill(&mut random);
        full / 2 + full * u32::from(random[0]) / 512
    }

    pub async fn wait(&mut self) {
        let delay = self.delay();
        tokio::time::sleep(delay).await;
    }
}

/// Why a request has no good answer in the end.
#[derive(Debug, thiserror::Error)]
pub enum GivenUp {
    /// The attempt ends; [`Stop`] says why.
    #[error("the attempt ends")]
    Stopped,
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Asks again until there is an answer that another try would not change. A server that cannot be
/// reached is waited for as long as the attempt lasts.
pub async fn patiently<T, F>(stop: &Stop, mut ask: impl FnMut() -> F) -> Result<T, GivenUp>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let begun = Instant::now();
    let mut backoff = Backoff::default();
    loop {
        let error = tokio::select! {
            _ = stopped_hard(stop) => return Err(GivenUp::Stopped),
            answer = ask() => match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            },
        };
        if error.is_superseded() {
            stop.set(crate::stop::StopReason::Superseded);
            return Err(GivenUp::Stopped);
        }
        let is_away = matches!(
            error,
            ClientError::Unreachable { .. } | ClientError::Broken { .. }
        );
        if !error.is_transient() || (!is_away && begun.elapsed() > TROUBLE_PATIENCE) {
            return Err(error.into());
        }
        tracing::debug!(error = chain(&error), "the server is asked again");
        tokio::select! {
            _ = stopped_hard(stop) => return Err(GivenUp::Stopped),
            () = backoff.wait() => {}
        }
    }
}

/// Waits until there is no time for anything any more.
pub async fn stopped_hard(stop: &Stop) {
    let mut known = None;
    loop {
        let reason = stop.after(known).await;
        if reason.is_hard() {
            return;
        }
        known = Some(reason);
    }
}

/// An error with all that is behind it, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_times_double_up_to_a_bound_and_are_never_short_of_half() {
        let mut backoff = Backoff::up_to(Duration::from_secs(1));
        for full_ms in [200, 400, 800, 1000, 1000] {
            let full = Duration::from_millis(full_ms);
            let delay = backoff.delay();
            assert!(delay >= full / 2 && delay <= full, "{delay:?} of {full:?}");
        }
    }
}
