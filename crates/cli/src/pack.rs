//! Packs a design's directory into a zip archive. The same files give the same archive, byte for
//! byte: sorted by path, without times, with only the executable bit of their modes.

mod walk;

use crate::Failure;
use std::fs::File;
use std::io::{self, Seek as _};
use std::path::Path;
use walk::{Found, Source};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Entries from this size on need the longer fields of zip64.
const ZIP64_FROM_BYTES: u64 = u32::MAX as u64;

/// A packed directory.
#[derive(Debug)]
pub struct Packed {
    /// An unnamed file, at its beginning.
    pub archive: File,
    pub archive_bytes: u64,
    pub files: usize,
    /// Of the files, before packing.
    pub total_bytes: u64,
    /// What was left out that the user may have meant to send.
    pub notes: Vec<String>,
}

/// Packs what is below `directory`, without what the ignore files there leave out.
///
/// # Errors
/// `Failure::Usage` when nothing is left to pack or a name cannot be sent, `Failure::Local` when a
/// file cannot be read or there is no room for the archive.
pub fn pack(directory: &Path) -> Result<Packed, Failure> {
    let Found { sources, notes } = walk::walk(directory)?;
    if sources.is_empty() {
        return Err(nothing(directory));
    }
    let archive = tempfile::tempfile().map_err(no_room)?;
    let mut writer = ZipWriter::new(archive);
    let top = top_for(directory, &sources);
    let mut total_bytes = 0;
    for source in &sources {
        total_bytes += add(&mut writer, &top, source)?;
    }
    let mut archive = writer.finish().map_err(|error| no_room(error.into()))?;
    let archive_bytes = archive.stream_position().map_err(no_room)?;
    archive.rewind().map_err(no_room)?;
    Ok(Packed {
        archive,
        archive_bytes,
        files: sources.len(),
        total_bytes,
        notes,
    })
}

/// Gives the size of the file.
fn add(writer: &mut ZipWriter<File>, top: &str, source: &Source) -> Result<u64, Failure> {
    let unreadable = |error| Failure::local(format!("{} cannot be read", source.file.display()), error);
    let mut file = File::open(&source.file).map_err(unreadable)?;
    let size_bytes = file.metadata().map_err(unreadable)?.len();
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(if source.executable { 0o755 } else { 0o644 })
        .large_file(size_bytes >= ZIP64_FROM_BYTES);
    writer
        .start_file(format!("{top}{}", source.path), options)
        .map_err(|error| no_room(error.into()))?;
    io::copy(&mut file, writer)
        .map_err(|error| Failure::local(format!("{} cannot be packed", source.file.display()), error))
}

/// The server takes away a directory that holds everything. Where the design itself has only one
/// directory at its top, a further one around it keeps that from happening to it.
fn top_for(directory: &Path, sources: &[Source]) -> String {
    let top = |source: &Source| source.path.split_once('/').map(|(top, _)| top.to_owned());
    let first = sources.first().and_then(top);
    if first.is_none() || sources.iter().any(|source| top(source) != first) {
        return String::new();
    }
    let canonical = directory.canonicalize().ok();
    let name = canonical
        .as_deref()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str());
    match name {
        Some(name) if polyphemus_artifacts::path::check(name).is_ok() => format!("{name}/"),
        _ => "design/".to_owned(),
    }
}

fn nothing(directory: &Path) -> Failure {
    Failure::Usage(format!(
        "there is nothing to hand in below {}: it has no files, or .gitignore, .ignore or .polyphemusignore \
         (there or in a folder above) leave all of them out",
        directory.display()
    ))
}

fn no_room(error: io::Error) -> Failure {
    let folder = std::env::temp_dir();
    let what = format!(
        "the archive cannot be written in {}; make room there, or name another folder in the variable TMPDIR",
        folder.display()
    );
    Failure::local(what, error)
}
