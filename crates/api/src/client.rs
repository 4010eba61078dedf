//! The typed client: one method for each thing that the server does. Retries nothing by itself; the
//! error says whether trying again makes sense.

mod attempt;
mod connect;
mod follow;
mod jobs;
mod operate;
mod sse;

use crate::address::Reachable;
use crate::error::{ErrorBody, ErrorCode, ErrorDetail};
use crate::event::{EndEvent, LogEvent, StateEvent};
use crate::token::Secret;
use crate::worker::Assignment;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use polyphemus_core::job::JobId;
use polyphemus_core::stage::StageName;
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
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

    /// The token that is shown with each request.
    pub fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    fn upload(&self, method: Method, path: &str) -> RequestBuilder {
        self.uploads.request(method, format!("{}{path}", self.base))
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
