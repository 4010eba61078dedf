//! From starting a server to its first good answer.

use crate::args::Args;
use crate::figure::Figure;
use crate::server::Client;
use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SCENARIO: &str = "start";
const PATIENCE: Duration = Duration::from_secs(120);
const ASK_EVERY: Duration = Duration::from_millis(2);

pub(super) fn measure(args: &Args) -> anyhow::Result<Vec<Figure>> {
    let (program, words) = args.command.split_first().context("`start` needs a command")?;
    let mut client = Client::of(&args.server)?;
    anyhow::ensure!(
        client.get("/jobs.csv").is_err(),
        "a server answers at {} already; end it, or choose another address",
        args.server
    );
    let begin = Instant::now();
    let child = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("`{}` cannot be started", program.to_string_lossy()))?;
    let mut server = Started(child);
    while let Err(error) = client.get("/") {
        if let Some(status) = server.0.try_wait()? {
            anyhow::bail!("the server ended ({status}) before it answered");
        }
        anyhow::ensure!(begin.elapsed() < PATIENCE, "the server does not answer: {error}");
        std::thread::sleep(ASK_EVERY);
    }
    let answered = begin.elapsed();
    Ok(vec![Figure::time(SCENARIO, "start → first page", answered)])
}

/// Ended when dropped, politely.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.0.id().cast_signed());
        // One that has ended by itself is what is wanted.
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.0.wait();
    }
}
