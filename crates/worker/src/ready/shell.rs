//! A shell in a sandbox, under its supervisor and in its control groups, that becomes the first program
//! of an attempt.

use super::script::script;
use crate::cgroup::Cgroup;
use crate::machine::Machine;
use crate::process::Process;
use crate::sandbox::Access;
use crate::workspace::AttemptFolder;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::io::{PipeWriter, Write as _};
use std::path::Path;

const SHELL: &str = "/bin/sh";
/// By this it is known that the shell is there: from then on the folders can be renamed.
const GREETING: &str = "ready";
/// Less than a pipe holds, so that nobody waits for the shell.
const SCRIPT_BYTES: usize = 32 << 10;

/// Dropped, it is killed.
#[derive(Debug)]
pub struct Shell {
    process: Option<Process>,
    input: PipeWriter,
    access: Access,
    cgroup: Option<Cgroup>,
}

impl Shell {
    pub(super) async fn start(
        machine: &Machine,
        folder: &AttemptFolder,
        access: Access,
        number: u64,
    ) -> anyhow::Result<Self> {
        let sandbox = &machine.sandbox;
        let mut env = sandbox.environment(folder);
        env.extend([machine.mark()]);
        let mut wrapped = sandbox.wrap(folder, vec![SHELL.to_owned()], env, &sandbox.job(folder), &access);
        wrapped.env.extend([machine.mark()]);
        let cgroup = machine
            .cgroup(&format!("ready-{number}"))
            .context("no control group could be made")?;
        let (reader, mut input) = std::io::pipe().context("no pipe could be made")?;
        let order = machine.order(wrapped, None, cgroup.as_ref());
        writeln!(input, "echo {GREETING}")?;
        let process = Process::start(&machine.config.supervisor, order, Some(reader.into())).await?;
        let mut shell = Self {
            process: Some(process),
            input,
            access,
            cgroup,
        };
        if shell.is_there().await {
            return Ok(shell);
        }
        shell.end().await;
        anyhow::bail!("no shell could be started in the sandbox")
    }

    async fn is_there(&mut self) -> bool {
        match &mut self.process {
            Some(process) => process.says(format!("{GREETING}\n").as_bytes()).await,
            None => false,
        }
    }

    /// Becomes the program `argv` with all of `env` in `folder`, a path as the program sees it. `None`
    /// where it cannot, and a new process has to be started.
    pub fn become_program(
        mut self,
        argv: &[String],
        env: &BTreeMap<String, String>,
        folder: &Path,
        access: &Access,
    ) -> Option<(Process, Option<Cgroup>)> {
        let script = script(argv, env, folder).filter(|script| script.len() <= SCRIPT_BYTES)?;
        let process = self.process.as_mut()?;
        if self.access != *access || !process.is_alive() {
            return None;
        }
        process.begins_now();
        // It fails where the shell is gone.
        self.input.write_all(script.as_bytes()).ok()?;
        Some((self.process.take()?, self.cgroup.take()))
    }

    /// Kills it and waits for its end.
    pub async fn end(mut self) {
        if let Some(process) = self.process.take() {
            process.end().await;
        }
        drop(self.cgroup.take());
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Its supervisor removes the groups, when it has killed what is in them.
        if let Some(cgroup) = self.cgroup.take() {
            cgroup.leave_to_supervisor();
        }
    }
}
