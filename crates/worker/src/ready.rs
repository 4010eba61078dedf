//! What is made ready before a stage comes, since to make it takes longer than many a stage: the folders
//! of an attempt, and in a sandbox a shell that waits for its first command.

mod script;
mod shell;

pub use shell::Shell;

use crate::log::Log;
use crate::machine::Machine;
use crate::sandbox::Access;
use crate::workspace::AttemptFolder;
use anyhow::Context as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;

/// Where one attempt is to take place. No other attempt was ever in it.
#[derive(Debug)]
pub struct Ready {
    // Dropped in this order: the shell lives in the folder.
    pub shell: Option<Shell>,
    pub log: Log,
    pub folder: AttemptFolder,
}

impl Ready {
    async fn make(machine: &Machine, access: Access) -> anyhow::Result<Self> {
        let number = machine.number();
        let folder = machine.folder.ready(number)?;
        let log = Log::create(&folder.log()).context("the spool of a log could not be made")?;
        let shell = Shell::start(machine, &folder, access, number).await?;
        Ok(Self {
            shell: Some(shell),
            log,
            folder,
        })
    }

    async fn end(self) {
        if let Some(shell) = self.shell {
            shell.end().await;
        }
    }
}

/// What one slot has ready for its next stage.
#[derive(Debug)]
pub struct Standby {
    machine: Arc<Machine>,
    /// What the slot's last stage could reach; the next one is likely to be of its kind.
    access: Mutex<Access>,
    making: Mutex<Option<JoinHandle<Option<Ready>>>>,
}

impl Standby {
    pub fn new(machine: Arc<Machine>) -> Self {
        Self {
            machine,
            access: Mutex::default(),
            making: Mutex::default(),
        }
    }

    /// Begins to make one ready, unless there is one.
    pub fn prepare(&self) {
        let mut making = lock(&self.making);
        if making.is_none() {
            let (machine, access) = (self.machine.clone(), lock(&self.access).clone());
            *making = Some(tokio::spawn(async move {
                match Ready::make(&machine, access).await {
                    Ok(ready) => Some(ready),
                    // The stage meets the same when it begins, and tells its user.
                    Err(error) => {
                        tracing::debug!(
                            error = format!("{error:#}"),
                            "nothing is ready for the next stage"
                        );
                        None
                    }
                }
            }));
        }
    }

    /// What is ready, for an attempt that begins now.
    pub async fn take(&self) -> Option<Ready> {
        let making = lock(&self.making).take()?;
        making.await.ok().flatten()
    }

    /// What the next stage may be able to reach.
    pub fn expect(&self, access: &Access) {
        lock(&self.access).clone_from(access);
    }

    /// Gives back what is ready. Afterwards nothing of it is left.
    pub async fn release(&self) {
        if let Some(ready) = self.take().await {
            ready.end().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
