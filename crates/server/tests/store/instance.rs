//! An instance in a temporary folder with its reconcilers running, and a worker's part of the
//! protocol in few words.

use bytes::Bytes;
use polyphemus_api::job::Job;
use polyphemus_api::worker::{Assignment, ClaimRequest, FinishRequest, Outcome};
use polyphemus_artifacts::tree::{Entry, Mode};
use polyphemus_artifacts::{Blobs, Tree, TreeHash};
use polyphemus_core::{Cause, CauseKind, JobId, Label, StageName, StageResult, WorkerId};
use polyphemus_server::Config;
use polyphemus_server::app::{App, AppError, Attempt, Submission};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long a test waits for what must happen.
pub const SOON: Duration = Duration::from_secs(60);

pub struct Instance {
    pub app: App,
    pub folder: tempfile::TempDir,
    /// None where a test does itself what the reconcilers would.
    reconciler: Option<JoinHandle<()>>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(reconciler) = &self.reconciler {
            reconciler.abort();
        }
    }
}

impl Instance {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut instance = Self::unattended(change).await;
        let running = instance.app.clone();
        let reconciler = tokio::spawn(async move { running.reconcile(std::future::pending()).await });
        instance.reconciler = Some(reconciler);
        instance
    }

    /// Without reconcilers, so that nothing is collected but by the test.
    pub async fn unattended(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        change(&mut config);
        let app = App::open(&config).await.unwrap();
        Self {
            app,
            folder,
            reconciler: None,
        }
    }

    pub async fn submit(&self) -> JobId {
        submit(&self.app).await
    }

    pub async fn claim(&self, worker: &str) -> Option<Assignment> {
        self.claim_within(worker, 0).await
    }

    pub async fn claim_within(&self, worker: &str, wait_ms: u64) -> Option<Assignment> {
        self.app.claim(offer(worker, wait_ms)).await.unwrap()
    }

    /// Claims and finishes the next stage, which must be this one.
    pub async fn do_stage(&self, name: StageName) -> TreeHash {
        let assignment = self.claim("doer").await.expect("a stage is queued");
        assert_eq!(assignment.stage.name, name);
        let tree = tree(self.app.blobs(), &[(&format!("{name}.out"), "made")]).await;
        self.finish(&assignment, succeeded(&tree)).await.unwrap();
        tree
    }

    pub async fn finish(&self, assignment: &Assignment, outcome: Outcome) -> Result<(), AppError> {
        let request = FinishRequest {
            outcome,
            result: StageResult::default(),
        };
        self.app.finish(&attempt(assignment), request).await
    }

    pub async fn append(&self, assignment: &Assignment, offset: u64, text: &str) -> Result<u64, AppError> {
        let part = Bytes::copy_from_slice(text.as_bytes());
        self.app.log_append(&attempt(assignment), offset, part).await
    }

    pub async fn job(&self, id: &JobId) -> Job {
        self.app.job(id).await.unwrap()
    }

    pub async fn log(&self, id: &JobId) -> String {
        let all = self.app.log_read(id, 0, 1 << 20).await.unwrap();
        String::from_utf8(all.into()).unwrap()
    }

    /// Waits until the job is as it should be.
    pub async fn until(&self, id: &JobId, what: &str, is_so: impl Fn(&Job) -> bool) -> Job {
        let mut watching = self.app.watch(id).await.unwrap();
        let waited = tokio::time::timeout(SOON, async {
            loop {
                watching.borrow_and_update();
                let job = self.job(id).await;
                if is_so(&job) {
                    return job;
                }
                watching.changed().await.unwrap();
            }
        });
        match waited.await {
            Ok(job) => job,
            Err(_) => panic!("the job is not {what} after {SOON:?}: {:#?}", self.job(id).await),
        }
    }
}

pub fn config(folder: &Path) -> Config {
    Config {
        instance: folder.to_owned(),
        ..Config::default()
    }
}

/// Hands in a design with the stages make and run.
pub async fn submit(app: &App) -> JobId {
    app.submit(submission(app).await).await.unwrap().id
}

pub async fn submission(app: &App) -> Submission {
    submission_with(app.blobs(), &[]).await
}

/// The same with more files, whose contents are put where `blobs` puts them.
pub async fn submission_with(blobs: &Blobs, more: &[(&str, &str)]) -> Submission {
    let mut files = vec![
        ("blinky.v", include_str!("../../../../examples/blinky/blinky.v")),
        (
            "blinky.pcf",
            include_str!("../../../../examples/blinky/blinky.pcf"),
        ),
        (
            "blinky_tb.v",
            include_str!("../../../../examples/blinky/blinky_tb.v"),
        ),
    ];
    files.extend(more);
    let hash = tree(blobs, &files).await;
    let options = [("mode", "hw_emu"), ("hwname", "a blinking light")];
    Submission {
        tree: blobs.get_tree(&hash).await.unwrap(),
        tree_hash: hash,
        options: options.map(|(name, value)| (name.into(), value.into())).into(),
        notes: vec!["a note about the upload".into()],
    }
}

/// The smallest design that can be planned, with the stage make alone.
pub async fn small_submission(app: &App) -> Submission {
    let files = [
        (
            "top.v",
            "module top(input clk, output led); assign led = clk; endmodule\n",
        ),
        ("top.pcf", "set_io clk 1\nset_io led 2\n"),
    ];
    let hash = tree(app.blobs(), &files).await;
    Submission {
        tree: app.blobs().get_tree(&hash).await.unwrap(),
        tree_hash: hash,
        options: options(&[("mode", "estimate")]),
        notes: Vec::new(),
    }
}

/// Stores files and the tree of them.
pub async fn tree(blobs: &Blobs, files: &[(&str, &str)]) -> TreeHash {
    let mut entries = Vec::new();
    for (path, text) in files {
        entries.push(Entry {
            path: (*path).into(),
            mode: Mode::File,
            size_bytes: text.len() as u64,
            hash: blobs.put(Bytes::copy_from_slice(text.as_bytes())).await.unwrap(),
        });
    }
    blobs
        .put_tree(&Tree::from_entries(entries).unwrap())
        .await
        .unwrap()
}

/// A slot of a worker with all open tools.
pub fn offer(worker: &str, wait_ms: u64) -> ClaimRequest {
    let tools = [
        "yosys",
        "nextpnr-ice40",
        "icestorm",
        "iverilog",
        "verilator",
        "make",
    ];
    ClaimRequest {
        worker: WorkerId(worker.into()),
        labels: tools.map(|tool| Label::tool(tool, Some("1.0"))).into(),
        stages: StageName::ALL.into(),
        only_for: None,
        wait_ms,
        refuses: None,
    }
}

pub fn attempt(assignment: &Assignment) -> Attempt {
    Attempt {
        job: assignment.job.clone(),
        stage: assignment.stage.name,
        attempt: assignment.attempt,
        key: assignment.key.clone(),
    }
}

pub fn succeeded(tree: &TreeHash) -> Outcome {
    Outcome::Succeeded { tree: tree.clone() }
}

pub fn failed(kind: CauseKind) -> Outcome {
    Outcome::Failed {
        cause: Cause::new(kind, "as the test wants it"),
        tree: None,
    }
}

pub fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}
