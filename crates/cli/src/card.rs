//! The result card: all that a user wants to know of a job that is over, on one screen.

use crate::moment::{duration, now_ms};
use crate::neutral;
use crate::palette::Palette;
use crate::server::Server;
use polyphemus_api::job::{Job, JobStage};
use polyphemus_core::JobState;
use polyphemus_core::cause::Cause;
use polyphemus_core::report::{Clock, Report, Utilisation};
use polyphemus_core::result::Verdict;
use polyphemus_reports::summary;
use std::fmt::Write as _;

/// The width of the names on the left.
const NAMES: usize = 11;

/// The card, each line with its newline. Foreign text in it is neutral.
pub fn render(job: &Job, server: &Server, palette: Palette) -> String {
    let mut card = Card {
        text: String::new(),
        palette,
    };
    card.line(
        "job",
        &format!("{}  {}", job.id, palette.bold(&neutral::line(&job.title))),
    );
    card.line("state", &state(job, palette));
    card.line(
        "flow",
        &format!("{}, mode {}", job.flow, neutral::line(&job.mode)),
    );
    for stage in &job.stages {
        if let Some(cause) = &stage.cause {
            card.cause(stage, cause);
        }
        if let Some(reason) = &stage.waiting_for {
            card.line("waiting", &neutral::line(reason));
        }
        if let Some(verdict) = &stage.verdict {
            card.verdict(verdict);
        }
        if let Some(device) = &stage.device {
            card.line("board", &neutral::line(device));
        }
        for (name, value) in &stage.values {
            card.line(name, &neutral::line(value));
        }
    }
    card.numbers(job);
    card.files(job, server);
    for note in &job.notes {
        card.line("note", &neutral::line(note));
    }
    if let Some(page) = server.page(&job.id) {
        card.line("page", &page);
    }
    card.text
}

/// The state, in its colour, with the time that the job took or has taken so far.
pub fn state(job: &Job, palette: Palette) -> String {
    let took = duration(job.finished_ms.unwrap_or_else(now_ms) - job.submitted_ms);
    let cancelling = job.stages.iter().any(|stage| stage.cancelling);
    let word = if cancelling {
        "Cancelling"
    } else {
        job.state.title()
    };
    let word = match job.state {
        JobState::Done => palette.good(word),
        JobState::Failed | JobState::Cancelled => palette.bad(word),
        _ => palette.busy(word),
    };
    let preposition = if job.state.is_terminal() { "after" } else { "for" };
    format!("{word} {preposition} {took}")
}

struct Card {
    text: String,
    palette: Palette,
}

impl Card {
    fn line(&mut self, name: &str, value: &str) {
        let name = self.palette.dim(&format!("{name:<NAMES$}"));
        let line = format!("{name} {value}");
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn more(&mut self, value: &str) {
        let _ = writeln!(self.text, "{:NAMES$} {value}", "");
    }

    fn cause(&mut self, stage: &JobStage, cause: &Cause) {
        let title = self.palette.bad(cause.kind.title());
        let step = cause.step.as_deref().map(neutral::line);
        let place = match (step, cause.exit_code) {
            (Some(step), Some(code)) => format!("stage {}, step {step}, exit code {code}", stage.name),
            (Some(step), None) => format!("stage {}, step {step}", stage.name),
            (None, Some(code)) => format!("stage {}, exit code {code}", stage.name),
            (None, None) => format!("stage {}", stage.name),
        };
        self.line("cause", &format!("{title} ({place})"));
        for line in cause.message.lines() {
            self.more(&neutral::line(line));
        }
        if let Some(line) = &cause.line {
            self.line("log says", &neutral::line(line));
        }
    }

    fn verdict(&mut self, verdict: &Verdict) {
        let word = if verdict.passed {
            self.palette.good("passed")
        } else {
            self.palette.bad("failed")
        };
        self.line("verdict", &format!("{word}: {}", neutral::line(&verdict.line)));
    }

    fn numbers(&mut self, job: &Job) {
        let reports: Vec<Report> = job
            .stages
            .iter()
            .flat_map(|stage| stage.reports.clone())
            .collect();
        let summary = summary(&reports);
        let width = |names: &mut dyn Iterator<Item = usize>| names.max().unwrap_or(0).min(40);
        let cells = width(
            &mut summary
                .utilisation
                .iter()
                .map(|kind| kind.resource.chars().count()),
        );
        for (index, kind) in summary.utilisation.iter().enumerate() {
            let name = if index == 0 { "cells" } else { "" };
            let row = self.utilisation(kind, cells);
            self.line(name, &row);
        }
        let clocks = width(&mut summary.clocks.iter().map(|clock| clock.name.chars().count()));
        for clock in &summary.clocks {
            let row = self.clock(clock, clocks);
            self.line("clock", &row);
        }
    }

    fn utilisation(&self, kind: &Utilisation, width: usize) -> String {
        let resource = neutral::line(&kind.resource);
        let used = kind.used;
        let Some(available) = kind.available else {
            return format!("{resource:<width$} {used:>8}");
        };
        let row = format!("{resource:<width$} {used:>8} of {available:>8}");
        let row = if available == 0 {
            row
        } else {
            format!("{row} {:>6.1} %", used as f64 * 100.0 / available as f64)
        };
        if used > available {
            self.palette.bad(&row)
        } else {
            row
        }
    }

    fn clock(&self, clock: &Clock, width: usize) -> String {
        let name = neutral::line(&clock.name);
        let row = format!("{name:<width$} {:>8.2} MHz", clock.achieved_mhz);
        match (clock.wanted_mhz, clock.met()) {
            (Some(wanted), Some(true)) => {
                format!("{row}, wished {wanted:.2} MHz: {}", self.palette.good("met"))
            }
            (Some(wanted), _) => format!("{row}, wished {wanted:.2} MHz: {}", self.palette.bad("not met")),
            (None, _) => row,
        }
    }

    /// The bitstream and how to get it, or how to get whatever there is.
    fn files(&mut self, job: &Job, server: &Server) {
        let bitstream = job
            .stages
            .iter()
            .rev()
            .find_map(|stage| stage.bitstream.as_deref());
        if let Some(path) = bitstream {
            self.line("bitstream", &neutral::line(path));
            let get = server.command(&format!("get {} {}", job.id, shell_word(path)));
            self.more(&get);
        } else if job.stages.iter().any(|stage| stage.tree.is_some()) {
            self.line("files", &server.command(&format!("get {}", job.id)));
        }
    }
}

/// A path as a shell reads it.
fn shell_word(path: &str) -> String {
    let path = neutral::line(path);
    let is_plain = path
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_./+=,:@".contains(&b));
    if is_plain && !path.starts_with('-') {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}
