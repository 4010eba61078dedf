//! A server of one test, and the few things that most tests do with it.

use polyphemus_api::Client;
use polyphemus_api::client::AttemptRef;
use polyphemus_api::job::Job;
use polyphemus_api::worker::{Assignment, ClaimRequest, FinishRequest, Outcome};
use polyphemus_core::hash::BlobHash;
use polyphemus_core::job::JobId;
use polyphemus_core::label::Label;
use polyphemus_core::result::StageResult;
use polyphemus_core::stage::{StageName, WorkerId};
use polyphemus_core::{JobState, TreeHash};
use polyphemus_server::Config;
use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Whatever is waited for comes within this.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct TestServer {
    pub url: String,
    pub client: Client,
    /// Follows no redirect.
    pub http: reqwest::Client,
    pub instance: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let instance = tempfile::tempdir().unwrap();
        let mut config = Config {
            instance: instance.path().to_owned(),
            ..Config::default()
        };
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await;
        };
        let running = tokio::spawn(polyphemus_server::run(config, listener, shutdown));
        let client = Client::new(&url).unwrap();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            url,
            client,
            http,
            instance,
            stop: Some(stop),
            running,
        }
    }

    /// Ends the server in order, which must not hang, and looks for what must not be left.
    pub async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        let ended = tokio::time::timeout(PATIENCE, &mut self.running).await;
        ended.expect("the server ends within its bound").unwrap().unwrap();
        assert_eq!(self.uploads(), Vec::<String>::new(), "an upload was left behind");
    }

    /// The same, for whoever wants to look into the instance afterwards.
    pub async fn stop_keeping(mut self) -> tempfile::TempDir {
        let instance = std::mem::replace(&mut self.instance, tempfile::tempdir().unwrap());
        self.stop.take().unwrap().send(()).unwrap();
        let ended = tokio::time::timeout(PATIENCE, &mut self.running).await;
        ended.expect("the server ends within its bound").unwrap().unwrap();
        instance
    }

    /// What lies in the folder for uploads at work, with a name or only open.
    pub fn uploads(&self) -> Vec<String> {
        let folder = self.instance.path().join("uploads");
        let named = std::fs::read_dir(&folder).unwrap();
        let named = named.map(|entry| entry.unwrap().path());
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        let open = open.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
        named
            .chain(open.filter(|path| path.starts_with(&folder)))
            .map(|path| path.display().to_string())
            .collect()
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(self.at(path)).send().await.unwrap()
    }

    pub async fn text(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    /// The status of a request whose path is sent as it stands: clients tidy paths up.
    pub async fn raw_status(&self, method: &str, path: &str) -> u16 {
        let address = self.url.strip_prefix("http://").unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let answer = self.raw(head.as_bytes()).await;
        String::from_utf8_lossy(&answer[9..12]).parse().unwrap()
    }

    /// What comes back for these bytes until the server closes the connection.
    pub async fn raw(&self, sent: &[u8]) -> Vec<u8> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        read.expect("the server answers").unwrap();
        answer
    }

    /// What comes back for these bytes, also where the server breaks the connection.
    pub async fn raw_until_reset(&self, sent: &[u8]) -> Vec<u8> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let address = self.url.strip_prefix("http://").unwrap();
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let exchange = async {
            // Both ways at once: a server that refuses does not read on.
            let write = async {
                let _ = writer.write_all(sent).await;
                let _ = writer.shutdown().await;
            };
            let mut answer = Vec::new();
            let read = async { reader.read_to_end(&mut answer).await };
            let _ = tokio::join!(write, read);
            answer
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        answer.expect("the server ends the connection")
    }

    pub async fn submit(&self, archive: Vec<u8>, options: &[(&str, &str)]) -> JobId {
        let options: BTreeMap<String, String> = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let length = archive.len() as u64;
        self.client
            .submit("design.zip", archive.into(), Some(length), &options)
            .await
            .unwrap()
            .id
    }

    pub async fn blinky(&self, options: &[(&str, &str)]) -> JobId {
        self.submit(blinky(), options).await
    }

    /// Claims the next stage as a worker with every tool that the stages need.
    pub async fn claim(&self, stage: StageName) -> Assignment {
        let claim = ClaimRequest {
            worker: WorkerId("hand".into()),
            labels: labels(),
            stages: vec![stage],
            only_for: None,
            wait_ms: 60_000,
            refuses: None,
        };
        self.client
            .claim(&claim)
            .await
            .unwrap()
            .expect("a stage is queued")
    }

    /// Returns when a worker waits for a stage.
    pub async fn wait_for_claim(&self) {
        let waits = async {
            while self.client.workers().await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waits).await;
        waited.expect("a worker comes");
    }

    pub async fn append(&self, attempt: &AttemptRef, offset: u64, text: impl Into<Vec<u8>>) -> u64 {
        let part: Vec<u8> = text.into();
        self.client
            .log_append(attempt, offset, part.into())
            .await
            .unwrap()
    }

    /// Ends the stage well with a tree of these files.
    pub async fn succeed(&self, assignment: &Assignment, files: &[(&str, &[u8])], result: StageResult) {
        let tree = self.store(files).await;
        let finish = FinishRequest {
            outcome: Outcome::Succeeded { tree },
            result,
        };
        self.client.finish(&assignment.into(), &finish).await.unwrap();
    }

    /// Sends the files and their tree as a worker does.
    pub async fn store(&self, files: &[(&str, &[u8])]) -> TreeHash {
        let mut entries: Vec<polyphemus_artifacts::Entry> = Vec::new();
        for (path, content) in files {
            entries.push(polyphemus_artifacts::Entry {
                path: (*path).to_owned(),
                mode: polyphemus_artifacts::Mode::File,
                size_bytes: content.len() as u64,
                hash: self.put(content).await,
            });
        }
        let tree = polyphemus_artifacts::Tree::from_entries(entries).unwrap();
        self.put(&tree.encode()).await.into()
    }

    pub async fn put(&self, content: &[u8]) -> BlobHash {
        let hash = BlobHash::from_bytes(*blake3::hash(content).as_bytes());
        self.client
            .blob_put(&hash, content.to_vec().into(), content.len() as u64)
            .await
            .unwrap();
        hash
    }

    /// The job once it is in this state.
    pub async fn wait_for(&self, id: &JobId, state: JobState) -> Job {
        use futures::StreamExt as _;
        use polyphemus_api::client::StatePart;
        let waiting = async {
            let mut events = std::pin::pin!(self.client.job_events(id, 0).await.unwrap());
            while let Some(event) = events.next().await {
                let seen = match event.unwrap() {
                    StatePart::State(event) => event.job_state,
                    StatePart::End(event) => event.job_state,
                };
                if seen == state {
                    return self.client.job(id).await.unwrap();
                }
            }
            panic!(
                "job {id} is over and was never {state}: {:?}",
                self.client.job(id).await
            );
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("job {id} never was {state}"))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// What a worker with everything offers.
pub fn labels() -> Vec<Label> {
    let tools = [
        "yosys",
        "nextpnr-ice40",
        "icestorm",
        "icepack",
        "icetime",
        "iceunpack",
        "icebox_vlog",
        "iverilog",
        "vvp",
        "verilator",
        "make",
        "openFPGALoader",
        "nextpnr-ecp5",
        "ecppack",
        "gcc",
        "cc",
        "g++",
        "c++",
        "python3",
        "sh",
    ];
    let mut labels: Vec<Label> = tools.iter().map(|tool| Label::tool(tool, None)).collect();
    labels.push(Label::fpga("ice40-hx8k"));
    labels.push(Label::fpga("ice40-hx1k"));
    labels
}

/// A zip archive with these files.
pub fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The smallest design that a plan can be made of.
pub fn blinky() -> Vec<u8> {
    archive(&[
        (
            "blinky.v",
            "module blinky(input clk, output led);\n  reg [21:0] n = 0;\n  always @(posedge clk) n <= n + 1;\n  assign led = n[21];\nendmodule\n",
        ),
        ("blinky.pcf", "set_io clk J3\nset_io led B5\n"),
    ])
}
