//! Deleting what is not needed any more, on an operator's command.

use super::Site;
use super::error::ApiResult;
use axum::Json;
use axum::extract::{Query, State};
use polyphemus_api::error::ErrorBody;
use polyphemus_api::gc::{Collection, GC, GcQuery};

/// Deletes jobs that are not kept any longer and contents that no job refers to.
#[utoipa::path(post, path = GC, tag = "operator", params(("dry_run" = Option<bool>, Query, description = "`true`: only tell what would go")),
    responses((status = 200, body = Collection), (status = 507, body = ErrorBody)))]
pub(super) async fn collect(
    State(site): State<Site>,
    Query(query): Query<GcQuery>,
) -> ApiResult<Json<Collection>> {
    Ok(Json(site.app.gc(query.dry_run).await?))
}
