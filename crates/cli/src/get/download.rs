//! Brings one file here: to a place, at once and whole, or to standard output.

use crate::Failure;
use crate::failure::Patience;
use crate::out::Sink;
use futures::TryStreamExt as _;
use indicatif::ProgressBar;
use polyphemus_api::job::JobFile;
use polyphemus_api::{Client, ClientError};
use polyphemus_core::{BlobHash, JobId};
use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::pin;
use tempfile::NamedTempFile;

pub(super) struct Download {
    pub(super) client: Client,
    pub(super) id: JobId,
    pub(super) bar: ProgressBar,
}

impl Download {
    /// Puts a file at its place. Whatever happens, there is the whole new file or what was there before.
    pub(super) async fn store(&self, file: &JobFile, place: &Path) -> Result<(), Failure> {
        let mut patience = Patience::new();
        loop {
            let mut target = temporary(file.executable, place)?;
            let mut received_bytes = 0;
            let written = self
                .fetch(file, |chunk| {
                    received_bytes += chunk.len() as u64;
                    self.bar.inc(chunk.len() as u64);
                    target.write_all(chunk).map_err(|error| unwritable(place, error))
                })
                .await?;
            match written {
                Ok(()) => {
                    let kept = target.persist(place);
                    return kept.map(drop).map_err(|error| unwritable(place, error.error));
                }
                Err(error) => {
                    self.bar
                        .set_position(self.bar.position().saturating_sub(received_bytes));
                    patience.endure(error).await?;
                }
            }
        }
    }

    /// Prints a file. It is on its way out before its end is known: only the exit code can tell
    /// whether it is what it should be.
    pub(super) async fn print(&self, file: &JobFile, sink: &mut Sink) -> Result<(), Failure> {
        self.fetch(file, |chunk| sink.write(chunk)).await??;
        sink.end()
    }

    /// The chunks of a file, then whether they were what its hash says. The inner error is one of
    /// the connection.
    async fn fetch(
        &self,
        file: &JobFile,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<Result<(), ClientError>, Failure> {
        let chunks = match self.client.file(&self.id, &file.path).await {
            Ok((_, chunks)) => chunks,
            Err(error) => return Ok(Err(error)),
        };
        let mut chunks = pin!(chunks);
        let mut hasher = blake3::Hasher::new();
        loop {
            match chunks.try_next().await {
                Ok(Some(chunk)) => {
                    hasher.update(&chunk);
                    take(&chunk)?;
                }
                Ok(None) => break,
                Err(error) => return Ok(Err(error)),
            }
        }
        verify(file, hasher.finalize()).map(Ok)
    }
}

fn verify(file: &JobFile, got: blake3::Hash) -> Result<(), Failure> {
    let got = BlobHash::from_bytes(got.into());
    if got == file.hash {
        return Ok(());
    }
    Err(Failure::Damaged(format!(
        "what came for {} is not that file: its BLAKE3 hash should be {} and is {got}; get it again, and if \
         that does not help, the file is damaged on the server or the job was entered again meanwhile",
        file.path, file.hash
    )))
}

/// Beside the place, so that it can be renamed; the umask decides who may read it.
pub(super) fn temporary(executable: bool, place: &Path) -> Result<NamedTempFile, Failure> {
    let folder = place.parent().unwrap_or(Path::new("."));
    let mode = if executable { 0o777 } else { 0o666 };
    tempfile::Builder::new()
        .prefix(".polyphemus-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)
        .map_err(|error| unwritable(place, error))
}

pub(super) fn unwritable(place: &Path, error: io::Error) -> Failure {
    Failure::local(format!("{} cannot be written", place.display()), error)
}
