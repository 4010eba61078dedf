//! The pages: rendered here, whole without scripts; a small script adds what moves. Nothing of a
//! user's text becomes markup: templates escape, scripts set text only.

mod asset;
mod files;
mod form;
mod icon;
mod job;
mod list;
mod log;
mod login;
mod option;
mod prose;
mod result;
mod size;
mod stage;
mod time;

pub(crate) use asset::asset;
pub(crate) use files::files_page;
pub(crate) use form::change;
pub(crate) use job::{cancel, job_page, retry};
pub(crate) use list::list_page;
pub(crate) use login::login_page;

use crate::config::SiteSettings;
use crate::http::error::{ApiError, ApiResult};
use askama::Template;
use axum::response::Html;
use prose::Prose;

/// No inline scripts or styles, nothing from elsewhere, no frames.
pub(crate) const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[derive(Debug, Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: &'a SiteSettings,
    status: u16,
    reason: &'a str,
    message: Prose,
}

/// An error as a page.
pub(crate) fn error_page(frame: &SiteSettings, error: &ApiError) -> Html<String> {
    let status = error.status();
    let page = ErrorPage {
        frame,
        status: status.as_u16(),
        reason: status.canonical_reason().unwrap_or("Error"),
        message: Prose::new(error.message()),
    };
    // The answer is an error already; without its page it is still a sentence.
    Html(page.render().unwrap_or_else(|_| format!("{}", status.as_u16())))
}

fn rendered(page: &impl Template) -> ApiResult<Html<String>> {
    page.render()
        .map(Html)
        .map_err(|error| ApiError::internal(&error))
}
