//! Who is in a control group: the one place that moves a process into one.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// A thread's way into a group of version 1, and a process' way into one of either version.
const TASKS: &str = "tasks";
const PROCS: &str = "cgroup.procs";

/// Moves this process, which must have a single thread, into the group.
///
/// A thread that moves itself waits for nobody. A process that is moved waits until every processor
/// has been through the scheduler, some 10 ms (Linux 5.15, `cgroup_procs_write_start`); version 2 has
/// only that.
pub(super) fn join(cgroup: &Path) -> io::Result<()> {
    match write(cgroup, TASKS) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => write(cgroup, PROCS),
        joined => joined,
    }
}

/// Whether this process can join the group and leave it again at once.
pub(super) fn is_quick(cgroup: &Path) -> bool {
    cgroup.join(TASKS).exists()
}

/// Moves this process, which must have a single thread, out of a group of version 1 and into the one
/// above it, where it came from.
pub(super) fn leave(cgroup: &Path) -> io::Result<()> {
    match cgroup.parent() {
        Some(above) => write(above, TASKS),
        None => Err(io::Error::other("a control group is a folder in another")),
    }
}

fn write(cgroup: &Path, file: &str) -> io::Result<()> {
    let path = cgroup.join(file);
    File::options()
        .write(true)
        .open(&path)
        .and_then(|mut file| file.write_all(b"0"))
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}
