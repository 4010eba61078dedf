//! Reads a zip archive's central directory and checks every entry's name, kind and place before any
//! content is touched.

use super::names::{self, Place};
use super::reader::ArchiveReader;
use super::{Format, Limits, UnpackError};
use crate::tree::Mode;
use std::collections::HashSet;
use std::io;
use zip::read::{ArchiveOffset, Config, OwnedZipFileEntry, ZipFileEntry};
use zip::result::ZipError;
// `ZipArchive` would index all entries before their number can be checked, and merges those of one name.
// Cargo.lock holds the version that this unstable name is of.
use zip::unstable::read::ZipIterable;
use zip::{CompressionMethod, System};

/// The end record lies in the last 64 KiB, which are searched backwards 1 KiB at a time, each step
/// filling the reader's buffer: 4 MiB for an honest archive with the longest comment.
const SEARCH_BYTES: u64 = 16 * 1024 * 1024;
/// Names, extra fields and comments of all entries; they are held in memory.
const DIRECTORY_BYTES: u64 = 128 * 1024 * 1024;

const TYPE_MASK: u32 = 0o170_000;

/// What an entry is, by its name and attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File(Mode),
    Symlink,
}

/// A file or symlink of the archive, its name checked.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) entry: OwnedZipFileEntry,
    /// Where the next entry, or the directory, begins: this one must end before.
    pub(super) ends_before: u64,
}

/// What the directory lists.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) members: Vec<Member>,
    pub(super) directories: HashSet<String>,
    /// Entries that operating systems add and nobody wants.
    pub(super) dropped: u64,
}

pub(super) fn read(
    mut reader: ArchiveReader,
    size_bytes: u64,
    limits: &Limits,
) -> Result<Directory, UnpackError> {
    let begins_like_one = begins_like_a_zip(&mut reader);
    reader.allow(SEARCH_BYTES);
    // The offset is fixed: a program before the archive (self-extracting) is none of a design's needs,
    // and searching for it costs memory in proportion to a hostile file.
    let config = Config {
        archive_offset: ArchiveOffset::Known(0),
    };
    let mut archive = ZipIterable::try_new(reader, config)
        .map_err(|error| no_directory(error, begins_like_one, size_bytes))?;
    let entries = archive.len() as u64;
    if entries > limits.entries {
        return Err(UnpackError::TooManyEntries {
            limit: limits.entries,
        });
    }
    let damaged = |error: ZipError| UnpackError::DamagedDirectory {
        why: error.to_string(),
    };
    let files = archive.files().map_err(damaged)?;
    files.reader_mut().allow(DIRECTORY_BYTES);
    let mut directory = Directory::default();
    let mut begins = Vec::with_capacity(files.len());
    let mut directory_begins = size_bytes;
    for entry in files {
        let entry = entry.map_err(|error| match error {
            ZipError::Io(error) if error.kind() == io::ErrorKind::Other => UnpackError::DirectoryTooLarge {
                limit_bytes: DIRECTORY_BYTES,
            },
            error => damaged(error),
        })?;
        begins.push(entry.header_start());
        directory_begins = directory_begins.min(entry.central_header_start());
        directory.add(entry, limits)?;
    }
    directory.place(begins, directory_begins)?;
    directory.check_names()?;
    Ok(directory)
}

impl Directory {
    fn add(&mut self, entry: ZipFileEntry<'_>, limits: &Limits) -> Result<(), UnpackError> {
        let name = name(&entry)?;
        let is_directory = is_directory(&entry, &name);
        let path = match names::place(&name, is_directory, limits)? {
            Place::Top => return Ok(()),
            Place::Dropped => {
                self.dropped += 1;
                return Ok(());
            }
            Place::Path(path) => path,
        };
        if is_directory {
            self.directories.insert(path);
            return Ok(());
        }
        let kind = kind(&entry, &name)?;
        if entry.encrypted() {
            return Err(UnpackError::Encrypted { name });
        }
        if !matches!(
            entry.compression(),
            CompressionMethod::Stored | CompressionMethod::Deflated | CompressionMethod::Zstd
        ) {
            let method = format!("{:?}", entry.compression());
            return Err(UnpackError::Method { name, method });
        }
        self.members.push(Member {
            path,
            kind,
            entry: entry.into(),
            ends_before: 0,
        });
        Ok(())
    }

    /// Finds where each member must end: entries that share bytes are how small archives unpack to
    /// petabytes, and no zip program writes them.
    fn place(&mut self, mut begins: Vec<u64>, directory_begins: u64) -> Result<(), UnpackError> {
        begins.sort_unstable();
        for member in &mut self.members {
            let own = member.entry.header_start();
            let after = begins.partition_point(|&begin| begin <= own);
            let same = after - begins.partition_point(|&begin| begin < own);
            member.ends_before = begins
                .get(after)
                .copied()
                .unwrap_or(directory_begins)
                .min(directory_begins);
            if same > 1 || own >= member.ends_before {
                return Err(UnpackError::Overlap {
                    name: member.path.clone(),
                });
            }
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), UnpackError> {
        let paths: Vec<&str> = self.members.iter().map(|member| member.path.as_str()).collect();
        names::check_clashes(&paths, &self.directories)
    }
}

fn begins_like_a_zip(reader: &mut ArchiveReader) -> bool {
    let mut magic = [0; 4];
    io::Read::read_exact(reader, &mut magic).is_ok() && magic == *b"PK\x03\x04"
}

fn no_directory(error: ZipError, begins_like_one: bool, size_bytes: u64) -> UnpackError {
    if begins_like_one {
        return UnpackError::Truncated {
            what: format!(
                "its directory, at the end, is missing or damaged ({error}; {size_bytes} bytes arrived)"
            ),
        };
    }
    UnpackError::not_an_archive(Format::Zip, &error.to_string())
}

/// The name as a path separated by `/`.
fn name(entry: &ZipFileEntry<'_>) -> Result<String, UnpackError> {
    let mut name = names::text(entry.name_raw())?.to_owned();
    // The format wants `/`; programs on Windows that write `\` anyway mean the same, and a file's
    // name cannot hold one there. Elsewhere it is a character of the name, and is refused.
    if matches!(entry.system(), System::Dos | System::WindowsNTFS | System::VFAT) {
        name = name.replace('\\', "/");
        let drive = name.as_bytes();
        if drive.len() > 1 && drive[0].is_ascii_alphabetic() && drive[1] == b':' {
            return Err(UnpackError::Absolute { name });
        }
    }
    Ok(name)
}

/// The Unix file mode; programs on other systems leave it 0.
fn unix_mode(entry: &ZipFileEntry<'_>) -> u32 {
    entry.external_attributes() >> 16
}

fn is_directory(entry: &ZipFileEntry<'_>, name: &str) -> bool {
    // 0x10 is the directory bit of MS-DOS attributes.
    let by_dos = entry.system() == System::Dos && entry.external_attributes() & 0x10 != 0;
    name.is_empty() && entry.size() == 0
        || name.ends_with('/')
        || by_dos
        || unix_mode(entry) & TYPE_MASK == 0o040_000
}

fn kind(entry: &ZipFileEntry<'_>, name: &str) -> Result<Kind, UnpackError> {
    let mode = unix_mode(entry);
    let kind = match mode & TYPE_MASK {
        0o120_000 => return Ok(Kind::Symlink),
        0 | 0o100_000 => return Ok(Kind::File(Mode::from_unix(mode))),
        0o010_000 => "named pipe",
        0o020_000 => "character device",
        0o060_000 => "block device",
        0o140_000 => "socket",
        _ => "file of an unknown kind",
    };
    Err(UnpackError::Special {
        name: name.to_owned(),
        kind,
    })
}
