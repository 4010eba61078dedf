//! The operator's routes about tokens.

use super::Site;
use super::error::ApiResult;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use polyphemus_api::error::ErrorBody;
use polyphemus_api::token::{AddedToken, NewToken, TOKEN, TOKENS, Token};

/// All tokens, without their secrets.
#[utoipa::path(get, path = TOKENS, tag = "tokens", responses((status = 200, body = Vec<Token>)))]
pub(super) async fn list(State(site): State<Site>) -> ApiResult<Json<Vec<Token>>> {
    Ok(Json(site.app.token_list().await?))
}

/// Makes a token; the secret is shown this once.
#[utoipa::path(post, path = TOKENS, tag = "tokens", request_body = NewToken,
    responses((status = 201, body = AddedToken), (status = 400, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "The name is taken")))]
pub(super) async fn add(State(site): State<Site>, Json(new): Json<NewToken>) -> ApiResult<Response> {
    let added = site.app.token_add(new).await?;
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(added)).into_response())
}

/// Makes a token worth nothing, at once.
#[utoipa::path(delete, path = TOKEN, tag = "tokens", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = ErrorBody)))]
pub(super) async fn revoke(State(site): State<Site>, Path(name): Path<String>) -> ApiResult<StatusCode> {
    site.app.token_revoke(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}
