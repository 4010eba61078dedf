//! Why an operator's command was not carried out. Each text says what to do now.

use crate::app::AppError;
use crate::log::LogError;
use crate::store::StoreError;
use polyphemus_artifacts::BlobError;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum CareError {
    #[error(
        "there is no instance in {}: it has no polyphemus.db; name its folder with --instance DIR",
        .folder.display()
    )]
    NoInstance { folder: PathBuf },
    #[error(
        "the instance {} is in use by a server, process {holder}; stop that server, do this, and start it again",
        .folder.display()
    )]
    InUse { folder: PathBuf, holder: String },
    #[error(
        "{} is the backup of another instance ({theirs}, not {ours}); choose another folder",
        .folder.display()
    )]
    OtherBackup {
        folder: PathBuf,
        theirs: String,
        ours: String,
    },
    #[error(
        "{} is no backup and not empty; choose an empty folder, or one with an earlier backup of this instance",
        .folder.display()
    )]
    NoBackup { folder: PathBuf },
    #[error(
        "{} lies in the instance {}, with which it would be lost; choose a folder elsewhere, best on another disk",
        .folder.display(), .instance.display()
    )]
    WithinInstance { folder: PathBuf, instance: PathBuf },
    #[error(
        "another backup into {} is under way; wait for its end",
        .folder.display()
    )]
    BackupUnderWay { folder: PathBuf },
    #[error(
        "the backup in {} is incomplete: it was begun and never finished, so nothing can be restored from it; run \
         `polyphemus backup` into it again",
        .folder.display()
    )]
    IncompleteBackup { folder: PathBuf },
    #[error(
        "the backup {} is damaged: {what}; restore from another one",
        .folder.display()
    )]
    DamagedBackup { folder: PathBuf, what: String },
    #[error(
        "the backup {} was made by a newer version (format {found}, this program knows {known}); use that version",
        .folder.display()
    )]
    NewerBackup { folder: PathBuf, found: u32, known: u32 },
    #[error(
        "{} is not empty, and a backup is restored into an empty folder only; choose another one with --instance DIR, \
         or move away what is there",
        .folder.display()
    )]
    NotEmpty { folder: PathBuf },
    #[error(
        "{} is no instance of the original Polyphemus: it has no folder `jobs`; name the folder that its \
         POLYPHEMUS_DIR names",
        .folder.display()
    )]
    NoOriginal { folder: PathBuf },
    #[error("could not {doing} {}", .place.display())]
    Io {
        doing: &'static str,
        place: PathBuf,
        source: io::Error,
    },
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Log(#[from] LogError),
}

impl CareError {
    pub(super) fn io(doing: &'static str, place: &Path) -> impl FnOnce(io::Error) -> Self {
        let place = place.to_owned();
        move |source| Self::Io { doing, place, source }
    }
}
