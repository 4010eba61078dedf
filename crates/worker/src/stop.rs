//! Why an attempt has to end before its work is done, told to all that work on it.

use tokio::sync::watch;

/// The reason. An attempt gets one; a later one replaces an earlier only where it is harder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopReason {
    /// This worker shuts down.
    Shutdown,
    /// The virtual board ended before the steps that need it.
    BoardLost,
    /// The files of the stage take more than they may.
    WorkspaceFull,
    /// The user cancelled the job.
    Cancelled,
    /// The lease could not be renewed: another worker may have the stage any moment.
    LeaseLost,
    /// The server says that the attempt is over.
    Superseded,
}

impl StopReason {
    /// Whether there is no time for a polite end.
    pub fn is_hard(self) -> bool {
        matches!(self, Self::LeaseLost | Self::Superseded)
    }
}

/// Both ends of the message; clones speak of the same attempt.
#[derive(Debug, Clone)]
pub struct Stop(watch::Sender<Option<StopReason>>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Stop {
    pub fn set(&self, reason: StopReason) {
        self.0.send_if_modified(|now| {
            let harder = now.is_none_or(|now| now < reason);
            if harder {
                *now = Some(reason);
            }
            harder
        });
    }

    pub fn get(&self) -> Option<StopReason> {
        *self.0.borrow()
    }

    /// Waits for a reason harder than `known`.
    pub async fn after(&self, known: Option<StopReason>) -> StopReason {
        let mut receiver = self.0.subscribe();
        let harder = receiver.wait_for(|now| now.is_some() && *now > known).await;
        match harder.map(|now| *now) {
            Ok(Some(reason)) => reason,
            // The sender lives in `self`, so that the channel cannot close.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}
