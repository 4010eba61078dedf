//! Control groups: the memory and the number of processes that one step may take. The only place that
//! knows where they are and that there are two versions of them.

mod place;

use place::{Place, Version};
use std::io;
use std::path::{Path, PathBuf};

/// Every group of ours begins so, that what a dead worker left can be told.
const PREFIX: &str = "polyphemus-";

/// Where this process may make groups.
#[derive(Debug, Clone)]
pub struct Cgroups {
    places: Vec<Place>,
}

/// What the processes of one group may take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CgroupLimits {
    pub memory_bytes: Option<u64>,
    pub processes: u64,
}

/// The group of one step; removed when dropped. Its processes must be gone by then.
#[derive(Debug)]
pub struct Cgroup {
    folders: Vec<(Place, PathBuf)>,
}

impl Cgroups {
    /// Finds out where groups with a memory limit can be made. The error is a sentence that says why
    /// nowhere; then steps run without.
    pub fn detect() -> Result<Self, String> {
        let places = place::of_this_process()?;
        let cgroups = Self { places };
        let probe = cgroups.create(
            &format!("probe-{}", std::process::id()),
            CgroupLimits {
                memory_bytes: Some(1 << 30),
                processes: 64,
            },
        );
        match probe {
            Ok(_) => Ok(cgroups),
            Err(error) => Err(format!("a control group cannot be made: {error}")),
        }
    }

    /// Makes a group with these limits. `name` is a word of letters, digits, `-`, `_`, `.` and `@`.
    pub fn create(&self, name: &str, limits: CgroupLimits) -> io::Result<Cgroup> {
        let mut cgroup = Cgroup {
            folders: Vec::with_capacity(self.places.len()),
        };
        for place in &self.places {
            let folder = place.folder.join(format!("{PREFIX}{name}"));
            make(&folder)?;
            cgroup.folders.push((place.clone(), folder.clone()));
            set_limits(place, &folder, limits)?;
        }
        Ok(cgroup)
    }

    /// Kills what is in the groups whose name begins so, and removes them: what a dead worker left.
    pub fn remove_leftovers(&self, name: &str) {
        let begin = format!("{PREFIX}{name}");
        for place in &self.places {
            for entry in std::fs::read_dir(&place.folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().starts_with(&begin) {
                    kill(&entry.path());
                    remove(&entry.path());
                }
            }
        }
    }
}

impl Cgroup {
    /// The folders to join; see [`crate::supervise::Order::cgroups`].
    pub fn folders(&self) -> Vec<PathBuf> {
        self.folders.iter().map(|(_, folder)| folder.clone()).collect()
    }

    /// It is not removed from here: the supervisor of its processes does so when it has killed them.
    pub fn leave_to_supervisor(mut self) {
        self.folders.clear();
    }

    /// How often the kernel killed a process here because the limit was reached.
    pub fn oom_kills(&self) -> u64 {
        self.folders
            .iter()
            .filter_map(|(place, folder)| {
                let file = match place.version {
                    Version::Two => "memory.events",
                    Version::One => "memory.oom_control",
                };
                let text = std::fs::read_to_string(folder.join(file)).ok()?;
                text.lines()
                    .find_map(|line| line.strip_prefix("oom_kill ")?.parse::<u64>().ok())
            })
            .sum()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for (_, folder) in &self.folders {
            remove(folder);
        }
    }
}

fn make(folder: &Path) -> io::Result<()> {
    match std::fs::create_dir(folder) {
        // Left by an attempt whose worker died; it may hold other limits and a count of its own.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            kill(folder);
            remove(folder);
            std::fs::create_dir(folder)
        }
        made => made,
    }
}

fn set_limits(place: &Place, folder: &Path, limits: CgroupLimits) -> io::Result<()> {
    let memory = limits.memory_bytes.filter(|_| place.has("memory"));
    match (place.version, memory) {
        (Version::Two, Some(bytes)) => {
            set(folder, "memory.max", &bytes.to_string())?;
            // All of the step is killed, not the process that happened to ask last.
            set(folder, "memory.oom.group", "1")?;
            set_if_there(folder, "memory.swap.max", "0")?;
        }
        (Version::One, Some(bytes)) => {
            set(folder, "memory.limit_in_bytes", &bytes.to_string())?;
            // Only where the kernel counts swap (`swapaccount=1`).
            set_if_there(folder, "memory.memsw.limit_in_bytes", &bytes.to_string())?;
        }
        (_, None) => {}
    }
    if place.has("pids") {
        set(folder, "pids.max", &limits.processes.to_string())?;
    }
    Ok(())
}

fn set(folder: &Path, file: &str, value: &str) -> io::Result<()> {
    let path = folder.join(file);
    std::fs::write(&path, value)
        .map_err(|error| io::Error::new(error.kind(), format!("{} = {value}: {error}", path.display())))
}

fn set_if_there(folder: &Path, file: &str, value: &str) -> io::Result<()> {
    match folder.join(file).exists() {
        true => set(folder, file, value),
        false => Ok(()),
    }
}

/// Kills the members, again and again until none is left or a second has passed.
fn kill(folder: &Path) {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(1);
    while std::time::Instant::now() < until {
        let members = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        if members.is_empty() {
            return;
        }
        for pid in members.lines().filter_map(|line| line.parse().ok()) {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                // One that is gone meanwhile is what is wanted.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        std::thread::yield_now();
    }
}

fn remove(folder: &Path) {
    match std::fs::remove_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(
            folder = %folder.display(), %error,
            "a control group could not be removed; it is tried again when this worker starts next"
        ),
    }
}
