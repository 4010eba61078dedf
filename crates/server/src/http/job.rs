//! Jobs as JSON: the list, one, its name, its cancel and its retry.

use super::Site;
use super::error::{ApiError, ApiResult};
use axum::Json;
use axum::extract::{Path, Query, State};
use polyphemus_api::error::ErrorBody;
use polyphemus_api::job::{
    JOB, JOB_CANCEL, JOB_FILES, JOB_RETRY, JOBS, Job, JobFiles, JobPage, JobPatch, JobQuery,
};
use polyphemus_core::job::JobId;
use polyphemus_core::stage::StageName;
use serde::Deserialize;

/// Jobs, newest first.
#[utoipa::path(get, path = JOBS, tag = "jobs",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 50 if not given"),
        ("before" = Option<i64>, Query, description = "`next` of the page before"),
        ("state" = Option<String>, Query, description = "Only jobs in this state, or in one of several: `failed,cancelled`"),
        ("flow" = Option<String>, Query, description = "Only jobs of this flow"),
        ("title" = Option<String>, Query, description = "Only jobs that are called exactly so; not together with `state` or `flow`"),
        ("since_ms" = Option<i64>, Query, description = "Only jobs handed in at this time or later"),
        ("until_ms" = Option<i64>, Query, description = "Only jobs handed in before this time"),
    ),
    responses((status = 200, body = JobPage), (status = 400, body = ErrorBody)))]
pub(super) async fn list(
    State(site): State<Site>,
    Query(query): Query<JobQuery>,
) -> ApiResult<Json<JobPage>> {
    Ok(Json(site.app.job_page(&query).await?))
}

/// One job, whole.
#[utoipa::path(get, path = JOB, tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = Job), (status = 404, body = ErrorBody)))]
pub(super) async fn one(State(site): State<Site>, Path(id): Path<String>) -> ApiResult<Json<Job>> {
    Ok(Json(site.app.job(&id_of(&id)?).await?))
}

/// Changes what is named: `{"title": "…"}` renames the job. A stage at work goes on.
#[utoipa::path(patch, path = JOB, tag = "jobs", params(("id" = String, Path)), request_body = JobPatch,
    responses((status = 200, body = Job), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn patch(
    State(site): State<Site>,
    Path(id): Path<String>,
    Json(patch): Json<JobPatch>,
) -> ApiResult<Json<Job>> {
    let id = id_of(&id)?;
    Ok(Json(match patch.title {
        Some(title) => site.app.rename(&id, &title).await?,
        None => site.app.job(&id).await?,
    }))
}

/// Ends the job; a stage that runs is ended by its worker.
#[utoipa::path(post, path = JOB_CANCEL, tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = Job), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "It is over already")))]
pub(super) async fn cancel(State(site): State<Site>, Path(id): Path<String>) -> ApiResult<Json<Job>> {
    Ok(Json(site.app.cancel(&id_of(&id)?).await?))
}

/// Which stage to enter again.
#[derive(Debug, Deserialize)]
pub(crate) struct RetryQuery {
    from: Option<String>,
}

/// Enters a job that is over again.
#[utoipa::path(post, path = JOB_RETRY, tag = "jobs",
    params(("id" = String, Path),
        ("from" = Option<StageName>, Query, description = "Without it, the stage that did not succeed")),
    responses((status = 200, body = Job), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "It is still at work, or the stage has no input")))]
pub(super) async fn retry(
    State(site): State<Site>,
    Path(id): Path<String>,
    Query(query): Query<RetryQuery>,
) -> ApiResult<Json<Job>> {
    let from = query.from.as_deref().map(stage_of).transpose()?;
    Ok(Json(site.app.retry(&id_of(&id)?, from).await?))
}

/// The files of the latest stage that left any behind, or of the upload.
#[utoipa::path(get, path = JOB_FILES, tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = JobFiles), (status = 404, body = ErrorBody)))]
pub(super) async fn files(State(site): State<Site>, Path(id): Path<String>) -> ApiResult<Json<JobFiles>> {
    Ok(Json(site.app.job_files(&id_of(&id)?).await?))
}

/// A text that cannot be an id is no job: whoever looks for it gets 404 as for any other.
pub(crate) fn id_of(text: &str) -> ApiResult<JobId> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        ApiError::not_found(format!(
            "there is no job {shown:?}: ids have 11 letters, digits or underscores"
        ))
    })
}

pub(crate) fn stage_of(text: &str) -> ApiResult<StageName> {
    StageName::parse(text).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        let names = StageName::ALL.map(StageName::as_str).join(", ");
        ApiError::bad_request(format!("there is no stage {shown:?}; the stages are {names}"))
    })
}
