//! End to end: the real program, the real open toolchain, a real browser. One file for each question.

#![allow(clippy::panic, reason = "a test ends by panic, and says why")]

mod browser;
mod crash;
mod designs;
mod disk;
mod examples;
mod faults;
mod kill_points;
mod load;
mod operator;
mod separate_worker;
mod served;
mod upgrade;

use polyphemus_api::job::{Job, JobStage};
use polyphemus_testkit::TestServer;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_polyphemus");

/// Longer than any example takes on a slow machine.
const BOUND: Duration = Duration::from_secs(600);

fn start(arguments: &[&str]) -> TestServer {
    TestServer::start(PROGRAM, arguments)
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
}

fn stage<'a>(job: &'a Job, name: &str) -> &'a JobStage {
    job.stages
        .iter()
        .find(|stage| stage.name.as_str() == name)
        .unwrap_or_else(|| panic!("the job has no stage {name}: {:?}", job.stages))
}

/// Submits a folder, waits for its end, and says the whole story where it is not the expected one.
async fn job_of(server: &TestServer, folder: &Path, options: &[&str], expected: &str) -> Job {
    let id = server.submit(folder, options);
    let job = server.finished(&id, BOUND).await;
    if job.state.as_str() != expected {
        panic!(
            "{} ended as {}, not {expected}\n{:#?}\n{}",
            folder.display(),
            job.state,
            job.stages,
            server.log(&id).await
        );
    }
    job
}
