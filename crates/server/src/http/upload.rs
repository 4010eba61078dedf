//! Takes a multipart upload apart: the archive stays in memory if it is small and streams into a
//! temporary file otherwise, the other parts are options. Whatever way it ends, nothing is left behind.

use super::Site;
use super::error::{ApiError, ApiResult};
use crate::app::AppError;
use axum::body::{Body, Bytes};
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::StatusCode;
use futures::StreamExt as _;
use polyphemus_api::error::ErrorCode;
use polyphemus_artifacts::{Archive, Format, Incoming, IncomingError};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// What stands in the parser's memory at most: no archive goes through it, so more is an attack.
const UNPARSED_LIMIT_BYTES: u64 = 4 << 20;
/// An option's text, in bytes.
const OPTION_LIMIT_BYTES: usize = 64 << 10;
/// Parts of a form: far more than there are options.
const PARTS_LIMIT: usize = 256;
/// Of an option's value in a sentence about it.
const VALUE_SHOWN_CHARS: usize = 80;
/// Written to the disk at a time, in bytes. An archive that is smaller does not go there.
const BATCH_BYTES: usize = 1 << 20;
/// How long a refused upload is read on, so that the client comes to read the refusal.
const LINGER: Duration = Duration::from_secs(5);

/// The form fields that are no options.
const FILE: &str = "file";
const BROWSER: &str = "browser";
const MORE_OPTIONS: &str = "options";

/// A whole upload.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) archive: Archive,
    /// As its name says; an operator may allow names that say nothing.
    pub(super) format: Option<Format>,
    pub(super) options: BTreeMap<String, String>,
    /// Sentences about the options that the user should read.
    pub(super) notes: Vec<String>,
    /// The form of our own page sent it and wants to be led to the job.
    pub(super) browser: bool,
}

/// Reads the request to its end. `query` are the options in its address.
pub(super) async fn receive(
    site: &Site,
    query: Vec<(String, String)>,
    request: Request,
) -> ApiResult<Upload> {
    let intake = Arc::new(Intake::default());
    let request = watched(request, intake.clone());
    let mut multipart = match Multipart::from_request(request, &()).await {
        Ok(multipart) => multipart,
        Err(MultipartRejection::InvalidBoundary(_)) => return Err(missing_file()),
        Err(other) => return Err(ApiError::bad_request(other.body_text())),
    };
    let mut form = Form {
        intake,
        ..Form::default()
    };
    let received = match form.read_query(query) {
        Ok(()) => form.read(site, &mut multipart).await,
        Err(error) => Err(error),
    };
    if received.is_err() {
        site.app.contents_dropped();
        linger(&mut multipart, &form.intake).await;
    }
    received?;
    form.finish()
}

#[derive(Debug, Default)]
struct Form {
    archive: Option<(Archive, Option<Format>)>,
    options: BTreeMap<String, String>,
    /// Sentences about the options that the user should read.
    notes: Vec<String>,
    browser: bool,
    intake: Arc<Intake>,
}

/// What the reader of the form and the body that feeds it know of each other.
#[derive(Debug, Default)]
struct Intake {
    /// Bytes that the reader has taken in since it last got anywhere.
    unparsed: AtomicU64,
    /// The upload is refused: what still comes goes nowhere.
    is_refused: AtomicBool,
}

impl Intake {
    fn parsed(&self) {
        self.unparsed.store(0, Ordering::Relaxed);
    }
}

impl Form {
    fn read_query(&mut self, query: Vec<(String, String)>) -> ApiResult<()> {
        query
            .into_iter()
            .try_for_each(|(name, value)| self.field(name, value))
    }

    async fn read(&mut self, site: &Site, multipart: &mut Multipart) -> ApiResult<()> {
        for _ in 0..PARTS_LIMIT {
            let Some(field) = multipart.next_field().await.map_err(broken_off)? else {
                return Ok(());
            };
            self.intake.parsed();
            let name = field.name().unwrap_or("").to_owned();
            match name.as_str() {
                "" => return Err(ApiError::bad_request("a part of the form has no name")),
                FILE => self.read_file(site, field).await?,
                _ => {
                    let value = text_of(field, &name).await?;
                    self.field(name, value)?;
                }
            }
        }
        Err(ApiError::bad_request(format!(
            "the form has more than {PARTS_LIMIT} parts"
        )))
    }

    async fn read_file(&mut self, site: &Site, field: Field<'_>) -> ApiResult<()> {
        let file_name = field.file_name().unwrap_or("");
        // A browser sends the part even where no file was chosen.
        if file_name.is_empty() {
            return Err(missing_file());
        }
        check_extension(file_name, &site.config.site.upload_extensions)?;
        let format = Format::of_name(file_name);
        if self.archive.is_some() {
            return Err(ApiError::bad_request(
                "the form has the part `file` twice; send one archive for each job",
            ));
        }
        let archive = store(field, format, site, &self.intake).await?;
        self.archive = Some((archive, format));
        Ok(())
    }

    fn field(&mut self, name: String, value: String) -> ApiResult<()> {
        match name.as_str() {
            BROWSER => self.browser |= !value.is_empty(),
            MORE_OPTIONS => {
                for line in value.lines().map(str::trim).filter(|line| !line.is_empty()) {
                    let (name, value) = line.split_once('=').ok_or_else(|| {
                        ApiError::bad_request(format!("{line:?} is no option: write one `name=value` a line"))
                    })?;
                    self.option(name.trim().to_owned(), value.trim().to_owned());
                }
            }
            _ => self.option(name, value),
        }
        Ok(())
    }

    /// As with the original, the first value of an option counts, and the address goes before the form. A
    /// page's form sends its empty fields too: they are no value.
    fn option(&mut self, name: String, value: String) {
        let Some(first) = self.options.get(&name).filter(|first| !first.is_empty()) else {
            self.options.insert(name, value);
            return;
        };
        if *first != value {
            let shown = |value: &str| value.chars().take(VALUE_SHOWN_CHARS).collect::<String>();
            self.notes.push(format!(
                "the option `{name}` was given more than once; `{}` counts, `{}` does not",
                shown(first),
                shown(&value)
            ));
        }
    }

    fn finish(mut self) -> ApiResult<Upload> {
        // A page's form sends each field; one that was left empty is not given.
        if self.browser {
            self.options.retain(|_, value| !value.is_empty());
        }
        let (archive, format) = self.archive.ok_or_else(missing_file)?;
        Ok(Upload {
            archive,
            format,
            options: self.options,
            notes: self.notes,
            browser: self.browser,
        })
    }
}

/// Takes the archive in, writing one batch while the next one arrives.
async fn store(
    mut field: Field<'_>,
    format: Option<Format>,
    site: &Site,
    intake: &Intake,
) -> ApiResult<Archive> {
    let limit_bytes = site.config.upload_limit_bytes;
    let (mut batch, mut batch_bytes, mut size_bytes) = (Vec::new(), 0, 0u64);
    let mut writing: Option<JoinHandle<Result<Incoming, IncomingError>>> = None;
    while let Some(chunk) = field.chunk().await.map_err(broken_off)? {
        intake.parsed();
        size_bytes += chunk.len() as u64;
        if size_bytes > limit_bytes {
            return Err(ApiError::too_large(format!(
                "the archive is larger than the {limit_bytes} bytes allowed; leave out what the build can make \
                 again, or ask the operator for more"
            )));
        }
        batch_bytes += chunk.len();
        batch.push(chunk);
        if batch_bytes >= BATCH_BYTES {
            let incoming = match writing {
                Some(writing) => written(writing).await?,
                None => {
                    let file = tempfile::tempfile_in(site.app.upload_folder()).map_err(write_failed)?;
                    let (blobs, limits) = (site.app.blobs(), &site.config.limits);
                    Incoming::new(file, format, blobs, limits, Incoming::LARGE_BYTES)
                }
            };
            writing = Some(write(incoming, std::mem::take(&mut batch)));
            batch_bytes = 0;
        }
    }
    let Some(writing) = writing else {
        return Ok(Archive::of_bytes(joined(batch)));
    };
    let incoming = written(writing).await?;
    let incoming = written(write(incoming, batch)).await?;
    let finishing = tokio::task::spawn_blocking(|| incoming.finish());
    written(finishing).await
}

/// The chunks as one, which most small archives are already.
fn joined(mut chunks: Vec<Bytes>) -> Bytes {
    match chunks.len() {
        1 => chunks.remove(0),
        _ => chunks.concat().into(),
    }
}

fn write(mut incoming: Incoming, batch: Vec<Bytes>) -> JoinHandle<Result<Incoming, IncomingError>> {
    tokio::task::spawn_blocking(move || {
        batch.iter().try_for_each(|chunk| incoming.write(chunk))?;
        Ok(incoming)
    })
}

async fn written<T>(writing: JoinHandle<Result<T, IncomingError>>) -> ApiResult<T> {
    let written = writing.await.map_err(|error| ApiError::internal(&error))?;
    written.map_err(|error| match error {
        IncomingError::Rest(error) => write_failed(error),
        IncomingError::Blob(error) => error.into(),
    })
}

async fn text_of(mut field: Field<'_>, name: &str) -> ApiResult<String> {
    let mut value = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(broken_off)? {
        value.extend_from_slice(&chunk);
        if value.len() > OPTION_LIMIT_BYTES {
            return Err(ApiError::too_large(format!(
                "the option {name:?} is longer than the {OPTION_LIMIT_BYTES} bytes allowed"
            )));
        }
    }
    String::from_utf8(value).map_err(|_| ApiError::bad_request(format!("the option {name:?} is not UTF-8")))
}

/// The request, which counts the bytes that its reader has taken in, and gives it none once the upload
/// is refused.
fn watched(request: Request, intake: Arc<Intake>) -> Request {
    request.map(|body| {
        Body::from_stream(body.into_data_stream().map(move |chunk| {
            let chunk = chunk?;
            if intake.is_refused.load(Ordering::Relaxed) {
                return Ok(Bytes::new());
            }
            let size_bytes = chunk.len() as u64;
            let waiting = intake.unparsed.fetch_add(size_bytes, Ordering::Relaxed) + size_bytes;
            if waiting > UNPARSED_LIMIT_BYTES {
                return Err(axum::Error::new(io::Error::other("a part's header is too long")));
            }
            Ok(chunk)
        }))
    })
}

/// A client that still sends would see a broken connection instead of the answer.
async fn linger(multipart: &mut Multipart, intake: &Intake) {
    intake.is_refused.store(true, Ordering::Relaxed);
    let read_on = async {
        while let Ok(Some(mut field)) = multipart.next_field().await {
            while let Ok(Some(_)) = field.chunk().await {}
        }
    };
    let in_time = tokio::time::timeout(LINGER, read_on).await.is_ok();
    tracing::debug!(in_time, "read the rest of a refused upload");
}

/// Refuses a name that ends in none of the `allowed` extensions, which may have dots within.
fn check_extension(file_name: &str, allowed: &[String]) -> ApiResult<()> {
    let name = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
    let lower = name.to_ascii_lowercase();
    let fits = |extension: &String| {
        let rest = lower.strip_suffix(extension.as_str());
        rest.is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    };
    if allowed.iter().any(fits) {
        return Ok(());
    }
    let extension = name.rfind('.').filter(|at| *at > 0).map_or("", |at| &name[at..]);
    let shown: String = match extension {
        "" => "(the name has none)".into(),
        extension => extension.chars().take(40).collect(),
    };
    let ends: Vec<String> = allowed.iter().map(|extension| format!(".{extension}")).collect();
    Err(ApiError::bad_request(format!(
        "invalid extension {shown}: a design is handed in as an archive whose name ends in {}",
        ends.join(" or ")
    )))
}

fn missing_file() -> ApiError {
    ApiError::bad_request(
        "missing code or file: send the design as an archive in the form field `file`, as `curl -F \
         file=@design.zip` does",
    )
}

fn broken_off(error: MultipartError) -> ApiError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::too_large(error.body_text());
    }
    ApiError::bad_request(format!(
        "the upload broke off or is no well-formed form ({}); send it again",
        error.body_text()
    ))
}

fn write_failed(error: io::Error) -> ApiError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ApiError::new(
            ErrorCode::NoSpace,
            "the server's disk is full, so the archive was not kept; tell its operator, and try again when space \
             was freed",
        ),
        io::ErrorKind::ReadOnlyFilesystem => AppError::read_only().into(),
        _ => ApiError::internal(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_an_allowed_end_are_archives() {
        let allowed = ["zip".to_owned(), "tar.gz".to_owned()];
        for good in ["a.zip", "x/y.zip", "c:\\d\\my.design.zip", "a.ZIP", "b.tar.gz"] {
            assert_eq!(check_extension(good, &allowed), Ok(()), "{good}");
        }
        let cases = [
            ("a.tar", ".tar"),
            ("a.gz", ".gz"),
            ("a", "(the name has none)"),
            (".zip", "(the name has none)"),
            ("zip", "(the name has none)"),
            ("a.zip.", "."),
        ];
        for (bad, extension) in cases {
            let error = check_extension(bad, &allowed).unwrap_err();
            assert_eq!(
                error.message(),
                format!(
                    "invalid extension {extension}: a design is handed in as an archive whose name ends in .zip or \
                     .tar.gz"
                ),
                "{bad}"
            );
        }
    }
}
