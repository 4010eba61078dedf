//! Opens paths beneath one directory without ever leaving it, whatever symlinks lie in it. The only
//! place that turns a tree's path into a file of a workspace.

use super::WorkspaceError;
use crate::unpack::links;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::{Errno, Result};
use rustix::path::Arg;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Longest chain of symlinks followed where the kernel does not do it.
const CHAIN: usize = 40;
/// openat2 says EAGAIN when it cannot tell whether a rename elsewhere moved it out: then it asks again.
const RACES: usize = 64;

/// A directory held open; all paths are relative to it and separated by `/`.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    path: PathBuf,
    /// Whether the kernel has openat2 (Linux 5.6) and the container lets it through.
    openat2: bool,
}

/// What a directory holds under a name.
#[derive(Debug)]
pub(super) struct Item {
    /// As the filesystem has it; may be no UTF-8.
    pub(super) name: OsString,
    /// Of the item itself, not of what a symlink leads to.
    pub(super) stat: Stat,
}

impl Item {
    pub(super) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }
}

impl Root {
    pub(super) fn open(path: &Path) -> std::result::Result<Self, WorkspaceError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty())
            .map_err(|error| WorkspaceError::io("open the directory", path, error))?;
        let probe = rustix::fs::openat2(&fd, ".", flags, Mode::empty(), ResolveFlags::BENEATH);
        let openat2 = !matches!(probe, Err(Errno::NOSYS | Errno::PERM));
        Ok(Self {
            fd,
            path: path.to_owned(),
            openat2,
        })
    }

    #[cfg(test)]
    pub(super) fn without_openat2(self) -> Self {
        Self {
            openat2: false,
            ..self
        }
    }

    /// The path for messages; never opened.
    pub(super) fn display(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    /// Opens `path`; a symlink anywhere in it is an error (`ELOOP`).
    pub(super) fn open_at(&self, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        self.open_bytes_at(path.as_bytes(), flags, mode)
    }

    /// The same for a path that may be no UTF-8.
    fn open_bytes_at(&self, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        if self.openat2 {
            return self.resolve(
                path,
                flags,
                mode,
                ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
            );
        }
        let mut components: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        let name = components.pop().unwrap_or(path);
        let mut at = None;
        for component in components {
            at = Some(rustix::fs::openat(
                at.as_ref().unwrap_or(&self.fd),
                component,
                OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
            )?);
        }
        rustix::fs::openat(at.as_ref().unwrap_or(&self.fd), name, flags, mode)
    }

    /// Opens for reading the file that the symlink `path` leads to. `EXDEV` when it leads out.
    pub(super) fn open_link(&self, path: &str) -> Result<OwnedFd> {
        self.open_link_as(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
    }

    /// Opens what the symlink `path` leads to. `EXDEV` when it leads out.
    pub(super) fn open_link_as(&self, path: &str, flags: OFlags) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        if self.openat2 {
            let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            return self.resolve(path, flags, Mode::empty(), inside);
        }
        let mut at = path.to_owned();
        for _ in 0..CHAIN {
            let (up, name) = at.rsplit_once('/').unwrap_or((".", &at));
            let up = self.open_at(up, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
            match rustix::fs::readlinkat(&up, name, Vec::new()) {
                Ok(target) => {
                    let target = target.to_str().map_err(|_| Errno::ILSEQ)?;
                    at = links::join(&at, target).map_err(|_| Errno::XDEV)?;
                }
                // It is no symlink: the chain's end.
                Err(Errno::INVAL) => return self.open_at(&at, flags, Mode::empty()),
                Err(error) => return Err(error),
            }
        }
        Err(Errno::LOOP)
    }

    fn resolve(
        &self,
        path: impl Arg + Copy,
        flags: OFlags,
        mode: Mode,
        how: ResolveFlags,
    ) -> Result<OwnedFd> {
        for _ in 0..RACES {
            match rustix::fs::openat2(&self.fd, path, flags, mode, how) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                done => return done,
            }
        }
        Err(Errno::AGAIN)
    }

    /// Makes the directory `path`, whose parent is there.
    pub(super) fn make_directory(&self, path: &str) -> Result<()> {
        let mode = Mode::from_raw_mode(0o755);
        match path.rsplit_once('/') {
            None => rustix::fs::mkdirat(&self.fd, path, mode),
            Some((up, name)) => {
                let up = self.open_at(up, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
                rustix::fs::mkdirat(up, name, mode)
            }
        }
    }

    /// What the directory `path` holds (`.` for the root), sorted by name. What vanishes meanwhile is
    /// passed over.
    pub(super) fn list(&self, path: &str) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        let all = self.each_in(path.as_bytes(), &mut |item| {
            items.push(item);
            ControlFlow::Continue(())
        })?;
        debug_assert!(all.is_continue());
        items.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(items)
    }

    /// Gives what the directory `path` holds, one by one and in no order, until `take` has enough.
    pub(super) fn each_in(
        &self,
        path: &[u8],
        take: &mut dyn FnMut(Item) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let fd = self.open_bytes_at(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        for entry in rustix::fs::Dir::read_from(&fd)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = match rustix::fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error),
            };
            let name = OsString::from_vec(name.to_bytes().to_vec());
            if take(Item { name, stat }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    fn content(opened: Result<OwnedFd>) -> std::result::Result<String, Errno> {
        let mut text = String::new();
        std::fs::File::from(opened?).read_to_string(&mut text).unwrap();
        Ok(text)
    }

    #[test]
    fn no_path_leads_out_with_openat2_or_without() {
        let dir = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("real")).unwrap();
        std::fs::write(dir.path().join("real/file"), "inside").unwrap();
        for (link, target) in [
            ("link", "real/file"),
            ("dir", "real"),
            ("real/back", "../link"),
            ("out", "../../etc/passwd"),
        ] {
            symlink(target, dir.path().join(link)).unwrap();
        }
        symlink("/etc/passwd", dir.path().join("absolute")).unwrap();
        let open = || Root::open(dir.path()).unwrap();
        for root in [open(), open().without_openat2()] {
            let at = |path| content(root.open_at(path, OFlags::RDONLY, Mode::empty()));
            assert_eq!(at("real/file"), Ok("inside".to_owned()));
            assert_eq!(at("link"), Err(Errno::LOOP));
            assert!(matches!(at("dir/file"), Err(Errno::LOOP | Errno::NOTDIR)));
            assert_eq!(at("nowhere"), Err(Errno::NOENT));
            assert_eq!(content(root.open_link("real/back")), Ok("inside".to_owned()));
            assert_eq!(content(root.open_link("out")), Err(Errno::XDEV));
            assert_eq!(content(root.open_link("absolute")), Err(Errno::XDEV));
            let names: Vec<_> = root
                .list("real")
                .unwrap()
                .into_iter()
                .map(|item| item.name)
                .collect();
            assert_eq!(names, ["back", "file"]);
            assert!(root.make_directory("dir/new").is_err());
        }
    }
}
