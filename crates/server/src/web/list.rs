//! `/`: the form to hand in a design, who is there to build it, and the jobs.

use super::icon::Icon;
use super::option::{OptionField, SWITCHES, TEXTS};
use super::rendered;
use super::time::{self, Moment};
use crate::app::App;
use crate::config::SiteSettings;
use crate::http::Site;
use crate::http::error::ApiResult;
use askama::Template;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::response::Html;
use polyphemus_api::job::{JobQuery, JobRow};
use polyphemus_api::worker::Worker;
use polyphemus_core::job::JobState;
use std::collections::{BTreeMap, BTreeSet};

/// Jobs on a page.
const ROWS: u32 = 50;

#[derive(Debug, Template)]
#[template(path = "list.html")]
struct ListPage<'a> {
    frame: &'a SiteSettings,
    /// The ends of names of archives, as `.zip,.tar`.
    accept: String,
    texts: &'static [OptionField],
    switches: &'static [OptionField],
    /// `http://HOST:PORT`, for commands to copy.
    server: String,
    crew: Crew,
    chips: Vec<Chip>,
    /// The state that the list is narrowed to.
    only: Option<&'static str>,
    rows: Vec<Row>,
    /// Address of the next page.
    next: Option<String>,
    /// Not the first page.
    older: bool,
    /// Of all jobs in the instance.
    total: u64,
}

/// The workers in short.
#[derive(Debug)]
struct Crew {
    workers: usize,
    busy: usize,
    boards: Vec<String>,
    tools: Vec<String>,
}

/// A count of jobs by state, as a link to them.
#[derive(Debug)]
struct Chip {
    word: &'static str,
    title: &'static str,
    icon: Icon,
    count: u64,
    chosen: bool,
}

#[derive(Debug)]
struct Row {
    id: String,
    title: String,
    icon: Icon,
    state: &'static str,
    flow: String,
    mode: String,
    submitted: Moment,
    duration: Option<String>,
}

pub(crate) async fn list_page(
    State(site): State<Site>,
    Query(query): Query<JobQuery>,
    headers: HeaderMap,
) -> ApiResult<Html<String>> {
    let now_ms = time::now_ms();
    let asked = JobQuery {
        limit: Some(ROWS),
        state: query.state.filter(|state| !state.is_empty()),
        ..query
    };
    let page = site.app.job_page(&asked).await?;
    let counts = site.app.job_counts().await?;
    let only = asked.state.as_deref().and_then(JobState::parse);
    rendered(&ListPage {
        frame: &site.config.site,
        accept: accept(&site.config.site),
        texts: &TEXTS,
        switches: &SWITCHES,
        server: server(&headers),
        crew: Crew::of(&site.app).await?,
        total: counts.values().sum(),
        chips: chips(&counts, only),
        only: only.map(JobState::title),
        rows: page.jobs.iter().map(|row| Row::of(row, now_ms)).collect(),
        next: page.next.map(|before| match only {
            Some(state) => format!("/?state={state}&before={before}"),
            None => format!("/?before={before}"),
        }),
        older: asked.before.is_some(),
    })
}

impl Crew {
    async fn of(app: &App) -> ApiResult<Self> {
        let mut workers = app.workers().await?;
        workers.retain(|worker| worker.live);
        Ok(Self {
            workers: workers.len(),
            busy: workers.iter().filter(|worker| !worker.running.is_empty()).count(),
            boards: offered(&workers, "fpga:"),
            tools: offered(&workers, "tool:"),
        })
    }

    fn says(&self) -> String {
        let workers = match self.workers {
            1 => "1 worker".to_owned(),
            count => format!("{count} workers"),
        };
        match self.busy {
            0 => format!("{workers}, idle"),
            busy if busy == self.workers => format!("{workers}, all at work"),
            busy => format!("{workers}, {busy} at work"),
        }
    }
}

fn accept(site: &SiteSettings) -> String {
    let ends: Vec<String> = site
        .upload_extensions
        .iter()
        .map(|end| format!(".{end}"))
        .collect();
    ends.join(",")
}

/// What the workers offer of a kind, each once.
fn offered(workers: &[Worker], kind: &str) -> Vec<String> {
    let labels = workers.iter().flat_map(|worker| &worker.labels);
    let names: BTreeSet<String> = labels
        .filter_map(|label| label.0.strip_prefix(kind))
        .map(|name| match name.split_once('=') {
            Some((name, version)) => format!("{name} ({version})"),
            None => name.to_owned(),
        })
        .collect();
    names.into_iter().collect()
}

fn chips(counts: &BTreeMap<JobState, u64>, only: Option<JobState>) -> Vec<Chip> {
    let shown = JobState::ALL.into_iter().filter_map(|state| {
        let count = counts.get(&state).copied().unwrap_or(0);
        let chosen = only == Some(state);
        (count > 0 || chosen).then_some(Chip {
            word: state.as_str(),
            title: state.title(),
            icon: Icon::of_job(state),
            count,
            chosen,
        })
    });
    shown.collect()
}

impl Row {
    fn of(row: &JobRow, now_ms: i64) -> Self {
        let end_ms = row.finished_ms.unwrap_or(now_ms);
        let begun = row.state.is_terminal() || Icon::of_job(row.state) == Icon("busy");
        Self {
            id: row.id.to_string(),
            title: row.title.clone(),
            icon: Icon::of_job(row.state),
            state: row.state.title(),
            flow: row.flow.to_string(),
            mode: row.mode.clone(),
            submitted: Moment::new(row.submitted_ms, now_ms),
            duration: begun.then(|| time::duration(end_ms - row.submitted_ms)),
        }
    }
}

/// The address that the reader has used; the guard has checked its host.
pub(super) fn server(headers: &HeaderMap) -> String {
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("127.0.0.1:8000");
    format!("http://{host}")
}
