//! The contents of a backup: every blob that a job of the copied database refers to.

use super::Backup;
use crate::care::{BATCH, CareError, Finding, News, Phase, trees};
use crate::store::{Audited, ForgetJob, Store};
use polyphemus_artifacts::{BlobError, BlobHash, Blobs};
use polyphemus_core::{JobId, TreeHash};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether a content has come into its place.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the copying of one blob came to.
enum Copy {
    There,
    Made { size_bytes: u64 },
    Damaged(String),
    Missing,
}

impl Backup<'_> {
    /// Copies what the backup does not have. Gives the jobs that were deleted meanwhile, whose contents
    /// may be gone.
    pub(super) async fn contents(&mut self, copy: &Store, verify: bool) -> Result<Vec<ForgetJob>, CareError> {
        let (mut after, mut done, mut gone) = (0, HashSet::new(), Vec::new());
        loop {
            let page = copy.audit_jobs(after, BATCH).await?;
            let Some(last) = page.last() else {
                return Ok(gone);
            };
            after = last.seq;
            for audited in page {
                let (job, stages) = match audited {
                    Audited {
                        job: Ok(job),
                        stages: Ok(stages),
                        ..
                    } => (job, stages),
                    // `fsck` tells of it; the row is in the backup as it is.
                    Audited { .. } => continue,
                };
                let mut whole = true;
                for (of, tree) in trees(&job, &stages) {
                    whole &= self.tree(&job.id, &of, &tree, &mut done, verify).await?;
                }
                if !whole && self.instance.store.job_seq(&job.id).await?.is_none() {
                    gone.push(ForgetJob { job_seq: job.seq });
                } else {
                    self.sums.jobs += 1;
                }
                self.progress(Phase::Jobs, self.sums.jobs);
            }
        }
    }

    /// Whether all of the tree is in the backup now. What is damaged is told, unless the job was
    /// deleted meanwhile.
    async fn tree(
        &mut self,
        job: &JobId,
        of: &str,
        tree: &TreeHash,
        done: &mut HashSet<BlobHash>,
        verify: bool,
    ) -> Result<bool, CareError> {
        let hash = BlobHash::from(tree.clone());
        if done.contains(&hash) {
            return Ok(true);
        }
        let mut whole = self.blob(job, of, "the list of files", &hash, verify).await?;
        if whole {
            for entry in self.target.blobs.get_tree(tree).await?.entries() {
                if !done.contains(&entry.hash) {
                    let stored = self.blob(job, of, &entry.path, &entry.hash, verify).await?;
                    if stored {
                        done.insert(entry.hash.clone());
                    }
                    whole &= stored;
                }
            }
        }
        if whole {
            done.insert(hash);
        }
        Ok(whole)
    }

    async fn blob(
        &mut self,
        job: &JobId,
        of: &str,
        path: &str,
        hash: &BlobHash,
        verify: bool,
    ) -> Result<bool, CareError> {
        let until = Instant::now() + self.instance.patience();
        let what = loop {
            match copy(&self.instance.blobs, &self.target.blobs, hash, verify).await? {
                Copy::There => {
                    self.sums.contents += 1;
                    return Ok(true);
                }
                Copy::Made { size_bytes } => {
                    self.sums.contents += 1;
                    self.sums.copied += 1;
                    self.sums.copied_bytes += size_bytes;
                    return Ok(true);
                }
                Copy::Damaged(what) => break what,
                Copy::Missing if self.instance.store.job_seq(job).await?.is_none() => return Ok(false),
                Copy::Missing if Instant::now() >= until => break "missing".to_owned(),
                Copy::Missing => tokio::time::sleep(LOOK_EVERY).await,
            }
        };
        self.sums.damaged += 1;
        self.damaged.push(hash.to_string());
        (self.tell)(News::Found(Finding {
            concerns: format!("job {job}, files of {of}"),
            what: format!("`{path}` (content {hash}) is {what}, so it is not in the backup"),
            remedy: "hand the design in again, or take it from an older backup; see `polyphemus fsck`"
                .to_owned(),
            repaired: None,
        }));
        Ok(false)
    }
}

async fn copy(from: &Blobs, to: &Blobs, hash: &BlobHash, verify: bool) -> Result<Copy, CareError> {
    let stored = match verify {
        // One that is damaged in the backup is copied anew.
        true => match to.verify(hash).await {
            Err(BlobError::Corrupt { .. }) => {
                to.delete(hash).await?;
                false
            }
            stored => stored?.is_some(),
        },
        false => to.has(hash).await?,
    };
    if stored {
        return Ok(Copy::There);
    }
    let content = match from.read(hash).await {
        Err(BlobError::Missing(_)) => return Ok(Copy::Missing),
        content => content?,
    };
    match to.put_stream(content, hash, u64::MAX).await {
        Ok(size_bytes) => Ok(Copy::Made { size_bytes }),
        // The source broke off: it withholds the end of a damaged content.
        Err(BlobError::Interrupted(source)) => match source.downcast::<BlobError>() {
            Ok(error) => match *error {
                BlobError::Corrupt { .. } => Ok(Copy::Damaged("damaged".to_owned())),
                BlobError::Missing(_) => Ok(Copy::Missing),
                BlobError::Io { source, .. } => Ok(Copy::Damaged(format!("not to be read ({source})"))),
                error => Err(error.into()),
            },
            Err(source) => Err(BlobError::Interrupted(source).into()),
        },
        Err(error) => Err(error.into()),
    }
}
