//! What a check or a copy of an instance tells while it runs: findings as lines, progress on a terminal.

use crate::neutral;
use crate::{Failure, out};
use indicatif::{ProgressBar, ProgressStyle};
use polyphemus_server::care::{CareError, Finding, News, Phase};
use serde::Serialize;

/// Tells the user what comes up.
#[derive(Debug)]
pub struct Teller {
    bar: ProgressBar,
    json: bool,
    /// What could not be written; told at the end, since a check goes on.
    failed: Option<Failure>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    finding: &'a Finding,
}

impl Teller {
    /// With `json`, each finding is a line of JSON on standard output.
    pub fn new(json: bool) -> Self {
        let bar = match out::stderr_is_terminal() {
            true => ProgressBar::new_spinner().with_style(
                ProgressStyle::with_template("{spinner} {msg}").expect("the template is a constant"),
            ),
            false => ProgressBar::hidden(),
        };
        Self {
            bar,
            json,
            failed: None,
        }
    }

    pub fn tell(&mut self, news: News) {
        match news {
            News::Progress { phase, done } => {
                self.bar.set_message(format!("{} {done}", title(phase)));
                self.bar.tick();
            }
            News::Found(finding) => {
                let text = match self.json {
                    true => json_line(&finding),
                    false => text_of(&finding),
                };
                let written = self.bar.suspend(|| out::line(&text));
                self.failed = self.failed.take().or(written.err());
            }
        }
    }

    /// Removes the progress; gives what could not be written.
    pub fn end(self) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        match self.failed {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

fn title(phase: Phase) -> &'static str {
    match phase {
        Phase::Database => "database",
        Phase::Contents => "contents",
        Phase::Jobs => "jobs",
        Phase::Logs => "logs",
    }
}

fn json_line(finding: &Finding) -> String {
    // JSON escapes what is a control character in it.
    serde_json::to_string(&Line { finding }).unwrap_or_else(|error| error.to_string())
}

fn text_of(finding: &Finding) -> String {
    let Finding {
        concerns,
        what,
        remedy,
        repaired,
    } = finding;
    let next = match repaired {
        Some(repaired) => format!("mended: {repaired}"),
        None => format!("to do: {remedy}"),
    };
    format!(
        "{}: {}\n  {}",
        neutral::line(concerns),
        neutral::line(what),
        neutral::line(&next)
    )
}

/// Why an operator's command failed.
pub fn refused(what: &'static str) -> impl FnOnce(CareError) -> Failure {
    move |error| match error {
        CareError::Io { .. }
        | CareError::Blob(_)
        | CareError::Store(_)
        | CareError::Log(_)
        | CareError::App(_) => Failure::Role {
            what,
            source: error.into(),
        },
        error => Failure::Usage(error.to_string()),
    }
}
