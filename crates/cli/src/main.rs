//! The program `polyphemus`: parses the arguments and hands over to the role or the command.

use clap::Parser as _;
use polyphemus_cli::{Cli, out, run};
use std::process::ExitCode;

fn main() -> ExitCode {
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
