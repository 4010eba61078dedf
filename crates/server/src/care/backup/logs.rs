//! The logs of a backup: each a blob of it, found by a list with a line `ID LENGTH HASH` for each job.

use super::target::LOGS;
use super::{Backup, Snapshot};
use crate::care::{BATCH, CareError, Instance, Phase};
use crate::store::Store;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use polyphemus_artifacts::BlobHash;
use polyphemus_core::JobId;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

/// Of a log, read at once.
const PART: usize = 1 << 20;
/// Logs that are stored at once, so that their fsyncs share the disk's commits.
const LOGS_AT_ONCE: usize = 8;

/// A log in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::care) struct Logged {
    pub(in crate::care) job: JobId,
    pub(in crate::care) length: u64,
    pub(in crate::care) hash: BlobHash,
}

impl Backup<'_> {
    pub(super) async fn logs(&mut self, copy: &Store, snapshot: &Snapshot) -> Result<(), CareError> {
        let known = match self.target.latest_logs()? {
            Some(list) => known(&list)?,
            None => HashMap::new(),
        };
        let path = snapshot.path().join(LOGS);
        let file = File::create(&path).map_err(CareError::io("create", &path))?;
        let mut list = BufWriter::new(file);
        let (mut after, mut done) = (0, 0);
        loop {
            let page = copy.audit_jobs(after, BATCH).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            let jobs: Vec<JobId> = page.iter().filter_map(|job| job.id.parse().ok()).collect();
            let (instance, target) = (self.instance, self.target);
            let mut stored = stream::iter(jobs)
                .map(|job| store(instance, target, known.get(&job).cloned(), job))
                .buffered(LOGS_AT_ONCE);
            while let Some(logged) = stored.next().await {
                let (Logged { job, length, hash }, copied) = logged?;
                if copied {
                    self.sums.copied += 1;
                    self.sums.copied_bytes += length;
                }
                writeln!(list, "{job} {length} {hash}").map_err(CareError::io("write", &path))?;
                done += 1;
                self.progress(Phase::Logs, done);
            }
        }
        list.flush().map_err(CareError::io("write", &path))
    }
}

/// Stores the log of a job as it is now, unless that is what the backup before has. Gives whether
/// anything was written.
async fn store(
    instance: &Instance,
    target: &super::Target,
    known: Option<Logged>,
    job: JobId,
) -> Result<(Logged, bool), CareError> {
    let length = instance.logs.length(&job).await?;
    // Logs only grow: one of the same length is the same.
    if let Some(known) = known.filter(|known| known.length == length)
        && target.blobs.has(&known.hash).await?
    {
        return Ok((known, false));
    }
    let part = |from: u64| {
        let most = usize::try_from(length - from).unwrap_or(PART).min(PART);
        instance.logs.read(&job, from, most)
    };
    if length <= PART as u64 {
        let content = part(0).await?;
        let length = content.len() as u64;
        let hash = target.blobs.put(content).await?;
        return Ok((Logged { job, length, hash }, true));
    }
    let (mut hasher, mut at) = (blake3::Hasher::new(), 0);
    while at < length {
        let content = part(at).await?;
        hasher.update(&content);
        at += content.len() as u64;
    }
    let hash = BlobHash::from_bytes(*hasher.finalize().as_bytes());
    let parts = stream::try_unfold(0, |at| async move {
        if at >= length {
            return Ok::<_, crate::log::LogError>(None);
        }
        let content: Bytes = part(at).await?;
        let next = at + content.len() as u64;
        Ok(Some((content, next)))
    });
    target.blobs.put_stream(parts, &hash, u64::MAX).await?;
    Ok((Logged { job, length, hash }, true))
}

fn known(list: &Path) -> Result<HashMap<JobId, Logged>, CareError> {
    let mut known = HashMap::new();
    each_logged(list, |logged| drop(known.insert(logged.job.clone(), logged)))?;
    Ok(known)
}

/// The lines of a list of logs.
pub(in crate::care) fn each_logged(list: &Path, mut each: impl FnMut(Logged)) -> Result<(), CareError> {
    let file = File::open(list).map_err(CareError::io("open", list))?;
    for line in BufReader::new(file).lines() {
        let line = line.map_err(CareError::io("read", list))?;
        let mut words = line.split(' ');
        let logged = (|| {
            Some(Logged {
                job: words.next()?.parse().ok()?,
                length: words.next()?.parse().ok()?,
                hash: words.next()?.parse().ok()?,
            })
        })();
        each(logged.ok_or_else(|| CareError::DamagedBackup {
            folder: list.to_owned(),
            what: format!("`{}` is no line of the list of logs", line.escape_debug()),
        })?);
    }
    Ok(())
}
