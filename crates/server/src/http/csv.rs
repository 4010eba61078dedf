//! `/jobs.csv`: all jobs, newest first, as the original's lists them; streamed.

use super::Site;
use super::error::ApiResult;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt as _};
use std::io;

/// The columns.
const HEAD: &str = "id,name,started,state\r\n";

/// `GET /jobs.csv`
pub(super) async fn get(State(site): State<Site>) -> ApiResult<Response> {
    let parts = stream::try_unfold(i64::MAX, move |before| {
        let app = site.app.clone();
        async move {
            let part = app.job_csv(before).await.map_err(io::Error::other)?;
            Ok(part.map(|part| (part.lines, part.before)))
        }
    });
    let head = stream::iter([Ok::<_, io::Error>(HEAD.to_owned())]);
    let content = Body::from_stream(head.chain(parts));
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], content).into_response())
}
