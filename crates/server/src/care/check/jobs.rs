//! Every job: its row against its stages, its trees with all their files, its log.

use super::content::Content;
use super::{Check, Finding, Phase};
use crate::care::{BATCH, CareError, trees};
use crate::store::{Audited, JobRow, StageRow, state_of};
use polyphemus_artifacts::{BlobError, BlobHash};
use polyphemus_core::{JobId, Stage, TreeHash};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether what was missing has come.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Files that a finding names.
const NAMED: usize = 5;

/// A tree of a job in which something was missing or damaged.
#[derive(Debug)]
struct Doubt {
    job: JobId,
    /// `upload`, or the stage that made it.
    of: String,
    tree: TreeHash,
}

/// What is wrong with a tree.
#[derive(Debug, Default)]
struct Faults {
    /// In words, at most `NAMED`.
    named: Vec<String>,
    all: usize,
    /// Whether something is missing, which may still come.
    missing: bool,
}

impl Check<'_> {
    pub(super) async fn all_jobs(&mut self) -> Result<(), CareError> {
        let (mut after, mut good, mut doubts) = (0, HashSet::new(), Vec::new());
        loop {
            let page = self.instance.store.audit_jobs(after, BATCH).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for audited in page {
                self.one(audited, &mut good, &mut doubts).await?;
                self.sums.jobs += 1;
                self.progress(Phase::Jobs, self.sums.jobs);
            }
        }
        let until = Instant::now() + self.instance.patience();
        for doubt in doubts {
            self.settle(doubt, until).await?;
        }
        Ok(())
    }

    async fn one(
        &mut self,
        audited: Audited,
        good: &mut HashSet<TreeHash>,
        doubts: &mut Vec<Doubt>,
    ) -> Result<(), CareError> {
        let (job, stages) = match (audited.job, audited.stages) {
            (Ok(job), Ok(stages)) => (job, stages),
            (Err(error), _) | (_, Err(error)) => {
                self.found(Finding {
                    concerns: format!("job {}", audited.id),
                    what: error.to_string(),
                    remedy: "restore the instance from a backup (`polyphemus restore`)".to_owned(),
                    repaired: None,
                });
                return Ok(());
            }
        };
        self.rows(&job, &stages).await?;
        self.log(&job, &stages).await?;
        for (of, tree) in trees(&job, &stages) {
            if good.contains(&tree) {
                continue;
            }
            if self.faults(&tree).await?.all == 0 {
                good.insert(tree);
            } else {
                let job = job.id.clone();
                doubts.push(Doubt { job, of, tree });
            }
        }
        Ok(())
    }

    async fn rows(&mut self, job: &JobRow, rows: &[StageRow]) -> Result<(), CareError> {
        let planned: Vec<_> = job.plan.stages.iter().map(|stage| stage.name).collect();
        let there: Vec<_> = rows.iter().map(|row| row.stage.name).collect();
        if planned != there {
            self.found(Finding {
                concerns: format!("job {}", job.id),
                what: "its stages are not those of its plan".to_owned(),
                remedy: "restore the instance from a backup (`polyphemus restore`)".to_owned(),
                repaired: None,
            });
            return Ok(());
        }
        let stages: Vec<Stage> = rows.iter().map(|row| row.stage.clone()).collect();
        let derived = state_of(&stages, job.ended_as);
        if derived == job.state {
            return Ok(());
        }
        let repaired = match self.repair {
            true => Some(self.instance.repair_state(job.seq, derived).await?),
            false => None,
        };
        self.found(Finding {
            concerns: format!("job {}", job.id),
            what: format!("it is listed as `{}`, but its stages say `{derived}`", job.state),
            remedy: "stop the server and run `polyphemus fsck --repair`".to_owned(),
            repaired,
        });
        Ok(())
    }

    async fn log(&mut self, job: &JobRow, stages: &[StageRow]) -> Result<(), CareError> {
        let logs = &self.instance.logs;
        let length = logs.length(&job.id).await?;
        self.sums.log_bytes += length;
        // Every log begins with the acceptance, and is a file when a worker has done something. A claim may be
        // all that there was: its server was killed before the worker heard of it.
        let has_worked = |row: &StageRow| row.result.is_some() || row.stage.tree().is_some();
        let attempted = stages.iter().any(has_worked);
        let is_there = length > 0 && (!attempted || logs.path(&job.id).exists());
        if is_there || self.instance.store.job_seq(&job.id).await?.is_none() {
            return Ok(());
        }
        let repaired = match self.repair {
            true => Some(self.instance.begin_log_anew(&job.id).await?),
            false => None,
        };
        self.found(Finding {
            concerns: format!("job {}", job.id),
            what: "its log is gone".to_owned(),
            remedy: "restore the instance from a backup if the log is needed; `polyphemus fsck --repair` begins an \
                     empty one"
                .to_owned(),
            repaired,
        });
        Ok(())
    }

    /// What is wrong with the tree and its files.
    async fn faults(&mut self, tree: &TreeHash) -> Result<Faults, CareError> {
        let blobs = &self.instance.blobs;
        let mut faults = Faults::default();
        let hash = BlobHash::from(tree.clone());
        match self.contents.of(blobs, &hash).await? {
            Content::Whole { .. } => {}
            content => {
                faults.add("its list of files", content);
                return Ok(faults);
            }
        }
        let tree = match blobs.get_tree(tree).await {
            Ok(tree) => tree,
            Err(BlobError::Missing(_)) => {
                faults.add("its list of files", Content::Missing);
                return Ok(faults);
            }
            Err(BlobError::Tree { .. } | BlobError::Corrupt { .. }) => {
                faults.add("its list of files", Content::Damaged);
                return Ok(faults);
            }
            Err(error) => return Err(error.into()),
        };
        for entry in tree.entries() {
            match self.contents.of(blobs, &entry.hash).await? {
                Content::Whole { size_bytes } if size_bytes == entry.size_bytes => {}
                Content::Whole { .. } => faults.add(&format!("`{}`", entry.path), Content::Damaged),
                content => faults.add(&format!("`{}`", entry.path), content),
            }
        }
        Ok(faults)
    }

    /// Looks at a doubt again until nothing is missing or the time is over, and at the job as it is then.
    async fn settle(&mut self, doubt: Doubt, until: Instant) -> Result<(), CareError> {
        let mut faults = self.faults(&doubt.tree).await?;
        while faults.missing && Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
            faults = self.faults(&doubt.tree).await?;
        }
        if faults.all == 0 || !self.still_has(&doubt).await? {
            return Ok(());
        }
        let (repaired, what) = (None, faults.sentence());
        let finding = Finding {
            concerns: format!("job {}, files of {}", doubt.job, doubt.of),
            what,
            remedy: "hand the design in again, which also mends every other job with the same files; or restore the \
                     instance from a backup"
                .to_owned(),
            repaired,
        };
        if self.repair {
            self.instance.tell_job(&doubt.job, &finding).await?;
        }
        self.found(finding);
        Ok(())
    }

    /// Whether the job is still there and still has the tree: it may have been deleted or entered again.
    async fn still_has(&self, doubt: &Doubt) -> Result<bool, CareError> {
        let Some(job) = self.instance.store.job(&doubt.job).await? else {
            return Ok(false);
        };
        let stages = self.instance.store.stage_list(job.seq).await?;
        Ok(trees(&job, &stages).iter().any(|(_, tree)| *tree == doubt.tree))
    }
}

impl Faults {
    fn add(&mut self, what: &str, content: Content) {
        self.all += 1;
        self.missing |= content == Content::Missing;
        if self.named.len() < NAMED {
            let how = match content {
                Content::Missing => "missing",
                _ => "damaged",
            };
            self.named.push(format!("{what} is {how}"));
        }
    }

    fn sentence(&self) -> String {
        let mut sentence = self.named.join(", ");
        if self.all > self.named.len() {
            sentence.push_str(&format!(", and {} more", self.all - self.named.len()));
        }
        sentence
    }
}
