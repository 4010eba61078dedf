//! Keeps web pages of other origins away from a server that knows no tokens. Loopback alone does not:
//! every page that the user opens can send requests to it.

use super::Site;
use super::error::ApiError;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use std::net::IpAddr;

pub(super) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses requests that were meant for another host, changes that another origin asks for, and paths
/// that climb.
pub(super) async fn guard(
    State(site): State<Site>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if climbs(request.uri().path()) {
        return Err(ApiError::not_found(
            "there is nothing above: a path has no part `..`",
        ));
    }
    let host = host_of(&request)?;
    // Who must show a token cannot be used by a foreign page under whatever name: it has none.
    if !site.app.tokens_required() {
        check_host(&host, &site.config.host_names)?;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        check_origin(request.headers(), &host)?;
    }
    Ok(next.run(request).await)
}

/// Whether the path has a part `..`, however it is written.
fn climbs(path: &str) -> bool {
    let path = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/");
    path.split('/').any(|part| part == "..")
}

/// `HOST[:PORT]` as the client has it.
fn host_of(request: &Request) -> Result<String, ApiError> {
    if let Some(authority) = request.uri().authority() {
        return Ok(authority.as_str().to_owned());
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next().map(HeaderValue::to_str), hosts.next()) {
        (Some(Ok(host)), None) => Ok(host.to_owned()),
        _ => Err(ApiError::bad_request(
            "the request must have one header `Host`: HTTP/1.1 asks for it",
        )),
    }
}

/// DNS rebinding: a page of `evil.example` lets that name point to 127.0.0.1 and then is, for the
/// browser, of our origin. Such requests carry the foreign name; an address cannot be rebound.
fn check_host(host: &str, allowed: &[String]) -> Result<(), ApiError> {
    let name = name_of(host);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let local = bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost");
    if local || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    Err(ApiError::forbidden(format!(
        "this server does not go by the name {name:?}, so the request is refused (a foreign web page may have \
         sent it); use its address, or let the operator allow the name"
    )))
}

/// Without the port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    }
}

/// Cross-site request forgery: browsers say where a request comes from; programs say nothing.
fn check_origin(headers: &HeaderMap, host: &str) -> Result<(), ApiError> {
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    let own_site = matches!(site, None | Some(b"same-origin" | b"none"));
    let own_origin = headers.get_all(ORIGIN).iter().all(|origin| {
        let origin = origin.to_str().unwrap_or("");
        let at = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        at.is_some_and(|at| at.eq_ignore_ascii_case(host))
    });
    if own_site && own_origin {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "another web page asked for this change, so it was not made; open this server's own pages and do it \
         there",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_localhost_and_configured_names_are_hosts() {
        let allowed = ["fpga.lab".to_owned()];
        let good = [
            "127.0.0.1:8000",
            "127.0.0.1",
            "[::1]:8000",
            "[::1]",
            "localhost",
            "LOCALHOST:1",
            "a.localhost:1",
            "10.0.0.7:80",
            "fpga.lab",
            "FPGA.lab:8000",
        ];
        for host in good {
            assert!(check_host(host, &allowed).is_ok(), "{host}");
        }
        let bad = [
            "",
            "evil.example",
            "evil.example:8000",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "xlocalhost",
            "fpga.lab.evil",
            "user@127.0.0.1",
            "127.0.0.1:80@evil",
        ];
        for host in bad {
            assert!(check_host(host, &allowed).is_err(), "{host}");
        }
    }

    #[test]
    fn changes_are_taken_from_programs_and_own_pages_only() {
        let with = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            check_origin(&headers, "127.0.0.1:8000").is_ok()
        };
        assert!(with(&[]));
        assert!(with(&[
            ("origin", "http://127.0.0.1:8000"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(with(&[("sec-fetch-site", "none")]));
        assert!(!with(&[("sec-fetch-site", "cross-site")]));
        assert!(
            !with(&[("sec-fetch-site", "same-site")]),
            "another port of localhost is another origin"
        );
        assert!(!with(&[("origin", "null")]));
        assert!(!with(&[("origin", "http://127.0.0.1:8001")]));
        assert!(!with(&[("origin", "http://127.0.0.1:8000.evil.example")]));
        assert!(!with(&[
            ("origin", "http://127.0.0.1:8000"),
            ("origin", "http://evil.example")
        ]));
    }
}
