//! The list of all jobs as text, which the database itself writes: a hundred thousand rows are too
//! many to be taken apart and put together again.

use super::{Store, StoreError, query};
use sqlx::Row as _;

/// Ends each line (RFC 4180).
const LINE_END: &str = "\r\n";

/// A part of the list, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CsvPart {
    /// Lines `id,name,started,state`.
    pub(crate) lines: String,
    /// The sequence number below which the next part begins.
    pub(crate) before: i64,
}

impl Store {
    /// At most `limit` jobs with sequence numbers below `before`, the newest first; `None` without
    /// any.
    pub(crate) async fn job_csv(&self, before: i64, limit: u32) -> Result<Option<CsvPart>, StoreError> {
        let row = sqlx::query(query::JOB_CSV)
            .bind(before)
            .bind(i64::from(limit))
            .bind(LINE_END)
            .fetch_one(&self.reads)
            .await?;
        let before: Option<i64> = row.try_get(0)?;
        let lines: Option<String> = row.try_get(1)?;
        Ok(before.zip(lines).map(|(before, lines)| CsvPart { lines, before }))
    }
}
