//! How the supervisor starts the step's program: in its control groups, and bound to die with it.

use super::begin::Begun;
use super::descendants::kill_all;
use super::members;
use super::order::Order;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::Pid;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts the step's program in a process group of its own.
pub(super) fn start(order: &Order) -> io::Result<Pid> {
    let stdout = match &order.stdout_to {
        Some(file) => Stdio::from(create(file)?),
        None => Stdio::from(clone_of(io::stdout().as_fd())?),
    };
    let (words, _arguments) = words(order)?;
    // A sandbox asks for its own death with its parent (`--die-with-parent`), which saves the start of
    // one large program; what else `begin` does can be handed down.
    let child = if order.is_sandboxed() && order.cgroups.iter().all(|cgroup| members::is_quick(cgroup)) {
        within_its_groups(order, || spawn(order, directly(&words)?, stdout))?
    } else {
        spawn(order, by_way_of_begin(order, words), stdout)?
    };
    // Whoever writes to a step that is gone is to notice.
    nix::unistd::dup2_stderr(File::open("/dev/null")?)?;
    Pid::from_raw(child.id().cast_signed()).ok_or_else(|| io::Error::other("the step has no process id"))
}

fn spawn(order: &Order, mut command: Command, stdout: Stdio) -> io::Result<Child> {
    command
        .env_clear()
        .envs(&order.env)
        .current_dir(&order.folder)
        .stdin(Stdio::from(clone_of(io::stderr().as_fd())?))
        .stdout(stdout)
        .stderr(Stdio::from(clone_of(io::stdout().as_fd())?))
        .process_group(0)
        .spawn()
        .map_err(|error| {
            let program = command.get_program().to_string_lossy();
            io::Error::new(error.kind(), format!("`{program}` could not be started: {error}"))
        })
}

/// The command to start. With a sandbox its arguments are in a file without a name, which lives as long
/// as the second value does here, and until it is read there.
fn words(order: &Order) -> io::Result<(Vec<OsString>, Option<File>)> {
    let (program, rest) = order
        .argv
        .split_first()
        .ok_or_else(|| io::Error::other("the step names no program"))?;
    let mut words = vec![OsString::from(program)];
    let mut arguments = None;
    if order.is_sandboxed() {
        // No CLOEXEC: bwrap reads it, and closes it before it starts what is inside.
        let mut file = File::from(memfd_create("arguments", MemfdFlags::empty())?);
        for word in &order.sandbox {
            file.write_all(word.as_bytes())?;
            file.write_all(&[0])?;
        }
        file.rewind()?;
        words.extend(["--args".into(), file.as_raw_fd().to_string().into(), "--".into()]);
        arguments = Some(file);
    }
    words.extend(rest.iter().map(OsString::from));
    Ok((words, arguments))
}

fn by_way_of_begin(order: &Order, argv: Vec<OsString>) -> Command {
    let begun = Begun {
        parent: rustix::process::getpid().as_raw_pid(),
        trouble: order.trouble.clone(),
        cgroups: order.cgroups.clone(),
        argv,
    };
    let mut command = Command::new("/proc/self/exe");
    command.args(&order.role).args(begun.args());
    command
}

fn directly(words: &[OsString]) -> io::Result<Command> {
    let program = words.split_first();
    let (program, words) = program.ok_or_else(|| io::Error::other("the step names no program"))?;
    // A program with another user's rights could not be killed.
    rustix::thread::set_no_new_privs(true)?;
    let mut command = Command::new(program);
    command.args(words);
    Ok(command)
}

/// Starts a child that is in the step's control groups from its first moment, by being in them meanwhile.
fn within_its_groups(order: &Order, start: impl FnOnce() -> io::Result<Child>) -> io::Result<Child> {
    let joined = order.cgroups.iter().try_for_each(|cgroup| members::join(cgroup));
    let child = joined.and_then(|()| start());
    // Also where one could not be joined: what is limited is the step, not its supervisor.
    let left = order.cgroups.iter().try_for_each(|cgroup| members::leave(cgroup));
    match (child, left) {
        (Ok(child), Ok(())) => Ok(child),
        // What was started is killed with all that is below this process.
        (Ok(_), Err(error)) | (Err(error), _) => {
            kill_all(|_, _| {});
            Err(error)
        }
    }
}

/// A descriptor that closes when a program is started.
fn clone_of(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    fd.try_clone_to_owned()
}

/// Opens a new file; a link that lies in its place is an error, never followed.
fn create(path: &Path) -> io::Result<File> {
    File::create_new(path).map_err(|error| {
        let path = path.display();
        io::Error::new(error.kind(), format!("the output file {path}: {error}"))
    })
}
