//! The original's API as a load program needs it: submit, ask for a job, read its log, list, end.

use crate::design;
use crate::http::{Address, Body, Connection, HttpError};
use serde::Deserialize;
use std::time::{Duration, Instant};

/// A job that is not run, only made: nothing but its Makefile is measured.
pub const MAKE_ONLY: [(&str, &str); 2] = [("make", "1"), ("skipexec", "1")];

/// How often a job is asked for: often enough to see its end, seldom enough to cost nothing.
const ASK_EVERY: Duration = Duration::from_millis(10);
/// How long a job may take; the original looks for work every 2 s.
const PATIENCE: Duration = Duration::from_secs(300);

/// One client of one server.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
}

/// How a job is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Job {
    pub state: String,
}

impl Job {
    pub fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "done" | "failed" | "cancelled")
    }
}

impl Client {
    pub fn of(server: &str) -> Result<Self, HttpError> {
        Ok(Self {
            connection: Address::parse(server)?.connection(),
        })
    }

    /// Hands in an archive; gives the job's id.
    pub fn submit(&mut self, archive: &[u8]) -> Result<String, HttpError> {
        let form = design::form(archive, &MAKE_ONLY);
        self.submit_form(form.len() as u64, &mut |to| to.write_all(&form))
    }

    /// Hands in a form with the boundary of [`design::FORM`].
    pub fn submit_form(
        &mut self,
        length: u64,
        write: &mut dyn FnMut(&mut dyn std::io::Write) -> std::io::Result<()>,
    ) -> Result<String, HttpError> {
        let kind = design::FORM;
        let answer = self.connection.post("/jobs", Body { kind, length, write })?;
        let id = String::from_utf8_lossy(&answer).trim().to_owned();
        match is_id(&id) {
            true => Ok(id),
            false => Err(HttpError::NotHttp(format!(
                "the id of a job, but {:?}",
                id.chars().take(80).collect::<String>()
            ))),
        }
    }

    pub fn job(&mut self, id: &str) -> Result<Job, HttpError> {
        let answer = self.connection.get(&format!("/jobs/{id}"))?;
        serde_json::from_slice(&answer).map_err(|error| HttpError::NotHttp(error.to_string()))
    }

    /// The job once it is over.
    pub fn wait_for(&mut self, id: &str) -> Result<Job, HttpError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let job = self.job(id)?;
            if job.is_over() {
                return Ok(job);
            }
            if Instant::now() > until {
                return Err(HttpError::NotHttp(format!(
                    "the end of a job within {} s; its state is {:?}",
                    PATIENCE.as_secs(),
                    job.state
                )));
            }
            std::thread::sleep(ASK_EVERY);
        }
    }

    pub fn log(&mut self, id: &str) -> Result<String, HttpError> {
        let log = self.connection.get(&format!("/jobs/{id}/log.txt"))?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }

    /// Sets the state by the form of the job's page.
    pub fn set_state(&mut self, id: &str, state: &str) -> Result<(), HttpError> {
        let form = format!("state={state}");
        let body = Body {
            kind: "application/x-www-form-urlencoded",
            length: form.len() as u64,
            write: &mut |to| to.write_all(form.as_bytes()),
        };
        self.connection
            .post(&format!("/jobs/{id}.html"), body)
            .map(|_| ())
    }

    pub fn get(&mut self, path: &str) -> Result<Vec<u8>, HttpError> {
        self.connection.get(path)
    }
}

/// The original's ids are 11 characters of URL-safe base64.
fn is_id(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (1..=64).contains(&text.len()) && text.chars().all(fits)
}
