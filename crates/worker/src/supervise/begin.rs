//! `supervise begin`: what has to happen in the step's own process before its program takes over.
//! The only place for it, since a hook between fork and exec cannot be written without unsafe code.

use super::members;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

pub(super) const ROLE: &str = "begin";

/// What `supervise begin` is told in its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The supervisor, whose death is to kill the program.
    pub parent: i32,
    /// Where a sentence goes if the program cannot be started.
    pub trouble: PathBuf,
    pub cgroups: Vec<PathBuf>,
    pub argv: Vec<OsString>,
}

impl Begun {
    /// `begin PARENT TROUBLE CGROUP… -- ARGV…`
    pub(super) fn args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec![
            ROLE.into(),
            self.parent.to_string().into(),
            self.trouble.clone().into(),
        ];
        args.extend(self.cgroups.iter().map(OsString::from));
        args.push("--".into());
        args.extend(self.argv.iter().cloned());
        args
    }

    fn parse(args: &[OsString]) -> Option<Self> {
        let dashes = args.iter().position(|arg| arg == "--")?;
        let (before, after) = args.split_at(dashes);
        let [parent, trouble, cgroups @ ..] = before else {
            return None;
        };
        Some(Self {
            parent: parent.to_str()?.parse().ok()?,
            trouble: trouble.into(),
            cgroups: cgroups.iter().map(PathBuf::from).collect(),
            argv: after[1..].to_vec(),
        })
    }
}

pub(super) fn begin(args: &[OsString]) -> ExitCode {
    let Some(begun) = Begun::parse(args) else {
        return ExitCode::from(super::WRONG_USE);
    };
    let message = match begun.argv.split_first() {
        Some((program, rest)) => match prepare(&begun) {
            Ok(()) => failed_to_run(program, Command::new(program).args(rest).exec()),
            Err(error) => format!("the step could not be set up: {error}"),
        },
        None => "the step names no program".to_owned(),
    };
    // Should this file not be written either, the supervisor still sees the exit code.
    let _ = std::fs::write(&begun.trouble, message);
    ExitCode::from(126)
}

fn prepare(begun: &Begun) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The supervisor may have died before the signal was asked for.
    if getppid() != Pid::from_raw(begun.parent) {
        return Err(io::Error::other("its supervisor is gone"));
    }
    // A program with another user's rights could not be killed.
    rustix::thread::set_no_new_privs(true)?;
    begun.cgroups.iter().try_for_each(|cgroup| members::join(cgroup))
}

fn failed_to_run(program: &OsStr, error: io::Error) -> String {
    format!("`{}` could not be started: {error}", program.to_string_lossy())
}
