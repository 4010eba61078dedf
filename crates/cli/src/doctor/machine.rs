//! The machine itself: boards, open files, control groups, clocks.

use super::Line;
use polyphemus_device::{Health as BoardHealth, Roots, discover};
use polyphemus_worker::cgroup::Cgroups;
use rustix::process::{Resource, getrlimit};
use std::time::{Duration, Instant, SystemTime};

/// A connection takes one; so does each running step's log.
const FEW_FILES: u64 = 4096;
/// 2025-01-01: no machine that this program was built for is older.
const EARLIEST: Duration = Duration::from_secs(1_735_689_600);

pub(super) fn lines() -> Vec<Line> {
    let mut lines = boards();
    lines.push(open_files());
    lines.push(match Cgroups::detect() {
        Ok(_) => Line::ok("control groups", "the memory of steps can be limited"),
        Err(why) => Line::warn(
            "control groups",
            format!("steps run without a limit on their memory: {why}"),
            "as a service: set `Delegate=yes` in its unit (deploy/); in a container: mount /sys/fs/cgroup for writing",
        ),
    });
    lines.push(clock());
    lines
}

fn boards() -> Vec<Line> {
    let found = discover(&Roots::of_this_machine());
    let mut lines: Vec<Line> = found
        .devices
        .iter()
        .map(|device| match &device.health {
            BoardHealth::Healthy => {
                Line::ok("board", format!("{} ({}) can be used", device.id, device.board))
            }
            BoardHealth::Sick { reason } => Line::fail(
                "board",
                format!("{} ({}) cannot be used: {reason}", device.id, device.board),
                "`polyphemus devices` shows it again when that is done",
            ),
        })
        .collect();
    lines.extend(found.trouble.iter().map(|trouble| {
        Line::warn(
            "board",
            format!(
                "{} cannot be looked at: {}",
                trouble.path.display(),
                trouble.reason
            ),
            "correct its permissions if it is a board",
        )
    }));
    if lines.is_empty() {
        lines.push(Line::ok(
            "board",
            "none is attached; virtual ones are offered with SIMULATE",
        ));
    }
    lines
}

fn open_files() -> Line {
    match getrlimit(Resource::Nofile).current {
        Some(most) if most < FEW_FILES => Line::warn(
            "open files",
            format!(
                "this user may have only {most} files open, so some thousand clients at once are refused"
            ),
            "as a service: `LimitNOFILE=65536` in its unit; in a shell: `ulimit -n 65536`",
        ),
        Some(most) => Line::ok("open files", format!("{most} at once are allowed")),
        None => Line::ok("open files", "any number is allowed"),
    }
}

/// Leases are counted in wall time by the server, in steady time by workers.
fn clock() -> Line {
    let (wall, steady) = (SystemTime::now(), Instant::now());
    let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if since < EARLIEST {
        return Line::fail(
            "clock",
            format!("it says {} s since 1970, which is long ago", since.as_secs()),
            "set it, best by NTP (Debian: `apt-get install systemd-timesyncd`)",
        );
    }
    match wall.elapsed() {
        Ok(passed) if passed <= steady.elapsed() + Duration::from_secs(1) => {
            Line::ok("clock", "it goes forward, as the steady one does")
        }
        _ => Line::warn(
            "clock",
            "it was set while this looked",
            "have it kept by NTP, which does not set it back",
        ),
    }
}
