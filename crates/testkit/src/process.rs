//! Which processes belong to a test, found from outside: by what the kernel knows of them, not by
//! what they say.

use std::fs;
use std::path::Path;

/// A process that has to do with a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub pid: i32,
    pub command: String,
    /// Of a job; not one that a worker has ready for the next.
    pub is_at_work: bool,
}

/// The processes that were started with this folder in their arguments, stand in it, or see it (or
/// something below it) mounted: a sandboxed program is told by its mounts.
///
/// The folder's name must be unique on the machine, as those of temporary folders are.
pub fn around(folder: &Path) -> Vec<Found> {
    let name = folder
        .file_name()
        .expect("a folder of a test has a name")
        .to_string_lossy()
        .into_owned();
    let own = std::process::id() as i32;
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != own && belongs(*pid, &name))
        .map(|pid| Found {
            pid,
            command: command(pid),
            is_at_work: !is_ready(pid, &name),
        })
        .collect()
}

fn belongs(pid: i32, name: &str) -> bool {
    let at = format!("/proc/{pid}");
    // A zombie has no mounts, no arguments and no folder: it is gone but for its parent's wait.
    let stands_in = fs::read_link(format!("{at}/cwd")).is_ok_and(|cwd| cwd.to_string_lossy().contains(name));
    stands_in
        || command(pid).contains(name)
        || fs::read_to_string(format!("{at}/mountinfo")).is_ok_and(|mounts| mounts.contains(name))
}

/// What waits for a job is in the folder of one to come, which has its name from the job later.
fn is_ready(pid: i32, name: &str) -> bool {
    let at = format!("/proc/{pid}");
    let cwd = fs::read_link(format!("{at}/cwd")).unwrap_or_default();
    let mounts = fs::read_to_string(format!("{at}/mountinfo")).unwrap_or_default();
    let ready = |place: &str| place.contains(name) && place.contains("/ready/");
    ready(&cwd.to_string_lossy()) || mounts.lines().any(ready)
}

fn command(pid: i32) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&raw)
        .replace('\0', " ")
        .trim_end()
        .to_owned()
}
