//! Exists so that the tests can link what the program `polyphemus` is made of: its roles (`serve`,
//! `worker`) and the commands of its users, a file for each.
//!
//! - Invariant: nothing but `out` writes to standard output or standard error.
//! - Invariant: what a server or a job says never reaches a terminal with control characters in it.

pub mod allocator;
pub mod args;
pub mod card;
pub mod failure;
pub mod follow;
pub mod job_ref;
pub mod moment;
pub mod neutral;
pub mod out;
pub mod pack;
pub mod palette;
pub mod server;
pub mod table;

mod backup;
mod cancel;
mod config;
mod delete;
mod devices;
mod doctor;
pub mod files;
mod fsck;
mod gc;
pub mod get;
mod import;
pub mod jobs;
mod logging;
mod logs;
mod news;
mod notify;
mod progress;
pub mod queue;
mod rename;
mod restore;
mod retry;
mod serve;
pub mod show;
mod simulate;
mod stand_ins;
mod stop;
mod submit;
mod token;
mod wait;
mod worker;
pub mod workers;

pub use args::Cli;
pub use failure::Failure;

use args::Command;
use std::process::ExitCode;

/// Does what the arguments say. The exit code of a success may tell that a *job* failed.
pub fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let mut builder = match &cli.command {
        Command::Serve(_) | Command::Worker(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|source| Failure::local("the program cannot start its threads", source))?;
    let outcome = runtime.block_on(dispatch(cli.command));
    // Whatever still reads standard input or waits for a name server must not hold up the end.
    runtime.shutdown_background();
    outcome
}

async fn dispatch(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Worker(args) => worker::run(args).await,
        Command::Submit(args) => submit::run(args).await,
        Command::Jobs(args) => jobs::run(args).await,
        Command::Show(args) => show::run(args).await,
        Command::Logs(args) => logs::run(args).await,
        Command::Files(args) => files::run(args).await,
        Command::Get(args) => get::run(args).await,
        Command::Wait(args) => wait::run(args).await,
        Command::Cancel(args) => cancel::run(args).await,
        Command::Retry(args) => retry::run(args).await,
        Command::Rename(args) => rename::run(args).await,
        Command::Delete(args) => delete::run(args).await,
        Command::Queue(args) => queue::run(args).await,
        Command::Workers(args) => workers::run(args).await,
        Command::Devices(args) => devices::run(args),
        Command::Config(args) => config::run(&args),
        Command::Token(args) => token::run(args).await,
        Command::Fsck(args) => fsck::run(args).await,
        Command::Gc(args) => gc::run(args).await,
        Command::Backup(args) => backup::run(args).await,
        Command::Restore(args) => restore::run(args).await,
        Command::Import(args) => import::run(args).await,
        Command::Doctor(args) => doctor::run(args).await,
    }
}
