//! The repository's examples on the virtual board, with their own host programs.
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use polyphemus_device::simulate::{self, Summary, Tools};
use tempfile::TempDir;

use crate::running::Running;
use crate::toolchain::{bitstream, carry_out, run, spawn};

#[test]
fn the_vector_adders_host_program_finds_every_sum_right() {
    let sources = ["top.v", "vadd.v", "uart_rx.v", "uart_tx.v"];
    let summary = host_against_board("vadd", "ice40-hx1k", &sources, &["host.c"]);
    assert_eq!((summary.bytes_dropped, summary.framing_errors), (0, 0));
    assert!(summary.bytes_to_host >= 1140, "{summary:?}");
}

#[test]
fn the_sha256_cores_host_program_finds_every_digest_right() {
    let sources = [
        "rtl/sha256.sv",
        "rtl/sha256_core.sv",
        "rtl/top.sv",
        "rtl/uart_rx.v",
        "rtl/uart_tx.v",
    ];
    let summary = host_against_board("sha256", "ice40-hx8k", &sources, &["host.c", "reference.c"]);
    assert_eq!((summary.bytes_dropped, summary.framing_errors), (0, 0));
}

/// Builds the example, executes its bitstream, and runs its host program against it until it exits with 0.
fn host_against_board(example: &str, board: &str, sources: &[&str], host: &[&str]) -> Summary {
    let example_folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(example);
    let folder = TempDir::new().unwrap();
    let board = simulate::board(board).unwrap();
    let sources: Vec<PathBuf> = sources.iter().map(|name| example_folder.join(name)).collect();
    let pcf = example_folder.join(format!("{example}.pcf"));
    bitstream(folder.path(), board, &sources, "top", "", &pcf);
    let mut compile = vec!["cc", "-O2", "-o", "host"];
    let host: Vec<_> = host
        .iter()
        .map(|name| example_folder.join(name).display().to_string())
        .collect();
    compile.extend(host.iter().map(String::as_str));
    run(folder.path(), &compile);

    let begin = Instant::now();
    let work = folder.path().join("board");
    std::fs::create_dir(&work).unwrap();
    let recipe = simulate::virtual_board(board, "../design.bin", &Tools::of_debian(2));
    let program = carry_out(&recipe, &work).unwrap();
    eprintln!(
        "{example}: the board was made in {:.1} s",
        begin.elapsed().as_secs_f64()
    );

    let begin = Instant::now();
    let mut running = Running::start(&program, &[]);
    let mut host = Command::new(folder.path().join("host"));
    host.arg(running.port.as_ref().unwrap()).stdin(Stdio::null());
    let status = spawn(&mut host).wait().unwrap();
    let summary = running.end();
    eprintln!(
        "{example}: the host program took {:.2} s, {summary:?}",
        begin.elapsed().as_secs_f64()
    );
    assert!(
        status.success(),
        "the host program ended with {status}; {summary:?}"
    );
    summary
}
