//! Tells glibc's memory allocator to keep the roles that run for months small. It can be told only by
//! the environment at the start of a program, so that the program starts itself once more.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

const TUNABLES: &str = "GLIBC_TUNABLES";
/// Two arenas for all threads instead of eight for each processor, each of which keeps what it once
/// needed; and buffers of up to 8 MiB come from them instead of from the kernel, fresh each time.
const WISHES: &str =
    "glibc.malloc.arena_max=2:glibc.malloc.mmap_threshold=8388608:glibc.malloc.trim_threshold=8388608";

/// Starts the program anew where it plays a role that stays, unless the environment has wishes of its
/// own, as it has after this. Returns where nothing is to be done, or it cannot be done.
pub fn settle(role: Option<&OsStr>) {
    let stays = role.is_some_and(|role| role == "serve" || role == "worker");
    if !stays || !cfg!(target_env = "gnu") || std::env::var_os(TUNABLES).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut words = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    // It comes back only with an error; then more memory is used, and nothing is lost.
    let _ = command.args(words).env(TUNABLES, WISHES).exec();
}
