//! Whether bubblewrap works here, found out by a run of the very profile that steps get: kernels and
//! containers forbid it in many ways.

use super::profile::Access;
use super::{Kind, Sandbox, SandboxError};
use crate::workspace::WorkerFolder;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn probe(sandbox: &Sandbox, folder: &WorkerFolder) -> Result<Kind, SandboxError> {
    let Some(program) = sandbox.find("bwrap") else {
        return Ok(Kind::Plain {
            reason: "bubblewrap is not installed here (no `bwrap` on the PATH)".to_owned(),
        });
    };
    let mut reason = String::new();
    for as_user in [true, false] {
        let program = program.clone();
        let kind = Kind::Bubblewrap { program, as_user };
        match attempt(sandbox, kind.clone(), folder).await {
            Ok(()) => return Ok(kind),
            Err(error) if reason.is_empty() => reason = error,
            Err(_) => {}
        }
    }
    Ok(Kind::Plain { reason })
}

async fn attempt(sandbox: &Sandbox, kind: Kind, folder: &WorkerFolder) -> Result<(), String> {
    let sandbox = Sandbox {
        kind,
        ..sandbox.clone()
    };
    let place = folder.attempt("probe").map_err(|error| error.to_string())?;
    let argv = vec![
        "/bin/sh".into(),
        "-c".into(),
        "test -w /job && test -r /usr".into(),
    ];
    let job = sandbox.job(&place);
    let wrapped = sandbox.wrap(&place, argv, Default::default(), &job, &Access::default());
    let (program, command) = wrapped.argv.split_first().ok_or("no command")?;
    let run = Command::new(PathBuf::from(program))
        .args(&wrapped.sandbox)
        .arg("--")
        .args(command)
        .env_clear()
        .current_dir(Path::new("/"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(PATIENCE, run).await {
        Err(_) => Err(format!(
            "bubblewrap did not answer within {} s",
            PATIENCE.as_secs()
        )),
        Ok(Err(error)) => Err(format!("bubblewrap could not be started: {error}")),
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let line = text.lines().last().unwrap_or("without a word").to_owned();
            Err(format!("bubblewrap does not work here ({line})"))
        }
    }
}
