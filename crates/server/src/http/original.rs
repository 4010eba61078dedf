//! The original's routes, at the root, with its parameters, answers and words. Scripts of its users
//! work here unchanged. (Its pages are in `web`, its submission in `submit`.)

use super::Site;
use super::error::{ApiError, ApiResult};
use super::job::id_of;
use super::{file, log};
use crate::app::App;
use crate::web;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt as _};
use polyphemus_api::job::{Job, JobQuery, JobRow};
use polyphemus_core::flow::is_on;
use polyphemus_core::job::JobId;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io;

/// Where a job's tree lies among its files, and the log beside it.
const CODE: &str = "code/";
const LOG: &str = "log.txt";
/// Rows read at a time.
const ROWS_AT_ONCE: u32 = 1000;

/// A job with the original's keys, and ours beside them.
#[derive(Debug, Serialize)]
struct OriginalJob {
    name: JobId,
    /// Seconds since 1970 UTC.
    started: f64,
    config: Map<String, Value>,
    #[serde(flatten)]
    job: Job,
}

/// `GET /jobs/ID` is JSON, `GET /jobs/ID.html` is the page: the router cannot tell them apart.
pub(super) async fn one(State(site): State<Site>, Path(name): Path<String>) -> ApiResult<Response> {
    if let Some(id) = name.strip_suffix(".html") {
        return web::job_page(&site, &id_of(id)?).await;
    }
    let job = site.app.job(&id_of(&name)?).await?;
    Ok(Json(OriginalJob::of(job)).into_response())
}

/// `GET /jobs.csv`: all jobs, newest first, streamed.
pub(super) async fn csv(State(site): State<Site>) -> ApiResult<Response> {
    let head = stream::iter([Ok(String::from("id,name,started,state\r\n"))]);
    let content = Body::from_stream(head.chain(csv_rows(site.app)));
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], content).into_response())
}

pub(super) async fn log_txt(
    State(site): State<Site>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    log::answer(&site, &id, 0, &headers).await
}

/// `GET /jobs/ID/files`: the paths; files whose name begins with a dot are left out.
pub(super) async fn files(State(site): State<Site>, Path(id): Path<String>) -> ApiResult<Json<Vec<String>>> {
    let tree = site.app.job_tree(&id_of(&id)?).await?;
    let shown = tree.entries().iter().filter(|entry| {
        let name = entry.path.rsplit('/').next().unwrap_or(&entry.path);
        !name.starts_with('.')
    });
    let code = shown.map(|entry| format!("{CODE}{}", entry.path));
    Ok(Json([LOG.to_owned()].into_iter().chain(code).collect()))
}

/// `GET /jobs/ID/files/PATH`: `log.txt`, or a file under `code/`.
pub(super) async fn file(
    State(site): State<Site>,
    Path((id, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    if path == LOG {
        return log::answer(&site, &id, 0, &headers).await;
    }
    match path.strip_prefix(CODE) {
        Some(path) => file::answer(&site, &id, path, &headers).await,
        None => {
            let shown: String = path.chars().take(200).collect();
            Err(ApiError::not_found(format!(
                "job {id} has no file {shown:?}: there are `{LOG}` and the files under `{CODE}`"
            )))
        }
    }
}

impl OriginalJob {
    fn of(job: Job) -> Self {
        let text = |name: &str| job.options.get(name).cloned().unwrap_or_default();
        let mut config = Map::new();
        // Other options as they were handed in; the original knows these by type.
        for (name, value) in &job.options {
            config.insert(name.clone(), json!(value));
        }
        for name in ["estimate", "skipexec", "make"] {
            config.insert(name.into(), json!(is_on(&job.options, name)));
        }
        for name in ["directives", "hwname", "platform"] {
            config.insert(name.into(), json!(text(name)));
        }
        config.insert("mode".into(), json!(job.mode));
        Self {
            name: job.id.clone(),
            started: seconds(job.submitted_ms),
            config,
            job,
        }
    }
}

fn csv_rows(app: App) -> impl futures::Stream<Item = Result<String, io::Error>> + Send {
    let first = Some(JobQuery {
        limit: Some(ROWS_AT_ONCE),
        ..JobQuery::default()
    });
    stream::try_unfold(first, move |query| {
        let app = app.clone();
        async move {
            let Some(query) = query else {
                return Ok(None);
            };
            let page = app.job_page(&query).await.map_err(io::Error::other)?;
            let rows: String = page.jobs.iter().map(csv_row).collect();
            let next = page.next.map(|before| JobQuery {
                before: Some(before),
                ..query
            });
            Ok(Some((rows, next)))
        }
    })
}

fn csv_row(row: &JobRow) -> String {
    let started = seconds(row.submitted_ms);
    format!("{},{},{started},{}\r\n", row.id, csv_field(&row.title), row.state)
}

/// Quoted where it must be (RFC 4180).
fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_with_commas_quotes_or_line_ends_is_quoted() {
        assert_eq!(csv_field("plain title"), "plain title");
        assert_eq!(csv_field("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
    }
}
