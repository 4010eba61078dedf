//! What can go wrong in the database, told apart by what the caller can do about it.

use crate::app::AppError;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The command does not fit what is stored. It has written nothing, so that others of its
    /// transaction need not be undone.
    #[error(transparent)]
    Refused(AppError),
    /// Disk or quota is full; nothing was stored.
    #[error("no space is left for the database")]
    NoSpace,
    /// The disk cannot be written to; nothing was stored.
    #[error("the database has become read-only")]
    ReadOnly,
    /// Another writer was faster between the read and the guarded write; nothing was stored.
    #[error("a row changed while it was being changed")]
    Raced,
    #[error("the store is closed")]
    Closed,
    /// It is no database, or not a whole one.
    #[error(
        "the database is damaged ({0}); keep its file, and restore the instance from a backup \
         (`polyphemus restore`)"
    )]
    Damaged(String),
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
    #[error("{what} in the database cannot be read: {why}")]
    Unreadable { what: &'static str, why: String },
    #[error(
        "the instance {} has a database of schema {found}, but this program knows schemas up to {known}: \
         it was used by a newer version; start that version, or choose another folder with `--instance`",
        .instance.display()
    )]
    Newer {
        instance: PathBuf,
        found: i64,
        known: i64,
    },
    #[error(
        "the instance {} has a database of schema {found}, and this program works with schema {known}: it was \
         last used by an older version; start `polyphemus serve` on it once, which brings it up to date",
        .instance.display()
    )]
    Older {
        instance: PathBuf,
        found: i64,
        known: i64,
    },
    #[error(
        "migration {version} of the instance {} is not the one that this program has: the database was made \
         by a program that was changed afterwards; choose another folder with `--instance`",
        .instance.display()
    )]
    ChangedMigration { instance: PathBuf, version: i64 },
}

/// SQLITE_FULL, https://sqlite.org/rescode.html#full: the disk or the largest number of pages.
const SQLITE_FULL: &str = "13";
/// SQLITE_READONLY, https://sqlite.org/rescode.html#readonly
const SQLITE_READONLY: &str = "8";
/// SQLITE_CORRUPT and SQLITE_NOTADB, https://sqlite.org/rescode.html#corrupt
const SQLITE_DAMAGED: [&str; 2] = ["11", "26"];
/// disk_full, https://www.postgresql.org/docs/current/errcodes-appendix.html
const POSTGRES_DISK_FULL: &str = "53100";

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(|error| error.code().map(|code| code.into_owned()));
        match code.as_deref() {
            Some(SQLITE_FULL | POSTGRES_DISK_FULL) => Self::NoSpace,
            Some(SQLITE_READONLY) => Self::ReadOnly,
            Some(code) if SQLITE_DAMAGED.contains(&code) => Self::Damaged(
                error
                    .as_database_error()
                    .map_or_else(String::new, |error| error.message().to_owned()),
            ),
            _ if matches!(error, sqlx::Error::PoolClosed) => Self::Closed,
            _ => Self::Database(error),
        }
    }
}
