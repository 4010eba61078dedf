//! Where this process may make control groups: read from /proc/self/cgroup and /proc/self/mountinfo
//! (cgroups(7), proc(5)).

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A folder to make groups in, and what can be limited there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) version: Version,
    pub(super) folder: PathBuf,
    pub(super) controllers: Vec<String>,
}

impl Place {
    pub(super) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|one| one == controller)
    }
}

pub(super) fn of_this_process() -> Result<Vec<Place>, String> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let found = places(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?);
    let mut usable = Vec::new();
    for place in found {
        match place.version {
            Version::One => usable.push(place),
            Version::Two => usable.extend(prepare_version_2(place)?),
        }
    }
    if usable.iter().any(|place| place.has("memory")) {
        Ok(usable)
    } else {
        Err("no control group hierarchy of this machine can limit memory".to_owned())
    }
}

/// The own groups of the controllers that we want. Version 2's controllers are left open: its files tell.
fn places(own: &str, mounts: &str) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(names), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let names: Vec<&str> = names.split(',').filter(|name| !name.is_empty()).collect();
        let wanted: Vec<String> = names
            .iter()
            .filter(|name| matches!(**name, "memory" | "pids"))
            .map(|&name| name.to_owned())
            .collect();
        let version = if names.is_empty() {
            Version::Two
        } else {
            Version::One
        };
        if version == Version::One && wanted.is_empty() {
            continue;
        }
        if let Some(folder) = mounted(mounts, &names, path) {
            places.push(Place {
                version,
                folder,
                controllers: wanted,
            });
        }
    }
    places
}

/// Where the group `path` of the hierarchy with these controllers (none: version 2) is seen.
fn mounted(mounts: &str, controllers: &[&str], path: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let (kind, options) = (after.next()?, after.nth(1)?);
        let fits = match kind {
            "cgroup2" => controllers.is_empty(),
            "cgroup" => {
                !controllers.is_empty()
                    && controllers
                        .iter()
                        .all(|one| options.split(',').any(|o| o == *one))
            }
            _ => false,
        };
        // In a container the mount may show only a part of the hierarchy.
        let below = Path::new(path).strip_prefix(root).ok()?;
        fits.then(|| Path::new(point).join(below))
    })
}

/// Makes the controllers available to children of the group. A group with processes of its own cannot
/// hand them on, so that this process moves into a child where it is alone (as a service with
/// `Delegate=yes` is).
fn prepare_version_2(place: Place) -> Result<Option<Place>, String> {
    let available = words(&place.folder.join("cgroup.controllers"));
    let controllers: Vec<String> = available
        .into_iter()
        .filter(|one| matches!(one.as_str(), "memory" | "pids"))
        .collect();
    if !controllers.iter().any(|one| one == "memory") {
        return Ok(None);
    }
    let handed_on = words(&place.folder.join("cgroup.subtree_control"));
    if !controllers.iter().all(|one| handed_on.contains(one)) {
        hand_on(&place.folder, &controllers)
            .map_err(|error| format!("{} cannot be divided: {error}", place.folder.display()))?;
    }
    Ok(Some(Place { controllers, ..place }))
}

fn hand_on(folder: &Path, controllers: &[String]) -> io::Result<()> {
    let wish: String = controllers.iter().map(|one| format!("+{one} ")).collect();
    let ask = || std::fs::write(folder.join("cgroup.subtree_control"), wish.trim_end());
    match ask() {
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
        asked => return asked,
    }
    let members = words(&folder.join("cgroup.procs"));
    if members != [std::process::id().to_string()] {
        return Err(io::Error::other("other processes are in it"));
    }
    let child = folder.join("polyphemus.worker");
    match std::fs::create_dir(&child) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => std::fs::write(child.join("cgroup.procs"), "0")?,
    }
    ask()
}

fn words(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
30 24 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 24 0:27 / /sys/fs/cgroup/cpu,pids rw,relatime shared:9 - cgroup cgroup rw,cpu,pids
32 24 0:28 /docker/abc /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn the_groups_of_both_versions_are_found_where_they_are_mounted() {
        let own = "4:memory:/box/7\n3:cpu,pids:/\n2:cpuset:/\n0::/docker/abc/worker\n";
        let place = |version, folder: &str, controllers: &[&str]| Place {
            version,
            folder: folder.into(),
            controllers: controllers.iter().map(|&one| one.to_owned()).collect(),
        };
        assert_eq!(
            places(own, MOUNTS),
            [
                place(Version::One, "/sys/fs/cgroup/memory/box/7", &["memory"]),
                place(Version::One, "/sys/fs/cgroup/cpu,pids/", &["pids"]),
                place(Version::Two, "/sys/fs/cgroup/unified/worker", &[]),
            ]
        );
    }

    #[test]
    fn a_group_that_is_not_mounted_is_no_place() {
        assert_eq!(places("0::/elsewhere\n1:memory:/\n", ""), []);
        assert_eq!(places("0::/elsewhere\n", MOUNTS), []);
    }
}
