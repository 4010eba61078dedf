//! What an operator does with an instance as a whole, beside or instead of its server: check it, back it
//! up, restore it, take an instance of the original over. Nothing here is in the way of a request.
//!
//! - Invariant: a damaged or unfinished copy never looks like a good one.
//! - Invariant: beside a running server nothing of its instance is changed.

mod backup;
mod check;
mod error;
mod finding;
mod identity;
mod import;
mod restore;

pub use backup::{BackedUp, backup};
pub use check::{Checked, check};
pub use error::CareError;
pub use finding::{Finding, News, Phase};
pub(crate) use identity::identity;
pub use import::{Imported, import};
pub(crate) use restore::refuse_unfinished;
pub use restore::{Restored, restore};

use crate::app::{InstanceLock, open_blobs};
use crate::log::Logs;
use crate::store::{Access, JobRow, StageRow, Store};
use polyphemus_artifacts::Blobs;
use polyphemus_core::TreeHash;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long beside a server it is waited for what the server may still be moving into its place.
const PATIENCE: Duration = Duration::from_secs(20);
/// Jobs that are read at once.
const BATCH: u32 = 500;

/// An instance, opened as it is: with its lock where no server has it, else only for reading.
#[derive(Debug)]
pub struct Instance {
    pub(crate) folder: PathBuf,
    pub(crate) store: Arc<Store>,
    pub(crate) blobs: Blobs,
    pub(crate) logs: Logs,
    /// The process that serves it.
    served_by: Option<String>,
    _lock: Option<InstanceLock>,
}

impl Instance {
    /// Opens the instance in this folder.
    ///
    /// # Errors
    /// Where there is none, or where its database is not of this program's schema.
    pub async fn open(folder: &Path) -> Result<Self, CareError> {
        if !folder.join("polyphemus.db").is_file() {
            return Err(CareError::NoInstance {
                folder: folder.to_owned(),
            });
        }
        let (lock, served_by) = match InstanceLock::try_take(folder)? {
            Ok(lock) => (Some(lock), None),
            Err(holder) => (None, Some(holder)),
        };
        let (access, place) = (
            lock.as_ref().map_or(Access::Read, |_| Access::Write),
            folder.join("blobs"),
        );
        let store = Arc::new(Store::existing(folder, access).await?);
        Ok(Self {
            blobs: match &lock {
                Some(_) => open_blobs(&place)?,
                None => Blobs::open_beside(&place)?,
            },
            logs: Logs::open_as_they_are(&folder.join("logs"), store.clone())?,
            store,
            folder: folder.to_owned(),
            served_by,
            _lock: lock,
        })
    }

    /// The same, for changes.
    ///
    /// # Errors
    /// Also where a server has it.
    pub async fn open_alone(folder: &Path) -> Result<Self, CareError> {
        let instance = Self::open(folder).await?;
        match instance.served_by {
            None => Ok(instance),
            Some(holder) => Err(CareError::InUse {
                folder: folder.to_owned(),
                holder,
            }),
        }
    }

    /// The process that serves it, if one does.
    pub fn served_by(&self) -> Option<&str> {
        self.served_by.as_deref()
    }

    /// Lets go of it; what was written to the database is moved into its file.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// How long a content that is not there may still be on its way.
    fn patience(&self) -> Duration {
        match self.served_by {
            Some(_) => PATIENCE,
            None => Duration::ZERO,
        }
    }
}

/// Who is told what comes up.
type Tell<'a> = &'a mut (dyn FnMut(News) + Send);

/// The trees of a job, each with what left it: `upload`, or a stage.
fn trees(job: &JobRow, stages: &[StageRow]) -> Vec<(String, TreeHash)> {
    let made = stages.iter().filter_map(|row| {
        let tree = row.stage.tree()?.clone();
        Some((row.stage.name.to_string(), tree))
    });
    std::iter::once(("upload".to_owned(), job.tree.clone()))
        .chain(made)
        .collect()
}
