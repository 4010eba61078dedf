//! `/jobs/ID.html`: where the job is, what it waits for, what it came to, its log as it grows; and the
//! forms that cancel it and enter it again.

use super::icon::Icon;
use super::log::LogEnd;
use super::prose::Prose;
use super::result::ResultCard;
use super::stage::{self, StageLine};
use super::time::{self, Moment};
use super::{rendered, size};
use crate::config::SiteSettings;
use crate::http::Site;
use crate::http::error::ApiResult;
use crate::http::job::{id_of, stage_of};
use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use polyphemus_api::job::{ImportantLines, Job};
use polyphemus_core::job::JobId;
use serde::Deserialize;

#[derive(Debug, Template)]
#[template(path = "job.html")]
struct JobPage<'a> {
    frame: &'a SiteSettings,
    id: String,
    title: String,
    icon: Icon,
    state: &'static str,
    over: bool,
    cancelling: bool,
    flow: String,
    mode: String,
    mode_says: &'static str,
    submitted: Moment,
    duration: String,
    waiting_for: Option<Prose>,
    result: Option<ResultCard>,
    stages: Vec<StageLine>,
    /// The stages that can be entered again now, the likely one first.
    retry: Vec<(&'static str, &'static str)>,
    options: Vec<(String, String)>,
    decisions: Vec<(String, String)>,
    notes: Vec<Prose>,
    log: LogEnd,
    important: ImportantLines,
    /// Of the log before what is shown.
    log_before: Option<String>,
    /// The sequence of the last state event, from which the page's script goes on.
    sequence: i64,
}

pub(crate) async fn job_page(site: &Site, id: &JobId) -> ApiResult<Response> {
    // Read before the job: what changes in between comes again, and nothing is missed.
    let sequence = *site.app.watch(id).await?.borrow();
    let job = site.app.job(id).await?;
    let log = LogEnd::of(&site.app, id, site.config.site.preview_lines).await?;
    let important = site.app.important_lines(id).await?;
    let now_ms = time::now_ms();
    let end_ms = job.finished_ms.unwrap_or(now_ms);
    let page = JobPage {
        frame: &site.config.site,
        icon: Icon::of_job(job.state),
        state: job.state.title(),
        over: job.state.is_terminal(),
        cancelling: job.stages.iter().any(|stage| stage.cancelling),
        flow: job.flow.to_string(),
        mode_says: mode_says(&job.mode),
        submitted: Moment::new(job.submitted_ms, now_ms),
        duration: time::duration(end_ms - job.submitted_ms),
        waiting_for: job
            .stages
            .iter()
            .find_map(|stage| Some(Prose::new(stage.waiting_for.as_ref()?))),
        result: ResultCard::of(&job),
        stages: stage::lines(&job, now_ms),
        retry: retries(&job),
        log_before: (log.start > 0).then(|| size::bytes(log.start)),
        log,
        important,
        sequence,
        id: job.id.to_string(),
        title: job.title,
        mode: job.mode,
        options: job.options.into_iter().collect(),
        decisions: job.decisions.into_iter().collect(),
        notes: job.notes.iter().map(|note| Prose::new(note)).collect(),
    };
    Ok(rendered(&page)?.into_response())
}

/// Cancels, then leads back to the job's page.
pub(crate) async fn cancel(State(site): State<Site>, Path(id): Path<String>) -> ApiResult<Redirect> {
    let id = id_of(&id)?;
    site.app.cancel(&id).await?;
    Ok(page_of(&id))
}

#[derive(Debug, Deserialize)]
pub(crate) struct RetryForm {
    from: Option<String>,
}

/// Enters the job again, then leads back to its page.
pub(crate) async fn retry(
    State(site): State<Site>,
    Path(id): Path<String>,
    Form(form): Form<RetryForm>,
) -> ApiResult<Redirect> {
    let id = id_of(&id)?;
    let from = form.from.filter(|from| !from.is_empty());
    let from = from.as_deref().map(stage_of).transpose()?;
    site.app.retry(&id, from).await?;
    Ok(page_of(&id))
}

pub(super) fn page_of(id: &JobId) -> Redirect {
    Redirect::to(&format!("/jobs/{id}.html"))
}

/// A stage can be entered when all before it have succeeded; the one that did not succeed is likely
/// meant, or the last.
fn retries(job: &Job) -> Vec<(&'static str, &'static str)> {
    if !job.state.is_terminal() {
        return Vec::new();
    }
    let good = job
        .stages
        .iter()
        .take_while(|stage| stage.state == "succeeded")
        .count();
    let open = job.stages.iter().take(good + 1).rev();
    open.map(|stage| (stage.name.as_str(), stage::title(stage.name)))
        .collect()
}

/// What a mode does, for those who do not know its word.
fn mode_says(mode: &str) -> &'static str {
    match mode {
        "estimate" => "numbers only, nothing is run",
        "sw_emu" => "the sources are simulated",
        "hw_emu" => "the bitstream is simulated",
        "hw" => "the bitstream runs on a board",
        _ => "",
    }
}

impl JobPage<'_> {
    /// The title, or the id of a job without one.
    fn heading(&self) -> &str {
        if self.title.is_empty() {
            &self.id
        } else {
            &self.title
        }
    }
}
