//! Shows from outside that a worker lives: each of its loops beats as long as the threads that carry
//! it get on. One that is stuck beats no more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::interval;

/// Seldom, for each beat wakes an idle machine; several of them fit into what counts as stuck.
const PERIOD: Duration = Duration::from_secs(10);

/// Handed to a worker with its [`crate::Config`]; a clone shows the same.
#[derive(Debug, Clone)]
pub struct Pulse {
    beats: Arc<Mutex<HashMap<usize, Instant>>>,
    ready: watch::Sender<bool>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            beats: Arc::default(),
            ready: watch::Sender::new(false),
        }
    }
}

impl Pulse {
    /// Waits until the worker has looked its machine over and asks for work.
    pub async fn ready(&self) {
        let mut ready = self.ready.subscribe();
        // The sender is this.
        drop(ready.wait_for(|ready| *ready).await);
    }

    /// The number of a loop that has not beaten for so long.
    pub fn stuck(&self, longest: Duration) -> Option<usize> {
        let late = |beat: &Instant| beat.elapsed() > longest;
        let beats = self.lock();
        beats
            .iter()
            .find(|(_, beat)| late(beat))
            .map(|(number, _)| *number)
    }

    pub(crate) fn is_ready(&self) {
        self.ready.send_replace(true);
    }

    /// Does the work of a loop, and beats with it in the same task.
    pub(crate) async fn beating<T>(&self, number: usize, work: impl Future<Output = T>) -> T {
        self.lock().insert(number, Instant::now());
        let mut work = std::pin::pin!(work);
        let mut tick = interval(PERIOD);
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                _ = tick.tick() => {
                    self.lock().insert(number, Instant::now());
                }
            }
        };
        self.lock().remove(&number);
        done
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Instant>> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_beats_until_it_ends_and_a_stuck_one_is_found() {
        let pulse = Pulse::default();
        assert_eq!(pulse.stuck(Duration::ZERO), None);
        let beating = pulse.beating(7, async {
            let while_at_work = pulse.stuck(Duration::from_secs(60));
            // Holds up its thread, as a deadlock would.
            std::thread::sleep(Duration::from_millis(5));
            (while_at_work, pulse.stuck(Duration::from_millis(1)))
        });
        assert_eq!(beating.await, (None, Some(7)));
        assert_eq!(pulse.stuck(Duration::ZERO), None);
    }
}
