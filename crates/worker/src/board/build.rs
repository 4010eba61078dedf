//! Carries out the recipe that turns a bitstream into the program of a virtual board.

use super::failed;
use crate::backoff::chain;
use crate::run::{Attempt, Fault, Program, StdoutTo};
use crate::sandbox::Access;
use futures::future::join_all;
use polyphemus_core::cause::CauseKind;
use polyphemus_device::Device;
use polyphemus_device::simulate::{self, Command, NewFile, Step, Transform};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The logic of the largest part that can be read back takes some 10 MB of Verilog.
const INPUT_BYTES: u64 = 512 << 20;

/// Gives the program's path as a step sees it. `bitstream` is one, too.
pub(super) async fn build(
    attempt: &Attempt<'_>,
    device: &Device,
    bitstream: &Path,
) -> Result<PathBuf, Fault> {
    let board = simulate::board(&device.board).map_err(|error| failed(CauseKind::Device, chain(&error)))?;
    let tools = &attempt.machine.board_tools;
    let recipe = simulate::virtual_board(board, &bitstream.to_string_lossy(), tools);
    write(attempt, &recipe.files)?;
    for step in &recipe.steps {
        match step {
            Step::Together(commands) => {
                let runs = commands.iter().map(|command| run(attempt, command));
                join_all(runs).await.into_iter().collect::<Result<(), Fault>>()?;
            }
            Step::Transform { input, transform } => apply(attempt, input, transform).await?,
        }
    }
    Ok(attempt
        .machine
        .sandbox
        .board(&attempt.folder)
        .join(recipe.product))
}

/// Lets the virtual board run for some clock cycles and end.
pub(super) async fn run_cycles(attempt: &Attempt<'_>, program: &Path, cycles: u64) -> Result<(), Fault> {
    let argv = vec![
        program.to_string_lossy().into_owned(),
        "--cycles".into(),
        cycles.to_string(),
    ];
    let ran = attempt
        .start_and_wait(in_board_folder(attempt, "run the virtual board", argv), |_| {})
        .await?;
    match ran.is_good() {
        true => Ok(()),
        false => Err(failed(
            CauseKind::NotExecutable,
            format!(
                "the virtual board did not run to its end ({}); the log says why",
                ran.end_in_words()
            ),
        )),
    }
}

/// A program that sees the board's folder and, read-only, the workspace.
pub(super) fn in_board_folder(attempt: &Attempt<'_>, title: &str, argv: Vec<String>) -> Program {
    Program {
        title: title.to_owned(),
        argv,
        folder: attempt.machine.sandbox.board(&attempt.folder),
        access: Access {
            is_board: true,
            ..Access::default()
        },
        ..Program::default()
    }
}

async fn run(attempt: &Attempt<'_>, command: &Command) -> Result<(), Fault> {
    let mut program = in_board_folder(attempt, &command.title, command.argv.clone());
    program.env.extend(command.env.iter().cloned());
    program.stdout_to = match &command.stdout {
        Some(file) => Some(StdoutTo::Fresh(fresh(attempt, file)?)),
        None => None,
    };
    let ran = attempt.start_and_wait(program, |_| {}).await?;
    if ran.is_good() {
        return Ok(());
    }
    Err(failed(
        CauseKind::NotExecutable,
        format!(
            "the bitstream could not be made executable: `{}` failed ({}); the log says why",
            command.title,
            ran.end_in_words()
        ),
    ))
}

async fn apply(attempt: &Attempt<'_>, input: &Path, transform: &Transform) -> Result<(), Fault> {
    let path = attempt.folder.board().join(input);
    let transform = transform.clone();
    // Some seconds of pure computing for a full part.
    let made = tokio::task::spawn_blocking(move || -> Result<_, String> {
        let text = read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        transform.apply(&text).map_err(|error| chain(&error))
    });
    let files = made
        .await
        .map_err(|error| Fault::trouble("read the bitstream back", &error))?
        .map_err(|message| failed(CauseKind::NotExecutable, message))?;
    write(attempt, &files)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(INPUT_BYTES)
        .read_to_string(&mut text)?;
    Ok(text)
}

fn write(attempt: &Attempt<'_>, files: &[NewFile]) -> Result<(), Fault> {
    for NewFile { path, text } in files {
        let path = fresh(attempt, path)?;
        std::fs::File::create_new(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| Fault::trouble(&format!("write {}", path.display()), &error))?;
    }
    Ok(())
}

/// The path of a file of the recipe, with nothing there and its folder made.
fn fresh(attempt: &Attempt<'_>, relative: &Path) -> Result<PathBuf, Fault> {
    let path = attempt.folder.board().join(relative);
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let removed = made.and_then(|()| match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    });
    removed
        .map(|()| path.clone())
        .map_err(|error| Fault::trouble(&format!("make place for {}", path.display()), &error))
}
