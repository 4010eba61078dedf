//! What must hold after somebody died and was started again.

use super::design::{BUILT, RAN};
use super::life::{BOUND, Life, SOON};
use crate::PROGRAM;
use polyphemus_api::ClientError;
use polyphemus_api::job::{Job, JobQuery};
use polyphemus_core::job::JobId;
use polyphemus_testkit::wait;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// By the job's title: how it ends, and its files with their hashes.
pub type Expected = BTreeMap<&'static str, (String, BTreeMap<String, String>)>;

impl Life {
    /// How each job ended when nobody died.
    pub async fn expected(&self) -> Expected {
        let mut expected = Expected::new();
        for (title, id) in &self.asked {
            let id = id.clone().expect("every submission was answered");
            expected.insert(title, self.outcome(&id).await);
        }
        expected
    }

    async fn outcome(&self, id: &JobId) -> (String, BTreeMap<String, String>) {
        let job = self.server.finished(id, BOUND).await;
        let files = self.client.files(id).await.expect("the job's files").files;
        let files = files.into_iter().map(|file| (file.path, file.hash.to_string()));
        (job.state.to_string(), files.collect())
    }

    pub async fn check(self, expected: &Expected) {
        let jobs = self.jobs().await;
        if !self.cancelled
            && let Some(id) = jobs.get("endless")
        {
            // Its end may have come all the same.
            drop(self.client.cancel(id).await);
        }
        for (title, id) in &jobs {
            assert_eq!(self.outcome(id).await, expected[title], "{title}");
            let job = self.client.job(id).await.expect("the job");
            self.check_log(&job).await;
        }
        if self.renamed {
            let job = self.client.job(&jobs["two"]).await.expect("the job");
            assert_eq!(job.title, "renamed");
        }
        self.contents_are_whole(&jobs).await;
        self.nothing_is_left().await;
        check_instance(&self.server.instance());
    }

    /// Every accepted job, and those of the submissions without an answer that came to be.
    async fn jobs(&self) -> BTreeMap<&'static str, JobId> {
        let mut jobs = BTreeMap::new();
        let listed = self
            .client
            .jobs(&JobQuery::default())
            .await
            .expect("the list")
            .jobs;
        for row in &listed {
            let job = self.client.job(&row.id).await.expect("the job");
            let name = &job.options["hwname"];
            let asked = self.asked.iter().find(|(title, _)| *title == name);
            let (title, id) = asked.unwrap_or_else(|| panic!("nobody asked for {name}"));
            assert!(
                id.as_ref().is_none_or(|id| *id == row.id),
                "{name} is there twice"
            );
            assert!(
                jobs.insert(*title, row.id.clone()).is_none(),
                "{name} is there twice"
            );
        }
        for (title, id) in &self.asked {
            assert!(
                id.is_none() || jobs.contains_key(title),
                "{title} was accepted and is gone"
            );
        }
        jobs
    }

    /// What was read of the log is its beginning still, and each attempt printed its lines in order,
    /// the last one all of them.
    async fn check_log(&self, job: &Job) {
        let log = self.log(&job.id).await.expect("the log");
        if let Some(read) = self.read.get(&job.id) {
            assert!(
                log.starts_with(read),
                "what was read is not there any more: {read}\n{log}"
            );
        }
        let has_lines = job.mode == "sw_emu";
        for (stage, begin, last) in [("make", "built ", BUILT), ("run", "ran ", RAN)] {
            if !has_lines {
                continue;
            }
            let numbers: Vec<u32> = log
                .lines()
                .filter_map(|line| line.strip_prefix(begin)?.parse().ok())
                .collect();
            let gapless = numbers
                .windows(2)
                .all(|pair| pair[1] == pair[0] + 1 || pair[1] == 1);
            let begins = numbers.iter().filter(|&&number| number == 1).count();
            let stage = crate::stage(job, stage);
            assert!(
                gapless && numbers.first() == Some(&1) && numbers.last() == Some(&last),
                "{numbers:?}"
            );
            assert!(begins <= stage.attempts as usize, "{numbers:?} {stage:?}");
        }
    }

    /// Every content that a job refers to is there and what it was, and none is kept that nothing refers
    /// to and that was to be collected.
    async fn contents_are_whole(&self, jobs: &BTreeMap<&'static str, JobId>) {
        for id in jobs.values() {
            for file in self.client.files(id).await.expect("the job's files").files {
                let content = self.server.file(id, &file.path).await;
                let hash = blake3::hash(&content).to_hex();
                assert_eq!(hash.as_str(), file.hash.as_str(), "{}", file.path);
            }
        }
        for hash in &self.orphans {
            wait::until(SOON, "the end of a content of no job", || async {
                match self.client.blob(hash).await {
                    Err(ClientError::Refused { status: 404, .. }) => Ok(()),
                    Err(error) => Err(error.to_string()),
                    Ok(_) => Err(format!("{hash} is still there")),
                }
            })
            .await;
        }
    }

    /// No workspace, no process, no half of an upload.
    async fn nothing_is_left(&self) {
        let mut works = vec![self.server.instance().join("work")];
        works.extend(self.worker.as_ref().map(|worker| worker.work()));
        let mut stores = vec![self.server.instance().join("blobs")];
        stores.extend(works.iter().map(|work| work.join("blobs")));
        wait::until(SOON, "the end of all that is of no use", || {
            let mut left: Vec<PathBuf> = stores
                .iter()
                .flat_map(|store| inside(&store.join("unfinished")))
                .collect();
            for worker in works.iter().flat_map(|work| inside(&work.join("workers"))) {
                left.extend(inside(&worker.join("attempts")));
            }
            std::future::ready(if left.is_empty() {
                Ok(())
            } else {
                Err(format!("{left:?}"))
            })
        })
        .await;
    }
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

/// Every content, every reference, every log, as the operator has them checked.
fn check_instance(instance: &Path) {
    let checked = Command::new(PROGRAM)
        .args(["fsck", "--instance"])
        .arg(instance)
        .output()
        .expect("fsck runs");
    assert!(
        checked.status.success(),
        "{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
}
