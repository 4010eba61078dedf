//! A real server, jobs whose Makefile does what a test wants, and workers of this process.

use futures::TryStreamExt as _;
use polyphemus_api::Client;
use polyphemus_api::job::Job;
use polyphemus_core::flow::FlowSettings;
use polyphemus_core::job::JobId;
use polyphemus_testkit::wait;
use polyphemus_worker::Config;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zip::write::SimpleFileOptions;

pub const BOUND: Duration = Duration::from_secs(60);

/// A server on a port that stays the same when it is restarted.
pub struct Server {
    pub folder: TempDir,
    pub address: SocketAddr,
    pub lease: Duration,
    pub flow: FlowSettings,
    running: Option<(CancellationToken, JoinHandle<anyhow::Result<()>>)>,
}

impl Server {
    pub async fn start(lease: Duration) -> Self {
        Self::start_with(lease, FlowSettings::default()).await
    }

    pub async fn start_with(lease: Duration, flow: FlowSettings) -> Self {
        let mut server = Self {
            folder: tempfile::Builder::new()
                .prefix("polyphemus-server-")
                .tempdir()
                .unwrap(),
            address: "127.0.0.1:0".parse().unwrap(),
            lease,
            flow,
            running: None,
        };
        server.resume().await;
        server
    }

    pub async fn resume(&mut self) {
        let listener = wait::until(BOUND, "the port", || tokio::net::TcpListener::bind(self.address)).await;
        self.address = listener.local_addr().unwrap();
        let config = polyphemus_server::Config {
            instance: self.instance(),
            lease: self.lease,
            flow: self.flow.clone(),
            ..Default::default()
        };
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(polyphemus_server::run(config, listener, stopped));
        self.running = Some((stop, task));
    }

    pub async fn pause(&mut self) {
        let (stop, task) = self.running.take().unwrap();
        stop.cancel();
        task.await.unwrap().unwrap();
    }

    pub fn instance(&self) -> PathBuf {
        self.folder.path().join("instance")
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn client(&self) -> Client {
        Client::new(&self.url()).unwrap()
    }

    /// A job whose stage `make` runs this shell script.
    pub async fn submit_script(&self, script: &str) -> JobId {
        let makefile = "# MODE\nall:\n\t@sh script.sh\nrun:\n\t@sh run.sh\n";
        self.submit(
            &[
                ("Makefile", makefile),
                ("script.sh", script),
                ("run.sh", "echo PASS; cat made 2>/dev/null; true"),
            ],
            &[("mode", "sw_emu")],
        )
        .await
    }

    pub async fn submit(&self, files: &[(&str, &str)], options: &[(&str, &str)]) -> JobId {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (path, text) in files {
            zip.start_file(*path, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        let archive = zip.finish().unwrap().into_inner();
        let options: BTreeMap<String, String> = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let length = archive.len() as u64;
        let client = self.client();
        let submitted = client.submit("design.zip", archive.into(), Some(length), &options);
        submitted.await.unwrap().id
    }

    pub async fn finished(&self, id: &JobId) -> Job {
        self.finished_within(id, BOUND).await
    }

    pub async fn finished_within(&self, id: &JobId, bound: Duration) -> Job {
        self.within(id, bound, "its end", |job| job.state.is_terminal())
            .await
    }

    pub async fn until(&self, id: &JobId, what: &str, fits: impl Fn(&Job) -> bool) -> Job {
        self.within(id, BOUND, what, fits).await
    }

    async fn within(&self, id: &JobId, bound: Duration, what: &str, fits: impl Fn(&Job) -> bool) -> Job {
        let client = self.client();
        wait::until(bound, what, || async {
            match client.job(id).await {
                Ok(job) if fits(&job) => Ok(job),
                Ok(job) => Err(format!("{:?}", job.stages)),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }

    pub async fn log(&self, id: &JobId) -> String {
        let parts: Vec<bytes::Bytes> = self
            .client()
            .log(id, 0)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        String::from_utf8(parts.concat()).unwrap()
    }

    /// Waits until the log holds this text.
    pub async fn logged(&self, id: &JobId, text: &str) {
        wait::until(BOUND, text, || async {
            let log = self.log(id).await;
            if log.contains(text) { Ok(()) } else { Err(log) }
        })
        .await;
    }

    pub async fn file(&self, id: &JobId, path: &str) -> Vec<u8> {
        let (_, content) = self.client().file(id, path).await.unwrap();
        let parts: Vec<bytes::Bytes> = content.try_collect().await.unwrap();
        parts.concat()
    }
}

/// A worker in this process.
pub struct Worker {
    pub folder: TempDir,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Worker {
    pub fn start(server: &str, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("polyphemus-worker-")
            .tempdir()
            .unwrap();
        let mut config = Config::new(server, "tester", folder.path());
        config.supervisor = crate::step::supervisor();
        change(&mut config);
        let stop = CancellationToken::new();
        let task = tokio::spawn(polyphemus_worker::run(config, stop.clone()));
        Self { folder, stop, task }
    }

    /// Ends it, and looks that nothing is left of its attempts.
    pub async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        let folder = self.folder.path().join("workers/tester");
        let left: Vec<_> = ["attempts", "ready"]
            .iter()
            .flat_map(|part| std::fs::read_dir(folder.join(part)).unwrap())
            .map(|one| one.unwrap().path())
            .collect();
        assert_eq!(left, Vec::<PathBuf>::new());
    }

    /// Is gone in the middle of its work, as far as the server can tell; its supervisors end their programs.
    pub async fn vanish(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    /// Waits until it ends by itself.
    pub async fn ended(self) {
        tokio::time::timeout(BOUND, self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}
