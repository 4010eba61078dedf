//! Why an archive was refused, in the words of the one who sent it.

use super::{Format, Limits};
use crate::blobs::BlobError;
use crate::path::PathFault;
use crate::tree::TreeError;
use std::io;

/// Names in messages are quoted and escaped, so that a hostile name cannot write to a terminal.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("the archive is empty: not one byte of it arrived; pack the design again and send it")]
    NoBytes,
    #[error("this is not {format} ({why}); pack the design with `zip -r` or `tar -czf`")]
    NotAnArchive { format: Format, why: String },
    #[error(
        "the name says that this is {named}, but it begins as {found}; give it a name that ends in {}",
        .found.extension()
    )]
    Mismatch { named: Format, found: Format },
    #[error("this is {found}, which is not taken; pack the design as .zip, .tar, .tar.gz or .tar.zst")]
    Foreign { found: &'static str },
    #[error("the archive is cut off: {what}; send it again")]
    Truncated { what: String },
    #[error("the archive holds no file; pack the design's sources into it")]
    Empty,
    #[error("the archive is damaged: {why}; pack it again")]
    DamagedArchive { why: String },
    #[error(
        "the archive needs more than {limit_mib} MiB of memory to unpack; compress it with `zstd -19` or less, and without `--long`"
    )]
    Window { limit_mib: u64 },
    #[error("the zip archive's directory is damaged: {why}; pack it again")]
    DamagedDirectory { why: String },
    #[error("the entry {name:?} is damaged: {why}; pack the archive again")]
    Damaged { name: String, why: String },
    #[error("the entry {name:?} does not match its checksum; pack and send the archive again")]
    Checksum { name: String },
    #[error("the entry {name:?} is encrypted; pack the archive without a password")]
    Encrypted { name: String },
    #[error(
        "the entry {name:?} is packed by a method that is not supported ({method}); pack it with deflate, zstd or uncompressed"
    )]
    Method { name: String, method: String },
    #[error(
        "the entry {name:?} shares bytes with another entry or with the directory; pack the archive again with an ordinary zip program"
    )]
    Overlap { name: String },
    #[error("the entry {name:?} stands in the archive twice; pack it again with each file once")]
    Duplicate { name: String },
    #[error(
        "the entries {first:?} and {second:?} differ in upper and lower case only, and are one file on some systems; rename one"
    )]
    CaseCollision { first: String, second: String },
    #[error("the entry {file:?} is a file, and {inside:?} lies in a directory of that name; rename one")]
    FileAsDirectory { file: String, inside: String },
    #[error("the entry {name:?} has an absolute path; pack from inside the design's directory")]
    Absolute { name: String },
    #[error("the entry {name:?} leads out of the archive by `..`; pack from inside the design's directory")]
    Parent { name: String },
    #[error("the entry {name:?} has a backslash in its name; rename the file")]
    Backslash { name: String },
    #[error(
        "the entry \"{name}\" has a name that is not UTF-8; rename the file, or pack it with a program that writes UTF-8 names"
    )]
    NotUtf8 { name: String },
    #[error("the entry {name:?} has a name that cannot be used: {fault}; rename the file")]
    Name { name: String, fault: PathFault },
    #[error(
        "the entry {name:?} is a {kind}; only files, directories and symlinks to files can be packed, leave it out"
    )]
    Special { name: String, kind: &'static str },
    #[error(
        "the entry {name:?} is a symlink to {target:?}, and {fault}; replace it by the file that it stands for"
    )]
    Symlink {
        name: String,
        target: String,
        fault: LinkFault,
    },
    #[error(
        "the entry {name:?} is a hard link to {target:?}, which is no file before it in the archive; pack it again with `tar --hard-dereference`"
    )]
    HardLink { name: String, target: String },
    #[error("the entry {name:?} is a sparse file; pack the archive without `--sparse`")]
    Sparse { name: String },
    #[error(
        "the archive unpacks to more than the {limit_bytes} bytes allowed (at the entry {name:?}); leave out what the build does not need"
    )]
    TotalTooLarge { name: String, limit_bytes: u64 },
    #[error(
        "the entry {name:?} unpacks to more than the {limit_bytes} bytes allowed for a file; leave it out or split it"
    )]
    FileTooLarge { name: String, limit_bytes: u64 },
    #[error("the archive has more than the {limit} entries allowed; leave out what the build does not need")]
    TooManyEntries { limit: u64 },
    #[error(
        "the archive's directory is larger than the {limit_bytes} bytes allowed; use shorter names and no comments"
    )]
    DirectoryTooLarge { limit_bytes: u64 },
    #[error("the entry {name:?} lies deeper than the {limit} directories allowed; flatten the design")]
    TooDeep { name: String, limit: usize },
    #[error("the entry {name:?} has a name longer than the {limit_bytes} bytes allowed; shorten it")]
    NameTooLong { name: String, limit_bytes: usize },
    #[error(
        "the entry {name:?} unpacks to more than {ratio} times its packed size, as an archive bomb does; pack such a file in a smaller form and make it in the build"
    )]
    Bomb { name: String, ratio: u64 },
    #[error("could not read the archive")]
    Archive { source: io::Error },
    #[error("the archive's files make no tree")]
    Tree(#[from] TreeError),
    #[error("could not store the archive's files")]
    Blob(#[from] BlobError),
}

/// Why a symlink does not stand for a file of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkFault {
    #[error("that is an absolute path")]
    Absolute,
    #[error("that leads out of the archive")]
    Leaves,
    #[error("that is not in the archive")]
    Dangling,
    #[error("that is a directory")]
    Directory,
    #[error("that leads back to itself")]
    Loop,
    #[error("that is no usable path")]
    Unreadable,
}

impl UnpackError {
    pub(super) fn not_an_archive(format: Format, why: &str) -> Self {
        Self::NotAnArchive {
            format,
            why: why.to_owned(),
        }
    }

    pub(super) fn name(name: &str, fault: PathFault) -> Self {
        let name = name.to_owned();
        match fault {
            PathFault::Absolute => Self::Absolute { name },
            PathFault::Parent => Self::Parent { name },
            PathFault::Backslash => Self::Backslash { name },
            fault => Self::Name { name, fault },
        }
    }

    /// What the zip crate says of the entry `name`. It has no types for these, so that the texts of
    /// its version 9 stand here; a test holds each.
    pub(super) fn entry(name: &str, error: io::Error) -> Self {
        let name = name.to_owned();
        let why = error.to_string();
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated {
                what: format!("the entry {name:?} ends in the middle"),
            },
            io::ErrorKind::InvalidData if why == "Invalid checksum" => Self::Checksum { name },
            _ => Self::Damaged { name, why },
        }
    }

    pub(super) fn too_large(name: &str, limits: &Limits, file: bool) -> Self {
        let name = name.to_owned();
        if file {
            Self::FileTooLarge {
                name,
                limit_bytes: limits.file_bytes,
            }
        } else {
            Self::TotalTooLarge {
                name,
                limit_bytes: limits.total_bytes,
            }
        }
    }
}
