//! The files of a running stage over HTTP: what clients ask for, and what the stage's worker answers.
//! No cache keeps them, and each answer says that they are not committed.

use super::Site;
use super::error::{ApiError, ApiResult};
use super::file::{asked, content_headers_of, unsatisfiable};
use super::job::id_of;
use super::range::{self, Part};
use super::worker::AttemptPath;
use crate::app::{App, AppError, Attempt, RunningPart, Shown};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use polyphemus_api::error::ErrorBody;
use polyphemus_api::running::{
    COMMITTED, LOOK, LOOK_BYTES, RUNNING_FILE, RUNNING_FILES, RunningFiles, Seen, SeenContent,
};
use polyphemus_core::JobId;
use serde::Deserialize;
use std::io;

/// The files of the stage that runs now; they are not committed.
#[utoipa::path(get, path = RUNNING_FILES, tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = RunningFiles), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "No stage runs, or it ended while it was looked at"),
        (status = 503, body = ErrorBody, description = "Its worker did not answer in time")))]
pub(super) async fn list(State(site): State<Site>, Path(id): Path<String>) -> ApiResult<Response> {
    let attempt = must_run(&site, &id_of(&id)?).await?;
    let files = site.app.running_files(&attempt).await?;
    Ok((uncommitted(HeaderMap::new()), Json(files)).into_response())
}

/// A file of the stage that runs now, whole or in part, as it is at this moment.
#[utoipa::path(get, path = RUNNING_FILE, tag = "jobs", params(("id" = String, Path), ("path" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = ErrorBody), (status = 416, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "No stage runs, or it ended while it was looked at"),
        (status = 503, body = ErrorBody, description = "Its worker did not answer in time")))]
pub(super) async fn file(
    State(site): State<Site>,
    Path((id, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let attempt = must_run(&site, &id_of(&id)?).await?;
    answer(&site, attempt, &path, &headers).await
}

/// The paths of the files of the stage that runs now; `None` where none runs, or its worker does not
/// show them.
pub(super) async fn paths_if_running(site: &Site, id: &JobId) -> ApiResult<Option<Vec<String>>> {
    let Some(attempt) = site.app.running_attempt(id).await? else {
        return Ok(None);
    };
    match site.app.running_files(&attempt).await {
        Ok(listed) => Ok(Some(listed.files.into_iter().map(|file| file.path).collect())),
        Err(AppError::Conflict(_) | AppError::Unavailable(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The answer with a file of the stage that runs now; `None` as above.
pub(super) async fn answer_if_running(
    site: &Site,
    id: &JobId,
    path: &str,
    headers: &HeaderMap,
) -> ApiResult<Option<Response>> {
    let Some(attempt) = site.app.running_attempt(id).await? else {
        return Ok(None);
    };
    match answer(site, attempt, path, headers).await {
        Err(error)
            if matches!(
                error.status(),
                StatusCode::CONFLICT | StatusCode::SERVICE_UNAVAILABLE
            ) =>
        {
            Ok(None)
        }
        answer => answer.map(Some),
    }
}

async fn must_run(site: &Site, id: &JobId) -> ApiResult<Attempt> {
    let attempt = site.app.running_attempt(id).await?;
    attempt.ok_or_else(|| {
        let message = format!(
            "no stage of job {id} runs now, so there are no files of one; what its stages left, or was handed \
             in, is at /jobs/{id}/files"
        );
        AppError::Conflict(message).into()
    })
}

async fn answer(site: &Site, attempt: Attempt, path: &str, headers: &HeaderMap) -> ApiResult<Response> {
    let range = asked(headers, header::RANGE);
    // A file grows while it is looked at: what has no range needs only one look to know its size.
    let most = if range.is_some() { 0 } else { LOOK_BYTES };
    let first = site.app.running_part(&attempt, path, 0, most).await?;
    let size_bytes = first.size_bytes;
    let mut answer = uncommitted(content_headers_of(path, &site.config.site.text_extensions));
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let (status, part, first) = match range::parse(range, size_bytes) {
        Part::Whole if range.is_none() => (StatusCode::OK, 0..size_bytes, Some(first)),
        Part::Whole => (StatusCode::OK, 0..size_bytes, None),
        Part::Bytes(part) => {
            let sent = format!("bytes {}-{}/{size_bytes}", part.start, part.end - 1);
            let sent = HeaderValue::from_str(&sent).expect("numbers are visible ASCII");
            answer.insert(header::CONTENT_RANGE, sent);
            (StatusCode::PARTIAL_CONTENT, part, None)
        }
        Part::Unsatisfiable => return Ok(unsatisfiable(size_bytes)),
    };
    answer.insert(header::CONTENT_LENGTH, (part.end - part.start).into());
    let download = Download {
        app: site.app.clone(),
        attempt,
        path: path.to_owned(),
        at: part.start,
        end: part.end,
        first,
    };
    Ok((
        status,
        answer,
        Body::from_stream(stream::try_unfold(download, Download::next)),
    )
        .into_response())
}

/// A file on its way, a look at a time: a slow client holds no worker, and one part of memory.
struct Download {
    app: App,
    attempt: Attempt,
    path: String,
    at: u64,
    end: u64,
    first: Option<RunningPart>,
}

impl Download {
    /// An error cuts the answer off, which promised more: its client sees that it is not whole.
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let part = match self.first.take() {
            Some(part) => part,
            None => {
                let looked = self
                    .app
                    .running_part(&self.attempt, &self.path, self.at, self.end - self.at);
                looked.await.map_err(io::Error::other)?
            }
        };
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let content = part.content.slice(..part.content.len().min(left));
        if content.is_empty() {
            return Err(io::Error::other("the file has become shorter while it was read"));
        }
        self.at += content.len() as u64;
        Ok(Some((content, self)))
    }
}

fn uncommitted(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(HeaderName::from_static(COMMITTED), HeaderValue::from_static("no"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}

#[derive(Debug, Deserialize)]
pub(crate) struct SeenQuery {
    size_bytes: Option<u64>,
    modified_ms: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LookPath {
    look: u64,
}

/// Answers a look that came with a heartbeat: a JSON document, or the bytes of a file.
#[utoipa::path(post, path = LOOK, tag = "workers",
    params(("job" = String, Path), ("stage" = String, Path), ("attempt" = u32, Path), ("look" = u64, Path),
        ("polyphemus-attempt-key" = String, Header),
        ("size_bytes" = Option<u64>, Query, description = "With content: of the whole file"),
        ("modified_ms" = Option<i64>, Query, description = "With content: when the file last changed")),
    request_body(description = "A JSON document; with `size_bytes`, content", content = Seen),
    responses((status = 204, description = "Passed on"), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody, description = "Nobody waits for it any more"),
        (status = 409, body = ErrorBody, description = "The attempt is over: end all its processes")))]
pub(super) async fn look(
    State(site): State<Site>,
    Path(path): Path<AttemptPath>,
    Path(LookPath { look }): Path<LookPath>,
    Query(query): Query<SeenQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<StatusCode> {
    let attempt = path.attempt(&headers)?;
    let shown =
        match query.size_bytes {
            Some(size_bytes) => {
                let modified_ms = query.modified_ms.unwrap_or_default();
                Shown::Content(
                    SeenContent {
                        size_bytes,
                        modified_ms,
                    },
                    body,
                )
            }
            None => Shown::Seen(serde_json::from_slice(&body).map_err(|error| {
                ApiError::bad_request(format!("the answer to a look is not one: {error}"))
            })?),
        };
    site.app.look_answer(&attempt, look, shown).await?;
    Ok(StatusCode::NO_CONTENT)
}
