//! `/jobs.csv`: all jobs, newest first, as the original's lists them; streamed.

use super::Site;
use super::error::ApiResult;
use crate::app::App;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt as _};
use polyphemus_api::job::{JobQuery, JobRow};
use std::fmt::Write as _;
use std::io;

/// Rows read at a time.
const ROWS_AT_ONCE: u32 = 1000;
/// About as long as a row is, in bytes.
const ROW_BYTES: usize = 64;

/// `GET /jobs.csv`
pub(super) async fn get(State(site): State<Site>) -> ApiResult<Response> {
    let head = stream::iter([Ok(String::from("id,name,started,state\r\n"))]);
    let content = Body::from_stream(head.chain(rows(site.app)));
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], content).into_response())
}

fn rows(app: App) -> impl futures::Stream<Item = Result<String, io::Error>> + Send {
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
            let mut rows = String::with_capacity(page.jobs.len() * ROW_BYTES);
            page.jobs.iter().for_each(|job| push(&mut rows, job));
            let next = page.next.map(|before| JobQuery {
                before: Some(before),
                ..query
            });
            Ok(Some((rows, next)))
        }
    })
}

fn push(rows: &mut String, job: &JobRow) {
    let JobRow { id, state, .. } = job;
    let (name, started) = (field(&job.title), started(job.submitted_ms));
    write!(rows, "{id},{name},{started},{state}\r\n").expect("writing to a String cannot fail");
}

/// Quoted where it must be (RFC 4180).
fn field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Seconds since 1970 UTC as Python writes a float: with a fraction, even if it is zero.
fn started(ms: i64) -> String {
    format!("{:?}", ms as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_with_commas_quotes_or_line_ends_is_quoted() {
        assert_eq!(field("plain title"), "plain title");
        assert_eq!(field("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
    }

    #[test]
    fn times_are_written_as_the_originals_floats() {
        assert_eq!(started(1_596_300_000_123), "1596300000.123");
        assert_eq!(started(1_596_300_000_000), "1596300000.0");
    }
}
