//! The hidden role `polyphemus supervise`: a process with a single thread that stands between the
//! worker and one step, so that nothing of the step is left whatever happens to either of them.
//!
//! The worker holds the other end of the socket that is its standard input. The first line is an
//! [`Order`] as JSON; a line `term` asks the step to end; the end of the input means that the worker is
//! done with the step or dead, and kills everything at once. (A death signal from the parent would not
//! do for this: it fires when the *thread* that forked ends, and the threads of an async runtime do.)
//! The [`Status`] goes back when nothing of the step is left. Standard output is what the step writes
//! to, standard error is what the step gets as its input. Nothing is ever written to either of them here.

mod begin;
mod descendants;
mod members;
mod order;
mod start;
mod watch;

pub use begin::Begun;
pub use descendants::{descendants, kill_marked};
pub use order::{Ended, Order, Status};

use std::ffi::OsString;
use std::process::ExitCode;

/// The exit code for wrong use; no step can be confused with it, as its own code is in the status.
const WRONG_USE: u8 = 2;

/// `supervise` as the worker starts it, or `supervise begin …` as it starts the step's own program.
/// `args` are those after the name of the role.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    match args.split_first() {
        None => watch::watch(),
        Some((first, rest)) if first == begin::ROLE => begin::begin(rest),
        Some(_) => ExitCode::from(WRONG_USE),
    }
}
