//! For those who watch the server: `/healthz` for systemd, Kubernetes and load balancers, `/metrics`
//! for Prometheus; and the counting of requests.

use super::Site;
use super::error::{ApiError, ApiResult};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use polyphemus_api::error::ErrorCode;
use std::error::Error;
use std::time::Instant;

/// The text format of Prometheus.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// 200 when the server can do its work, else 503 with the reason.
pub(super) async fn healthz(State(site): State<Site>) -> Response {
    match site.app.health().await {
        Ok(()) => "ok\n".into_response(),
        Err(unhealthy) => {
            let why = match unhealthy.source() {
                Some(source) => format!("{unhealthy}: {source}"),
                None => unhealthy.to_string(),
            };
            tracing::warn!(why, "the server is not healthy");
            ApiError::new(ErrorCode::Unavailable, why).into_response()
        }
    }
}

pub(super) async fn metrics(State(site): State<Site>) -> ApiResult<Response> {
    let page = site.app.metrics_page().await?;
    Ok(([(header::CONTENT_TYPE, PROMETHEUS)], page).into_response())
}

/// Counts each request under its route, so that there are as many figures as routes.
pub(super) async fn count(State(site): State<Site>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status().as_u16();
    site.app
        .metrics()
        .request(method_name(&method), route, status, begun.elapsed());
    response
}

/// Clients may invent methods; figures of their own they do not get.
fn method_name(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        _ => "other",
    }
}
