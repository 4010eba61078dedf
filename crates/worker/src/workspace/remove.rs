//! Removes a folder that a job has worked in. The only place that walks one without a bound on its depth.
//!
//! A job can nest folders deeper than a stack has room for, than a process may open files and than a
//! path can be long. So nothing recurses here: each folder found is moved up to the top before its turn
//! comes, and two folders are open at most.

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Removes `path` with all that is in it, also where a job has taken the right to write from itself.
/// Removes what it can; the error is the first that it met. What is not there is no error.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let top = match open(CWD, path) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP) => return std::fs::remove_file(path),
        Err(error) => return Err(error.into()),
    };
    let mut removal = Removal {
        top: top.as_fd(),
        folders: Vec::new(),
        moved: 0,
        first_error: None,
    };
    removal.empty(top.as_fd());
    while let Some(name) = removal.folders.pop() {
        let opened = open(removal.top, name.as_c_str());
        if let Some(folder) = removal.noted(opened) {
            removal.empty(folder.as_fd());
            let removed = unlinkat(removal.top, name.as_c_str(), AtFlags::REMOVEDIR);
            removal.noted(removed);
        }
    }
    match removal.first_error {
        Some(error) => Err(error.into()),
        None => std::fs::remove_dir(path),
    }
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    /// Folders right below the top that are to be emptied and removed.
    folders: Vec<CString>,
    /// How many names were tried for folders that were moved to the top.
    moved: u64,
    first_error: Option<Errno>,
}

impl Removal<'_> {
    /// Removes the files of `folder` and moves its folders to the top.
    fn empty(&mut self, folder: BorrowedFd<'_>) {
        let entries = Dir::read_from(folder).and_then(Iterator::collect::<Result<Vec<_>, Errno>>);
        for entry in self.noted(entries).into_iter().flatten() {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            // Where the filesystem does not tell the kind, the attempt does.
            let removed = match entry.file_type() {
                FileType::Directory => Err(Errno::ISDIR),
                _ => unlinkat(folder, name, AtFlags::empty()),
            };
            match removed {
                Err(Errno::ISDIR | Errno::PERM) => {
                    let raised = self.raise(folder, name);
                    self.noted(raised);
                }
                Err(Errno::NOENT) => {}
                other => {
                    self.noted(other);
                }
            }
        }
    }

    fn raise(&mut self, folder: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        if folder.as_raw_fd() == self.top.as_raw_fd() {
            self.folders.push(name.to_owned());
            return Ok(());
        }
        // A folder that cannot be written to cannot be given another parent either: opening allows it.
        drop(open(folder, name)?);
        loop {
            self.moved += 1;
            let new = CString::new(format!(".removed-{}", self.moved)).map_err(|_| Errno::INVAL)?;
            match renameat(folder, name, self.top, new.as_c_str()) {
                // The job has given this name to something of its own.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    self.folders.push(new);
                    return Ok(());
                }
            }
        }
    }

    fn noted<T>(&mut self, result: Result<T, Errno>) -> Option<T> {
        result.map_err(|error| self.first_error.get_or_insert(error)).ok()
    }
}

/// Opens a folder, never through a link, and gives its owner all rights on it.
fn open(parent: impl AsFd + Copy, name: impl rustix::path::Arg + Copy) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let place = openat(parent, name, flags | OFlags::PATH, Mode::empty())?;
    // What cannot be changed shows when it is opened for real. chmod takes no descriptor of this kind.
    let shown = format!("/proc/self/fd/{}", place.as_raw_fd());
    let _ = std::fs::set_permissions(shown, std::fs::Permissions::from_mode(0o700));
    openat(&place, ".", flags | OFlags::RDONLY, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::mkdirat;

    #[test]
    fn folders_nested_deeper_than_a_stack_or_a_path_goes_are_removed() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("attempt");
        std::fs::create_dir(&path).unwrap();
        let mut at = open(CWD, &path).unwrap();
        for level in 0..3_000 {
            mkdirat(&at, "d", Mode::RWXU).unwrap();
            if level % 500 == 0 {
                mkdirat(&at, "e", Mode::empty()).unwrap();
            }
            at = openat(&at, "d", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        }
        drop(at);
        // A small stack and a few thousand levels stand for a large one and a hundred thousand.
        let small = std::thread::Builder::new().stack_size(128 << 10);
        let removing = small.spawn(move || remove(&path).map(|()| path)).unwrap();
        assert!(!removing.join().unwrap().unwrap().exists());
    }

    #[test]
    fn what_a_job_can_leave_is_removed_and_nothing_that_its_links_lead_to() {
        let dir = tempfile::TempDir::new().unwrap();
        let outside = dir.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("kept"), "kept").unwrap();
        let path = dir.path().join("attempt");
        let closed = path.join("job/closed/below");
        std::fs::create_dir_all(&closed).unwrap();
        std::fs::write(closed.join("file"), "").unwrap();
        std::fs::write(path.join(".removed-1"), "").unwrap();
        std::fs::create_dir_all(path.join(".removed-2/full")).unwrap();
        std::os::unix::fs::symlink(&outside, path.join("job/link")).unwrap();
        for folder in [closed.as_path(), &path.join("job/closed")] {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o000)).unwrap();
        }
        remove(&path).unwrap();
        assert!(!path.exists());
        remove(&path).unwrap();
        assert!(outside.join("kept").exists());
    }
}
