//! The log of a job as it is now: raw bytes from any offset. What is appended later comes by `event`.

use super::Site;
use super::error::ApiResult;
use super::file::{asked, content_headers, unsatisfiable};
use super::job::id_of;
use super::range::{self, Part};
use crate::app::App;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use polyphemus_api::error::ErrorBody;
use polyphemus_api::job::{ImportantLines, JOB_LOG, JOB_LOG_IMPORTANT};
use polyphemus_core::job::JobId;
use serde::Deserialize;
use std::io;
use std::ops::Range;

/// Read at a time, in bytes.
const CHUNK_BYTES: usize = 256 << 10;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct LogQuery {
    offset: Option<u64>,
}

/// The log's bytes from an offset on, as far as it is written.
#[utoipa::path(get, path = JOB_LOG, tag = "jobs",
    params(("id" = String, Path), ("offset" = Option<u64>, Query, description = "In bytes; 0 if not given")),
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = 206, body = String, content_type = "text/plain", description = "With `Range`"),
        (status = 404, body = ErrorBody),
        (status = 416, body = ErrorBody, description = "The offset is behind the end")))]
pub(super) async fn raw(
    State(site): State<Site>,
    Path(id): Path<String>,
    Query(query): Query<LogQuery>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    answer(&site, &id, query.offset.unwrap_or(0), &headers).await
}

/// The lines of the log that tell of trouble, as far as they were found within a moment.
#[utoipa::path(get, path = JOB_LOG_IMPORTANT, tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = ImportantLines), (status = 404, body = ErrorBody)))]
pub(super) async fn important(
    State(site): State<Site>,
    Path(id): Path<String>,
) -> ApiResult<Json<ImportantLines>> {
    Ok(Json(site.app.important_lines(&id_of(&id)?).await?))
}

/// The answer with the log from `offset` on; a `Range` counts from there.
pub(super) async fn answer(site: &Site, id: &str, offset: u64, headers: &HeaderMap) -> ApiResult<Response> {
    let id = id_of(id)?;
    let length = site.app.log_length(&id).await?;
    let Some(size_bytes) = length.checked_sub(offset) else {
        return Ok(unsatisfiable(length));
    };
    let mut answer = content_headers("text/plain; charset=utf-8");
    answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let (status, part) = match range::parse(asked(headers, header::RANGE), size_bytes) {
        Part::Whole => (StatusCode::OK, offset..length),
        Part::Bytes(part) => {
            let sent = format!("bytes {}-{}/{size_bytes}", part.start, part.end - 1);
            let sent = HeaderValue::try_from(sent).expect("digits are visible ASCII");
            answer.insert(header::CONTENT_RANGE, sent);
            (
                StatusCode::PARTIAL_CONTENT,
                offset + part.start..offset + part.end,
            )
        }
        Part::Unsatisfiable => return Ok(unsatisfiable(size_bytes)),
    };
    answer.insert(header::CONTENT_LENGTH, (part.end - part.start).into());
    Ok((status, answer, read(site.app.clone(), id, part)).into_response())
}

/// The bytes of `part`, read as fast as the client takes them. A failure breaks the answer off, so
/// that it never looks whole.
fn read(app: App, id: JobId, part: Range<u64>) -> Body {
    Body::from_stream(stream::try_unfold(part, move |part| {
        let (app, id) = (app.clone(), id.clone());
        async move {
            let most =
                usize::try_from(part.end - part.start).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
            if most == 0 {
                return Ok(None);
            }
            let chunk: Bytes = app
                .log_read(&id, part.start, most)
                .await
                .map_err(io::Error::other)?;
            if chunk.is_empty() {
                return Err(io::Error::other(format!(
                    "the log of job {id} ends at {}",
                    part.start
                )));
            }
            let next = part.start + chunk.len() as u64..part.end;
            Ok(Some((chunk, next)))
        }
    }))
}
