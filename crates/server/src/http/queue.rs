//! What waits for a worker, as JSON.

use super::Site;
use super::error::ApiResult;
use axum::Json;
use axum::extract::{Query, State};
use polyphemus_api::error::ErrorBody;
use polyphemus_api::queue::{QUEUE, Queue};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct QueueQuery {
    limit: Option<u32>,
}

/// The stages that wait for a worker, those first that are handed out first, each with the reason why
/// nobody has it.
#[utoipa::path(get, path = QUEUE, tag = "workers",
    params(("limit" = Option<u32>, Query, description = "1 to 1,000; 100 if not given")),
    responses((status = 200, body = Queue), (status = 400, body = ErrorBody)))]
pub(super) async fn get(State(site): State<Site>, Query(query): Query<QueueQuery>) -> ApiResult<Json<Queue>> {
    Ok(Json(site.app.queue(query.limit).await?))
}
