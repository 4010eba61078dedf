//! What one attempt works in: its workspace and the folders beside it.

use super::{FolderError, WorkerFolder, remove};
use std::io;
use std::path::{Path, PathBuf};

/// What one attempt works in; removed when dropped. No process of the attempt may be left by then.
#[derive(Debug)]
pub struct AttemptFolder {
    path: PathBuf,
}

/// Less than this is as good as nothing: no file of any use fits.
const FULL_BELOW_BYTES: u64 = 1 << 20;

impl AttemptFolder {
    pub(super) fn make(path: &Path) -> Result<Self, FolderError> {
        remove(path)?;
        let folder = Self {
            path: path.to_owned(),
        };
        for part in [path, &folder.job(), &folder.home(), &folder.temporary()] {
            super::make(part)?;
        }
        Ok(folder)
    }

    /// Gives a folder that was made ready the name of its attempt, unique among those at work. Whoever is
    /// in it stays in it.
    pub fn becomes(&mut self, worker: &WorkerFolder, name: &str) -> Result<(), FolderError> {
        let path = worker.path().join(super::ATTEMPTS).join(name);
        remove(&path)?;
        std::fs::rename(&self.path, &path).map_err(FolderError::io("rename the folder", &self.path))?;
        self.path = path;
        Ok(())
    }

    /// Where the disk that it lies on is full: what is left of it, in words.
    pub fn full_disk(&self) -> Option<String> {
        let disk = rustix::fs::statvfs(&self.path).ok()?;
        let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        let is_full = free_bytes < FULL_BELOW_BYTES || (disk.f_files > 0 && disk.f_favail == 0);
        is_full.then(|| format!("{} KiB and {} files free", free_bytes >> 10, disk.f_favail))
    }

    /// For what the attempt's own programs must not see: the spooled log, the status of steps.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its log is spooled.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The workspace.
    pub fn job(&self) -> PathBuf {
        self.path.join("job")
    }

    pub fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    pub fn temporary(&self) -> PathBuf {
        self.path.join("tmp")
    }

    /// Where a virtual board is built; there is such a folder once [`Self::make_board`] has made it.
    pub fn board(&self) -> PathBuf {
        self.path.join("board")
    }

    /// Most attempts load none, and a file system takes its time for each folder.
    pub fn make_board(&self) -> Result<(), FolderError> {
        super::make(&self.board())
    }

    /// The file or folder `relative` of the workspace, with all links followed, if it is there and
    /// inside. Only while no step runs, for a step could change it between the look and the use.
    pub fn find(&self, relative: &str) -> Option<PathBuf> {
        let job = self.job();
        let found = job.join(relative).canonicalize().ok()?;
        found.starts_with(job.canonicalize().ok()?).then_some(found)
    }

    /// A path for a new file `relative` of the workspace: what was there is removed, its folders are
    /// made, and none of them leads out. Only while no step runs.
    pub fn place(&self, relative: &str) -> io::Result<PathBuf> {
        let relative = Path::new(relative);
        let name = relative
            .file_name()
            .ok_or_else(|| io::Error::other("it has no name"))?;
        let mut folder = self.job().canonicalize()?;
        let job = folder.clone();
        for part in relative.parent().into_iter().flat_map(Path::components) {
            let next = folder.join(part);
            match std::fs::create_dir(&next) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => folder = next.canonicalize()?,
            }
            if !folder.starts_with(&job) {
                return Err(io::Error::other("it lies outside the workspace"));
            }
        }
        let path = folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(path),
        }
    }
}

impl Drop for AttemptFolder {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!(
                error = format!("{:#}", anyhow::Error::from(error)),
                "the folder of an attempt stays until this worker starts next"
            );
        }
    }
}
