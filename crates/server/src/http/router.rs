//! All routes, one line each, and what every request goes through before and after them.

use super::auth::authenticate;
use super::error::{ApiError, present};
use super::guard::guard;
use super::login::{LOGIN, LOGOUT};
use super::openapi::{Description, OPENAPI, finished};
use super::{
    Site, blob, csv, delete, event, feed, file, gc, health, job, log, login, openapi, original, queue,
    running, submit, token, worker,
};
use crate::web;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use polyphemus_api::health::{HEALTHZ, METRICS};
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use tower_http::trace::TraceLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

/// JSON bodies and parts of logs, in bytes. A result with thousands of figures stays far below.
const BODY_LIMIT_BYTES: usize = 16 << 20;
/// A form of a page, in bytes.
const FORM_LIMIT_BYTES: usize = 64 << 10;
/// A body of which nothing comes for so long is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// The whole site.
pub fn router(site: Site) -> Router {
    let (api, document) = api().split_for_parts();
    let document = Arc::new(finished(document));
    let routes = Router::new()
        .route("/", get(web::list_page))
        .route("/static/{name}", get(web::asset))
        .route(HEALTHZ, get(health::healthz))
        .route(METRICS, get(health::metrics))
        .route(LOGIN, get(login::page).post(login::login))
        .route(LOGOUT, post(login::logout))
        .route("/jobs", post(submit::original).layer(DefaultBodyLimit::disable()))
        .route("/jobs.csv", get(csv::get))
        .route(
            "/jobs/{name}",
            get(original::one)
                .post(original::change)
                .layer(DefaultBodyLimit::max(FORM_LIMIT_BYTES)),
        )
        .route("/jobs/{id}/cancel", post(web::cancel))
        .route("/jobs/{id}/retry", post(web::retry))
        .route("/jobs/{id}/log.txt", get(original::log_txt))
        .route("/jobs/{id}/files", get(original::files))
        .route("/jobs/{id}/files.html", get(web::files_page))
        .route("/jobs/{id}/files/{*path}", get(original::file))
        .merge(api)
        .with_state(site.clone())
        .route(OPENAPI, get(openapi::get).with_state(document));
    routes
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(from_fn_with_state(site.clone(), authenticate))
        .layer(from_fn_with_state(site.clone(), guard))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(site.config.clone(), present))
        .layer(if_absent(header::CONTENT_SECURITY_POLICY, web::PAGE_POLICY))
        .layer(if_absent(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(if_absent(header::REFERRER_POLICY, "same-origin"))
        .layer(if_absent(header::X_FRAME_OPTIONS, "DENY"))
        .layer(if_absent(
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ))
        .layer(if_absent(
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ))
        .layer(from_fn_with_state(site, health::count))
        .layer(TraceLayer::new_for_http().make_span_with(span))
}

/// `/api/v1`, each route with its description.
fn api() -> OpenApiRouter<Site> {
    let unlimited = DefaultBodyLimit::disable;
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(job::list))
        .routes(routes!(submit::api).layer(unlimited()))
        .routes(routes!(job::one, job::patch, delete::delete))
        .routes(routes!(job::cancel))
        .routes(routes!(job::retry))
        .routes(routes!(event::states))
        .routes(routes!(log::raw))
        .routes(routes!(log::important))
        .routes(routes!(event::log))
        .routes(routes!(job::files))
        .routes(routes!(file::get))
        .routes(routes!(running::list))
        .routes(routes!(running::file))
        .routes(routes!(feed::all))
        .routes(routes!(queue::get))
        .routes(routes!(gc::collect))
        .routes(routes!(worker::list))
        .routes(routes!(worker::claim))
        .routes(routes!(worker::heartbeat))
        .routes(routes!(worker::log))
        .routes(routes!(worker::finish))
        .routes(routes!(running::look))
        .routes(routes!(blob::get))
        .routes(routes!(blob::put).layer(unlimited()))
        .routes(routes!(blob::missing))
        .routes(routes!(token::list, token::add))
        .routes(routes!(token::revoke))
}

fn if_absent(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

/// Names the request without its query and headers, which may hold what is nobody's business.
fn span(request: &Request) -> tracing::Span {
    tracing::debug_span!("request", method = %request.method(), path = request.uri().path())
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = text, "a request panicked");
    ApiError::internal(&Panicked).into_response()
}

#[derive(Debug, thiserror::Error)]
#[error("a panic, as logged")]
struct Panicked;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::access::decided;
    use polyphemus_api::{blob, event, gc, job, queue, running, token, worker};

    #[test]
    fn every_path_of_the_contract_is_described_and_no_other() {
        let (_, document) = api().split_for_parts();
        let document = finished(document);
        let described: Vec<&str> = document.paths.paths.keys().map(String::as_str).collect();
        let mut contract: Vec<String> = [
            job::JOBS,
            job::JOB,
            job::JOB_CANCEL,
            job::JOB_RETRY,
            job::JOB_EVENTS,
            job::JOB_LOG,
            job::JOB_LOG_IMPORTANT,
            job::JOB_LOG_EVENTS,
            job::JOB_FILES,
            job::JOB_FILE,
            running::RUNNING_FILES,
            running::RUNNING_FILE,
            running::LOOK,
            event::EVENTS,
            queue::QUEUE,
            gc::GC,
            worker::WORKERS,
            worker::CLAIM,
            worker::HEARTBEAT,
            worker::ATTEMPT_LOG,
            worker::FINISH,
            blob::BLOB,
            blob::BLOBS_MISSING,
            token::TOKENS,
            token::TOKEN,
        ]
        .map(|path| path.replace("{*", "{"))
        .into();
        contract.sort_unstable();
        assert_eq!(described, contract);
    }

    #[test]
    fn the_description_is_this() {
        let (_, document) = api().split_for_parts();
        insta::assert_json_snapshot!(finished(document), { ".info.version" => "[version]" });
    }

    #[test]
    fn who_may_use_it_is_decided_for_every_route() {
        let (_, document) = api().split_for_parts();
        let mut routes: Vec<String> = document.paths.paths.into_keys().collect();
        routes.extend([OPENAPI, HEALTHZ, METRICS, LOGIN, LOGOUT].map(str::to_owned));
        // The others stand in this file as texts.
        let source = include_str!("router.rs")
            .split("#[cfg(test)]")
            .next()
            .unwrap_or("");
        let calls = source.split(".route(").skip(1);
        let texts = calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next());
        routes.extend(texts.map(str::to_owned));
        assert!(routes.len() > 25, "{routes:?}");
        for route in routes {
            assert!(
                decided(&route).is_some(),
                "nobody decided in access.rs who may use {route}"
            );
        }
    }
}
