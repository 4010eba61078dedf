//! The program `polyphemus`: parses the arguments and hands over to the role or the command.

use clap::Parser as _;
use polyphemus_cli::{Cli, allocator, out, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    // The supervisor's arguments belong to the worker that starts it, and it starts often: nothing
    // is parsed or set up before it.
    let mut arguments = std::env::args_os();
    let role = arguments.nth(1);
    if role.as_deref().is_some_and(|role| role == "supervise") {
        return polyphemus_worker::supervise::main(arguments);
    }
    allocator::settle(role.as_deref());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version count as errors here; clap knows their stream and exit code.
        Err(error) => return out::usage(&error),
    };
    match run(cli) {
        Ok(code) => code,
        Err(failure) => out::failure(&failure),
    }
}
