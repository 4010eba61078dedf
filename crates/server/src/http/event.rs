//! Server-sent events of a job: its states and its log, each resumed exactly by the id of the last
//! event. Nothing is held for a viewer: a slow one reads later, from the same log and table.

use super::Site;
use super::error::{ApiError, ApiResult};
use super::job::id_of;
use crate::app::{App, AppError};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use polyphemus_api::error::ErrorBody;
use polyphemus_api::event::{EndEvent, LogEvent, StateEvent};
use polyphemus_api::job::{JOB_EVENTS, JOB_LOG_EVENTS};
use polyphemus_core::job::JobId;
use serde::Deserialize;
use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Between signs of life, so that proxies and clients can tell a quiet stream from a dead one.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Log bytes of one event.
const CHUNK_BYTES: usize = 32 << 10;
/// State events read at a time.
const EVENTS_AT_ONCE: u32 = 100;

#[derive(Debug, Deserialize)]
pub(crate) struct AfterQuery {
    after: Option<i64>,
}

/// The changes of a job's states: events `state`, then `end` when the job is over.
#[utoipa::path(get, path = JOB_EVENTS, tag = "events",
    params(("id" = String, Path), ("after" = Option<i64>, Query, description = "A sequence number; 0 for all"),
        ("last-event-id" = Option<i64>, Header, description = "The same, as browsers send it; it counts first")),
    responses((status = 200, body = StateEvent, content_type = "text/event-stream"),
        (status = 404, body = ErrorBody)))]
pub(super) async fn states(
    State(site): State<Site>,
    Path(id): Path<String>,
    Query(query): Query<AfterQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let id = id_of(&id)?;
    let states = States {
        changed: site.app.watch(&id).await?,
        after: resume(&headers)?.or(query.after).unwrap_or(0),
        ready: VecDeque::new(),
        ended: false,
        app: site.app,
        id,
        stopping: site.stopping,
    };
    states.app.job(&states.id).await?;
    Ok(answer(stream::unfold(states, |mut states| async {
        states.next().await.map(|event| (event, states))
    })))
}

#[derive(Debug, Deserialize)]
pub(crate) struct OffsetQuery {
    offset: Option<u64>,
}

/// The log from an offset on and what is appended: events `log`, then `end` when the job is over.
#[utoipa::path(get, path = JOB_LOG_EVENTS, tag = "events",
    params(("id" = String, Path), ("offset" = Option<u64>, Query, description = "In bytes; 0 for all"),
        ("last-event-id" = Option<u64>, Header, description = "The same, as browsers send it; it counts first")),
    responses((status = 200, body = LogEvent, content_type = "text/event-stream"),
        (status = 404, body = ErrorBody)))]
pub(super) async fn log(
    State(site): State<Site>,
    Path(id): Path<String>,
    Query(query): Query<OffsetQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let id = id_of(&id)?;
    let log = LogTail {
        grown: site.app.log_watch(&id).await?,
        offset: resume(&headers)?.or(query.offset).unwrap_or(0),
        ended: false,
        changed: site.app.watch(&id).await?,
        app: site.app,
        id,
        stopping: site.stopping,
    };
    log.app.job(&log.id).await?;
    Ok(answer(stream::unfold(log, |mut log| async {
        log.next().await.map(|event| (event, log))
    })))
}

pub(super) fn answer(events: impl Stream<Item = Result<Event, AppError>> + Send + 'static) -> Response {
    let sse = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // Proxies must not collect what is to be seen at once.
    let unbuffered = [
        (HeaderName::from_static("x-accel-buffering"), "no"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (unbuffered, sse).into_response()
}

pub(super) fn resume<T: FromStr>(headers: &HeaderMap) -> ApiResult<Option<T>> {
    let Some(id) = headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    let id = id.to_str().ok().and_then(|id| id.parse().ok());
    id.map(Some).ok_or_else(|| {
        ApiError::bad_request("the header `Last-Event-ID` is no id that this stream has given; leave it out")
    })
}

/// The states of one job for one viewer.
#[derive(Debug)]
struct States {
    app: App,
    id: JobId,
    changed: watch::Receiver<i64>,
    stopping: CancellationToken,
    after: i64,
    ready: VecDeque<StateEvent>,
    ended: bool,
}

impl States {
    /// `None` ends the stream: the job is over, or the server stops.
    async fn next(&mut self) -> Option<Result<Event, AppError>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.after = event.sequence;
                return Some(Ok(event_of("state", Some(event.sequence.to_string()), &event)));
            }
            if self.ended {
                return None;
            }
            if let Some(last) = self.look().await.transpose() {
                self.ended = true;
                return Some(last);
            }
            if self.ready.is_empty() {
                wait(&self.stopping, &mut self.changed).await?;
            }
        }
    }

    /// Fills `ready`, or gives the last event. The state is read before the events: a terminal one
    /// is then known only when its event is there too.
    async fn look(&mut self) -> Result<Option<Event>, AppError> {
        self.changed.borrow_and_update();
        let state = self.app.job(&self.id).await?.state;
        self.ready = self
            .app
            .events(&self.id, self.after, EVENTS_AT_ONCE)
            .await?
            .into();
        let over = state.is_terminal() && self.ready.is_empty();
        Ok(over.then(|| event_of("end", None, &EndEvent { job_state: state })))
    }
}

/// The log of one job for one viewer.
#[derive(Debug)]
struct LogTail {
    app: App,
    id: JobId,
    grown: watch::Receiver<u64>,
    changed: watch::Receiver<i64>,
    stopping: CancellationToken,
    /// Behind what was sent.
    offset: u64,
    ended: bool,
}

impl LogTail {
    /// `None` ends the stream: the job is over, or the server stops.
    async fn next(&mut self) -> Option<Result<Event, AppError>> {
        while !self.ended && !self.stopping.is_cancelled() {
            match self.look().await {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => tokio::select! {
                    () = self.stopping.cancelled() => return None,
                    grown = self.grown.changed() => grown.ok()?,
                    changed = self.changed.changed() => changed.ok()?,
                },
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }

    /// What can be sent now: a part of the log, or the end. The state is read before the length: the
    /// log of a job seen as over is then known whole.
    async fn look(&mut self) -> Result<Option<Event>, AppError> {
        self.changed.borrow_and_update();
        self.grown.borrow_and_update();
        let state = self.app.job(&self.id).await?.state;
        let length = self.app.log_length(&self.id).await?;
        if self.offset < length {
            let bytes = self.app.log_read(&self.id, self.offset, CHUNK_BYTES).await?;
            let complete = self.offset + bytes.len() as u64 == length && state.is_terminal();
            let taken = if complete {
                bytes.len()
            } else {
                whole_characters(&bytes)
            };
            if taken > 0 {
                return Ok(Some(self.part(&bytes[..taken])));
            }
        } else if state.is_terminal() {
            self.ended = true;
            return Ok(Some(event_of("end", None, &EndEvent { job_state: state })));
        }
        Ok(None)
    }

    fn part(&mut self, bytes: &[u8]) -> Event {
        let event = LogEvent {
            offset: self.offset,
            end: self.offset + bytes.len() as u64,
            text: String::from_utf8_lossy(bytes).into_owned(),
        };
        self.offset = event.end;
        event_of("log", Some(event.end.to_string()), &event)
    }
}

/// How many of the bytes to send now: all but a character whose rest has not come yet.
pub(crate) fn whole_characters(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    let start = tail.iter().rposition(|byte| !matches!(byte, 0x80..=0xBF));
    let Some(start) = start else {
        return bytes.len();
    };
    let begun = &tail[start..];
    match std::str::from_utf8(begun) {
        Err(error) if error.error_len().is_none() => bytes.len() - begun.len(),
        _ => bytes.len(),
    }
}

pub(super) async fn wait(stopping: &CancellationToken, changed: &mut watch::Receiver<i64>) -> Option<()> {
    tokio::select! {
        () = stopping.cancelled() => None,
        changed = changed.changed() => changed.ok(),
    }
}

pub(super) fn event_of(name: &str, id: Option<String>, data: &impl serde::Serialize) -> Event {
    let data = serde_json::to_string(data).expect("our events are plain structs with text keys");
    let event = Event::default().event(name).data(data);
    match id {
        Some(id) => event.id(id),
        None => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_sent_whole_or_later() {
        let text = "aä€💡z".as_bytes();
        let starts = [0, 1, 3, 6, 10, 11];
        for cut in 0..=text.len() {
            let sent = whole_characters(&text[..cut]);
            let floor = starts.iter().rev().find(|start| **start <= cut).copied();
            assert_eq!(Some(sent), floor, "cut at {cut}");
        }
    }

    #[test]
    fn bytes_that_no_character_begins_with_are_not_held_back() {
        for bytes in [
            &b"\xff"[..],
            b"a\x80\x80\x80\x80",
            b"\xc0",
            b"\xe2\x28",
            b"",
            b"\xff\xff\xff",
        ] {
            assert_eq!(whole_characters(bytes), bytes.len(), "{bytes:?}");
        }
        assert_eq!(whole_characters(b"\xf0\x9f\x92"), 0);
    }
}
