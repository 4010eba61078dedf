//! `restore`: an instance made of a backup. What tells that it is not finished is the file `restoring`,
//! which is there from the first step to the last: no server takes such an instance, and the same
//! command goes on with it.

use super::backup::{Logged, Manifest, Snapshot, Target, each_logged};
use super::identity::{FILE as IDENTITY, write_durably};
use super::{BATCH, CareError, Finding, Instance, News, Phase, Tell, trees};
use crate::app::{AppError, now_ms};
use crate::config::load::FILE_NAME;
use crate::store::{Access, Change, ChangeJob, Store};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use polyphemus_artifacts::{BlobError, BlobHash, Blobs};
use polyphemus_core::JobId;
use serde::Serialize;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const MARKER: &str = "restoring";
const DATABASE: &str = "polyphemus.db";

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    pub jobs: u64,
    pub contents: u64,
    pub content_bytes: u64,
    /// Stages that were at work when the backup was made, and are queued again.
    pub queued_again: u64,
    /// When the backup was made, in milliseconds since 1970 UTC.
    pub taken_ms: i64,
    /// Whether a newer backup was begun in the folder and not finished.
    pub newer_unfinished: bool,
}

/// Whether a backup is being restored into the instance, or was and never got to its end.
pub(crate) fn refuse_unfinished(instance: &Path) -> Result<(), AppError> {
    if !instance.join(MARKER).exists() {
        return Ok(());
    }
    Err(AppError::Conflict(format!(
        "the instance {} is incomplete: a backup was being restored into it and that did not come to its end; run \
         the same `polyphemus restore` again, which goes on where it was",
        instance.display()
    )))
}

/// Restores the newest complete backup of the folder into an empty or not existing one, or goes on with
/// that. On `Ok` all of it is on the disk, and a server can be started on it.
pub async fn restore(backup: &Path, folder: &Path, tell: Tell<'_>) -> Result<Restored, CareError> {
    let target = Target::existing(backup)?;
    let (snapshot, manifest, newer_unfinished) = target.newest()?;
    begin(folder, &snapshot)?;
    let blobs = Blobs::open_folder(&folder.join("blobs"))?;
    let copy = Store::existing(snapshot.path(), Access::Read).await?;
    let mut sums = Restored {
        jobs: 0,
        contents: 0,
        content_bytes: 0,
        queued_again: 0,
        taken_ms: manifest.taken_ms,
        newer_unfinished,
    };
    contents(&copy, &target.blobs, &blobs, &manifest, &mut sums, tell).await?;
    copy.close().await;
    files(&snapshot, &target, folder)?;
    let instance = Instance::open_alone(folder).await?;
    logs(&instance, &snapshot, &target.blobs, tell).await?;
    sums.queued_again = queue_again(&instance, manifest.taken_ms).await?;
    instance.close().await;
    finish(folder)?;
    Ok(sums)
}

/// Marks the folder before anything is in it.
fn begin(folder: &Path, snapshot: &Snapshot) -> Result<(), CareError> {
    fs::create_dir_all(folder).map_err(CareError::io("create the folder", folder))?;
    let marker = folder.join(MARKER);
    if !marker.exists() {
        let mut there = fs::read_dir(folder).map_err(CareError::io("list", folder))?;
        if there.next().is_some() {
            let folder = folder.to_owned();
            return Err(CareError::NotEmpty { folder });
        }
    }
    // Of one that was broken off: what it had changed since the backup is not known.
    for part in ["", "-wal", "-shm", "-journal"] {
        let path = folder.join(format!("{DATABASE}{part}"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CareError::io("remove", &path)(error));
            }
            _ => {}
        }
    }
    let text = format!("{}\n", snapshot.path().display());
    write_durably(&marker, text.as_bytes()).map_err(CareError::io("write", &marker))
}

async fn contents(
    copy: &Store,
    from: &Blobs,
    to: &Blobs,
    manifest: &Manifest,
    sums: &mut Restored,
    tell: Tell<'_>,
) -> Result<(), CareError> {
    let known: HashSet<&str> = manifest.damaged.iter().map(String::as_str).collect();
    let (mut after, mut done) = (0, HashSet::new());
    loop {
        let page = copy.audit_jobs(after, BATCH).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.seq;
        for audited in page {
            sums.jobs += 1;
            tell(News::Progress {
                phase: Phase::Jobs,
                done: sums.jobs,
            });
            let (Ok(job), Ok(stages)) = (audited.job, audited.stages) else {
                continue;
            };
            for (_, tree) in trees(&job, &stages) {
                let hash = BlobHash::from(tree.clone());
                if !done.insert(hash.clone()) || !blob(from, to, &hash, &known, sums, tell).await? {
                    continue;
                }
                for entry in to.get_tree(&tree).await?.entries() {
                    if done.insert(entry.hash.clone()) {
                        blob(from, to, &entry.hash, &known, sums, tell).await?;
                    }
                }
            }
        }
    }
}

/// Whether the content is in the instance now. What the backup has lost is told; the rest goes on.
async fn blob(
    from: &Blobs,
    to: &Blobs,
    hash: &BlobHash,
    known: &HashSet<&str>,
    sums: &mut Restored,
    tell: Tell<'_>,
) -> Result<bool, CareError> {
    if to.has(hash).await? {
        sums.contents += 1;
        return Ok(true);
    }
    let copied = match from.read(hash).await {
        Ok(content) => to.put_stream(content, hash, u64::MAX).await,
        Err(error) => Err(error),
    };
    match copied {
        Ok(size_bytes) => {
            sums.contents += 1;
            sums.content_bytes += size_bytes;
            Ok(true)
        }
        Err(BlobError::Missing(_)) if known.contains(hash.as_str()) => Ok(false),
        Err(BlobError::Missing(_) | BlobError::Interrupted(_)) => {
            tell(News::Found(Finding {
                concerns: format!("content {hash}"),
                what: "it is damaged or missing in the backup, so it is not restored".to_owned(),
                remedy:
                    "`polyphemus fsck` of the restored instance tells which jobs need it; hand them in again"
                        .to_owned(),
                repaired: None,
            }));
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn files(snapshot: &Snapshot, target: &Target, folder: &Path) -> Result<(), CareError> {
    for name in [DATABASE, FILE_NAME] {
        let (from, to) = (snapshot.path().join(name), folder.join(name));
        if from.exists() {
            // Under its name only when it is whole.
            let new = folder.join(format!("{name}.new"));
            fs::copy(&from, &new).map_err(CareError::io("write", &new))?;
            File::open(&new)
                .and_then(|file| file.sync_all())
                .map_err(CareError::io("write to disk", &new))?;
            fs::rename(&new, &to).map_err(CareError::io("rename into place", &to))?;
        }
    }
    let identity = folder.join(IDENTITY);
    write_durably(&identity, format!("{}\n", target.identity()).as_bytes())
        .map_err(CareError::io("write", &identity))
}

async fn logs(
    instance: &Instance,
    snapshot: &Snapshot,
    blobs: &Blobs,
    tell: Tell<'_>,
) -> Result<(), CareError> {
    let mut all = Vec::new();
    each_logged(&snapshot.path().join("logs.list"), |logged| all.push(logged))?;
    for (done, Logged { job, length, hash }) in all.into_iter().enumerate() {
        tell(News::Progress {
            phase: Phase::Logs,
            done: done as u64,
        });
        let path = instance.logs.path(&job);
        let failed = || CareError::io("write", &path);
        let mut file = File::create(&path).map_err(failed())?;
        let mut parts = match blobs.read(&hash).await {
            Ok(parts) => parts,
            Err(error) => return Err(lost(&job, &error)),
        };
        let mut written = 0;
        while let Some(part) = parts.try_next().await.map_err(|error| lost(&job, &error))? {
            file.write_all(&part).map_err(failed())?;
            written += part.len() as u64;
        }
        if written != length {
            return Err(lost(&job, &BlobError::Missing(hash)));
        }
    }
    Ok(())
}

fn lost(job: &JobId, error: &BlobError) -> CareError {
    CareError::DamagedBackup {
        folder: PathBuf::from("in its blobs"),
        what: format!("the log of job {job} is lost: {error}"),
    }
}

/// The recovery path of a dead worker: whoever had a stage then does not have it in this instance.
async fn queue_again(instance: &Instance, taken_ms: i64) -> Result<u64, CareError> {
    let time = Timestamp::from_millisecond(taken_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let running = instance.store.stage_list_running(u32::MAX).await?;
    for stage in &running {
        let line = format!(
            "restored from the backup of {time:.0}: stage {} was at work on worker {} then and is queued again",
            stage.stage, stage.worker
        );
        instance.write_log(&stage.job, line).await?;
        let change = ChangeJob {
            job: stage.job.clone(),
            change: Change::WorkerGone {
                stage: stage.stage,
                attempt: stage.attempt,
            },
            now_ms: now_ms(),
        };
        instance.store.write(change).await?;
    }
    Ok(running.len() as u64)
}

/// Everything to the disk, then the mark goes.
fn finish(folder: &Path) -> Result<(), CareError> {
    let open = || File::open(folder).map_err(CareError::io("open", folder));
    rustix::fs::syncfs(open()?).map_err(|error| CareError::io("write to disk", folder)(error.into()))?;
    let marker = folder.join(MARKER);
    fs::remove_file(&marker).map_err(CareError::io("remove", &marker))?;
    open()?.sync_all().map_err(CareError::io("write to disk", folder))
}
