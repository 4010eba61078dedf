//! A job's deletion.

use super::Site;
use super::error::ApiResult;
use super::job::id_of;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use polyphemus_api::error::ErrorBody;
use polyphemus_api::job::JOB;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct DeleteQuery {
    #[serde(default)]
    cancel: bool,
}

/// Deletes a job that is over, with its log; its files go where no other job has them.
#[utoipa::path(delete, path = JOB, tag = "jobs",
    params(("id" = String, Path),
        ("cancel" = Option<bool>, Query, description = "`true`: cancel it first where it is not over")),
    responses((status = 204, description = "It is gone"), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "It is not over yet")))]
pub(super) async fn delete(
    State(site): State<Site>,
    Path(id): Path<String>,
    Query(query): Query<DeleteQuery>,
) -> ApiResult<StatusCode> {
    let id = id_of(&id)?;
    if query.cancel {
        site.app.cancel_and_delete(&id).await?;
    } else {
        site.app.delete(&id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
