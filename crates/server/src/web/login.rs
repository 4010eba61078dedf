//! `/login`: where a person shows a token.

use super::rendered;
use crate::config::SiteSettings;
use crate::http::error::ApiResult;
use askama::Template;
use axum::response::Html;

#[derive(Debug, Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    frame: &'a SiteSettings,
    /// The page that was asked for.
    to: &'a str,
    /// Why the last try was in vain.
    why: Option<&'a str>,
}

pub(crate) fn login_page(frame: &SiteSettings, to: &str, why: Option<&str>) -> ApiResult<Html<String>> {
    rendered(&LoginPage { frame, to, why })
}
