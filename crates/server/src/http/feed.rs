//! The events of all jobs: as a page for programs that ask, as a stream for those that listen.

use super::Site;
use super::error::ApiResult;
use super::event::{answer, event_of, resume, wait};
use crate::app::{App, AppError};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use polyphemus_api::error::ErrorBody;
use polyphemus_api::event::{EVENTS, EventPage, StateEvent};
use serde::Deserialize;
use std::collections::VecDeque;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Deserialize)]
pub(crate) struct FeedQuery {
    after: Option<i64>,
    limit: Option<u32>,
}

/// The changes of all jobs' states, the oldest first. Who accepts `text/event-stream` gets events
/// `state` as they happen, without an end; anybody else a page, whose `next` is the `after` of the
/// page behind it.
#[utoipa::path(get, path = EVENTS, tag = "events",
    params(("after" = Option<i64>, Query, description = "A sequence number; 0 for all"),
        ("limit" = Option<u32>, Query, description = "Of a page: 1 to 1,000; 100 if not given"),
        ("last-event-id" = Option<i64>, Header, description = "Of a stream: the same as `after`; it counts first")),
    responses((status = 200, content((EventPage = "application/json"), (StateEvent = "text/event-stream"))),
        (status = 400, body = ErrorBody)))]
pub(super) async fn all(
    State(site): State<Site>,
    Query(query): Query<FeedQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let after = query.after.unwrap_or(0);
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    if !accept.is_some_and(|accept| accept.contains("text/event-stream")) {
        return Ok(Json(site.app.event_page(after, query.limit).await?).into_response());
    }
    let feed = Feed {
        changed: site.app.watch_all(),
        after: resume(&headers)?.unwrap_or(after),
        ready: VecDeque::new(),
        app: site.app,
        stopping: site.stopping,
        failed: false,
    };
    Ok(answer(stream::unfold(feed, |mut feed| async {
        feed.next().await.map(|event| (event, feed))
    })))
}

/// The events of all jobs for one listener.
#[derive(Debug)]
struct Feed {
    app: App,
    changed: watch::Receiver<i64>,
    stopping: CancellationToken,
    after: i64,
    ready: VecDeque<StateEvent>,
    failed: bool,
}

impl Feed {
    /// `None` ends the stream: the server stops, or it could not read on.
    async fn next(&mut self) -> Option<Result<Event, AppError>> {
        while !self.failed {
            if let Some(event) = self.ready.pop_front() {
                self.after = event.sequence;
                return Some(Ok(event_of("state", Some(event.sequence.to_string()), &event)));
            }
            // Marked as seen before the look, so that no event is missed.
            self.changed.borrow_and_update();
            match self.app.event_page(self.after, None).await {
                Ok(page) if page.events.is_empty() => wait(&self.stopping, &mut self.changed).await?,
                Ok(page) => self.ready = page.events.into(),
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}
