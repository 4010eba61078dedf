//! The supervisor as a program of its own, for this crate's tests; users have it as a hidden role of
//! `polyphemus`.

use std::process::ExitCode;

fn main() -> ExitCode {
    polyphemus_worker::supervise::main(std::env::args_os().skip(1))
}
