//! Where browsers show a token once, for the cookie that they send from then on. The cookie is the token
//! itself: it lasts over restarts of the server, and ends in the moment in which the token is revoked.

use super::Site;
use super::auth::Failures;
use super::error::{ApiError, ApiResult};
use super::serve::Peer;
use crate::web;
use axum::Extension;
use axum::extract::{Form, Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use std::time::Instant;

pub(super) const COOKIE: &str = "polyphemus_token";
pub(super) const LOGIN: &str = "/login";
pub(super) const LOGOUT: &str = "/logout";
/// Of the cookie: 90 days.
const AGE_SECONDS: u32 = 90 * 86_400;

#[derive(Debug, Deserialize)]
pub(super) struct WayBack {
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    token: String,
    #[serde(default)]
    to: String,
}

pub(super) async fn page(State(site): State<Site>, Query(back): Query<WayBack>) -> ApiResult<Response> {
    if !site.app.tokens_required() {
        return Ok(Redirect::to(&own_path(&back.to)).into_response());
    }
    Ok(web::login_page(&site.config.site, &own_path(&back.to), None)?.into_response())
}

pub(super) async fn login(
    State(site): State<Site>,
    peer: Option<Extension<Peer>>,
    Form(form): Form<Shown>,
) -> ApiResult<Response> {
    let (token, to) = (form.token.trim(), own_path(&form.to));
    let fits_cookie = !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !fits_cookie || site.app.token_holder(token).is_none() {
        let failures: &Failures = &site.failures;
        let address = peer.and_then(|Extension(peer)| peer.address());
        let (status, why) = match failures.is_too_many(address, Instant::now()) {
            true => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many wrong tokens came from your address. Wait a minute.",
            ),
            false => (StatusCode::OK, "This token is not known here, or it was revoked."),
        };
        return Ok((status, web::login_page(&site.config.site, &to, Some(why))?).into_response());
    }
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={AGE_SECONDS}");
    with_cookie(&cookie, &to)
}

pub(super) async fn logout() -> ApiResult<Response> {
    let cookie = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    with_cookie(&cookie, LOGIN)
}

fn with_cookie(cookie: &str, to: &str) -> ApiResult<Response> {
    let cookie = HeaderValue::from_str(cookie).map_err(|error| ApiError::internal(&error))?;
    let mut response = Redirect::to(to).into_response();
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

/// The login page, which leads back here.
pub(super) fn login_with_way_back(uri: &Uri) -> String {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut escaped = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => {
                escaped.push(char::from(byte))
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("{LOGIN}?to={escaped}")
}

/// Only to pages of this server: `//host` and `/\host` are others.
fn own_path(to: &str) -> String {
    let is_own = to.starts_with('/')
        && !to[1..].starts_with(['/', '\\'])
        && to.bytes().all(|byte| byte.is_ascii_graphic());
    if is_own { to.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_nowhere_else() {
        for own in ["/", "/jobs/abc.html?x=1"] {
            assert_eq!(own_path(own), own);
        }
        for foreign in [
            "",
            "//evil.example",
            "/\\evil.example",
            "http://evil.example",
            "/a\r\nSet-Cookie: x",
            "evil",
        ] {
            assert_eq!(own_path(foreign), "/", "{foreign}");
        }
        let uri: Uri = "/jobs/a.html?state=done&x=%20".parse().expect("an address");
        assert_eq!(
            login_with_way_back(&uri),
            "/login?to=/jobs/a.html%3Fstate%3Ddone%26x%3D%2520"
        );
    }
}
