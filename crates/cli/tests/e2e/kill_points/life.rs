//! One life of an instance: it is asked for everything that has durable effects, until somebody dies.

use super::design::{self, Design, noise};
use crate::PROGRAM;
use polyphemus_api::client::Body;
use polyphemus_api::{Client, ClientError};
use polyphemus_core::BlobHash;
use polyphemus_core::job::JobId;
use polyphemus_core::stage::StageName;
use polyphemus_testkit::{TestServer, TestWorker, wait};
use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

/// Longer than a death or a start takes on a busy machine.
pub const SOON: Duration = Duration::from_secs(90);
/// Longer than all jobs of a life take.
pub const BOUND: Duration = Duration::from_secs(240);

const SIGKILL: i32 = 9;
/// Contents that no job has, to be collected.
const ORPHANS: usize = 3;

const SERVER: [&str; 8] = [
    "--lease-seconds",
    "4",
    "--simulate",
    "ice40-hx1k",
    "--make-slots",
    "2",
    "--run-slots",
    "1",
];
const WITHOUT_WORKER: [&str; 3] = ["--no-worker", "--lease-seconds", "4"];
const WORKER: [&str; 8] = [
    "--name",
    "mortal",
    "--simulate",
    "ice40-hx1k",
    "--make-slots",
    "2",
    "--run-slots",
    "1",
];

/// Who dies where, and what brings him there.
#[derive(Debug, Clone)]
pub struct Dies {
    who: Who,
    /// As the variable says it: `NAME:N`.
    at: String,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    Server,
    Worker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Usual,
    /// Contents that nothing refers to are deleted.
    Collection,
    /// More small files than a segment of the journal takes.
    ManyFiles,
}

impl Dies {
    fn new(who: Who, point: &str, occasion: u32, what: What) -> Self {
        let at = format!("{point}:{occasion}");
        Self { who, at, what }
    }

    pub fn nowhere() -> Self {
        Self::new(Who::Nobody, "", 0, What::ManyFiles)
    }

    pub fn server(point: &str, occasion: u32) -> Self {
        Self::new(Who::Server, point, occasion, What::Usual)
    }

    pub fn worker(point: &str, occasion: u32) -> Self {
        Self::new(Who::Worker, point, occasion, What::Usual)
    }

    pub fn collecting(point: &str) -> Self {
        Self::new(Who::Server, point, 1, What::Collection)
    }

    pub fn full_of_files(point: &str) -> Self {
        Self::new(Who::Server, point, 1, What::ManyFiles)
    }
}

impl fmt::Display for Dies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.who, self.at)
    }
}

/// Somebody has died.
#[derive(Debug)]
pub struct Died;

#[derive(Debug)]
pub struct Life {
    pub server: TestServer,
    pub worker: Option<TestWorker>,
    pub client: Client,
    what: What,
    /// The titles of all submissions, with the job where there was an answer.
    pub asked: BTreeMap<&'static str, Option<JobId>>,
    /// What was read of the logs.
    pub read: BTreeMap<JobId, String>,
    pub cancelled: bool,
    pub renamed: bool,
    /// Contents that are to be collected.
    pub orphans: Vec<BlobHash>,
    status: Option<ExitStatus>,
}

impl Life {
    pub async fn begin(dies: &Dies) -> Self {
        let apart = dies.who == Who::Worker;
        let arguments: &[&str] = if apart { &WITHOUT_WORKER } else { &SERVER };
        let server = TestServer::start(PROGRAM, arguments);
        let worker = apart.then(|| server.worker_to_die(&WORKER, &dies.at));
        let mut life = Self {
            client: server.client(),
            server,
            worker,
            what: dies.what,
            asked: BTreeMap::new(),
            read: BTreeMap::new(),
            cancelled: false,
            renamed: false,
            orphans: Vec::new(),
            status: None,
        };
        // What a first life left is in the journal, in the database and at work.
        let first = life.submit(&design::two_stages("first")).await;
        first.expect("nobody dies yet");
        if dies.what == What::Collection {
            life.prepare_collection().await;
        }
        if dies.who == Who::Server {
            life.server.kill();
            life.server.restart_to_die(&dies.at);
            life.client = life.server.client();
        }
        life
    }

    /// Contents that nothing refers to, and a server that does not keep them for long.
    async fn prepare_collection(&mut self) {
        for number in 0..ORPHANS {
            let content = noise(1000 + number, 1000);
            let hash = BlobHash::from_bytes(*blake3::hash(&content).as_bytes());
            let length = content.len() as u64;
            let stored = self.client.blob_put(&hash, Body::from(content), length).await;
            stored.expect("the content is stored");
            self.orphans.push(hash);
        }
        self.finished("first").await.expect("nobody dies yet");
        let settings = self.server.instance().join("polyphemus.cfg");
        std::fs::write(settings, "BLOB_GRACE_SECONDS = 1\n").expect("the settings");
    }

    /// Everything that has durable effects.
    pub async fn live(&mut self) -> Result<(), Died> {
        if self.what == What::Collection {
            return self.collected().await;
        }
        self.submit(&design::two_stages("two")).await?;
        self.submit(&design::endless()).await?;
        self.rename("two", "renamed").await?;
        self.submit(&design::on_a_board()).await?;
        if self.what == What::ManyFiles {
            self.submit(&design::many_files()).await?;
            // A segment that is full is left with the next submission.
            self.submit(&design::two_stages("next")).await?;
        }
        self.finished("two").await?;
        self.cancel("endless").await?;
        self.retry("two").await?;
        for title in ["first", "two", "endless", "board"] {
            self.finished(title).await?;
        }
        for title in ["many", "next"] {
            if self.asked.contains_key(title) {
                self.finished(title).await?;
            }
        }
        Ok(())
    }

    pub async fn submit(&mut self, design: &Design) -> Result<(), Died> {
        let options = [
            ("hwname", design.title),
            ("make", "1"),
            ("mode", design.mode),
            ("device", "hx1k"),
            ("package", "tq144"),
        ];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.asked.insert(design.title, None);
        let archive = Body::from(design.archive());
        let submitted = self
            .client
            .submit("design.zip", archive, None, &options.into())
            .await;
        let submitted = self.answered(submitted).await?;
        self.asked.insert(design.title, Some(submitted.id));
        Ok(())
    }

    async fn rename(&mut self, title: &str, new: &str) -> Result<(), Died> {
        let renamed = self.client.rename(&self.job(title), new).await;
        self.answered(renamed).await?;
        self.renamed = true;
        Ok(())
    }

    pub async fn cancel(&mut self, title: &str) -> Result<(), Died> {
        let cancelled = self.client.cancel(&self.job(title)).await;
        self.answered(cancelled).await?;
        self.cancelled = true;
        Ok(())
    }

    async fn retry(&mut self, title: &str) -> Result<(), Died> {
        let entered = self.client.retry(&self.job(title), Some(StageName::Make)).await;
        self.answered(entered).await.map(drop)
    }

    /// Waits for the end of the job, and reads its log meanwhile.
    async fn finished(&mut self, title: &str) -> Result<(), Died> {
        let id = self.job(title);
        let begun = std::time::Instant::now();
        loop {
            if self.somebody_died() {
                return Err(Died);
            }
            let job = self.client.job(&id).await;
            let job = self.answered(job).await?;
            if job.state.is_terminal() {
                return Ok(());
            }
            if job.log_bytes > 0 {
                let log = self.log(&id).await;
                let log = self.answered(log).await?;
                self.read.insert(id.clone(), log);
            }
            assert!(begun.elapsed() < BOUND, "{title} does not end: {job:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn collected(&mut self) -> Result<(), Died> {
        let begun = std::time::Instant::now();
        while !self.somebody_died() {
            assert!(begun.elapsed() < SOON, "nothing is collected");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Died)
    }

    pub async fn log(&self, id: &JobId) -> Result<String, ClientError> {
        use futures::TryStreamExt as _;
        let parts: Vec<_> = self.client.log(id, 0).await?.try_collect().await?;
        Ok(String::from_utf8_lossy(&parts.concat()).into_owned())
    }

    pub fn job(&self, title: &str) -> JobId {
        let known = self.asked.get(title).cloned().flatten();
        known.unwrap_or_else(|| panic!("the job {title} was accepted"))
    }

    /// The answer; where there is none, somebody must have died of the right cause.
    async fn answered<T>(&mut self, answer: Result<T, ClientError>) -> Result<T, Died> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let begun = std::time::Instant::now();
                while !self.somebody_died() {
                    assert!(begun.elapsed() < SOON, "no answer, and nobody died: {error:?}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(Died)
            }
        }
    }

    fn somebody_died(&mut self) -> bool {
        let died = self.server.has_died();
        let died = died.or_else(|| self.worker.as_mut().and_then(TestWorker::has_died));
        self.status = died.or(self.status);
        self.status.is_some()
    }

    /// Who died is started again, after all that was below him is gone.
    pub async fn resurrect(&mut self) {
        let signal = self.status.and_then(|status| status.signal());
        assert_eq!(signal, Some(SIGKILL), "{:?}: it ended otherwise", self.status);
        wait::until(SOON, "the end of the dead one's processes", || {
            let left = match &self.worker {
                Some(worker) => worker.processes(),
                None => self.server.processes(),
            };
            std::future::ready(if left.is_empty() {
                Ok(())
            } else {
                Err(format!("{left:?}"))
            })
        })
        .await;
        match &mut self.worker {
            Some(worker) => worker.restart(),
            None => self.server.restart(),
        }
        self.client = self.server.client();
    }
}
