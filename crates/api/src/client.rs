//! The typed client: one method for each thing that the server does. Retries nothing by itself; the
//! error says whether trying again makes sense.

mod connect;
mod sse;

use crate::address::Reachable;
use crate::blob::{BLOB, BLOBS_MISSING, BlobList};
use crate::error::{ErrorBody, ErrorCode, ErrorDetail};
use crate::event::{self, EndEvent, EventPage, LogEvent, StateEvent};
use crate::gc::{Collection, GC, GcQuery};
use crate::health::HEALTHZ;
use crate::job::{self, Job, JobFiles, JobPage, JobQuery, Submitted};
use crate::queue::{QUEUE, Queue};
use crate::running::{LOOK, RUNNING_FILE, RUNNING_FILES, RunningFiles, Seen, SeenContent};
use crate::token::{AddedToken, NewToken, Secret, TOKEN, TOKENS, Token};
use crate::worker::{
    ATTEMPT_KEY, ATTEMPT_LOG, Assignment, CLAIM, ClaimRequest, FINISH, FinishRequest, HEARTBEAT,
    HeartbeatAnswer, LogCommitted, WORKERS, Worker,
};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use polyphemus_core::hash::BlobHash;
use polyphemus_core::job::JobId;
use polyphemus_core::stage::StageName;
use reqwest::header::CONTENT_LENGTH;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is sent: bytes, or a stream of them.
pub use reqwest::Body;

/// How long an answer that is no stream may take, beyond what the server was asked to wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Speaks to one server.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// For large bodies: reqwest counts the time that a body takes to be sent as silence of the
    /// answer, so that its `read_timeout` would end every upload that takes longer.
    uploads: reqwest::Client,
    /// What requests are put together from; without a slash at the end.
    base: String,
    /// As users name it: without a slash at the end, and without a password.
    server: String,
    token: Option<Secret>,
    /// Keeps a long path to a socket open.
    _socket: Option<Reachable>,
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "`{0}` is no address of a server: it must look like http://127.0.0.1:8000 or unix:/srv/polyphemus/polyphemus.sock, or be an instance directory"
    )]
    BadAddress(String),
    #[error("the socket {path} cannot be reached")]
    NoSocket { path: String, source: std::io::Error },
    #[error("the token cannot be sent: a token has printable ASCII characters only")]
    BadToken,
    #[error("the server at {server} cannot be reached; is it running? (`polyphemus serve` starts one)")]
    Unreachable { server: String, source: reqwest::Error },
    #[error("the connection to {server} broke")]
    Broken { server: String, source: reqwest::Error },
    /// A stream of events ended before it said so.
    #[error("the server at {server} ended the connection too early")]
    Cut { server: String },
    #[error("{}", .detail.message)]
    Refused { status: u16, detail: ErrorDetail },
    #[error("{server} does not answer as a Polyphemus server does (status {status}): {text}")]
    NotPolyphemus {
        server: String,
        status: u16,
        text: String,
    },
}

impl ClientError {
    /// The attempt is over: all work on it must stop.
    pub fn is_superseded(&self) -> bool {
        matches!(self, Self::Refused { detail, .. } if detail.code == ErrorCode::Superseded)
    }

    /// Whether the same request may go well later: the server is away, busy or has no room.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Cut { .. } => true,
            Self::Refused { status, .. } => matches!(status, 500 | 503 | 507),
            Self::NotPolyphemus { status, .. } => matches!(status, 502..=504),
            Self::BadAddress(_) | Self::BadToken | Self::NoSocket { .. } => false,
        }
    }

    /// With a part of a log that does not continue: how many bytes are committed.
    pub fn committed_bytes(&self) -> Option<u64> {
        match self {
            Self::Refused { detail, .. } if detail.code == ErrorCode::WrongOffset => detail.committed_bytes,
            _ => None,
        }
    }
}

/// One attempt, as its worker names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRef {
    pub job: JobId,
    pub stage: StageName,
    pub attempt: u32,
    pub key: String,
}

impl From<&Assignment> for AttemptRef {
    fn from(assignment: &Assignment) -> Self {
        Self {
            job: assignment.job.clone(),
            stage: assignment.stage.name,
            attempt: assignment.attempt,
            key: assignment.key.clone(),
        }
    }
}

/// What a log stream brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPart {
    Log(LogEvent),
    End(EndEvent),
}

/// What a stream of states brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatePart {
    State(StateEvent),
    End(EndEvent),
}

impl Client {
    /// The address, without a slash at the end and without a password.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Hands in an archive. `length` is its size in bytes where it is known.
    pub async fn submit(
        &self,
        file_name: &str,
        archive: Body,
        length: Option<u64>,
        options: &BTreeMap<String, String>,
    ) -> Result<Submitted, ClientError> {
        let part = match length {
            Some(length) => Part::stream_with_length(archive, length),
            None => Part::stream(archive),
        };
        let mut form = Form::new();
        for (name, value) in options {
            form = form.text(name.clone(), value.clone());
        }
        form = form.part("file", part.file_name(file_name.to_owned()));
        self.json(self.upload(Method::POST, job::JOBS).multipart(form))
            .await
    }

    pub async fn job(&self, id: &JobId) -> Result<Job, ClientError> {
        self.json(
            self.request(Method::GET, &of_job(job::JOB, id))
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    pub async fn jobs(&self, query: &JobQuery) -> Result<JobPage, ClientError> {
        self.json(
            self.request(Method::GET, job::JOBS)
                .query(query)
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    pub async fn cancel(&self, id: &JobId) -> Result<Job, ClientError> {
        self.json(
            self.request(Method::POST, &of_job(job::JOB_CANCEL, id))
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// Gives the job another name; the empty one takes its name away.
    pub async fn rename(&self, id: &JobId, title: &str) -> Result<Job, ClientError> {
        let patch = job::JobPatch {
            title: Some(title.to_owned()),
        };
        self.json(
            self.request(Method::PATCH, &of_job(job::JOB, id))
                .json(&patch)
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// The lines of the log that tell of trouble, as far as they were found within a moment.
    pub async fn important_lines(&self, id: &JobId) -> Result<job::ImportantLines, ClientError> {
        self.json(
            self.request(Method::GET, &of_job(job::JOB_LOG_IMPORTANT, id))
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// Enters the job again, from this stage or from the one that did not succeed.
    pub async fn retry(&self, id: &JobId, from: Option<StageName>) -> Result<Job, ClientError> {
        let mut request = self
            .request(Method::POST, &of_job(job::JOB_RETRY, id))
            .timeout(ANSWER_TIMEOUT);
        if let Some(stage) = from {
            request = request.query(&[("from", stage.as_str())]);
        }
        self.json(request).await
    }

    /// Deletes a job that is over; with `cancel` also one that is not.
    pub async fn delete(&self, id: &JobId, cancel: bool) -> Result<(), ClientError> {
        let request = self
            .request(Method::DELETE, &of_job(job::JOB, id))
            .query(&[("cancel", cancel)])
            .timeout(ANSWER_TIMEOUT);
        self.send(request).await.map(drop)
    }

    /// What waits for a worker.
    pub async fn queue(&self, limit: Option<u32>) -> Result<Queue, ClientError> {
        let request = self.request(Method::GET, QUEUE).timeout(ANSWER_TIMEOUT);
        self.json(request.query(&[("limit", limit)])).await
    }

    /// The events of all jobs after a sequence number, the oldest first.
    pub async fn event_page(&self, after: i64) -> Result<EventPage, ClientError> {
        let request = self.request(Method::GET, event::EVENTS).timeout(ANSWER_TIMEOUT);
        self.json(request.query(&[("after", after)])).await
    }

    /// The events of all jobs after a sequence number as they happen, without an end.
    pub async fn events_of_all(
        &self,
        after: i64,
    ) -> Result<impl Stream<Item = Result<StateEvent, ClientError>> + use<>, ClientError> {
        let request = self
            .request(Method::GET, event::EVENTS)
            .query(&[("after", after)]);
        let events = self.events(request).await?;
        Ok(events.try_filter_map(|event| async move {
            Ok(match event.name.as_str() {
                "state" => Some(event.parse()?),
                _ => None,
            })
        }))
    }

    pub async fn files(&self, id: &JobId) -> Result<JobFiles, ClientError> {
        self.json(
            self.request(Method::GET, &of_job(job::JOB_FILES, id))
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// The content of a file of a job, and its size in bytes.
    pub async fn file(
        &self,
        id: &JobId,
        path: &str,
    ) -> Result<(u64, impl Stream<Item = Result<Bytes, ClientError>> + use<>), ClientError> {
        let path = of_file(job::JOB_FILE, id, path);
        let response = self.send(self.request(Method::GET, &path)).await?;
        Ok((length_of(&response), self.body(response)))
    }

    /// The files of the stage that runs now.
    pub async fn running_files(&self, id: &JobId) -> Result<RunningFiles, ClientError> {
        self.json(
            self.request(Method::GET, &of_job(RUNNING_FILES, id))
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// The content of a file of the stage that runs now, and its size in bytes.
    pub async fn running_file(
        &self,
        id: &JobId,
        path: &str,
    ) -> Result<(u64, impl Stream<Item = Result<Bytes, ClientError>> + use<>), ClientError> {
        let path = of_file(RUNNING_FILE, id, path);
        let response = self.send(self.request(Method::GET, &path)).await?;
        Ok((length_of(&response), self.body(response)))
    }

    /// The log from a byte offset on, as it is now.
    pub async fn log(
        &self,
        id: &JobId,
        offset: u64,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + use<>, ClientError> {
        let request = self
            .request(Method::GET, &of_job(job::JOB_LOG, id))
            .query(&[("offset", offset)]);
        let response = self.send(request).await?;
        Ok(self.body(response))
    }

    /// The log from a byte offset on, and what is appended, until the job is over.
    pub async fn log_events(
        &self,
        id: &JobId,
        offset: u64,
    ) -> Result<impl Stream<Item = Result<LogPart, ClientError>> + use<>, ClientError> {
        let request = self
            .request(Method::GET, &of_job(job::JOB_LOG_EVENTS, id))
            .query(&[("offset", offset)]);
        let events = self.events(request).await?;
        Ok(events.try_filter_map(|event| async move {
            Ok(match event.name.as_str() {
                "log" => Some(LogPart::Log(event.parse()?)),
                "end" => Some(LogPart::End(event.parse()?)),
                _ => None,
            })
        }))
    }

    /// The changes of state after a sequence number (0 for all), until the job is over.
    pub async fn job_events(
        &self,
        id: &JobId,
        after: i64,
    ) -> Result<impl Stream<Item = Result<StatePart, ClientError>> + use<>, ClientError> {
        let request = self
            .request(Method::GET, &of_job(job::JOB_EVENTS, id))
            .query(&[("after", after)]);
        let events = self.events(request).await?;
        Ok(events.try_filter_map(|event| async move {
            Ok(match event.name.as_str() {
                "state" => Some(StatePart::State(event.parse()?)),
                "end" => Some(StatePart::End(event.parse()?)),
                _ => None,
            })
        }))
    }

    pub async fn tokens(&self) -> Result<Vec<Token>, ClientError> {
        self.json(self.request(Method::GET, TOKENS).timeout(ANSWER_TIMEOUT))
            .await
    }

    /// Makes a token; the answer is the only place of its secret.
    pub async fn token_add(&self, new: &NewToken) -> Result<AddedToken, ClientError> {
        let request = self.request(Method::POST, TOKENS).json(new);
        self.json(request.timeout(ANSWER_TIMEOUT)).await
    }

    pub async fn token_revoke(&self, name: &str) -> Result<(), ClientError> {
        let path = TOKEN.replace("{name}", &escape(name));
        let request = self.request(Method::DELETE, &path);
        self.send(request.timeout(ANSWER_TIMEOUT)).await.map(drop)
    }

    /// The token that is shown with each request.
    pub fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// Whether the server can do its work; what it says where it cannot.
    pub async fn healthy(&self, patience: Duration) -> Result<(), ClientError> {
        let request = self.request(Method::GET, HEALTHZ).timeout(patience);
        self.send(request).await.map(drop)
    }

    pub async fn workers(&self) -> Result<Vec<Worker>, ClientError> {
        self.json(self.request(Method::GET, WORKERS).timeout(ANSWER_TIMEOUT))
            .await
    }

    /// Has the server delete what is not needed any more, or only say what that is.
    /// Takes as long as there is to delete.
    pub async fn gc(&self, query: &GcQuery) -> Result<Collection, ClientError> {
        self.json(self.request(Method::POST, GC).query(query)).await
    }

    /// Waits for a stage; `None` when there was none in time.
    pub async fn claim(&self, claim: &ClaimRequest) -> Result<Option<Assignment>, ClientError> {
        let patience = Duration::from_millis(claim.wait_ms) + ANSWER_TIMEOUT;
        let request = self.request(Method::POST, CLAIM).json(claim).timeout(patience);
        let response = self.send(request).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        self.parse(response).await.map(Some)
    }

    /// Renews the lease. The answer comes when there is a command, or after at most half a lease.
    pub async fn heartbeat(&self, attempt: &AttemptRef) -> Result<HeartbeatAnswer, ClientError> {
        self.json(
            self.of_attempt(Method::POST, HEARTBEAT, attempt)
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// Answers a look.
    pub async fn look_answer(&self, attempt: &AttemptRef, look: u64, seen: &Seen) -> Result<(), ClientError> {
        let request = self.of_attempt(Method::POST, &of_look(look), attempt).json(seen);
        self.send(request.timeout(ANSWER_TIMEOUT)).await.map(drop)
    }

    /// Answers a look with a part of a file.
    pub async fn look_content(
        &self,
        attempt: &AttemptRef,
        look: u64,
        of: &SeenContent,
        content: Bytes,
    ) -> Result<(), ClientError> {
        let request = self.of_attempt(Method::POST, &of_look(look), attempt).query(of);
        let request = request.body(content).timeout(ANSWER_TIMEOUT);
        self.send(request).await.map(drop)
    }

    /// Appends to the job's log at this offset; the answer is how many bytes are committed.
    pub async fn log_append(
        &self,
        attempt: &AttemptRef,
        offset: u64,
        bytes: Bytes,
    ) -> Result<u64, ClientError> {
        let request = self
            .of_attempt(Method::PUT, ATTEMPT_LOG, attempt)
            .query(&[("offset", offset)]);
        let committed: LogCommitted = self.json(request.body(bytes).timeout(ANSWER_TIMEOUT)).await?;
        Ok(committed.committed_bytes)
    }

    pub async fn finish(&self, attempt: &AttemptRef, finish: &FinishRequest) -> Result<(), ClientError> {
        let request = self.of_attempt(Method::POST, FINISH, attempt).json(finish);
        self.send(request.timeout(ANSWER_TIMEOUT)).await.map(drop)
    }

    /// Which of these blobs the server lacks.
    pub async fn blobs_missing(&self, hashes: Vec<BlobHash>) -> Result<Vec<BlobHash>, ClientError> {
        let request = self
            .request(Method::POST, BLOBS_MISSING)
            .json(&BlobList { hashes });
        let list: BlobList = self.json(request.timeout(ANSWER_TIMEOUT)).await?;
        Ok(list.hashes)
    }

    pub async fn blob(
        &self,
        hash: &BlobHash,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + use<>, ClientError> {
        let response = self.send(self.request(Method::GET, &of_blob(hash))).await?;
        Ok(self.body(response))
    }

    pub async fn blob_put(&self, hash: &BlobHash, body: Body, length: u64) -> Result<(), ClientError> {
        let request = self
            .upload(Method::PUT, &of_blob(hash))
            .header(CONTENT_LENGTH, length)
            .body(body);
        self.send(request).await.map(drop)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    fn upload(&self, method: Method, path: &str) -> RequestBuilder {
        self.uploads.request(method, format!("{}{path}", self.base))
    }

    fn of_attempt(&self, method: Method, path: &str, attempt: &AttemptRef) -> RequestBuilder {
        let path = path
            .replace("{job}", attempt.job.as_str())
            .replace("{stage}", attempt.stage.as_str())
            .replace("{attempt}", &attempt.attempt.to_string());
        self.request(method, &path).header(ATTEMPT_KEY, &attempt.key)
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let response = self.send(request).await?;
        self.parse(response).await
    }

    async fn parse<T: DeserializeOwned>(&self, response: Response) -> Result<T, ClientError> {
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(|source| self.broken(source))?;
        serde_json::from_slice(&body).map_err(|_| self.not_polyphemus(status, &body))
    }

    /// Sends, and turns every answer that is no success into an error.
    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|source| {
            if source.is_connect() {
                ClientError::Unreachable {
                    server: self.server.clone(),
                    source,
                }
            } else {
                self.broken(source)
            }
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.map_err(|source| self.broken(source))?;
        Err(match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => ClientError::Refused {
                status: status.as_u16(),
                detail: body.error,
            },
            Err(_) => self.not_polyphemus(status.as_u16(), &body),
        })
    }

    async fn events(
        &self,
        request: RequestBuilder,
    ) -> Result<impl Stream<Item = Result<sse::Event, ClientError>> + use<>, ClientError> {
        let response = self.send(request.header("accept", "text/event-stream")).await?;
        let server = self.server.clone();
        Ok(sse::events(self.body(response), server))
    }

    fn body(&self, response: Response) -> impl Stream<Item = Result<Bytes, ClientError>> + use<> {
        let server = self.server.clone();
        response.bytes_stream().map(move |chunk| {
            chunk.map_err(|source| ClientError::Broken {
                server: server.clone(),
                source,
            })
        })
    }

    fn broken(&self, source: reqwest::Error) -> ClientError {
        ClientError::Broken {
            server: self.server.clone(),
            source,
        }
    }

    fn not_polyphemus(&self, status: u16, body: &[u8]) -> ClientError {
        let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
        ClientError::NotPolyphemus {
            server: self.server.clone(),
            status,
            text,
        }
    }
}

fn of_job(path: &str, id: &JobId) -> String {
    path.replace("{id}", id.as_str())
}

/// The path of a file of a job.
fn of_file(path: &str, id: &JobId, file: &str) -> String {
    let escaped: Vec<String> = file.split('/').map(escape).collect();
    of_job(path, id).replace("{*path}", &escaped.join("/"))
}

fn of_look(look: u64) -> String {
    LOOK.replace("{look}", &look.to_string())
}

fn of_blob(hash: &BlobHash) -> String {
    BLOB.replace("{hash}", hash.as_str())
}

fn length_of(response: &Response) -> u64 {
    response.content_length().unwrap_or(0)
}

/// A path component as it stands in an address.
fn escape(component: &str) -> String {
    let mut escaped = String::with_capacity(component.len());
    for byte in component.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
