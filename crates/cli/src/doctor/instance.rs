//! The instance and the folder of workspaces: settings, permissions, room, how fast the disk is.

use super::Line;
use crate::moment::size;
use polyphemus_server::care::{CareError, Instance};
use polyphemus_server::config::{Settings, SettingsError};
use rustix::fs::statvfs;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Below this a build's results may not fit any more.
const LITTLE_BYTES: u64 = 5 << 30;
/// Below this a server stops to be of use soon.
const NO_BYTES: u64 = 256 << 20;
const LITTLE_INODES: u64 = 50_000;
/// Syncs that are timed; the median counts.
const SYNCS: usize = 9;
/// Submissions wait for several; a disk that is slower makes every user wait.
const SLOW_SYNC: Duration = Duration::from_millis(30);

pub(super) async fn lines(
    instance: &Path,
    work: &Path,
    settings: &Result<Settings, SettingsError>,
) -> Vec<Line> {
    let mut lines = vec![settings_line(instance, settings)];
    if instance.exists() {
        lines.push(permissions(instance));
        lines.push(database(instance).await);
    } else {
        lines.push(Line::warn(
            "instance",
            format!("{} is not there yet", instance.display()),
            "`polyphemus serve` makes it; another one is named with --instance DIR",
        ));
    }
    lines.extend(room("disk of the instance", instance));
    if device(&existing(instance)) != device(&existing(work)) {
        lines.extend(room("disk of the workspaces", work));
    }
    lines.push(sync_time(&existing(instance)));
    lines
}

fn settings_line(instance: &Path, settings: &Result<Settings, SettingsError>) -> Line {
    match settings {
        Err(error) => Line::fail(
            "settings",
            error.to_string(),
            "correct it; no server starts with it (`polyphemus config --example` shows all settings)",
        ),
        Ok(settings) => match settings.notes().as_slice() {
            [] => Line::ok("settings", format!("those of {} are right", instance.display())),
            notes => Line::warn(
                "settings",
                notes.join("; "),
                "`polyphemus config` shows what holds, and why",
            ),
        },
    }
}

fn permissions(instance: &Path) -> Line {
    let meta = match fs::metadata(instance) {
        Ok(meta) => meta,
        Err(error) => {
            return Line::fail(
                "instance",
                format!("{} cannot be looked at: {error}", instance.display()),
                "correct its permissions",
            );
        }
    };
    if let Err(error) = rustix::fs::access(instance, rustix::fs::Access::WRITE_OK) {
        return Line::fail(
            "instance",
            format!(
                "{} cannot be written: {}",
                instance.display(),
                std::io::Error::from(error)
            ),
            "run as the user that it belongs to, make it belong to this one, or mount its disk for writing",
        );
    }
    let (mode, owner) = (meta.permissions().mode() & 0o777, meta.uid());
    if mode & 0o002 != 0 {
        return Line::fail(
            "instance",
            format!("everybody can write to {} (mode {mode:03o})", instance.display()),
            format!("chmod o-rwx {}", instance.display()),
        );
    }
    if mode & 0o005 != 0 {
        return Line::warn(
            "instance",
            format!(
                "everybody of this machine can read all jobs in {} (mode {mode:03o})",
                instance.display()
            ),
            format!("chmod o-rwx {}", instance.display()),
        );
    }
    let own = rustix::process::geteuid().as_raw();
    if owner != own && own != 0 {
        return Line::warn(
            "instance",
            format!(
                "{} belongs to user {owner}, and this is user {own}",
                instance.display()
            ),
            "run the server as the user that it belongs to",
        );
    }
    Line::ok(
        "instance",
        format!(
            "{} can be written, by its user only (mode {mode:03o})",
            instance.display()
        ),
    )
}

async fn database(instance: &Path) -> Line {
    match Instance::open(instance).await {
        Ok(open) => {
            let served = match open.served_by() {
                Some(process) => format!("a server has it, process {process}"),
                None => "no server has it now".to_owned(),
            };
            open.close().await;
            Line::ok("database", format!("it can be opened; {served}"))
        }
        Err(CareError::NoInstance { .. }) => Line::warn(
            "database",
            "there is none in the instance yet",
            "`polyphemus serve` makes it",
        ),
        Err(error) => Line::fail(
            "database",
            polyphemus_worker::backoff::chain(&error),
            "`polyphemus fsck` tells more; `polyphemus restore` makes an instance of a backup",
        ),
    }
}

/// Bytes and inodes for new files.
fn room(of: &str, folder: &Path) -> Vec<Line> {
    let place = existing(folder);
    let stat = match statvfs(&place) {
        Ok(stat) => stat,
        Err(error) => {
            let what = format!(
                "{} cannot be looked at: {}",
                place.display(),
                std::io::Error::from(error)
            );
            return vec![Line::fail(
                of,
                what,
                "correct the permissions, or choose another folder",
            )];
        }
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let what = format!("{} are free in {}", size(free), place.display());
    let remedy = "free some, or move the folder to a larger disk";
    let mut lines = vec![match free {
        0..NO_BYTES => Line::fail(of, what, remedy),
        NO_BYTES..LITTLE_BYTES => Line::warn(of, what, remedy),
        _ => Line::ok(of, what),
    }];
    // Filesystems that make inodes as they need them say 0 of all.
    if stat.f_files > 0 && stat.f_favail < LITTLE_INODES {
        lines.push(Line::warn(
            of,
            format!(
                "only {} more files can be made in {}",
                stat.f_favail,
                place.display()
            ),
            "each content is a file: make the filesystem with more inodes, or use xfs or btrfs",
        ));
    }
    lines
}

/// How long it takes until something is on the disk for good.
fn sync_time(folder: &Path) -> Line {
    let timed = || -> std::io::Result<Duration> {
        let mut file = tempfile::tempfile_in(folder)?;
        let mut times = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            file.write_all(&[1; 4096])?;
            let begin = Instant::now();
            file.sync_data()?;
            times.push(begin.elapsed());
        }
        times.sort_unstable();
        Ok(times[SYNCS / 2])
    };
    match timed() {
        Ok(time) if time > SLOW_SYNC => Line::warn(
            "disk speed",
            format!(
                "it takes {:.1} ms to have 4 KiB on the disk of {}",
                ms(time),
                folder.display()
            ),
            "every submission waits for this; put the instance on an SSD, not on a network share",
        ),
        Ok(time) => Line::ok(
            "disk speed",
            format!("4 KiB are on the disk within {:.1} ms", ms(time)),
        ),
        Err(error) => Line::fail(
            "disk speed",
            format!("nothing can be written in {}: {error}", folder.display()),
            "correct the permissions, free space, or mount it for writing",
        ),
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The folder, or the nearest above it that is there.
fn existing(folder: &Path) -> PathBuf {
    let found = folder.ancestors().find(|above| above.is_dir());
    found.unwrap_or(Path::new("/")).to_owned()
}

fn device(folder: &Path) -> Option<u64> {
    File::open(folder)
        .and_then(|file| file.metadata())
        .ok()
        .map(|meta| meta.dev())
}
