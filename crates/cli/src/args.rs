//! What can be said on the command line; the arguments of each command are in its own file.

use crate::{
    backup, cancel, config, delete, devices, doctor, files, fsck, gc, get, import, jobs, logs, queue, rename,
    restore, retry, serve, show, submit, token, wait, worker, workers,
};
use clap::{Parser, Subcommand};

/// Shares FPGA tools and boards: hand in a design, get back its bitstream, log, numbers and results.
#[derive(Debug, Parser)]
#[command(name = "polyphemus", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus serve --simulate ice40-hx8k               a server with a worker and a virtual board
  polyphemus submit examples/blinky -o mode=hw_emu --follow
  polyphemus get last -o results                       the files of the newest job

The server is --server URL, else the variable POLYPHEMUS, else http://127.0.0.1:8000.
A token is taken from --token-file FILE, else the variable POLYPHEMUS_TOKEN, else the address http://me:TOKEN@HOST.

Exit codes:
  0  good
  1  the job failed or was cancelled
  2  wrong use: an argument, a path or a request that cannot be
  3  the server or the network failed";

#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(serve::Args),
    Worker(worker::Args),
    Submit(submit::Args),
    Jobs(jobs::Args),
    Show(show::Args),
    Logs(logs::Args),
    Files(files::Args),
    Get(get::Args),
    Wait(wait::Args),
    Cancel(cancel::Args),
    Retry(retry::Args),
    Rename(rename::Args),
    Delete(delete::Args),
    Queue(queue::Args),
    Workers(workers::Args),
    Devices(devices::Args),
    Config(config::Args),
    Token(token::Args),
    Fsck(fsck::Args),
    Gc(gc::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Import(import::Args),
    Doctor(doctor::Args),
}
