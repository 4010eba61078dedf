//! What /proc tells of a process (proc(5)): its memory and its processor time.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A process that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(pub i32);

impl Process {
    /// Resident memory now, in bytes.
    pub fn memory_bytes(self) -> io::Result<u64> {
        self.status_bytes("VmRSS:")
    }

    /// The most resident memory since [`Process::forget_peak`], or since its start.
    pub fn peak_bytes(self) -> io::Result<u64> {
        self.status_bytes("VmHWM:")
    }

    /// Lets the peak begin anew at what is resident now.
    pub fn forget_peak(self) -> io::Result<()> {
        std::fs::write(self.file("clear_refs"), "5")
    }

    /// Processor time of all its threads.
    pub fn cpu(self) -> io::Result<Duration> {
        // Behind the name, which may hold anything: state is field 3, utime 14, stime 15.
        let text = std::fs::read_to_string(self.file("stat"))?;
        let fields = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let mut fields = fields.split_whitespace().skip(11);
        let mut ticks = || fields.next().and_then(|field| field.parse::<u64>().ok());
        let (Some(user), Some(system)) = (ticks(), ticks()) else {
            return Err(self.odd("stat"));
        };
        let ticks_a_second = rustix::param::clock_ticks_per_second();
        Ok(Duration::from_secs_f64(
            (user + system) as f64 / ticks_a_second as f64,
        ))
    }

    /// How often each of its threads, by number, has waited and was woken: what wakes up counts, however
    /// little it does.
    pub fn wake_ups(self) -> io::Result<BTreeMap<String, u64>> {
        let mut threads = BTreeMap::new();
        for task in std::fs::read_dir(self.file("task"))?.flatten() {
            // A thread that has ended meanwhile is no error.
            let text = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            if let Some(count) = line.and_then(|count| count.trim().parse().ok()) {
                threads.insert(task.file_name().to_string_lossy().into_owned(), count);
            }
        }
        Ok(threads)
    }

    /// Those that it started and that run now, theirs included.
    pub fn descendants(self) -> Vec<Self> {
        let mut found = vec![self];
        let mut at = 0;
        while let Some(process) = found.get(at).copied() {
            at += 1;
            for task in std::fs::read_dir(process.file("task"))
                .into_iter()
                .flatten()
                .flatten()
            {
                let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
                found.extend(
                    children
                        .split_whitespace()
                        .filter_map(|pid| pid.parse().ok())
                        .map(Self),
                );
            }
        }
        found.split_off(1)
    }

    fn status_bytes(self, name: &str) -> io::Result<u64> {
        let text = std::fs::read_to_string(self.file("status"))?;
        let kilobytes = text.lines().find_map(|line| {
            line.strip_prefix(name)?
                .trim()
                .strip_suffix("kB")?
                .trim()
                .parse::<u64>()
                .ok()
        });
        kilobytes
            .map(|kilobytes| kilobytes * 1024)
            .ok_or_else(|| self.odd("status"))
    }

    fn file(self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.0).into()
    }

    fn odd(self, name: &str) -> io::Error {
        io::Error::other(format!("{} says nothing of it", self.file(name).display()))
    }
}
