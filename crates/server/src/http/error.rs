//! The only place that turns errors into answers: one status and one sentence each, as JSON for
//! programs, as text for `curl`, as a page for browsers.

use crate::Config;
use crate::app::AppError;
use crate::web;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use polyphemus_api::error::{ErrorBody, ErrorCode, ErrorDetail};
use polyphemus_artifacts::{BlobError, UnpackError};
use std::error::Error;
use std::sync::Arc;

/// How much of a foreign error's text is read, in bytes.
const FOREIGN_TEXT_LIMIT: usize = 4096;

/// An answer that is no success. Its text is for the user: what happened, why, what to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError(ErrorDetail);

/// As a handler's error; the answer gets its form in [`present`].
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(ErrorDetail {
            code,
            message: message.into(),
            committed_bytes: None,
        })
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::TooLarge, message)
    }

    /// The server ends and cannot hold the answer back any longer.
    pub fn stopping() -> Self {
        Self::new(
            ErrorCode::Unavailable,
            "the server is stopping; try again when it is back",
        )
    }

    /// Our fault: logged here, with its sources, and told without them.
    pub fn internal(error: &dyn Error) -> Self {
        tracing::error!(error = %chain(error), "a request failed");
        Self::new(
            ErrorCode::Internal,
            "the server failed at this request; its log says why. Try again, and tell the operator if it \
             happens again",
        )
    }

    pub fn status(&self) -> StatusCode {
        match self.0.code {
            ErrorCode::BadRequest => StatusCode::BAD_REQUEST,
            ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::Superseded | ErrorCode::WrongOffset | ErrorCode::Conflict => StatusCode::CONFLICT,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            ErrorCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (
            self.status(),
            Json(ErrorBody {
                error: self.0.clone(),
            }),
        )
            .into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<AppError> for ApiError {
    fn from(error: AppError) -> Self {
        let code = match &error {
            AppError::NotFound { .. } => ErrorCode::NotFound,
            AppError::BadRequest(_) | AppError::Plan(_) => ErrorCode::BadRequest,
            AppError::Superseded(_) => ErrorCode::Superseded,
            AppError::WrongOffset { .. } => ErrorCode::WrongOffset,
            AppError::Conflict(_) => ErrorCode::Conflict,
            AppError::TooLarge(_) => ErrorCode::TooLarge,
            AppError::NoSpace(_) => ErrorCode::NoSpace,
            AppError::Unavailable(_) => ErrorCode::Unavailable,
            AppError::Corrupt(_) | AppError::Internal(_) => return Self::internal(&error),
        };
        let mut answer = Self::new(code, error.to_string());
        if let AppError::WrongOffset { committed } = error {
            answer.0.committed_bytes = Some(committed);
        }
        answer
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        let code = match &error {
            BlobError::Missing(_) => ErrorCode::NotFound,
            BlobError::Mismatch { .. } | BlobError::Interrupted(_) => ErrorCode::BadRequest,
            BlobError::TooLarge { .. } => ErrorCode::TooLarge,
            BlobError::NoSpace { .. } => ErrorCode::NoSpace,
            BlobError::ShuttingDown => ErrorCode::Unavailable,
            BlobError::Corrupt { .. } => {
                tracing::error!(%error, "stored content is damaged");
                let message = "this content is damaged on the server's disk; tell the server's operator, and \
                               hand the design in again";
                return Self::new(ErrorCode::Internal, message);
            }
            BlobError::Io { source, .. } if source.kind() == std::io::ErrorKind::ReadOnlyFilesystem => {
                return AppError::read_only().into();
            }
            _ => return Self::internal(&error),
        };
        // Where the store lies on the server's disk is no business of a client.
        match error {
            BlobError::NoSpace { .. } => Self::new(
                code,
                "the server's disk is full, so nothing was stored; tell its operator, and try again when space \
                 was freed",
            ),
            error => Self::new(code, error.to_string()),
        }
    }
}

impl From<UnpackError> for ApiError {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Blob(error) => error.into(),
            UnpackError::Archive { .. } => Self::internal(&error),
            UnpackError::TotalTooLarge { .. } | UnpackError::FileTooLarge { .. } => {
                Self::bad_request(error.to_string())
            }
            error => Self::bad_request(with_sources(&error)),
        }
    }
}

/// Gives every answer that is no success the form its reader wants: under `/api/` always JSON,
/// elsewhere a page for browsers, JSON for whoever accepts it by name, else a line of text.
pub(super) async fn present(State(config): State<Arc<Config>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let uri = request.uri().clone();
    let form = Form::wanted(&uri, request.headers());
    let response = next.run(request).await;
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return response;
    }
    let (error, allow) = told(response, &method, &uri).await;
    let mut response = match form {
        Form::Json => error.into_response(),
        Form::Page => (error.status(), web::error_page(&config.site, &error)).into_response(),
        Form::Text => {
            let text = format!("{}\n", error.message());
            (
                error.status(),
                [(CONTENT_TYPE, "text/plain; charset=utf-8")],
                text,
            )
                .into_response()
        }
    };
    response.headers_mut().extend(allow);
    response
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Json,
    Page,
    Text,
}

impl Form {
    fn wanted(uri: &Uri, headers: &HeaderMap) -> Self {
        let accept = headers
            .get(ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        if uri.path().starts_with("/api/") || accept.contains("application/json") {
            Self::Json
        } else if accept.contains("text/html") {
            Self::Page
        } else {
            Self::Text
        }
    }
}

/// The error of an answer, also where axum itself made it, and the headers that belong to its status.
async fn told(mut response: Response, method: &Method, uri: &Uri) -> (ApiError, HeaderMap) {
    let mut kept = HeaderMap::new();
    for name in [
        ALLOW,
        axum::http::header::CONTENT_RANGE,
        axum::http::header::WWW_AUTHENTICATE,
    ] {
        if let Some(value) = response.headers_mut().remove(&name) {
            kept.insert(name, value);
        }
    }
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        return (error, kept);
    }
    let status = response.status();
    let text = foreign_text(response.into_body()).await;
    let error = match status {
        StatusCode::NOT_FOUND => ApiError::not_found(format!("there is nothing at {}", uri.path())),
        StatusCode::METHOD_NOT_ALLOWED => ApiError::new(
            ErrorCode::MethodNotAllowed,
            format!("{method} is not possible at {}", uri.path()),
        ),
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(format!("the request is too large: {text}")),
        status if status.is_client_error() => ApiError::bad_request(text),
        _ => ApiError::internal(&Foreign(text)),
    };
    (error, kept)
}

/// An error that axum or a layer made, of which only the text is left.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Foreign(String);

async fn foreign_text(body: Body) -> String {
    match to_bytes(body, FOREIGN_TEXT_LIMIT).await {
        Ok(bytes) if !bytes.is_empty() => String::from_utf8_lossy(&bytes).into_owned(),
        _ => "the request cannot be understood".into(),
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn with_sources(error: &dyn Error) -> String {
    chain(error)
}
