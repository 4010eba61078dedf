//! The protocol of workers. Each request about an attempt carries its key; without it, a program that
//! runs inside a job could speak for its worker.

use super::Site;
use super::error::{ApiError, ApiResult};
use super::job::{id_of, stage_of};
use crate::app::Attempt;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use polyphemus_api::error::{ErrorBody, ErrorCode};
use polyphemus_api::worker::{
    ATTEMPT_KEY, ATTEMPT_LOG, Assignment, CLAIM, ClaimRequest, FINISH, FinishRequest, HEARTBEAT,
    HeartbeatAnswer, LogCommitted, WORKERS, Worker,
};
use serde::Deserialize;

/// The workers that the server has heard of lately.
#[utoipa::path(get, path = WORKERS, tag = "workers", responses((status = 200, body = Vec<Worker>)))]
pub(super) async fn list(State(site): State<Site>) -> ApiResult<Json<Vec<Worker>>> {
    Ok(Json(site.app.workers().await?))
}

/// Offers a free slot and waits for a stage. When the connection goes away the offer ends.
#[utoipa::path(post, path = CLAIM, tag = "workers", request_body = ClaimRequest,
    responses((status = 200, body = Assignment), (status = 204, description = "No stage in time"),
        (status = 400, body = ErrorBody)))]
pub(super) async fn claim(State(site): State<Site>, Json(claim): Json<ClaimRequest>) -> ApiResult<Response> {
    let assignment = tokio::select! {
        assignment = site.app.claim(claim) => assignment?,
        () = site.stopping.cancelled() => None,
    };
    Ok(match assignment {
        Some(assignment) => Json(assignment).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Renews the lease; answers when there is a command, or after at most half a lease.
#[utoipa::path(post, path = HEARTBEAT, tag = "workers",
    params(("job" = String, Path), ("stage" = String, Path), ("attempt" = u32, Path),
        ("polyphemus-attempt-key" = String, Header)),
    responses((status = 200, body = HeartbeatAnswer),
        (status = 409, body = ErrorBody, description = "The attempt is over: end all its processes")))]
pub(super) async fn heartbeat(
    State(site): State<Site>,
    Path(path): Path<AttemptPath>,
    headers: HeaderMap,
) -> ApiResult<Json<HeartbeatAnswer>> {
    let attempt = path.attempt(&headers)?;
    tokio::select! {
        answer = site.app.heartbeat(&attempt) => Ok(Json(answer?)),
        () = site.stopping.cancelled() => Err(ApiError::stopping()),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct LogQuery {
    offset: u64,
}

/// Appends the body to the job's log, if it continues what is committed.
#[utoipa::path(put, path = ATTEMPT_LOG, tag = "workers",
    params(("job" = String, Path), ("stage" = String, Path), ("attempt" = u32, Path),
        ("polyphemus-attempt-key" = String, Header), ("offset" = u64, Query)),
    request_body(content_type = "application/octet-stream", content = Vec<u8>),
    responses((status = 200, body = LogCommitted),
        (status = 409, body = ErrorBody, description = "`wrong_offset` with the committed length, or `superseded`"),
        (status = 413, body = ErrorBody, description = "The log would be longer than allowed")))]
pub(super) async fn log(
    State(site): State<Site>,
    Path(path): Path<AttemptPath>,
    Query(query): Query<LogQuery>,
    headers: HeaderMap,
    bytes: Bytes,
) -> ApiResult<Json<LogCommitted>> {
    let attempt = path.attempt(&headers)?;
    let committed_bytes = site.app.log_append(&attempt, query.offset, bytes).await?;
    Ok(Json(LogCommitted { committed_bytes }))
}

/// Hands in how the attempt ended. All blobs of its tree must have been sent before.
#[utoipa::path(post, path = FINISH, tag = "workers", request_body = FinishRequest,
    params(("job" = String, Path), ("stage" = String, Path), ("attempt" = u32, Path),
        ("polyphemus-attempt-key" = String, Header)),
    responses((status = 204, description = "Committed"), (status = 400, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "The attempt is over already; nothing was changed")))]
pub(super) async fn finish(
    State(site): State<Site>,
    Path(path): Path<AttemptPath>,
    headers: HeaderMap,
    Json(finish): Json<FinishRequest>,
) -> ApiResult<StatusCode> {
    let attempt = path.attempt(&headers)?;
    site.app.finish(&attempt, finish).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
pub(crate) struct AttemptPath {
    job: String,
    stage: String,
    attempt: u32,
}

impl AttemptPath {
    pub(super) fn attempt(&self, headers: &HeaderMap) -> ApiResult<Attempt> {
        let key = headers
            .get(ATTEMPT_KEY)
            .and_then(|key| key.to_str().ok())
            .ok_or_else(|| {
                ApiError::new(
                    ErrorCode::Forbidden,
                    format!("a request about an attempt must carry its key in the header `{ATTEMPT_KEY}`"),
                )
            })?;
        Ok(Attempt {
            job: id_of(&self.job)?,
            stage: stage_of(&self.stage)?,
            attempt: self.attempt,
            key: key.to_owned(),
        })
    }
}
