//! How a client connects: over TCP with a token, or through the Unix socket of an instance.

use super::{Client, ClientError};
use crate::address::{Address, Reachable};
use crate::token::Secret;
use reqwest::ClientBuilder;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A stream that is silent for so long is dead: servers send a comment every 15 s.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// A peer that acknowledges nothing for so long is gone, however large an upload to it is.
const PEER_TIMEOUT: Duration = Duration::from_secs(60);

impl Client {
    /// A client of the server at this address: `http://host:port`, with or without a path; the Unix socket
    /// `unix:/path`; or the instance directory that the socket is in.
    pub fn new(server: &str) -> Result<Self, ClientError> {
        Self::with_token(server, None)
    }

    /// The same, showing this token (`Authorization: Bearer …`) with each request. A password in the
    /// address (`http://me:TOKEN@host`) is one, and goes before.
    pub fn with_token(server: &str, token: Option<&str>) -> Result<Self, ClientError> {
        let bad = |_| ClientError::BadAddress(server.to_owned());
        match Address::parse(server).map_err(bad)? {
            Address::Http(url) => Self::over_tcp(&url, token),
            Address::Socket(path) => Self::over_socket(&path),
        }
    }

    fn over_tcp(server: &str, token: Option<&str>) -> Result<Self, ClientError> {
        let (url, password) = url_of(server)?;
        let token = password.as_deref().or(token);
        let headers = token.map(bearer).transpose()?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        let builder = || {
            let builder = reqwest::Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .tcp_keepalive(PEER_TIMEOUT / 2)
                .tcp_user_timeout(PEER_TIMEOUT)
                .default_headers(headers.clone().unwrap_or_default());
            // A server on this machine is never behind the proxy of the environment.
            if is_loopback(&url) {
                builder.no_proxy()
            } else {
                builder
            }
        };
        Ok(Self {
            token: token.map(Secret::new),
            ..Self::build(builder, base.clone(), base, None)?
        })
    }

    /// The socket needs no token: who may open it is told by its folder.
    fn over_socket(path: &Path) -> Result<Self, ClientError> {
        let socket = Reachable::of(path).map_err(|source| ClientError::NoSocket {
            path: path.display().to_string(),
            source,
        })?;
        let builder = || {
            reqwest::Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .unix_socket(socket.path())
                .no_proxy()
        };
        let server = Address::of_socket(path);
        Self::build(
            builder,
            "http://localhost".to_owned(),
            server,
            Some(socket.clone()),
        )
    }

    fn build(
        builder: impl Fn() -> ClientBuilder,
        base: String,
        server: String,
        socket: Option<Reachable>,
    ) -> Result<Self, ClientError> {
        // Only one provider is linked; a second installation of the same one changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let build = |builder: ClientBuilder| {
            let builder = builder.user_agent(concat!("polyphemus/", env!("CARGO_PKG_VERSION")));
            builder.build().map_err(|source| ClientError::Unreachable {
                server: server.clone(),
                source,
            })
        };
        let silence = SILENCE_TIMEOUT + Duration::from_secs(60);
        Ok(Self {
            http: build(builder().read_timeout(silence))?,
            uploads: build(builder())?,
            base,
            server,
            token: None,
            _socket: socket,
        })
    }
}

/// The address without user and password, and the password.
fn url_of(server: &str) -> Result<(reqwest::Url, Option<String>), ClientError> {
    let bad = || ClientError::BadAddress(without_password(server));
    let mut url = reqwest::Url::parse(server).map_err(|_| bad())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(bad());
    }
    let password = url
        .password()
        .map(unescape)
        .filter(|password| !password.is_empty());
    url.set_password(None)
        .and_then(|()| url.set_username(""))
        .map_err(|()| bad())?;
    Ok((url, password))
}

/// For messages: what may be a token is nobody's business.
fn without_password(server: &str) -> String {
    match server.rsplit_once('@') {
        Some((before, host)) => match before.split_once("://") {
            Some((scheme, _)) => format!("{scheme}://…@{host}"),
            None => format!("…@{host}"),
        },
        None => server.to_owned(),
    }
}

fn bearer(token: &str) -> Result<HeaderMap, ClientError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::BadToken)?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// What an escaped part of an address says. What is no escape stands for itself.
fn unescape(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends by panic, and says why"
)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_the_address_is_a_token_and_is_never_shown() {
        let (url, password) = url_of("http://me:s%2Fcret@host:8000/below/").unwrap();
        assert_eq!(
            (url.as_str(), password.as_deref()),
            ("http://host:8000/below/", Some("s/cret"))
        );
        let client = Client::new("http://me:secret@host:8000").unwrap();
        assert_eq!(client.server(), "http://host:8000");
        assert!(!format!("{client:?}").contains("secret"));
        for wrong in ["ftp://me:secret@host", "http://me:secret@", "me:secret@host"] {
            let error = Client::new(wrong).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn an_instance_directory_is_reached_through_its_socket() {
        for named in ["/srv/polyphemus", "unix:/srv/polyphemus/polyphemus.sock"] {
            assert_eq!(
                Client::new(named).unwrap().server(),
                "unix:/srv/polyphemus/polyphemus.sock"
            );
        }
    }
}
