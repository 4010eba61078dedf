//! Runs the real program, away from what the tester's own environment says.

use std::path::Path;
use std::process::{Command, Output, Stdio};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_polyphemus");

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdin(Stdio::null());
    for (variable, _) in std::env::vars_os() {
        let is_ours = variable.to_string_lossy().starts_with("POLYPHEMUS");
        if is_ours || variable == "RUST_LOG" || variable == "NO_COLOR" {
            command.env_remove(variable);
        }
    }
    command
}

pub fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program runs")
}

pub fn run_in(folder: &Path, arguments: &[&str]) -> Output {
    let output = command(arguments).current_dir(folder).output();
    output.expect("the program runs")
}

/// The exit code and standard error.
pub fn failure(output: &Output) -> (i32, String) {
    let code = output.status.code().expect("it ended by itself");
    (code, String::from_utf8_lossy(&output.stderr).into_owned())
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
