//! Brings files of a stage that runs now: as they are at this moment, with nothing to verify them by
//! but their length.

use super::{choice, download, place};
use crate::Failure;
use crate::job_ref::Found;
use crate::moment::{count, size};
use crate::out::{self, Sink};
use futures::TryStreamExt as _;
use polyphemus_api::ClientError;
use polyphemus_api::running::RunningFile;
use std::io::Write as _;
use std::path::Path;
use std::pin::pin;

pub(super) async fn get(found: &Found, words: &[String], output: Option<&Path>) -> Result<(), Failure> {
    let listed = found.server.client.running_files(&found.id).await?;
    let chosen = choice::choose(&listed.files, words)?;
    if output == Some(Path::new("-")) {
        let [file] = chosen[..] else {
            return Err(super::not_one(chosen.len()));
        };
        let mut sink = Sink::stdout();
        receive(found, file, |chunk| sink.write(chunk)).await?;
        return sink.end();
    }
    let folder = output.unwrap_or_else(|| Path::new(found.id.as_str()));
    let (mut stored, mut total_bytes) = (0, 0);
    for file in chosen {
        match store(found, folder, file).await {
            Ok(bytes) => {
                stored += 1;
                total_bytes += bytes;
            }
            // The stage has removed it since it was listed, as it may.
            Err(Failure::Server(ClientError::Refused { status: 404, detail })) => out::note(&detail.message),
            Err(error) => return Err(error),
        }
    }
    out::note(&format!(
        "{}, {}, as they were while stage {} ran, in {}",
        count(stored, "file"),
        size(total_bytes),
        listed.stage,
        folder.display()
    ));
    Ok(())
}

/// Puts the file at its place, whole or not at all; gives its size in bytes.
async fn store(found: &Found, folder: &Path, file: &RunningFile) -> Result<u64, Failure> {
    let at = place::place(folder, &file.path)?;
    place::make_folders(folder, &file.path)?;
    let mut target = download::temporary(file.executable, &at)?;
    let bytes = receive(found, file, |chunk| {
        let written = target.write_all(chunk);
        written.map_err(|error| download::unwritable(&at, error))
    })
    .await?;
    let kept = target.persist(&at);
    kept.map_err(|error| download::unwritable(&at, error.error))?;
    Ok(bytes)
}

/// Gives the content chunk by chunk; an answer that is shorter than it was to be is an error.
async fn receive(
    found: &Found,
    file: &RunningFile,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let (_, chunks) = found.server.client.running_file(&found.id, &file.path).await?;
    let mut chunks = pin!(chunks);
    let mut bytes = 0;
    while let Some(chunk) = chunks.try_next().await? {
        bytes += chunk.len() as u64;
        take(&chunk)?;
    }
    Ok(bytes)
}
