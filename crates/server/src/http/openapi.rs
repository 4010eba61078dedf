//! The description of `/api/v1` that programs read.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use utoipa::OpenApi;
use utoipa::openapi;

/// Where it is served.
pub(super) const OPENAPI: &str = "/api/openapi.json";

#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Polyphemus",
        description = "One place where a group shares its FPGA tools and boards: a design goes in, its bitstream is \
                       built and executed, the results come out. Every error answer is `{\"error\": {\"code\", \
                       \"message\"}}`. Times are milliseconds since 1970 UTC.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "jobs", description = "Hand in designs, follow them, fetch what they made"),
        (name = "events", description = "Server-sent events; each id resumes its stream exactly"),
        (name = "workers", description = "The protocol of workers; every write is fenced by the attempt"),
        (name = "tokens", description = "Who may do what; for operators"),
        (name = "blobs", description = "Contents under their BLAKE3 hash"),
    )
)]
pub(super) struct Description;

/// As OpenAPI has it, where a parameter stands for the rest of a path as for any other part.
pub(super) fn finished(mut document: openapi::OpenApi) -> openapi::OpenApi {
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    document
}

pub(super) async fn get(State(document): State<Arc<openapi::OpenApi>>) -> Response {
    ([(header::CACHE_CONTROL, "no-cache")], Json(&*document)).into_response()
}
