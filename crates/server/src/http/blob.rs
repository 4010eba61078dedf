//! Contents under their hashes, as workers fetch and send them.

use super::Site;
use super::error::{ApiError, ApiResult};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use polyphemus_api::blob::{BLOB, BLOBS_MISSING, BlobList};
use polyphemus_api::error::ErrorBody;
use polyphemus_artifacts::{BlobError, BlobHash};

/// Hashes of one request.
const HASHES_LIMIT: usize = 10_000;

/// The content of a blob.
#[utoipa::path(get, path = BLOB, tag = "blobs", params(("hash" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = ErrorBody)))]
pub(super) async fn get(State(site): State<Site>, Path(hash): Path<String>) -> ApiResult<Response> {
    let hash = hash_of(&hash)?;
    let blobs = site.app.blobs();
    let size_bytes = blobs
        .size(&hash)
        .await?
        .ok_or_else(|| BlobError::Missing(hash.clone()))?;
    let content = Body::from_stream(blobs.read(&hash).await?);
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, size_bytes.to_string()),
        (header::CONTENT_DISPOSITION, "attachment".to_owned()),
    ];
    Ok((headers, content).into_response())
}

/// Stores the body if it has this hash; durable when the answer is a success.
#[utoipa::path(put, path = BLOB, tag = "blobs", params(("hash" = String, Path)),
    request_body(content_type = "application/octet-stream", content = Vec<u8>),
    responses((status = 204, description = "Stored, now or before"),
        (status = 400, body = ErrorBody, description = "The body has another hash"),
        (status = 413, body = ErrorBody), (status = 507, body = ErrorBody)))]
pub(super) async fn put(
    State(site): State<Site>,
    Path(hash): Path<String>,
    body: Body,
) -> ApiResult<StatusCode> {
    let hash = hash_of(&hash)?;
    let limit_bytes = site.config.limits.file_bytes;
    site.app
        .blobs()
        .put_stream(body.into_data_stream(), &hash, limit_bytes)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which of these blobs the server lacks. Those that it has are kept until they can be referred to.
#[utoipa::path(post, path = BLOBS_MISSING, tag = "blobs", request_body = BlobList,
    responses((status = 200, body = BlobList), (status = 400, body = ErrorBody)))]
pub(super) async fn missing(
    State(site): State<Site>,
    Json(list): Json<BlobList>,
) -> ApiResult<Json<BlobList>> {
    if list.hashes.len() > HASHES_LIMIT {
        return Err(ApiError::bad_request(format!(
            "{} hashes are asked for at once, and {HASHES_LIMIT} are allowed; ask in several requests",
            list.hashes.len()
        )));
    }
    let hashes = site.app.blobs().missing(&list.hashes).await?;
    Ok(Json(BlobList { hashes }))
}

fn hash_of(text: &str) -> ApiResult<BlobHash> {
    text.parse()
        .map_err(|error: polyphemus_core::hash::BadHash| ApiError::bad_request(error.to_string()))
}
