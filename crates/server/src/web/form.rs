//! `POST /jobs/ID.html`: the forms of the original's job page. `state` sets a job's state, in the
//! sense of `app::state`; `hwname` renames it.

use super::job::{job_page, page_of};
use crate::http::Site;
use crate::http::error::{ApiError, ApiResult};
use axum::Form;
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use polyphemus_core::job::JobId;

/// Fields of a form; the original's have one.
const MOST_FIELDS: usize = 16;

/// Does what the form asks for. Browsers are led to the page, so that loading it again sends nothing
/// again; programs get it at once, as from the original.
pub(crate) async fn change(
    site: &Site,
    id: &JobId,
    headers: &HeaderMap,
    request: Request,
) -> ApiResult<Response> {
    let fields = fields(headers, request).await?;
    let field = |name: &str| {
        let found = fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    match (field("state"), field("hwname")) {
        (Some(state), _) => site.app.set_state(id, state).await?,
        (None, Some(name)) => site.app.rename(id, name).await?,
        (None, None) => {
            return Err(ApiError::bad_request(
                "the form has neither `state`, which sets the state of the job, nor `hwname`, which renames \
                 it; send one of them",
            ));
        }
    };
    if header_has(headers.get(ACCEPT), "text/html") {
        return Ok(page_of(id).into_response());
    }
    job_page(site, id).await
}

/// The fields of either kind of form.
async fn fields(headers: &HeaderMap, request: Request) -> ApiResult<Vec<(String, String)>> {
    if !header_has(headers.get(CONTENT_TYPE), "multipart/form-data") {
        let form = Form::<Vec<(String, String)>>::from_request(request, &()).await;
        return match form {
            Ok(Form(fields)) => Ok(fields),
            Err(refusal) => Err(ApiError::bad_request(format!(
                "this is no form ({}); send `state` or `hwname`, as `curl -d hwname=NAME` does",
                refusal.body_text()
            ))),
        };
    }
    let wrong = |text: String| ApiError::bad_request(format!("this is no well-formed form ({text})"));
    let mut multipart = Multipart::from_request(request, &())
        .await
        .map_err(|refusal| wrong(refusal.body_text()))?;
    let mut fields = Vec::new();
    while let Some(field) = multipart
        .next_field()
        .await
        .map_err(|error| wrong(error.body_text()))?
    {
        if fields.len() >= MOST_FIELDS {
            return Err(wrong(format!("it has more than {MOST_FIELDS} fields")));
        }
        let name = field.name().unwrap_or_default().to_owned();
        let value = field.text().await.map_err(|error| wrong(error.body_text()))?;
        fields.push((name, value));
    }
    Ok(fields)
}

fn header_has(value: Option<&HeaderValue>, part: &str) -> bool {
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.to_ascii_lowercase().contains(part)
}
