//! Who asks: through the socket of the instance whoever may open it; over TCP, once there are tokens,
//! whoever shows one: as `Authorization: Bearer`, as a password (`http://me:TOKEN@host`), or in the
//! cookie that the login page gives to browsers.

use super::access::{Access, access};
use super::error::ApiError;
use super::login::{COOKIE, login_with_way_back};
use super::serve::Peer;
use super::{Site, guard};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, COOKIE as COOKIES, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use polyphemus_api::error::ErrorCode;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens of one address within a minute, before it is told to wait.
const FAILURES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered at once.
const ADDRESSES: usize = 10_000;

/// What a client showed to prove who it is.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    Nothing,
    /// Of a program.
    Header(String),
    /// Of a browser, which sends it whoever made it ask.
    Cookie(String),
}

/// Lets through whoever may use the route.
pub(super) async fn authenticate(
    State(site): State<Site>,
    request: Request,
    next: Next,
) -> Result<Response, Response> {
    let peer = request.extensions().get::<Peer>().copied();
    if peer == Some(Peer::Local) || !site.app.tokens_required() {
        return Ok(next.run(request).await);
    }
    let route = request.extensions().get::<MatchedPath>();
    // What is no route is not found, by whoever has any token.
    let needed = route.map(|route| access(route.as_str()));
    if needed == Some(Access::Everyone) {
        return Ok(next.run(request).await);
    }
    let shown = shown(request.headers());
    let secret = match &shown {
        Shown::Nothing => return Err(unknown(&request, None)),
        Shown::Header(secret) => secret,
        Shown::Cookie(secret) => {
            from_own_page(&request).map_err(IntoResponse::into_response)?;
            secret
        }
    };
    let Some((name, role)) = site.app.token_holder(secret) else {
        let address = peer.and_then(Peer::address);
        return Err(match site.failures.is_too_many(address, Instant::now()) {
            true => too_many().into_response(),
            false => unknown(&request, Some(&shown)),
        });
    };
    if needed.is_some_and(|needed| !needed.allows(role)) {
        return Err(ApiError::forbidden(format!(
            "the token `{name}` is of the role {}, which may not do this; ask the operator for one that may",
            role.as_str()
        ))
        .into_response());
    }
    Ok(next.run(request).await)
}

fn shown(headers: &HeaderMap) -> Shown {
    if let Some(value) = headers.get(AUTHORIZATION) {
        return value
            .to_str()
            .ok()
            .and_then(of_header)
            .map_or(Shown::Nothing, Shown::Header);
    }
    let cookies = headers
        .get_all(COOKIES)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    let ours = pairs.find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    ours.filter(|secret| !secret.is_empty())
        .map_or(Shown::Nothing, |secret| Shown::Cookie(secret.to_owned()))
}

/// The token, or the password with whatever name.
fn of_header(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

/// A cookie alone changes nothing: the browser must say that a page of this server asked.
fn from_own_page(request: &Request) -> Result<(), ApiError> {
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let says_where =
        request.headers().contains_key(ORIGIN) || request.headers().contains_key(guard::SEC_FETCH_SITE);
    if is_change && !says_where {
        return Err(ApiError::forbidden(
            "this change came with a browser's cookie but without saying from which page; use a current browser, \
             or send the token as `Authorization: Bearer`",
        ));
    }
    // What it says was checked by the guard.
    Ok(())
}

/// Browsers are led to the login page, everybody else is told.
fn unknown(request: &Request, shown: Option<&Shown>) -> Response {
    let accept = request
        .headers()
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let is_page = request.method() == Method::GET
        && accept.is_some_and(|accept| accept.contains("text/html"))
        && !request.uri().path().starts_with("/api/");
    if is_page {
        return Redirect::to(&login_with_way_back(request.uri())).into_response();
    }
    let message = match shown {
        None => {
            "this server wants to know who asks: set POLYPHEMUS_TOKEN to your token, or send it as `Authorization: \
             Bearer TOKEN` or as the password in http://me:TOKEN@HOST. The operator makes one with `polyphemus token \
             add NAME --role user`"
        }
        Some(_) => {
            "this server does not know the token, or it was revoked; correct it, or ask the operator for a new one \
             (`polyphemus token add NAME --role user`)"
        }
    };
    let mut response = ApiError::new(ErrorCode::Unauthorized, message).into_response();
    response.headers_mut().insert(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"Polyphemus\""),
    );
    response
}

fn too_many() -> ApiError {
    ApiError::new(
        ErrorCode::TooManyRequests,
        "too many wrong tokens came from your address; correct yours, and try again in a minute",
    )
}

/// Wrong tokens by address. A right token is let through whatever its neighbours send: no secret can be
/// guessed, and all of a laboratory may share an address.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Failures {
    /// Counts a failure; tells whether the address has had too many of them.
    pub(super) fn is_too_many(&self, address: Option<IpAddr>, now: Instant) -> bool {
        let Some(address) = address.map(network) else {
            return false;
        };
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= ADDRESSES {
            failures.retain(|_, (since, _)| now.duration_since(*since) < WINDOW);
        }
        if failures.len() >= ADDRESSES && !failures.contains_key(&address) {
            return true;
        }
        let (since, count) = failures.entry(address).or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count > FAILURES
    }
}

/// Of version 6 a client has as many addresses as it likes in its network.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_each_place_that_it_may_be_in() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            shown(&headers)
        };
        let header = |secret: &str| Shown::Header(secret.to_owned());
        assert_eq!(with("authorization", "Bearer abc"), header("abc"));
        assert_eq!(with("authorization", "bearer abc"), header("abc"));
        assert_eq!(with("authorization", "Basic bWU6YTpi"), header("a:b"));
        for nothing in ["Basic !", "Basic bWU=", "Digest abc", "abc", ""] {
            assert_eq!(with("authorization", nothing), Shown::Nothing, "{nothing}");
        }
        let cookie = with("cookie", "a=b; polyphemus_token=abc; c=d");
        assert_eq!(cookie, Shown::Cookie("abc".to_owned()));
        assert_eq!(with("cookie", "polyphemus_tokens=abc"), Shown::Nothing);
        assert_eq!(with("cookie", "polyphemus_token="), Shown::Nothing);
    }

    #[test]
    fn wrong_tokens_are_counted_by_address_and_forgotten_after_a_minute() {
        let failures = Failures::default();
        let now = Instant::now();
        let one = Some(IpAddr::from([192, 0, 2, 1]));
        for _ in 0..FAILURES {
            assert!(!failures.is_too_many(one, now));
        }
        assert!(failures.is_too_many(one, now));
        assert!(!failures.is_too_many(Some(IpAddr::from([192, 0, 2, 2])), now));
        assert!(!failures.is_too_many(one, now + WINDOW));
        let neighbour = |last| Some(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]));
        for last in 0..=20 {
            assert_eq!(failures.is_too_many(neighbour(last), now), last == 20);
        }
    }
}
