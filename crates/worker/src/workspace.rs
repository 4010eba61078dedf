//! The folders of one attempt, and the worker's own folder that they lie in. The only place that makes
//! and removes them.

mod remove;

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The folder of one worker, locked as long as this lives.
#[derive(Debug)]
pub struct WorkerFolder {
    path: PathBuf,
    shared: PathBuf,
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error(
        "a worker named `{name}` runs on this machine already ({} is locked); give this one another name, or end the other",
        .lock.display()
    )]
    Taken { name: String, lock: PathBuf },
    #[error(
        "`{0}` is no name for a worker: a name has letters, digits, `-`, `_`, `.` and `@`, and begins with a letter or digit"
    )]
    BadName(String),
    #[error("the folder {} is no text in UTF-8; choose another one", .0.display())]
    NotUtf8(PathBuf),
    #[error("could not {doing} {}", .path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl FolderError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

impl WorkerFolder {
    /// Makes and locks the folder of this worker, and removes what a dead one of this name left in it.
    pub fn open(shared: &Path, name: &str) -> Result<Self, FolderError> {
        let fits = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.len() <= 200
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b));
        if !fits {
            return Err(FolderError::BadName(name.chars().take(80).collect()));
        }
        make(shared)?;
        let shared = shared
            .canonicalize()
            .map_err(FolderError::io("find the folder", shared))?;
        if shared.to_str().is_none() {
            return Err(FolderError::NotUtf8(shared));
        }
        let path = shared.join("workers").join(name);
        make(&path)?;
        let lock_path = path.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(FolderError::io("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let (name, lock) = (name.to_owned(), lock_path);
                return Err(FolderError::Taken { name, lock });
            }
            Err(std::fs::TryLockError::Error(source)) => {
                return Err(FolderError::io("lock", &lock_path)(source));
            }
        }
        let folder = Self {
            path,
            shared,
            _lock: lock,
        };
        remove(&folder.attempts())?;
        make(&folder.attempts())?;
        Ok(folder)
    }

    /// Removes the folders of other workers that are dead: those whose lock can be taken. `dead` is
    /// told of each by its name and folder, before. One that cannot be removed keeps nobody from work.
    pub fn remove_dead(&self, mut dead: impl FnMut(&str, &Path)) -> Result<(), FolderError> {
        let workers = self.shared.join("workers");
        let entries = std::fs::read_dir(&workers).map_err(FolderError::io("list", &workers))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let lock = File::options().write(true).open(path.join("lock"));
            // Without a lock file one is just being made, or removed.
            let Some(lock) = lock.ok().filter(|_| path != self.path) else {
                continue;
            };
            if lock.try_lock().is_ok() {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                dead(&name.unwrap_or_default(), &path);
                if let Err(error) = remove(&path) {
                    tracing::warn!(
                        error = format!("{:#}", anyhow::Error::from(error)),
                        "the folder of a dead worker stays"
                    );
                }
            }
        }
        Ok(())
    }

    /// The locks of this machine's boards.
    pub fn devices(&self) -> PathBuf {
        self.shared.join("devices")
    }

    /// Fetched contents, for later stages of all workers of this machine.
    pub fn blobs(&self) -> PathBuf {
        self.shared.join("blobs")
    }

    pub fn shared(&self) -> &Path {
        &self.shared
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folders of an attempt. `name` is unique among the attempts at work.
    pub fn attempt(&self, name: &str) -> Result<AttemptFolder, FolderError> {
        let folder = AttemptFolder {
            path: self.attempts().join(name),
        };
        remove(&folder.path)?;
        for part in [folder.job(), folder.home(), folder.temporary()] {
            make(&part)?;
        }
        Ok(folder)
    }

    fn attempts(&self) -> PathBuf {
        self.path.join("attempts")
    }
}

/// What one attempt works in; removed when dropped. No process of the attempt may be left by then.
#[derive(Debug)]
pub struct AttemptFolder {
    path: PathBuf,
}

/// Less than this is as good as nothing: no file of any use fits.
const FULL_BELOW_BYTES: u64 = 1 << 20;

impl AttemptFolder {
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
        make(&self.board())
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

fn make(path: &Path) -> Result<(), FolderError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(FolderError::io("make the folder", path))
}

fn remove(path: &Path) -> Result<(), FolderError> {
    remove::remove(path).map_err(FolderError::io("remove the folder", path))
}
