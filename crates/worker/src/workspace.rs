//! The folders of one attempt, and the worker's own folder that they lie in. The only place that makes
//! and removes them.

mod attempt;
mod remove;

pub use attempt::AttemptFolder;

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
        for part in [folder.path.join(ATTEMPTS), folder.path.join(READY)] {
            remove(&part)?;
            make(&part)?;
        }
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
        AttemptFolder::make(&self.path.join(ATTEMPTS).join(name))
    }

    /// Makes the folders of an attempt that is to come; see [`AttemptFolder::becomes`]. Each has a
    /// `number` of its own.
    pub fn ready(&self, number: u64) -> Result<AttemptFolder, FolderError> {
        AttemptFolder::make(&self.path.join(READY).join(number.to_string()))
    }

    /// Where a supervisor may leave a word, in a file of this number.
    pub fn trouble(&self, number: u64) -> PathBuf {
        self.path.join(ATTEMPTS).join(format!("trouble-{number}"))
    }
}

/// Below a worker's folder: the attempts at work, and what waits for one. No name of an attempt is a
/// supervisor's word (it begins with a job's id).
const ATTEMPTS: &str = "attempts";
const READY: &str = "ready";

fn make(path: &Path) -> Result<(), FolderError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(FolderError::io("make the folder", path))
}

fn remove(path: &Path) -> Result<(), FolderError> {
    remove::remove(path).map_err(FolderError::io("remove the folder", path))
}
