//! Which jobs a list shows, as it is asked for.

use super::{App, AppError};
use crate::store::{CsvPart, JobFilter};
use polyphemus_api::job::{JobPage, JobQuery};
use polyphemus_core::JobState;
use polyphemus_core::flow::Flow;

/// Jobs of a page.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 1000;

impl App {
    /// The next part of the list of all jobs as text, the newest first: those below `before`.
    pub(crate) async fn job_csv(&self, before: i64) -> Result<Option<CsvPart>, AppError> {
        Ok(self.0.store.job_csv(before, LARGEST_PAGE).await?)
    }

    /// Jobs, the newest first.
    pub async fn job_page(&self, query: &JobQuery) -> Result<JobPage, AppError> {
        let limit = page_size(query.limit, PAGE, "jobs")?;
        let filter = filter(query)?;
        let before = query.before.unwrap_or(i64::MAX);
        let mut jobs = self.0.store.job_page(&filter, before, limit + 1).await?;
        let more = jobs.len() > limit as usize;
        jobs.truncate(limit as usize);
        let next = jobs.last().filter(|_| more).map(|(seq, _)| *seq);
        let jobs = jobs.into_iter().filter_map(|(_, job)| job).collect();
        Ok(JobPage { jobs, next })
    }
}

/// How many of something to show: 1 to 1,000, `usual` where it is not said.
pub(super) fn page_size(asked: Option<u32>, usual: u32, what: &str) -> Result<u32, AppError> {
    let limit = asked.unwrap_or(usual);
    if (1..=LARGEST_PAGE).contains(&limit) {
        return Ok(limit);
    }
    Err(AppError::BadRequest(format!(
        "a page has 1 to {LARGEST_PAGE} {what}, not {limit}; choose another `limit`"
    )))
}

fn filter(query: &JobQuery) -> Result<JobFilter, AppError> {
    let words = query.state.as_deref().unwrap_or("").split(',').map(str::trim);
    let states = words.filter(|word| !word.is_empty()).map(parse_state);
    let mut states: Vec<JobState> = states.collect::<Result<_, _>>()?;
    states.sort_unstable();
    states.dedup();
    let flow = query.flow.as_deref().map(parse_flow).transpose()?;
    if query.title.is_some() && (!states.is_empty() || flow.is_some()) {
        return Err(AppError::BadRequest(
            "a list is of one title, or of states and a flow; leave out one of them".into(),
        ));
    }
    Ok(JobFilter {
        states,
        flow,
        title: query.title.clone(),
        since_ms: query.since_ms,
        until_ms: query.until_ms,
    })
}

fn parse_state(text: &str) -> Result<JobState, AppError> {
    let known = || JobState::ALL.map(JobState::as_str).join(", ");
    JobState::parse(text).ok_or_else(|| unknown("state", text, &known()))
}

fn parse_flow(text: &str) -> Result<Flow, AppError> {
    let known = || Flow::ALL.map(|flow| flow.as_str()).join(", ");
    let flow = Flow::ALL.into_iter().find(|flow| flow.as_str() == text);
    flow.ok_or_else(|| unknown("flow", text, &known()))
}

fn unknown(what: &str, text: &str, known: &str) -> AppError {
    let shown: String = text.chars().take(40).collect();
    AppError::BadRequest(format!("there is no {what} `{shown}`; the {what}s are {known}"))
}
