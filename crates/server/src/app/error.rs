//! What can go wrong when the application is asked for something, told apart by what the caller can
//! do about it.

use crate::log::LogError;
use crate::store::StoreError;
use polyphemus_artifacts::BlobError;
use polyphemus_core::flow::PlanError;
use std::path::Path;

/// Why something was not done. Each text is for the user as it stands, except `Internal`.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// 404
    #[error("there is no {what}")]
    NotFound { what: String },
    /// 400: the same request will fail again.
    #[error("{0}")]
    BadRequest(String),
    /// 400: what the user asked for cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// 409: the attempt is not the running one (any more); its worker must stop all work on it.
    #[error("{0}")]
    Superseded(String),
    /// 409: the part of a log does not continue what is committed.
    #[error("the log has {committed} bytes; go on from there")]
    WrongOffset { committed: u64 },
    /// 409: the thing is not in a state in which this can be done.
    #[error("{0}")]
    Conflict(String),
    /// 413
    #[error("{0}")]
    TooLarge(String),
    /// 507
    #[error("{0}")]
    NoSpace(String),
    /// 503: try again soon.
    #[error("{0}")]
    Unavailable(String),
    /// 500: stored content is not what it was.
    #[error("{0}")]
    Corrupt(String),
    /// 500: the log of the server tells more.
    #[error("the server failed; its log says why, and its operator should read it")]
    Internal(#[source] anyhow::Error),
}

impl AppError {
    pub(crate) fn no_job(id: &polyphemus_core::JobId) -> Self {
        Self::NotFound {
            what: format!("job {id}"),
        }
    }

    /// The operator has made it so, or the kernel after a failure of the disk.
    pub(crate) fn read_only() -> Self {
        Self::Unavailable(
            "the server's disk has become read-only, so nothing was stored; tell its operator, and try again \
             when it can be written to"
                .into(),
        )
    }

    /// Sorts an I/O error while `doing` something to `place`.
    pub(crate) fn io(doing: &str, place: &Path, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::NoSpace(format!(
                "the server's disk is full (it could not {doing} {}); tell its operator, and try again when \
                 space was freed",
                place.display()
            )),
            std::io::ErrorKind::ReadOnlyFilesystem => Self::read_only(),
            _ => Self::Internal(
                anyhow::Error::new(source).context(format!("could not {doing} {}", place.display())),
            ),
        }
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(error) => error,
            StoreError::NoSpace => Self::NoSpace(
                "the server's disk is full, so nothing was stored; tell its operator, and try again when \
                 space was freed"
                    .into(),
            ),
            StoreError::ReadOnly => Self::read_only(),
            StoreError::Unreadable { what, why } => Self::Corrupt(format!(
                "{what} cannot be read ({why}), so the record of this job in the database is damaged; tell the \
                 server's operator to run `polyphemus fsck`, and hand the design in again"
            )),
            StoreError::Closed => {
                Self::Unavailable("the server is shutting down; try again when it is back".into())
            }
            error => Self::Internal(error.into()),
        }
    }
}

impl From<LogError> for AppError {
    fn from(error: LogError) -> Self {
        let LogError { doing, path, source } = error;
        Self::io(doing, &path, source)
    }
}

impl From<BlobError> for AppError {
    fn from(error: BlobError) -> Self {
        match &error {
            BlobError::Missing(_) => Self::Conflict(error.to_string()),
            BlobError::Corrupt { .. } | BlobError::Tree { .. } => Self::Corrupt(format!(
                "{error}; tell the server's operator, and hand the design in again"
            )),
            BlobError::Mismatch { .. } | BlobError::Interrupted(_) => Self::BadRequest(error.to_string()),
            BlobError::TooLarge { .. } => Self::TooLarge(error.to_string()),
            BlobError::NoSpace { .. } => Self::NoSpace(format!(
                "the server's disk is full: {error}; tell its operator, and try again when space was freed"
            )),
            BlobError::ShuttingDown => Self::Unavailable(error.to_string()),
            BlobError::Io { source, .. } if source.kind() == std::io::ErrorKind::ReadOnlyFilesystem => {
                Self::read_only()
            }
            BlobError::Io { .. } | BlobError::Store(_) => Self::Internal(error.into()),
        }
    }
}
