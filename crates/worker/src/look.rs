//! Shows the files of an attempt while it is at work: answers what the heartbeat brings. The only
//! place that reads a workspace in which a job runs.

use crate::backoff::chain;
use polyphemus_api::client::AttemptRef;
use polyphemus_api::running::{FILES_AT_ONCE, LOOK_BYTES, Look, LookAt, RunningFile, Seen, SeenContent};
use polyphemus_api::{Client, ClientError};
use polyphemus_artifacts::Limits;
use polyphemus_artifacts::tree::Mode;
use polyphemus_artifacts::workspace::{ListLimits, LookError, SeenPart, Window};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};

/// Looks answered at the same time; the others wait.
const AT_ONCE: usize = 4;
/// Looks that wait. The server has no more at once; what is beyond is not answered.
pub const WAITING: usize = 16;
const LIST: ListLimits = ListLimits {
    files: FILES_AT_ONCE,
    path_bytes: 2 << 20,
    entries: 200_000,
    time: Duration::from_secs(5),
};

/// Who shows the files of one attempt.
#[derive(Debug, Clone)]
pub struct Looker {
    pub client: Client,
    pub attempt: AttemptRef,
    pub window: Arc<Window>,
    /// What the tree of the stage may hold; other files are not shown.
    pub tree: Limits,
}

enum Shown {
    Seen(Seen),
    Content(SeenContent, Vec<u8>),
}

impl Looker {
    /// Answers until no more can come. To be dropped at the end of the attempt, in the middle of an
    /// answer if need be: the server knows of the end, and tells whoever looks.
    pub async fn answer_all(self, mut looks: mpsc::Receiver<Look>) {
        let mut answering = JoinSet::new();
        loop {
            tokio::select! {
                look = looks.recv(), if answering.len() < AT_ONCE => match look {
                    Some(look) => {
                        answering.spawn(self.clone().answer(look));
                    }
                    None => break,
                },
                Some(_) = answering.join_next() => {}
            }
        }
        while answering.join_next().await.is_some() {}
    }

    async fn answer(self, look: Look) {
        let Look { id, at } = look;
        let looker = self.clone();
        let shown = match spawn_blocking(move || looker.show(at)).await {
            Ok(shown) => shown,
            Err(error) => Shown::Seen(Seen::Failed {
                why: error.to_string(),
            }),
        };
        let told = match shown {
            Shown::Seen(seen) => self.client.look_answer(&self.attempt, id, &seen).await,
            Shown::Content(of, content) => {
                let content = content.into();
                self.client.look_content(&self.attempt, id, &of, content).await
            }
        };
        match told {
            Ok(()) => {}
            // Whoever looked has gone away.
            Err(ClientError::Refused { status: 404, .. }) => {}
            Err(error) if error.is_transient() || error.is_superseded() => {
                tracing::debug!(look = id, error = chain(&error), "a look was not answered");
            }
            Err(error) => tracing::warn!(look = id, error = chain(&error), "a look was not answered"),
        }
    }

    fn show(&self, at: LookAt) -> Shown {
        match at {
            LookAt::Files => Shown::Seen(self.files()),
            LookAt::File { path, from, most } => {
                let most = usize::try_from(most.min(LOOK_BYTES)).unwrap_or(0);
                match self.window.read(&path, from, most) {
                    Ok(SeenPart {
                        size_bytes,
                        modified_ms,
                        content,
                    }) => Shown::Content(
                        SeenContent {
                            size_bytes,
                            modified_ms,
                        },
                        content,
                    ),
                    Err(LookError::NotThere(why)) => Shown::Seen(Seen::NoFile { why }),
                    Err(error) => Shown::Seen(Seen::Failed { why: chain(&error) }),
                }
            }
        }
    }

    fn files(&self) -> Seen {
        let listing = self.window.list(&self.tree, &LIST);
        let files = listing.files.into_iter().map(|file| RunningFile {
            path: file.path,
            size_bytes: file.size_bytes,
            modified_ms: file.modified_ms,
            executable: file.mode == Mode::Executable,
        });
        Seen::Files {
            files: files.collect(),
            truncated: listing.truncated,
        }
    }
}
