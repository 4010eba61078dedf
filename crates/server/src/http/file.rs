//! Files of a job. They are looked up in the job's tree, never in a file system, and no answer lets a
//! browser run one as a page of our origin.

use super::Site;
use super::error::{ApiError, ApiResult};
use super::job::id_of;
use super::range::{self, Part};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt as _};
use polyphemus_api::error::{ErrorBody, ErrorCode};
use polyphemus_api::job::JOB_FILE;
use polyphemus_artifacts::{BlobError, Entry};

/// Shown as text whatever `TEXT_EXTENSIONS` says: designs and reports of today, and what could act as a
/// page if it were shown as what it is.
const TEXT_EXTENSIONS: [&str; 36] = [
    "v", "sv", "vh", "svh", "vhd", "vhdl", "pcf", "lpf", "xdc", "sdc", "cst", "ys", "json", "md", "csv",
    "txt", "h", "hpp", "cc", "cxx", "hh", "py", "sh", "xml", "yaml", "yml", "toml", "ini", "cfg", "mk",
    "asc", "hex", "mem", "html", "htm", "svg",
];
/// Names without an extension that are text.
const TEXT_NAMES: [&str; 6] = [
    "Makefile",
    "makefile",
    "GNUmakefile",
    "README",
    "LICENSE",
    "COPYING",
];

/// A file of the job, whole or in part.
#[utoipa::path(get, path = JOB_FILE, tag = "jobs", params(("id" = String, Path), ("path" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "The client has it (`If-None-Match`)"),
        (status = 404, body = ErrorBody), (status = 416, body = ErrorBody)))]
pub(super) async fn get(
    State(site): State<Site>,
    Path((id, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    answer(&site, &id, &path, &headers).await
}

/// The answer with the file at `path` in the job's latest tree.
pub(super) async fn answer(site: &Site, id: &str, path: &str, headers: &HeaderMap) -> ApiResult<Response> {
    let tree = site.app.job_tree(&id_of(id)?).await?;
    let entry = tree.get(path).ok_or_else(|| {
        let shown: String = path.chars().take(200).collect();
        ApiError::not_found(format!(
            "job {id} has no file {shown:?}; its files are listed at /jobs/{id}/files"
        ))
    })?;
    let etag = format!("\"{}\"", entry.hash);
    let more = &site.config.site.text_extensions;
    if asked(headers, header::IF_NONE_MATCH).is_some_and(|known| known == "*" || known.contains(&etag)) {
        return Ok((StatusCode::NOT_MODIFIED, guarded(text(&etag), &entry.path, more)).into_response());
    }
    // A part of another content than the client has would be of no use to it.
    let range = asked(headers, header::RANGE)
        .filter(|_| asked(headers, header::IF_RANGE).is_none_or(|known| known == etag));
    send(site, entry, range, text(&etag)).await
}

async fn send(site: &Site, entry: &Entry, range: Option<&str>, etag: HeaderValue) -> ApiResult<Response> {
    let blobs = site.app.blobs();
    let size_bytes = entry.size_bytes;
    let mut headers = guarded(etag, &entry.path, &site.config.site.text_extensions);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    match range::parse(range, size_bytes) {
        Part::Whole => {
            headers.insert(header::CONTENT_LENGTH, size_bytes.into());
            let content = begun(blobs.read(&entry.hash).await?).await?;
            Ok((headers, content).into_response())
        }
        Part::Bytes(part) => {
            headers.insert(header::CONTENT_LENGTH, (part.end - part.start).into());
            let sent = format!("bytes {}-{}/{size_bytes}", part.start, part.end - 1);
            headers.insert(header::CONTENT_RANGE, text(&sent));
            let content = Body::from_stream(blobs.read_range(&entry.hash, part).await?);
            Ok((StatusCode::PARTIAL_CONTENT, headers, content).into_response())
        }
        Part::Unsatisfiable => Ok(unsatisfiable(size_bytes)),
    }
}

/// The body that this content becomes, once its first part is there: damage in it, and so in any small
/// file, is told instead of cutting off the answer.
async fn begun(content: impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static) -> ApiResult<Body> {
    let mut content = Box::pin(content.peekable());
    if let Some(error) = content
        .as_mut()
        .next_if(Result::is_err)
        .await
        .and_then(Result::err)
    {
        return Err(error.into());
    }
    Ok(Body::from_stream(content))
}

/// 416 with the size that there is.
pub(super) fn unsatisfiable(size_bytes: u64) -> Response {
    let error = ApiError::new(
        ErrorCode::RangeNotSatisfiable,
        format!("the part that was asked for lies behind the end: there are {size_bytes} bytes"),
    );
    let mut response = error.into_response();
    let sizes = text(&format!("bytes */{size_bytes}"));
    response.headers_mut().insert(header::CONTENT_RANGE, sizes);
    response
}

/// The headers under which a user's content may leave the server: its type is ours to say, not the
/// browser's to guess, and as a page it could do nothing.
pub(super) fn content_headers(content_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox; default-src 'none'"),
        ),
    ])
}

fn guarded(etag: HeaderValue, path: &str, more: &[String]) -> HeaderMap {
    let mut headers = content_headers_of(path, more);
    headers.insert(header::ETAG, etag);
    headers
}

/// The same for the file at this path: text as text, everything else to be saved.
pub(super) fn content_headers_of(path: &str, more: &[String]) -> HeaderMap {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_text = is_text(name, more);
    let mut headers = content_headers(if is_text {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    });
    if !is_text {
        headers.insert(header::CONTENT_DISPOSITION, text(&attachment(name)));
    }
    headers
}

/// Whether a browser may show a file of this name as text; `more` are the operator's extensions.
fn is_text(name: &str, more: &[String]) -> bool {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    TEXT_NAMES.contains(&name)
        || extension.is_some_and(|extension| {
            TEXT_EXTENSIONS.contains(&extension.as_str()) || more.contains(&extension)
        })
}

/// RFC 6266, with the name in the form of RFC 8187 only: it can hold every name.
fn attachment(name: &str) -> String {
    let mut value = String::from("attachment; filename*=UTF-8''");
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                value.push(char::from(byte))
            }
            _ => value.push_str(&format!("%{byte:02X}")),
        }
    }
    value
}

pub(super) fn asked(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("hashes, numbers and escaped names are visible ASCII")
}
