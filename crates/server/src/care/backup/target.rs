//! The folder of backups: `blobs/` with the contents of all of them, and in `snapshots/` a folder for
//! each, complete once it has a manifest whose hashes are those of its files.

use crate::care::CareError;
use crate::care::identity::{FILE as IDENTITY, write_durably};
use crate::config::load::FILE_NAME;
use jiff::Timestamp;
use polyphemus_artifacts::{BlobHash, Blobs};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

pub(super) const DATABASE: &str = "polyphemus.db";
pub(super) const LOGS: &str = "logs.list";
const MANIFEST: &str = "manifest.json";
const SNAPSHOTS: &str = "snapshots";
const FORMAT: u32 = 1;
/// Complete snapshots that are kept, the newest.
const KEPT: usize = 2;

/// What makes a snapshot complete.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::care) struct Manifest {
    pub(in crate::care) format: u32,
    pub(in crate::care) version: String,
    pub(in crate::care) taken_ms: i64,
    /// BLAKE3 of each file beside it.
    files: BTreeMap<String, BlobHash>,
    /// Contents that were damaged or gone in the instance already.
    pub(in crate::care) damaged: Vec<String>,
}

/// The folder, locked.
#[derive(Debug)]
pub(in crate::care) struct Target {
    folder: PathBuf,
    pub(in crate::care) blobs: Blobs,
    identity: String,
    _lock: File,
}

/// The folder of one backup.
#[derive(Debug)]
pub(in crate::care) struct Snapshot(PathBuf);

impl Snapshot {
    pub(in crate::care) fn path(&self) -> &Path {
        &self.0
    }
}

impl Target {
    /// For a backup of the instance of this identity; the folder is made where it is missing.
    pub(super) fn open(folder: &Path, identity: &str) -> Result<Self, CareError> {
        fs::create_dir_all(folder).map_err(CareError::io("create the folder", folder))?;
        let real = folder.canonicalize().map_err(CareError::io("find", folder))?;
        // What is lost together with the instance is no backup of it.
        if let Some(instance) = real
            .ancestors()
            .find(|above| above.join("polyphemus.db").exists())
        {
            return Err(CareError::WithinInstance {
                folder: folder.to_owned(),
                instance: instance.to_owned(),
            });
        }
        let own = folder.join(IDENTITY);
        match read_identity(&own)? {
            Some(theirs) if theirs != identity => {
                return Err(CareError::OtherBackup {
                    folder: folder.to_owned(),
                    theirs,
                    ours: identity.to_owned(),
                });
            }
            Some(_) => {}
            None => {
                let mut others = fs::read_dir(folder).map_err(CareError::io("list", folder))?;
                if others.next().is_some() {
                    let folder = folder.to_owned();
                    return Err(CareError::NoBackup { folder });
                }
                write_durably(&own, format!("{identity}\n").as_bytes())
                    .map_err(CareError::io("write", &own))?;
            }
        }
        Self::locked(folder, identity.to_owned())
    }

    /// To restore from.
    pub(in crate::care) fn existing(folder: &Path) -> Result<Self, CareError> {
        let identity = read_identity(&folder.join(IDENTITY))?.filter(|_| folder.join(SNAPSHOTS).is_dir());
        match identity {
            Some(identity) => Self::locked(folder, identity),
            None => Err(CareError::IncompleteBackup {
                folder: folder.to_owned(),
            }),
        }
    }

    fn locked(folder: &Path, identity: String) -> Result<Self, CareError> {
        let snapshots = folder.join(SNAPSHOTS);
        fs::create_dir_all(&snapshots).map_err(CareError::io("create the folder", &snapshots))?;
        let lock = File::open(&snapshots).map_err(CareError::io("open", &snapshots))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(CareError::BackupUnderWay {
                    folder: folder.to_owned(),
                });
            }
            Err(error) => return Err(CareError::io("lock", &snapshots)(error.into())),
        }
        Ok(Self {
            blobs: Blobs::open_folder(&folder.join("blobs"))?,
            folder: folder.to_owned(),
            identity,
            _lock: lock,
        })
    }

    pub(in crate::care) fn identity(&self) -> &str {
        &self.identity
    }

    /// A new snapshot. What earlier ones left unfinished goes.
    pub(super) fn begin(&self) -> Result<Snapshot, CareError> {
        for (path, manifest) in self.all()? {
            if manifest.is_none() {
                fs::remove_dir_all(&path).map_err(CareError::io("remove the unfinished backup", &path))?;
            }
        }
        let now = Timestamp::now();
        let name = now.strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
        let path = self.folder.join(SNAPSHOTS).join(name);
        fs::create_dir(&path).map_err(CareError::io("create the folder", &path))?;
        Ok(Snapshot(path))
    }

    /// Makes the snapshot complete, durably; then the oldest ones go.
    pub(super) fn finish(
        &self,
        snapshot: Snapshot,
        taken_ms: i64,
        damaged: Vec<String>,
    ) -> Result<(), CareError> {
        let Snapshot(path) = snapshot;
        let mut files = BTreeMap::new();
        for name in [DATABASE, LOGS, FILE_NAME] {
            let file = path.join(name);
            if let Some(hash) = hash(&file, Sync::Yes)? {
                files.insert(name.to_owned(), hash);
            }
        }
        let manifest = Manifest {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            taken_ms,
            files,
            damaged,
        };
        let place = path.join(MANIFEST);
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| CareError::io("write", &place)(error.into()))?;
        sync_folder(&self.folder.join(SNAPSHOTS))?;
        write_durably(&place, &text).map_err(CareError::io("write", &place))?;
        let complete = self.all()?.into_iter().filter(|(_, manifest)| manifest.is_some());
        for (old, _) in complete.rev().skip(KEPT) {
            // The manifest first: half of a snapshot must not look whole.
            let manifest = old.join(MANIFEST);
            fs::remove_file(&manifest).map_err(CareError::io("remove", &manifest))?;
            fs::remove_dir_all(&old).map_err(CareError::io("remove the old backup", &old))?;
        }
        Ok(())
    }

    /// The newest complete snapshot, its files found to be whole; and whether a newer one was begun
    /// and not finished.
    pub(in crate::care) fn newest(&self) -> Result<(Snapshot, Manifest, bool), CareError> {
        let mut unfinished = false;
        for (path, manifest) in self.all()?.into_iter().rev() {
            let Some(manifest) = manifest else {
                unfinished = true;
                continue;
            };
            if manifest.format > FORMAT {
                return Err(CareError::NewerBackup {
                    folder: path,
                    found: manifest.format,
                    known: FORMAT,
                });
            }
            for (name, expected) in &manifest.files {
                if hash(&path.join(name), Sync::No)?.as_ref() != Some(expected) {
                    let what = format!("`{name}` is not what was written");
                    return Err(CareError::DamagedBackup { folder: path, what });
                }
            }
            return Ok((Snapshot(path), manifest, unfinished));
        }
        let folder = self.folder.clone();
        Err(CareError::IncompleteBackup { folder })
    }

    /// The list of the logs of the newest complete snapshot, if there is one.
    pub(super) fn latest_logs(&self) -> Result<Option<PathBuf>, CareError> {
        let complete = self.all()?.into_iter().filter(|(_, manifest)| manifest.is_some());
        Ok(complete.map(|(path, _)| path.join(LOGS)).next_back())
    }

    /// All snapshots, the oldest first.
    fn all(&self) -> Result<Vec<(PathBuf, Option<Manifest>)>, CareError> {
        let folder = self.folder.join(SNAPSHOTS);
        let mut paths = Vec::new();
        for item in fs::read_dir(&folder).map_err(CareError::io("list", &folder))? {
            paths.push(item.map_err(CareError::io("list", &folder))?.path());
        }
        paths.sort_unstable();
        let manifest = |path: &Path| {
            let text = fs::read(path.join(MANIFEST)).ok()?;
            serde_json::from_slice(&text).ok()
        };
        Ok(paths
            .into_iter()
            .map(|path| {
                let found = manifest(&path);
                (path, found)
            })
            .collect())
    }
}

enum Sync {
    Yes,
    No,
}

/// The hash of a file, `None` where there is none.
fn hash(path: &Path, sync: Sync) -> Result<Option<BlobHash>, CareError> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(CareError::io("open", path))?,
    };
    if let Sync::Yes = sync {
        file.sync_all().map_err(CareError::io("write to disk", path))?;
    }
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer).map_err(CareError::io("read", path))? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        };
    }
    Ok(Some(BlobHash::from_bytes(*hasher.finalize().as_bytes())))
}

fn sync_folder(path: &Path) -> Result<(), CareError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(CareError::io("write to disk the folder", path))
}

fn read_identity(path: &Path) -> Result<Option<String>, CareError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CareError::io("read", path)(error)),
    }
}
