//! The supervisor's own loop: start the step, watch it and the worker's line, end both well.

use super::descendants::{descendants, kill_all, signal};
use super::order::{Ended, Order, Status};
use super::start::start;
use nix::sys::resource::{UsageWho, getrusage};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, WaitStatus, pidfd_open, setrlimit, wait,
};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often orphans that ended meanwhile are reaped.
const REAP_EVERY: Duration = Duration::from_millis(500);

/// Reads the order, carries it out and sends the status. The exit code is 0 when the status was sent.
pub(super) fn watch() -> ExitCode {
    let Some((order, mut control)) = read_order() else {
        return ExitCode::from(super::WRONG_USE);
    };
    let status = match prepare(&order).and_then(|()| start(&order)) {
        Ok(first) => supervise(&order, first, &mut control),
        Err(error) => Status {
            ended: Ended::NotStarted {
                message: format!("the step's supervisor failed: {error}"),
            },
            cpu_ms: 0,
            peak_bytes: 0,
        },
    };
    match control.answer(&status) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The worker's end of the line: what came, and whether it is still there.
struct Control {
    input: File,
    /// What followed the last whole line.
    rest: Vec<u8>,
    is_open: bool,
}

impl Control {
    /// Takes in what is there, without waiting for more than one read.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8192];
        let count = self.input.read(&mut buffer)?;
        self.is_open &= count > 0;
        self.rest.extend_from_slice(&buffer[..count]);
        Ok(())
    }

    /// The last word. Whoever reads it need not wait for the end of this process.
    fn answer(&mut self, status: &Status) -> io::Result<()> {
        self.input.write_all(&status.line()?)
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.rest.iter().position(|&b| b == b'\n')?;
        let rest = self.rest.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.rest, rest);
        line.pop();
        Some(line)
    }
}

fn read_order() -> Option<(Order, Control)> {
    let input = io::stdin().as_fd().try_clone_to_owned().ok()?;
    let mut control = Control {
        input: File::from(input),
        rest: Vec::new(),
        is_open: true,
    };
    loop {
        if let Some(line) = control.line() {
            return Some((serde_json::from_slice(&line).ok()?, control));
        }
        match control.read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
            Ok(()) if !control.is_open => return None,
            Ok(()) => {}
        }
    }
}

fn prepare(order: &Order) -> io::Result<()> {
    // A session of its own: the worker's terminal and its signals are not the step's.
    match rustix::process::setsid() {
        Ok(_) | Err(Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let limit = |most| Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(Resource::Core, limit(0))?;
    setrlimit(Resource::Fsize, limit(order.file_limit_bytes))?;
    Ok(())
}

fn supervise(order: &Order, first: Pid, control: &mut Control) -> Status {
    let mut ended = None;
    // Without it (Linux before 5.3) the end of the step is seen a little later.
    let first_fd = pidfd_open(first, PidfdFlags::empty()).ok();
    let mut kill_at: Option<Instant> = None;
    while ended.is_none() && control.is_open && kill_at.is_none_or(|at| Instant::now() < at) {
        let patience = kill_at.map_or(REAP_EVERY, |at| {
            at.saturating_duration_since(Instant::now()).min(REAP_EVERY)
        });
        if wait_for_either(control, first_fd.as_ref(), patience) {
            let read = control.read();
            control.is_open &= read.is_ok();
        }
        while let Some(line) = control.line() {
            if line == b"term" && kill_at.is_none() {
                terminate(order, first);
                kill_at = Some(Instant::now() + Duration::from_millis(order.grace_ms));
            }
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            note(&mut ended, first, pid, status);
        }
    }
    for cgroup in &order.cgroups {
        // Only version 2 has this file; the walk below does the same where there is none.
        let _ = File::options()
            .write(true)
            .open(cgroup.join("cgroup.kill"))
            .and_then(|mut file| io::Write::write_all(&mut file, b"1"));
    }
    kill_all(|pid, status| note(&mut ended, first, pid, status));
    if !control.is_open {
        // The worker is dead, or done with the step: then it finds nothing left to remove.
        for cgroup in &order.cgroups {
            let _ = std::fs::remove_dir(cgroup);
        }
    }
    let ended = match std::fs::read_to_string(&order.trouble) {
        Ok(message) => {
            // The next worker of this name removes what stays.
            let _ = std::fs::remove_file(&order.trouble);
            Ended::NotStarted { message }
        }
        Err(_) => ended.unwrap_or(Ended::NotStarted {
            message: "the end of the step's program was not seen".to_owned(),
        }),
    };
    with_usage(ended)
}

/// Waits until the worker has something to say (then true), the step's program ended, or time is up.
fn wait_for_either(control: &Control, first: Option<&OwnedFd>, patience: Duration) -> bool {
    let mut fds = vec![PollFd::new(&control.input, PollFlags::IN)];
    fds.extend(first.map(|fd| PollFd::new(fd, PollFlags::IN)));
    let patience = Timespec {
        tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: patience.subsec_nanos().into(),
    };
    // An interrupted wait is a short one: the loop looks at everything anew.
    match poll(&mut fds, Some(&patience)) {
        Ok(_) => !fds[0].revents().is_empty(),
        Err(_) => false,
    }
}

fn terminate(order: &Order, first: Pid) {
    for pid in descendants(rustix::process::getpid().as_raw_pid()) {
        if !(order.is_sandboxed() && pid == first.as_raw_pid()) {
            signal(pid, Signal::TERM);
        }
    }
}

fn note(ended: &mut Option<Ended>, first: Pid, pid: Pid, status: WaitStatus) {
    if pid != first {
        return;
    }
    *ended = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Some(Ended::Exited { code }),
        (None, Some(signal)) => Some(Ended::Signalled { signal }),
        (None, None) => ended.take(),
    };
}

fn with_usage(ended: Ended) -> Status {
    let (cpu_ms, peak_bytes) = match getrusage(UsageWho::RUSAGE_CHILDREN) {
        Ok(usage) => {
            let ms = |time: nix::sys::time::TimeVal| {
                u64::try_from(time.tv_sec() * 1000 + time.tv_usec() / 1000).unwrap_or(0)
            };
            // getrusage(2): ru_maxrss is in kilobytes.
            let peak_bytes = u64::try_from(usage.max_rss()).unwrap_or(0) * 1024;
            (ms(usage.user_time()) + ms(usage.system_time()), peak_bytes)
        }
        Err(_) => (0, 0),
    };
    Status {
        ended,
        cpu_ms,
        peak_bytes,
    }
}
