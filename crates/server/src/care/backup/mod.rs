//! `backup`: a copy of an instance that is consistent though its server goes on.
//!
//! First the database as it is at one moment, then every content that it refers to, then the logs as
//! long as they are by then: each is there before the row that tells of it, so that nothing the copied
//! database refers to can be missing. Contents and logs are blobs of the backup, so that the next
//! backup into the same folder copies only what is new. What makes a snapshot complete is its
//! manifest, written last.

mod contents;
mod logs;
mod target;

pub(super) use logs::{Logged, each_logged};
pub(super) use target::{Manifest, Snapshot, Target};

use super::{CareError, Instance, News, Tell, identity};
use crate::app::now_ms;
use crate::config::load::FILE_NAME;
use crate::store::{Access, RepairCounts, Store};
use serde::Serialize;
use std::path::Path;

/// What a backup holds, and what was copied for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BackedUp {
    pub jobs: u64,
    pub contents: u64,
    pub copied: u64,
    pub copied_bytes: u64,
    /// Contents that are damaged or gone in the instance, each of them told.
    pub damaged: u64,
    /// When the database was copied, in milliseconds since 1970 UTC.
    pub taken_ms: i64,
}

/// One backup being made.
struct Backup<'a> {
    instance: &'a Instance,
    target: &'a Target,
    tell: Tell<'a>,
    sums: BackedUp,
    /// The names of damaged contents, for the manifest.
    damaged: Vec<String>,
}

/// Backs the instance up into the folder, which is made, or holds earlier backups of it. On `Ok` all of
/// it is on the disk. `verify` reads back also what earlier backups have stored.
pub async fn backup(
    instance: &Instance,
    folder: &Path,
    verify: bool,
    tell: Tell<'_>,
) -> Result<BackedUp, CareError> {
    let target = Target::open(folder, &identity(&instance.folder)?)?;
    let mut backup = Backup {
        instance,
        target: &target,
        tell,
        sums: BackedUp::default(),
        damaged: Vec::new(),
    };
    let snapshot = target.begin()?;
    backup.database(&snapshot).await?;
    backup.settings(&snapshot)?;
    let copy = Store::existing(snapshot.path(), Access::Write).await?;
    let gone = backup.contents(&copy, verify).await?;
    if !gone.is_empty() {
        for job in gone {
            copy.write(job).await?;
        }
        copy.write(RepairCounts).await?;
    }
    backup.logs(&copy, &snapshot).await?;
    copy.close().await;
    let (sums, damaged) = (backup.sums, backup.damaged);
    target.finish(snapshot, sums.taken_ms, damaged)?;
    Ok(sums)
}

impl Backup<'_> {
    async fn database(&mut self, snapshot: &Snapshot) -> Result<(), CareError> {
        self.sums.taken_ms = now_ms();
        let file = snapshot.path().join(target::DATABASE);
        Ok(self.instance.store.copy_into(&file).await?)
    }

    fn settings(&self, snapshot: &Snapshot) -> Result<(), CareError> {
        let path = self.instance.folder.join(FILE_NAME);
        match std::fs::read(&path) {
            Ok(text) => {
                let to = snapshot.path().join(FILE_NAME);
                std::fs::write(&to, text).map_err(CareError::io("write", &to))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(CareError::io("read", &path)(error)),
        }
    }

    fn progress(&mut self, phase: super::Phase, done: u64) {
        if done.is_multiple_of(100) {
            (self.tell)(News::Progress { phase, done });
        }
    }
}
