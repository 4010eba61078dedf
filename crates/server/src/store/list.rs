//! Lists of jobs. Each filter is served by an index, so that a page costs as much as it shows.

use super::job::read_line;
use super::{Store, StoreError, query};
use polyphemus_api::job::JobRow as JobLine;
use polyphemus_core::JobState;
use polyphemus_core::flow::Flow;
use sqlx::Row as _;
use sqlx::any::AnyRow;

/// Which jobs, the newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobFilter {
    /// In one of these; empty for all.
    pub(crate) states: Vec<JobState>,
    pub(crate) flow: Option<Flow>,
    /// Called exactly so; not together with states or flow.
    pub(crate) title: Option<String>,
    /// Handed in at this time or later.
    pub(crate) since_ms: Option<i64>,
    /// Handed in before this time.
    pub(crate) until_ms: Option<i64>,
}

/// The sequence numbers and times that a page is taken from.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    before: i64,
    from: i64,
    since_ms: i64,
    until_ms: i64,
    limit: u32,
}

impl Store {
    /// At most `limit` jobs with sequence numbers below `before`, each with its sequence number; one
    /// that cannot be read is logged, and keeps nobody from reading the others.
    pub(crate) async fn job_page(
        &self,
        filter: &JobFilter,
        before: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Option<JobLine>)>, StoreError> {
        let Some(bounds) = self.bounds(filter, before, limit).await? else {
            return Ok(Vec::new());
        };
        let rows = match (&filter.title, filter.states.as_slice(), filter.flow) {
            (Some(title), ..) => self.page(query::JOB_PAGE_OF_TITLE, &[title], bounds).await?,
            (None, [], None) => self.page(query::JOB_PAGE, &[], bounds).await?,
            (None, states, flow) => self.page_of(states, flow, bounds).await?,
        };
        let mut lines = Vec::with_capacity(rows.len());
        for row in &rows {
            let seq: i64 = row.try_get(0)?;
            let line = read_line(row)
                .inspect_err(|error| tracing::error!(seq, %error, "a job is missing from a list"));
            lines.push((seq, line.ok()));
        }
        lines.sort_unstable_by_key(|(seq, _)| std::cmp::Reverse(*seq));
        lines.truncate(limit as usize);
        Ok(lines)
    }

    /// `None` where no job was handed in within the times. Numbers are in the order of commits, times
    /// almost; what the numbers let through is held to the times as well.
    async fn bounds(
        &self,
        filter: &JobFilter,
        before: i64,
        limit: u32,
    ) -> Result<Option<Bounds>, StoreError> {
        let mut bounds = Bounds {
            before,
            from: 0,
            since_ms: filter.since_ms.unwrap_or(i64::MIN),
            until_ms: filter.until_ms.unwrap_or(i64::MAX),
            limit,
        };
        if let Some(since_ms) = filter.since_ms {
            match self.seq_at(query::JOB_FIRST_SINCE, since_ms).await? {
                Some(seq) => bounds.from = seq,
                None => return Ok(None),
            }
        }
        if let Some(until_ms) = filter.until_ms {
            match self.seq_at(query::JOB_LAST_UNTIL, until_ms).await? {
                Some(seq) => bounds.before = before.min(seq.saturating_add(1)),
                None => return Ok(None),
            }
        }
        Ok(Some(bounds))
    }

    async fn seq_at(&self, query: &'static str, time_ms: i64) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query(query)
            .bind(time_ms)
            .fetch_optional(&self.reads)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// A page of each flow and state side by side.
    async fn page_of(
        &self,
        states: &[JobState],
        flow: Option<Flow>,
        bounds: Bounds,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let states = if states.is_empty() {
            &JobState::ALL[..]
        } else {
            states
        };
        let flows = Flow::ALL
            .into_iter()
            .filter(|known| flow.is_none_or(|flow| flow == *known));
        let mut rows = Vec::new();
        for flow in flows {
            for state in states {
                let of = [flow.as_str(), state.as_str()];
                rows.extend(self.page(query::JOB_PAGE_OF_FLOW_AND_STATE, &of, bounds).await?);
            }
        }
        Ok(rows)
    }

    async fn page(
        &self,
        query: &'static str,
        of: &[&str],
        bounds: Bounds,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let mut page = sqlx::query(query)
            .bind(bounds.before)
            .bind(bounds.from)
            .bind(bounds.since_ms)
            .bind(bounds.until_ms)
            .bind(i64::from(bounds.limit));
        for value in of {
            page = page.bind((*value).to_owned());
        }
        Ok(page.fetch_all(&self.reads).await?)
    }
}
