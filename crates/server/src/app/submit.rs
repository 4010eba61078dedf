//! Submission: from a stored tree to a job whose first stage waits for a worker.

use super::waiting::Ready;
use super::{App, AppError, now_ms};
use crate::store::{InsertJob, Shape};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use polyphemus_api::job::{Submitted, TITLE_CHARS};
use polyphemus_artifacts::{BlobHash, Blobs, Entry, Tree};
use polyphemus_core::design::{Design, DesignFile, wants_text};
use polyphemus_core::flow::{self, Flow};
use polyphemus_core::{JobId, Plan, TreeHash};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// The most text of sources that is read for a plan, in bytes.
const TEXTS_BYTES: u64 = 64 << 20;
/// Files that are read at once.
const READS_AT_ONCE: usize = 8;
/// All names and values of the options together, in bytes.
const OPTIONS_BYTES: usize = 64 << 10;

/// What a user hands in: a tree whose files are stored already, and what to do with it.
#[derive(Debug, Clone)]
pub struct Submission {
    pub tree: Tree,
    pub tree_hash: TreeHash,
    pub options: BTreeMap<String, String>,
    /// Sentences about the upload that the user should read.
    pub notes: Vec<String>,
}

impl App {
    /// Makes a job of a submission whose contents are all stored. When this returns `Ok` everything is
    /// durable, and a worker that waits for such a stage is being woken.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, AppError> {
        self.submit_staged(submission, self.0.blobs.clone()).await
    }

    /// As [`App::submit`], of contents some of which `blobs`, a handle on the application's own, only
    /// holds: they are stored when the job has a plan.
    pub async fn submit_staged(&self, submission: Submission, blobs: Blobs) -> Result<Submitted, AppError> {
        check_options(&submission.options)?;
        check_stored(&blobs, &submission).await?;
        let design = design(&blobs, &submission.tree).await?;
        let plan = flow::plan(&submission.options, &design, &self.0.config.flow);
        let plan = plan.and_then(|plan| {
            if plan.flow == Flow::Vitis {
                flow::check_offered(&plan, &self.0.workers.labels())?;
            }
            Ok(plan)
        });
        let mut plan = plan.inspect_err(|_| self.contents_dropped())?;
        drop(design);
        plan.notes.splice(0..0, submission.notes.iter().cloned());
        let app = self.clone();
        self.to_its_end(async move {
            blobs.commit().await?;
            polyphemus_fault::point("submit.contents_stored");
            app.insert(submission, plan).await
        })
        .await
    }

    /// What was stored for a job that does not come to be is of no use any more.
    pub fn contents_dropped(&self) {
        self.0.trees_dropped.store(true, Ordering::Relaxed);
    }

    async fn insert(&self, submission: Submission, plan: Plan) -> Result<Submitted, AppError> {
        let id = new_id()?;
        let now_ms = now_ms();
        let shapes: Vec<Shape> = plan.stages.iter().map(Shape::of).collect();
        let title = submission.options.get("hwname").map_or("", String::as_str);
        let insert = InsertJob {
            id: id.clone(),
            title: title
                .chars()
                .filter(|c| !c.is_control())
                .take(TITLE_CHARS)
                .collect(),
            submitted_ms: now_ms,
            options: json(&submission.options)?,
            flow: plan.flow,
            mode: plan.mode.clone(),
            plan: json(&plan)?,
            tree: submission.tree_hash,
            shapes: shapes.clone(),
            shapes_known: false,
            message: accepted(&plan),
        };
        let inserted = self.0.store.job_insert(insert).await?;
        polyphemus_fault::point("submit.job_inserted");
        self.0.watches.announce(&id, inserted.event);
        if let Some(shape) = shapes.first().and_then(|shape| self.0.store.shape(&shape.key)) {
            self.0.waiting.wake(Ready {
                job_seq: inserted.seq,
                position: 0,
                shape,
            });
        }
        Ok(Submitted {
            id,
            notes: plan.notes,
        })
    }
}

/// Nothing of the tree may be missing: a worker would find out hours later. Looking also keeps the
/// contents from being collected before the job is there.
async fn check_stored(blobs: &Blobs, submission: &Submission) -> Result<(), AppError> {
    let entries = submission.tree.entries().iter();
    let mut hashes: Vec<BlobHash> = entries.map(|entry| entry.hash.clone()).collect();
    hashes.push(submission.tree_hash.clone().into());
    match blobs.missing(&hashes).await?.first() {
        None => Ok(()),
        Some(hash) => Err(AppError::Conflict(format!(
            "the content {hash} of the design is not on the server; send it, then submit again"
        ))),
    }
}

pub(crate) async fn design(blobs: &Blobs, tree: &Tree) -> Result<Design, AppError> {
    let texts = tree
        .entries()
        .iter()
        .filter(|entry| wants_text(&entry.path, entry.size_bytes));
    if texts.map(|entry| entry.size_bytes).sum::<u64>() > TEXTS_BYTES {
        return Err(AppError::TooLarge(format!(
            "the sources and constraints of the design are more than {} MiB; hand in only those that are needed",
            TEXTS_BYTES >> 20
        )));
    }
    let entries: Vec<Entry> = tree.entries().to_vec();
    let files = stream::iter(entries)
        .map(|entry| read_text(blobs.clone(), entry))
        .buffer_unordered(READS_AT_ONCE);
    Ok(Design::new(files.try_collect::<Vec<_>>().await?))
}

async fn read_text(blobs: Blobs, entry: Entry) -> Result<(String, DesignFile), AppError> {
    let text = match wants_text(&entry.path, entry.size_bytes) {
        true => text_of(blobs.get(&entry.hash).await?.into()),
        false => None,
    };
    let file = DesignFile {
        size_bytes: entry.size_bytes,
        text,
    };
    Ok((entry.path, file))
}

/// Sources older than UTF-8 have other letters in their comments; what has zero bytes is no text.
fn text_of(content: Vec<u8>) -> Option<String> {
    String::from_utf8(content)
        .or_else(|error| match error.as_bytes().contains(&0) {
            true => Err(error),
            false => Ok(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        })
        .ok()
}

fn check_options(options: &BTreeMap<String, String>) -> Result<(), AppError> {
    let bytes: usize = options.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > OPTIONS_BYTES {
        return Err(AppError::BadRequest(format!(
            "the options are {bytes} bytes together, but at most {OPTIONS_BYTES} are taken; put large values \
             into files of the design"
        )));
    }
    Ok(())
}

/// The first lines of the job's log.
pub(crate) fn acceptance(plan: &Plan) -> Vec<String> {
    let decisions = plan
        .decisions
        .iter()
        .map(|(name, value)| format!("decided: {name} = {value}"));
    let notes = plan.notes.iter().map(|note| format!("note: {note}"));
    std::iter::once(accepted(plan))
        .chain(decisions)
        .chain(notes)
        .collect()
}

fn accepted(plan: &Plan) -> String {
    format!("accepted: flow {}, mode {}", plan.flow, plan.mode)
}

fn new_id() -> Result<JobId, AppError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| AppError::Internal(error.into()))?;
    Ok(JobId::from_random(bytes))
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, AppError> {
    serde_json::to_string(value).map_err(|error| AppError::Internal(error.into()))
}
