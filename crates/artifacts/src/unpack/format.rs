//! Which kind of archive a file is: by its name, and checked against how it begins.

use super::{Archive, UnpackError};
use std::fmt;
use std::io;

/// Enough of a file to tell what it is: the first header of a tar archive.
pub const HEAD_BYTES: usize = 512;

/// The kinds of archive in which a design can be handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Zip,
    Tar,
    TarGz,
    TarZst,
}

/// What a name ends in, and what that means; the first of a format is the usual one.
const EXTENSIONS: [(&str, Format); 6] = [
    (".zip", Format::Zip),
    (".tar", Format::Tar),
    (".tar.gz", Format::TarGz),
    (".tgz", Format::TarGz),
    (".tar.zst", Format::TarZst),
    (".tzst", Format::TarZst),
];

/// How files begin that people hand in by mistake.
const FOREIGN: [(&[u8], &str); 13] = [
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\xfd7zXZ\0", "compressed with xz"),
    (b"BZh", "compressed with bzip2"),
    (b"\x04\x22\x4d\x18", "compressed with lz4"),
    (b"LZIP", "compressed with lzip"),
    (b"\x1f\x9d", "compressed with compress"),
    (b"Salted__", "encrypted with OpenSSL"),
    (b"age-encryption.org", "encrypted with age"),
    (b"-----BEGIN PGP", "encrypted with PGP"),
    (b"\x8c\x0d\x04", "encrypted with PGP"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
];

impl Format {
    /// By the end of a file's name, with something before it.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let lower = name.to_ascii_lowercase();
        let fits = |extension: &str| lower.len() > extension.len() && lower.ends_with(extension);
        let found = EXTENSIONS.iter().find(|(extension, _)| fits(extension));
        found.map(|(_, format)| *format)
    }

    /// The name without what tells its format.
    pub fn stem(name: &str) -> &str {
        let lower = name.to_ascii_lowercase();
        let stems = EXTENSIONS
            .iter()
            .filter_map(|(extension, _)| lower.strip_suffix(extension));
        stems.map(str::len).min().map_or(name, |length| &name[..length])
    }

    /// By how the file begins; `head` is its first [`HEAD_BYTES`], or all of it. Something compressed
    /// counts as a tar archive that is.
    pub fn of_content(head: &[u8]) -> Option<Self> {
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            Some(Self::Zip)
        } else if head.starts_with(b"\x1f\x8b") {
            Some(Self::TarGz)
        } else if head.starts_with(b"\x28\xb5\x2f\xfd") {
            Some(Self::TarZst)
        } else {
            begins_like_a_tar(head).then_some(Self::Tar)
        }
    }

    /// What its names end in.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Zip => ".zip",
            Self::Tar => ".tar",
            Self::TarGz => ".tar.gz",
            Self::TarZst => ".tar.zst",
        }
    }

    /// All that a name may end in, for messages.
    pub fn extensions() -> String {
        let all: Vec<&str> = EXTENSIONS.iter().map(|(extension, _)| *extension).collect();
        all.join(", ")
    }

    /// The format of an archive, which must begin as its name promises.
    pub(super) fn settle(named: Option<Self>, archive: &Archive) -> io::Result<Result<Self, UnpackError>> {
        let mut head = [0; HEAD_BYTES];
        let mut length = 0;
        while length < head.len() {
            match archive.read_at(&mut head[length..], length as u64) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let head = &head[..length];
        // Of a zip archive the directory is at the end: what reads that tells what is wrong.
        let format = named.or_else(|| Self::of_content(head)).unwrap_or(Self::Zip);
        Ok(format.check_head(head).map(|()| format))
    }

    fn check_head(self, head: &[u8]) -> Result<(), UnpackError> {
        if head.is_empty() {
            return Err(UnpackError::NoBytes);
        }
        match Self::of_content(head) {
            Some(found) if found == self => return Ok(()),
            Some(found) => return Err(UnpackError::Mismatch { named: self, found }),
            None => {}
        }
        if let Some((_, found)) = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(UnpackError::Foreign { found });
        }
        match self {
            // Its directory is at its end, and whoever reads that says more.
            Self::Zip => Ok(()),
            Self::Tar if head.len() < HEAD_BYTES => Err(UnpackError::not_an_archive(self, "it is too short")),
            _ => Err(UnpackError::not_an_archive(self, "it does not begin like one")),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zip => "a zip archive",
            Self::Tar => "a tar archive",
            Self::TarGz => "a tar archive compressed with gzip",
            Self::TarZst => "a tar archive compressed with zstd",
        })
    }
}

/// A header with its checksum, or the zeros at the end of an archive without entries.
fn begins_like_a_tar(head: &[u8]) -> bool {
    let Some(block) = head.first_chunk::<HEAD_BYTES>() else {
        return false;
    };
    block.iter().all(|byte| *byte == 0) || tar_core::Header::from_bytes(block).verify_checksum().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_format_by_its_end_alone() {
        for (name, format) in [
            ("a.zip", Some(Format::Zip)),
            ("c:\\d\\my.design.tar.gz", Some(Format::TarGz)),
            ("x/a.tgz", Some(Format::TarGz)),
            ("a.tar", Some(Format::Tar)),
            ("a.tar.zst", Some(Format::TarZst)),
            ("a.gz", None),
            ("a.ZIP", Some(Format::Zip)),
            (".zip", None),
            ("d/.tar.gz", None),
            ("zip", None),
            ("a.zip.", None),
        ] {
            assert_eq!(Format::of_name(name), format, "{name}");
        }
        assert_eq!(Format::stem("v1.2.tar.gz"), "v1.2");
        assert_eq!(Format::stem("v1.2"), "v1.2");
    }
}
