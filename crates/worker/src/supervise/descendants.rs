//! All processes below one, found by their parents in /proc, and their end. The only place that kills
//! by walking the process tree.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The living processes below `root`, without itself. Linux gives an orphan to the nearest
/// [subreaper](https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html) above it, so
/// that for one of those this is whatever it ever started.
pub fn descendants(root: i32) -> BTreeSet<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (pid, parent) in living() {
        children.entry(parent).or_default().push(pid);
    }
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(parent) = open.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            if found.insert(child) {
                open.push(child);
            }
        }
    }
    found
}

/// Kills every process below this one, which must be a subreaper with a single thread, and reaps
/// them; `reaped` is told of each. Returns when none is left.
pub(super) fn kill_all(mut reaped: impl FnMut(Pid, rustix::process::WaitStatus)) {
    let me = rustix::process::getpid().as_raw_pid();
    // Whatever lives below a subreaper lives below a child of it. Mostly that is none, or the first
    // process of a sandbox, whose end is that of all in it: then the processes of the machine need not be
    // looked through, which takes some milliseconds. Who outruns this is stopped below.
    for _ in 0..QUICK_ROUNDS {
        if !has_children(&mut reaped) {
            return;
        }
        let children = children(me);
        if children.is_empty() {
            break;
        }
        for pid in children {
            signal(pid, Signal::KILL);
        }
        if let Ok(Some((pid, status))) = wait(WaitOptions::empty()) {
            reaped(pid, status);
        }
    }
    while has_children(&mut reaped) {
        // A stopped process starts no others, so that the list comes to an end even while they fork.
        let mut stopped = BTreeSet::new();
        loop {
            let fresh: Vec<i32> = descendants(me).difference(&stopped).copied().collect();
            if fresh.is_empty() {
                break;
            }
            for pid in fresh {
                signal(pid, Signal::STOP);
                stopped.insert(pid);
            }
        }
        for pid in stopped {
            signal(pid, Signal::KILL);
        }
        // One to wait for; all that have ended with it are reaped before the next listing.
        if let Ok(Some((pid, status))) = wait(WaitOptions::empty()) {
            reaped(pid, status);
        }
    }
}

/// How often the children alone are killed, before those are looked for that they leave.
const QUICK_ROUNDS: usize = 3;

/// The children of a process with a single thread; none where the kernel does not list them
/// (proc_pid_task_children(5), `CONFIG_PROC_CHILDREN`).
fn children(pid: i32) -> Vec<i32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Reaps the children that have ended; whether others live.
fn has_children(reaped: &mut impl FnMut(Pid, rustix::process::WaitStatus)) -> bool {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => reaped(pid, status),
            Ok(None) => return true,
            Err(Errno::INTR) => {}
            // `ECHILD`, for which alone this call has a reason then.
            Err(_) => return false,
        }
    }
}

/// Kills the processes whose environment has this entry (`NAME=value`): what is left where a
/// supervisor was killed. Gives how many there were. Each is stopped before any is killed, so that
/// one that forks without end does not outrun this.
pub fn kill_marked(entry: &str) -> usize {
    let mut killed = BTreeSet::new();
    // A round finds none when the one before has got them all; what cannot be killed (a process of
    // another user, one that waits for a dead disk) must not hold up the worker for ever.
    for _ in 0..ROUNDS {
        let mut stopped = BTreeSet::new();
        loop {
            let fresh: Vec<i32> = marked(entry).filter(|pid| !stopped.contains(pid)).collect();
            if fresh.is_empty() {
                break;
            }
            for pid in fresh {
                signal(pid, Signal::STOP);
                stopped.insert(pid);
            }
        }
        if stopped.is_subset(&killed) {
            break;
        }
        for pid in &stopped {
            signal(*pid, Signal::KILL);
        }
        killed.append(&mut stopped);
    }
    killed.len()
}

/// How often marked processes are looked for at most.
const ROUNDS: usize = 100;

/// The living processes whose environment has this entry.
fn marked(entry: &str) -> impl Iterator<Item = i32> + '_ {
    living().map(|(pid, _)| pid).filter(move |pid| {
        std::fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environ| environ.split(|&b| b == 0).any(|one| one == entry.as_bytes()))
    })
}

/// A process that is gone meanwhile is no error, and neither is one that may not be signalled: it
/// stays in the list, and whoever waits for it names it.
pub(super) fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// Each process that is no zombie, with its parent.
fn living() -> impl Iterator<Item = (i32, i32)> {
    std::fs::read_dir(Path::new("/proc"))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|pid| {
            // `pid (name) state parent …`; the name may hold anything, parentheses too (proc(5)).
            let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
            let after_name = stat.iter().rposition(|&b| b == b')')? + 2;
            let fields = std::str::from_utf8(stat.get(after_name..)?).ok()?;
            let mut fields = fields.split(' ');
            let state = fields.next()?;
            let parent = fields.next()?.parse().ok()?;
            (!matches!(state, "Z" | "X")).then_some((pid, parent))
        })
}
