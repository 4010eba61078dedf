//! Blobs as files `ab/cdef…` of one local folder; the only place that knows this layout and that
//! makes it durable. Everything here blocks.
//!
//! `object_store::local::LocalFileSystem` (0.14) is not used: with `with_fsync` it is durable, but a
//! write must know its key before the first byte, so a stream whose hash is known only at its end
//! would be synced twice; it cannot refresh a file's age, which collection needs; it never removes
//! the staged files of a crash; and it hands out contents 8 KiB for each hop between threads.

use super::journal::{Beside, Unplaced, in_memory};
use super::{BlobError, Listed};
use polyphemus_core::BlobHash;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

/// Where unfinished files lie: on the same filesystem, so that a rename publishes them.
const UNFINISHED: &str = "unfinished";
const YOUNG: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    shards: Vec<Shard>,
    next_unfinished: AtomicU64,
    /// What its journal holds for it.
    journaled: Journaled,
}

/// Contents that have no file yet, as far as they are this process's to know: others of the same folder
/// see those that have one.
#[derive(Debug)]
enum Journaled {
    /// Set once the journal is open.
    Owner(OnceLock<Arc<Unplaced>>),
    Beside(Beside),
}

/// One of the 256 subfolders.
#[derive(Debug)]
struct Shard {
    path: PathBuf,
    /// Names published so far. Begins at 1, ahead of `synced`, because names that an earlier process
    /// published just before it was killed may not be durable yet.
    published: AtomicU64,
    /// How many of them a finished fsync of the subfolder covers.
    synced: Mutex<u64>,
    /// Held while a name is looked at and then changed, so that a collection cannot delete a blob
    /// between the look that spared the sender its upload and the refreshed age.
    names: Mutex<()>,
}

impl Folder {
    pub(super) fn open(root: &Path) -> Result<Self, BlobError> {
        create_directory_durably(root)?;
        let shards: Vec<Shard> = (0..=255).map(|number| Shard::new(root, number)).collect();
        shards
            .iter()
            .try_for_each(|shard| create_directory(&shard.path))?;
        let unfinished = root.join(UNFINISHED);
        create_directory(&unfinished)?;
        // Once, so that no later write has to think of its own subfolder's name.
        sync_directory(root)?;
        remove_leftovers(&unfinished)?;
        Ok(Self {
            root: root.to_owned(),
            shards,
            next_unfinished: AtomicU64::new(0),
            journaled: Journaled::Owner(OnceLock::new()),
        })
    }

    /// Of a folder that another process owns.
    pub(super) fn beside(root: &Path) -> Result<Self, BlobError> {
        stat_path(root)?.ok_or_else(|| BlobError::io("find", root, io::ErrorKind::NotFound.into()))?;
        Ok(Self {
            root: root.to_owned(),
            shards: (0..=255).map(|number| Shard::new(root, number)).collect(),
            next_unfinished: AtomicU64::new(0),
            journaled: Journaled::Beside(Beside::new(root)),
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn path(&self, hash: &BlobHash) -> PathBuf {
        self.shard(hash).path.join(&hash.as_str()[2..])
    }

    fn shard(&self, hash: &BlobHash) -> &Shard {
        let number = usize::from_str_radix(&hash.as_str()[..2], 16);
        &self.shards[number.expect("a hash is hexadecimal")]
    }

    /// From now on contents that have no file yet are in `unplaced`.
    pub(super) fn has_journal(&self, unplaced: Arc<Unplaced>) {
        if let Journaled::Owner(place) = &self.journaled {
            // The journal is opened once.
            let _ = place.set(unplaced);
        }
    }

    /// Those that have no file yet, where this process writes the journal.
    pub(super) fn unplaced(&self) -> Option<&Unplaced> {
        match &self.journaled {
            Journaled::Owner(place) => place.get().map(Arc::as_ref),
            Journaled::Beside(_) => None,
        }
    }

    /// Makes the file of a content that only the journal holds, if it is such a one.
    pub(super) fn settle(&self, hash: &BlobHash) -> Result<(), BlobError> {
        if let Some(unplaced) = self.unplaced()
            && let Some(content) = unplaced.read(hash)?
        {
            self.place(hash, &content)?;
            polyphemus_fault::point("blobs.files_placed");
        }
        Ok(())
    }

    /// The size in bytes of a content that only the journal holds.
    fn journaled_bytes(&self, hash: &BlobHash) -> Result<Option<u64>, BlobError> {
        match &self.journaled {
            Journaled::Owner(_) => Ok(self.unplaced().and_then(|unplaced| unplaced.size_bytes(hash))),
            Journaled::Beside(beside) => Ok(beside.get(hash)?.map(|content| content.len() as u64)),
        }
    }

    /// Size in bytes and time of the last refresh; `None` when there is no such blob.
    pub(super) fn stat(&self, hash: &BlobHash) -> Result<Option<(u64, SystemTime)>, BlobError> {
        if let Some(found) = stat_path(&self.path(hash))? {
            return Ok(Some(found));
        }
        if let Some(size_bytes) = self.journaled_bytes(hash)? {
            // Its file will be as young.
            return Ok(Some((size_bytes, SystemTime::now())));
        }
        // It may have got its file between the two looks.
        stat_path(&self.path(hash))
    }

    /// Whether the blob is there durably; if so its age begins anew, so that collection spares it.
    pub(super) fn refresh(&self, hash: &BlobHash) -> Result<bool, BlobError> {
        let path = self.path(hash);
        let shard = self.shard(hash);
        let there = {
            let _names = lock(&shard.names);
            touch(&path)?
        };
        if !there && self.journaled_bytes(hash)?.is_some() {
            return Ok(true);
        }
        // It may have got its file between the two looks.
        let there = there || touch(&path)?;
        if there {
            shard.sync_names(shard.published.load(Ordering::SeqCst))?;
        }
        Ok(there)
    }

    /// Whether the blob is there durably with `size_bytes`; if so its age begins anew. A blob of
    /// another size counts as absent, so that publishing replaces it.
    pub(super) fn keep(&self, hash: &BlobHash, size_bytes: u64) -> Result<bool, BlobError> {
        let path = self.path(hash);
        let shard = self.shard(hash);
        {
            let _names = lock(&shard.names);
            match stat_path(&path)? {
                Some((size, modified)) if size == size_bytes => is_young(modified) || touch(&path)?,
                _ => return Ok(self.journaled_bytes(hash)? == Some(size_bytes)),
            };
        }
        // Whoever published it may not have synced its name yet, and we are about to promise it.
        shard.sync_names(shard.published.load(Ordering::SeqCst))?;
        Ok(true)
    }

    /// A new file in the folder for unfinished ones, opened for writing, and locked: who opens the folder
    /// next, while this process lives or not, knows by the lock whether somebody still needs it.
    pub(super) fn create_unfinished(&self) -> Result<(File, PathBuf), BlobError> {
        loop {
            let number = self.next_unfinished.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{number}", std::process::id());
            let path = self.root.join(UNFINISHED).join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                // One that was taken for a leftover before it was locked has no name any more.
                Ok(file) => match file.lock().and_then(|()| file.metadata()) {
                    Ok(metadata) if metadata.nlink() > 0 => return Ok((file, path)),
                    Ok(_) => {}
                    Err(error) => return Err(BlobError::io("lock", &path, error)),
                },
                // A process of the same number left it behind.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(BlobError::io("create", &path, error)),
            }
        }
    }

    /// Gives a finished file its name: syncs its content, renames it, syncs the name. On an error
    /// the unfinished file is left to the caller.
    pub(super) fn publish(&self, file: &File, from: &Path, hash: &BlobHash) -> Result<(), BlobError> {
        file.sync_data()
            .map_err(|error| BlobError::io("write to disk", from, error))?;
        polyphemus_fault::point("blobs.content_synced");
        self.rename(from, hash)?;
        polyphemus_fault::point("blobs.renamed");
        let shard = self.shard(hash);
        let mine = shard.published.fetch_add(1, Ordering::SeqCst) + 1;
        shard.sync_names(mine)
    }

    /// Makes the file of a content that the journal already holds: whole once it has its name, and
    /// durable with the next sync of the filesystem.
    pub(super) fn place(&self, hash: &BlobHash, content: &[u8]) -> Result<(), BlobError> {
        let (mut file, from) = self.create_unfinished()?;
        let placed = file
            .write_all(content)
            .map_err(|error| BlobError::io("write", &from, error))
            .and_then(|()| self.rename(&from, hash));
        if placed.is_err() {
            // What cannot be deleted now is deleted as a leftover when the store is next opened.
            let _ = fs::remove_file(&from);
        }
        placed
    }

    /// As [`Self::place`] without a journal.
    pub(super) fn place_durably(&self, hash: &BlobHash, content: &[u8]) -> Result<(), BlobError> {
        let (mut file, from) = self.create_unfinished()?;
        let placed = file
            .write_all(content)
            .map_err(|error| BlobError::io("write", &from, error))
            .and_then(|()| self.publish(&file, &from, hash));
        if placed.is_err() {
            // As above.
            let _ = fs::remove_file(&from);
        }
        placed
    }

    /// Places the content unless it is there and whole. Tells whether it was not.
    pub(super) fn restore(&self, hash: &BlobHash, content: &[u8]) -> Result<bool, BlobError> {
        let path = self.path(hash);
        match fs::read(&path) {
            Ok(found) if found == content => return Ok(false),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(BlobError::io("read", &path, error));
            }
            _ => {}
        }
        self.place(hash, content).map(|()| true)
    }

    fn rename(&self, from: &Path, hash: &BlobHash) -> Result<(), BlobError> {
        let to = self.path(hash);
        let _names = lock(&self.shard(hash).names);
        fs::rename(from, &to).map_err(|error| BlobError::io("rename into place", &to, error))?;
        // Under the same lock: what looks for it finds the file or the entry, also while it is deleted again.
        if let Some(unplaced) = self.unplaced() {
            unplaced.placed(hash);
        }
        Ok(())
    }

    pub(super) fn open_blob(&self, hash: &BlobHash) -> Result<File, BlobError> {
        let path = self.path(hash);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(BlobError::io("open", &path, error)),
            Ok(file) => return Ok(file),
        }
        self.settle(hash)?;
        if let Journaled::Beside(beside) = &self.journaled
            && let Some(content) = beside.get(hash)?
        {
            return in_memory(&content, &path);
        }
        File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => BlobError::Missing(hash.clone()),
            _ => BlobError::io("open", &path, error),
        })
    }

    /// Removes the blob if `unless_since` is `None` or its last refresh lies before that moment.
    /// Tells the bytes it held, or `None` when it was kept or not there.
    pub(super) fn remove(
        &self,
        hash: &BlobHash,
        unless_since: Option<SystemTime>,
    ) -> Result<Option<u64>, BlobError> {
        let path = self.path(hash);
        self.settle(hash)?;
        let _names = lock(&self.shard(hash).names);
        let Some((size_bytes, modified)) = stat_path(&path)? else {
            return Ok(None);
        };
        if unless_since.is_some_and(|bound| modified >= bound) {
            return Ok(None);
        }
        match fs::remove_file(&path) {
            Ok(()) => {
                polyphemus_fault::point("blobs.deleted");
                Ok(Some(size_bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BlobError::io("delete", &path, error)),
        }
    }

    /// Moves the blob out of the store into `folder` under its hash; false when it is not there.
    pub(super) fn move_away(&self, hash: &BlobHash, folder: &Path) -> Result<bool, BlobError> {
        let (from, to) = (self.path(hash), folder.join(hash.as_str()));
        self.settle(hash)?;
        let _names = lock(&self.shard(hash).names);
        match fs::rename(&from, &to) {
            Ok(()) => sync_directory(folder).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(BlobError::io("move away", &from, error)),
        }
    }

    /// The blobs of one subfolder; files that are no blobs are passed over.
    pub(super) fn list_shard(&self, number: u8) -> Result<Vec<Listed>, BlobError> {
        let shard = &self.shards[usize::from(number)];
        let listing = |error| BlobError::io("list", &shard.path, error);
        let mut blobs = Vec::new();
        let items = match fs::read_dir(&shard.path) {
            // Beside its owner, who may not have made it yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(blobs),
            items => items.map_err(listing)?,
        };
        for item in items {
            let name = item.map_err(listing)?.file_name();
            let name = format!("{number:02x}{}", name.to_string_lossy());
            let Ok(hash) = name.parse::<BlobHash>() else {
                continue;
            };
            // It may be gone since the folder was read.
            if let Some((size_bytes, modified)) = self.stat(&hash)? {
                blobs.push(Listed {
                    hash,
                    size_bytes,
                    modified,
                });
            }
        }
        Ok(blobs)
    }
}

impl Shard {
    fn new(root: &Path, number: u8) -> Self {
        Self {
            path: root.join(format!("{number:02x}")),
            published: AtomicU64::new(1),
            synced: Mutex::new(0),
            names: Mutex::new(()),
        }
    }

    /// Returns once the names published up to `wanted` are durable. Those who wait while another
    /// syncs share the next fsync.
    fn sync_names(&self, wanted: u64) -> Result<(), BlobError> {
        let mut synced = lock(&self.synced);
        if *synced >= wanted {
            return Ok(());
        }
        let covered = self.published.load(Ordering::SeqCst);
        sync_directory(&self.path)?;
        *synced = covered;
        Ok(())
    }
}

/// What these locks guard lies on the disk, so that a panic elsewhere cannot have left it half-made.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the folder with all above it that is missing, so that a power loss leaves it in its place.
pub(super) fn create_directory_durably(path: &Path) -> Result<(), BlobError> {
    let path = std::path::absolute(path).map_err(|error| BlobError::io("find", path, error))?;
    let missing: Vec<&Path> = path.ancestors().take_while(|above| !above.exists()).collect();
    create_directory(&path)?;
    missing
        .iter()
        .filter_map(|made| made.parent())
        .try_for_each(sync_directory)
}

fn create_directory(path: &Path) -> Result<(), BlobError> {
    fs::create_dir_all(path).map_err(|error| BlobError::io("create the folder", path, error))
}

fn sync_directory(path: &Path) -> Result<(), BlobError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| BlobError::io("write to disk the folder", path, error))
}

fn stat_path(path: &Path) -> Result<Option<(u64, SystemTime)>, BlobError> {
    let found = fs::symlink_metadata(path).and_then(|meta| Ok((meta.len(), meta.modified()?)));
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BlobError::io("look at", path, error)),
    }
}

/// Whether its age has begun within the last second: then it need not begin again. Contents that many
/// submissions share would otherwise have their inodes written again and again.
fn is_young(modified: SystemTime) -> bool {
    modified.elapsed().is_ok_and(|age| age < YOUNG)
}

/// Sets the time of the last change to now; false when the file is not there.
fn touch(path: &Path) -> Result<bool, BlobError> {
    let at = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps {
        last_access: at(UTIME_OMIT),
        last_modification: at(UTIME_NOW),
    };
    match rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::NOENT) => Ok(false),
        Err(error) => Err(BlobError::io("refresh the age of", path, error.into())),
    }
}

/// Deletes the unfinished files that nobody holds: whoever made them was killed.
fn remove_leftovers(unfinished: &Path) -> Result<(), BlobError> {
    let failed = |error| BlobError::io("clear leftovers from", unfinished, error);
    for item in fs::read_dir(unfinished).map_err(failed)? {
        let path = item.map_err(failed)?.path();
        let removed = File::open(&path).and_then(|file| match file.try_lock() {
            Ok(()) => fs::remove_file(&path),
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Error(error)) => Err(error),
        });
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(BlobError::io("delete the leftover", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}
