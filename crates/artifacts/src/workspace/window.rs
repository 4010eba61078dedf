//! Looks into a directory that a job is at work in: lists its files, reads parts of them, measures it.
//! Nothing that the job does meanwhile leads out of the directory, holds the look up, or is disturbed.

use super::beneath::{Item, Root};
use super::snapshot::{kind_name, reason};
use super::{WorkspaceError, walk};
use crate::path;
use crate::tree::Mode;
use crate::unpack::Limits;
use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::fs::{FileType, Mode as Permissions, OFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// A directory held open from before the job began, so that the job cannot put another in its place.
#[derive(Debug)]
pub struct Window {
    root: Root,
}

/// A file as it was at the moment of the look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub path: String,
    pub size_bytes: u64,
    /// Milliseconds since 1970 UTC.
    pub modified_ms: i64,
    pub mode: Mode,
}

/// The files that a look found, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    pub files: Vec<Seen>,
    /// There is more than a listing holds, or looking took too long.
    pub truncated: bool,
}

/// How far a listing goes.
#[derive(Debug, Clone)]
pub struct ListLimits {
    pub files: usize,
    /// Of all paths together.
    pub path_bytes: usize,
    /// Files, directories and whatever else is looked at.
    pub entries: u64,
    pub time: Duration,
}

/// A part of a file, and the file's size and time when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenPart {
    pub size_bytes: u64,
    pub modified_ms: i64,
    pub content: Vec<u8>,
}

/// Why a file cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error("{0}")]
    NotThere(String),
    #[error("it could not be read")]
    Io(#[source] io::Error),
}

/// What a directory takes, counted until a bound was passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// On the disk: a hole in a file takes nothing.
    pub bytes: u64,
    /// Files, directories and whatever else has a name.
    pub entries: u64,
    /// What takes most of all that was counted, and how much, in bytes.
    pub largest: Option<(String, u64)>,
}

/// Up to where [`Window::measure`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageLimits {
    pub bytes: u64,
    pub entries: u64,
}

impl Usage {
    pub fn exceeds(&self, limits: &UsageLimits) -> bool {
        self.bytes > limits.bytes || self.entries > limits.entries
    }
}

/// Takes the path of a directory and what lies in it; says whether that is entered, or that it is enough.
type Take<'a> = dyn FnMut(&[u8], &Item) -> ControlFlow<(), bool> + 'a;

impl Window {
    pub fn open(dir: &Path) -> Result<Self, WorkspaceError> {
        Ok(Self {
            root: Root::open(dir)?,
        })
    }

    /// The files that a tree of the directory would hold now; blocks for at most `limits.time`.
    pub fn list(&self, tree: &Limits, limits: &ListLimits) -> Listing {
        let until = Instant::now() + limits.time;
        let (mut listing, mut entries, mut path_bytes) = (Listing::default(), 0u64, 0usize);
        self.each(&mut |at, item| {
            entries += 1;
            if entries > limits.entries || listing.files.len() >= limits.files || Instant::now() > until {
                listing.truncated = true;
                return ControlFlow::Break(());
            }
            let Some(path) = shown(at, item, tree) else {
                return ControlFlow::Continue(false);
            };
            if item.kind() == FileType::Directory {
                return ControlFlow::Continue(true);
            }
            if let Some(seen) = self.seen(path, item) {
                path_bytes += seen.path.len();
                listing.files.push(seen);
            }
            if path_bytes > limits.path_bytes {
                listing.truncated = true;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(false)
        });
        listing.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        listing
    }

    /// At most `most` bytes of the file `path` from the byte `from` on; none behind its end.
    pub fn read(&self, path: &str, from: u64, most: usize) -> Result<SeenPart, LookError> {
        path::check(path).map_err(|fault| LookError::NotThere(format!("its path is none: {fault}")))?;
        let (named, stat) = self.find(path).map_err(LookError::NotThere)?;
        // Opened by its inode: what the job puts under the name meanwhile is not touched, for to open
        // a named pipe would wake the one who waits at its other end.
        let file = File::open(format!("/proc/self/fd/{}", named.as_raw_fd())).map_err(|error| match error
            .kind()
        {
            io::ErrorKind::PermissionDenied => LookError::NotThere(reason(Errno::ACCESS)),
            _ => LookError::Io(error),
        })?;
        let size_bytes = size_of(&stat);
        let left = size_bytes.saturating_sub(from);
        let mut content = vec![0; usize::try_from(left).unwrap_or(most).min(most)];
        let read = read_at(&file, &mut content, from).map_err(LookError::Io)?;
        content.truncate(read);
        Ok(SeenPart {
            size_bytes,
            modified_ms: modified_ms(&stat),
            content,
        })
    }

    /// Counts until all is counted or a limit is passed. What the job has made unreadable for us
    /// counts as one entry.
    pub fn measure(&self, limits: &UsageLimits) -> Usage {
        let mut usage = Usage::default();
        let too_deep = self.each(&mut |at, item| {
            let bytes = u64::try_from(item.stat.st_blocks).unwrap_or(0) * 512;
            usage.entries += 1;
            usage.bytes += bytes;
            if usage.largest.as_ref().is_none_or(|(_, most)| bytes > *most) {
                let at = String::from_utf8_lossy(at);
                usage.largest = Some((join(&at, &item.name.to_string_lossy()), bytes));
            }
            match usage.exceeds(limits) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(item.kind() == FileType::Directory),
            }
        });
        if let Some(deep) = too_deep {
            // Whatever lies in there: nobody names so long a path but to hide it.
            usage.bytes = usage.bytes.max(limits.bytes.saturating_add(1));
            let shown: String = String::from_utf8_lossy(&deep).chars().take(100).collect();
            usage.largest = Some((format!("{shown}… (a path that is too long)"), usage.bytes));
        }
        usage
    }

    /// Gives everything below, with the path of the directory that holds it; whether a directory is
    /// entered is for `take` to say. A directory comes back whose path is too long for the kernel.
    fn each(&self, take: &mut Take<'_>) -> Option<Vec<u8>> {
        let mut too_deep = None;
        let mut directories: Vec<Vec<u8>> = vec![Vec::new()];
        while let Some(directory) = directories.pop() {
            let at: &[u8] = if directory.is_empty() { b"." } else { &directory };
            let mut below = Vec::new();
            // One that is gone or cannot be read holds nothing that could be shown.
            let ended = self.root.each_in(at, &mut |item| match take(&directory, &item) {
                ControlFlow::Break(()) => ControlFlow::Break(()),
                ControlFlow::Continue(enter) => {
                    if enter {
                        let up = Some(&directory[..]).filter(|up| !up.is_empty());
                        let parts: Vec<&[u8]> = up.into_iter().chain([item.name.as_bytes()]).collect();
                        below.push(parts.join(&b'/'));
                    }
                    ControlFlow::Continue(())
                }
            });
            match ended {
                Ok(ControlFlow::Break(())) => return too_deep,
                Err(Errno::NAMETOOLONG) => too_deep = Some(directory),
                _ => directories.append(&mut below),
            }
        }
        too_deep
    }

    fn seen(&self, path: String, item: &Item) -> Option<Seen> {
        let stat = match item.kind() {
            FileType::RegularFile => item.stat,
            FileType::Symlink => self.find(&path).ok()?.1,
            _ => return None,
        };
        Some(Seen {
            path,
            size_bytes: size_of(&stat),
            modified_ms: modified_ms(&stat),
            mode: Mode::from_unix(stat.st_mode),
        })
    }

    /// The regular file at `path`, or that a symlink there leads to within the directory; named, not
    /// opened. Where there is none, why.
    fn find(&self, path: &str) -> Result<(OwnedFd, Stat), String> {
        let told = |error: Errno| reason(error);
        let direct = self.root.open_at(path, OFlags::PATH, Permissions::empty());
        let direct = direct.map_err(told)?;
        let mut found = (rustix::fs::fstat(&direct).map_err(told)?, direct);
        if FileType::from_raw_mode(found.0.st_mode) == FileType::Symlink {
            let target = self.root.open_link_as(path, OFlags::PATH).map_err(told)?;
            found = (rustix::fs::fstat(&target).map_err(told)?, target);
        }
        match FileType::from_raw_mode(found.0.st_mode) {
            FileType::RegularFile => Ok((found.1, found.0)),
            kind => Err(format!("it is a {}", kind_name(kind))),
        }
    }
}

/// The path of an item, if a tree could hold it.
fn shown(at: &[u8], item: &Item, limits: &Limits) -> Option<String> {
    let path = join(std::str::from_utf8(at).ok()?, item.name.to_str()?);
    walk::fault(&path, limits).is_none().then_some(path)
}

fn join(at: &str, name: &str) -> String {
    match at {
        "" => name.to_owned(),
        at => format!("{at}/{name}"),
    }
}

fn size_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn modified_ms(stat: &Stat) -> i64 {
    let nanoseconds = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    stat.st_mtime
        .saturating_mul(1000)
        .saturating_add(nanoseconds / 1_000_000)
}

/// Fills the buffer as far as the file goes.
fn read_at(file: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], from.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
