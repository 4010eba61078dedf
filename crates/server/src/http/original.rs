//! The original's routes that tell of one job, at the root, with its parameters, answers and words.
//! Scripts of its users work here unchanged. (Its list is in `csv`, its pages and their forms in
//! `web`, its submission in `submit`.)

use super::error::{ApiError, ApiResult};
use super::job::id_of;
use super::{Site, archive, file, log, running};
use crate::web;
use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use polyphemus_api::error::ErrorCode;
use polyphemus_api::job::Job;
use polyphemus_core::flow::is_on;
use polyphemus_core::job::JobId;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Where a job's tree lies among its files, and what the original keeps beside it.
const CODE: &str = "code/";
const LOG: &str = "log.txt";
const INFO: &str = "info.json";
const ARCHIVE: &str = "code.zip";
/// What the page of a job adds to its id.
const PAGE: &str = ".html";

/// A job with the original's keys, and ours beside them.
#[derive(Debug, Serialize)]
struct OriginalJob {
    name: JobId,
    /// Seconds since 1970 UTC.
    started: f64,
    config: Map<String, Value>,
    /// 0 or 1.
    estimate: u8,
    platform: String,
    #[serde(flatten)]
    job: Job,
}

/// `GET /jobs/ID` is JSON, `GET /jobs/ID.html` is the page: the router cannot tell them apart.
pub(super) async fn one(State(site): State<Site>, Path(name): Path<String>) -> ApiResult<Response> {
    if let Some(id) = name.strip_suffix(PAGE) {
        return web::job_page(&site, &id_of(id)?).await;
    }
    info(&site, &id_of(&name)?).await
}

/// `POST /jobs/ID.html`: a form of the page. To `/jobs/ID` nothing can be posted.
pub(super) async fn change(
    State(site): State<Site>,
    Path(name): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> ApiResult<Response> {
    match name.strip_suffix(PAGE) {
        Some(id) => web::change(&site, &id_of(id)?, &headers, request).await,
        None => Err(ApiError::new(
            ErrorCode::MethodNotAllowed,
            format!(
                "{} is not possible at /jobs/{}; forms go to the page of a job, /jobs/ID.html",
                Method::POST,
                name.chars().take(40).collect::<String>()
            ),
        )),
    }
}

pub(super) async fn log_txt(
    State(site): State<Site>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    log::answer(&site, &id, 0, &headers).await
}

/// `GET /jobs/ID/files`: the paths as the original's walk gives them; files whose name begins with a
/// dot are left out.
pub(super) async fn files(State(site): State<Site>, Path(id): Path<String>) -> ApiResult<Json<Vec<String>>> {
    let id = id_of(&id)?;
    // While a stage runs its files are shown as they are, as the original did.
    let paths = match running::paths_if_running(&site, &id).await? {
        Some(paths) => paths,
        None => {
            let tree = site.app.job_tree(&id).await?;
            tree.entries().iter().map(|entry| entry.path.clone()).collect()
        }
    };
    let shown = paths.into_iter().filter(|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        !name.starts_with('.')
    });
    let code = shown.map(|path| format!("{CODE}{path}"));
    let beside = [LOG, INFO, ARCHIVE].map(|name| format!("./{name}"));
    Ok(Json(beside.into_iter().chain(code).collect()))
}

/// `GET /jobs/ID/files/PATH`: the paths of the list, with or without `./` before them.
pub(super) async fn file(
    State(site): State<Site>,
    Path((id, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    match path.strip_prefix("./").unwrap_or(&path) {
        LOG => log::answer(&site, &id, 0, &headers).await,
        INFO => info(&site, &id_of(&id)?).await,
        ARCHIVE => archive::answer(&site, &id_of(&id)?, &headers).await,
        path => match path.strip_prefix(CODE) {
            Some(path) => match running::answer_if_running(&site, &id_of(&id)?, path, &headers).await? {
                Some(answer) => Ok(answer),
                None => file::answer(&site, &id, path, &headers).await,
            },
            None => {
                let id = id_of(&id)?;
                site.app.must_exist(&id).await?;
                let shown: String = path.chars().take(200).collect();
                Err(ApiError::not_found(format!(
                    "job {id} has no file {shown:?}; its files are listed at /jobs/{id}/files"
                )))
            }
        },
    }
}

async fn info(site: &Site, id: &JobId) -> ApiResult<Response> {
    Ok(Json(OriginalJob::of(site.app.job(id).await?)).into_response())
}

impl OriginalJob {
    fn of(job: Job) -> Self {
        let text = |name: &str| job.options.get(name).cloned().unwrap_or_default();
        // What was decided for the user, else as it was handed in.
        let platform = job.decisions.get("platform").cloned();
        let platform = platform.unwrap_or_else(|| text("platform"));
        let is_estimate = is_on(&job.options, "estimate") || job.mode == "estimate";
        Self {
            name: job.id.clone(),
            started: job.submitted_ms as f64 / 1000.0,
            config: config(&job),
            estimate: is_estimate.into(),
            platform,
            job,
        }
    }
}

/// The options as the original has them, by type, and others as they were handed in.
fn config(job: &Job) -> Map<String, Value> {
    let text = |name: &str| job.options.get(name).cloned().unwrap_or_default();
    let mut config = Map::new();
    for (name, value) in &job.options {
        config.insert(name.clone(), json!(value));
    }
    for name in ["estimate", "skipexec", "make"] {
        config.insert(name.into(), json!(is_on(&job.options, name)));
    }
    for name in ["directives", "platform"] {
        config.insert(name.into(), json!(text(name)));
    }
    // Jobs are renamed by it.
    config.insert("hwname".into(), json!(job.title));
    config.insert("mode".into(), json!(job.mode));
    let told = job.stages.iter().flat_map(|stage| &stage.make_conf);
    let make_conf: BTreeMap<&String, &String> = told.collect();
    config.insert("make_conf".into(), json!(make_conf));
    config
}
