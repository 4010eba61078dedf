//! What the end of a step means: the plan's own rules first, then the causes that every program shares.

use super::program::{Ran, bytes_in_words, seconds};
use super::stage::Fault;
use crate::process::End;
use crate::scan::Scan;
use crate::workspace::AttemptFolder;
use polyphemus_core::cause::{Cause, CauseKind};
use polyphemus_core::plan::{FailureRule, Poll, Run};
use polyphemus_core::result::Verdict;
use regex::Regex;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;

const SIGXFSZ: i32 = 25;
const SIGKILL: i32 = 9;
const KILLED_CODE: i32 = 128 + SIGKILL;

/// Looks at a step's output while it comes.
#[derive(Debug)]
pub(super) struct Judge {
    scan: Scan,
    /// Which of the scan's patterns belongs to each failure rule.
    rules: Vec<Option<usize>>,
    /// The scan's patterns for a failed and a passed test.
    verdict: Option<(usize, usize)>,
    /// The scan's pattern for lines that tell of trouble in every tool's words.
    trouble: usize,
    /// What the program is to tell: the name, the expression, and the scan's pattern of it.
    tells: Vec<(String, Regex, usize)>,
    /// The scan's patterns of a poll's answers: it is there, and not yet.
    answers: Option<(usize, usize)>,
}

/// How programs begin to tell of trouble when no rule of the plan knows them: `error:`, `*** [all]
/// Error 2`, `command not found`, `No such file or directory`.
const TROUBLE: &str =
    r"(?i)\b(error|fatal|not found|no such file|undefined reference|permission denied|traceback)\b";

/// The outcome of a step, and what its program said of the design.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) outcome: Result<(), Cause>,
    pub(super) verdict: Option<Verdict>,
    /// Values by their names.
    pub(super) told: BTreeMap<String, String>,
}

/// What a question of a poll has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    /// No answer yet, in the words of whoever was asked.
    Pending(String),
    Failed(Cause),
}

impl Judge {
    pub(super) fn new(run: &Run) -> Result<Self, regex::Error> {
        Self::with(run, None)
    }

    pub(super) fn of_poll(poll: &Poll) -> Result<Self, regex::Error> {
        Self::with(&poll.ask, Some((&poll.done, &poll.pending)))
    }

    fn with(run: &Run, answers: Option<(&String, &String)>) -> Result<Self, regex::Error> {
        let mut patterns = Vec::new();
        let mut add = |pattern: &String| {
            patterns.push(pattern.clone());
            patterns.len() - 1
        };
        let rules = run
            .failures
            .iter()
            .map(|rule| rule.line.as_ref().map(&mut add))
            .collect();
        let verdict = run
            .verdict
            .as_ref()
            .map(|rule| (add(&rule.failed), add(&rule.passed)));
        let trouble = add(&TROUBLE.to_owned());
        let tells = run.tells.iter();
        let tells = tells.map(|(name, line)| Ok((name.clone(), Regex::new(line)?, add(line))));
        let tells = tells.collect::<Result<_, regex::Error>>()?;
        let answers = answers.map(|(done, pending)| (add(done), add(pending)));
        Ok(Self {
            tells,
            answers,
            scan: Scan::new(&patterns)?,
            rules,
            verdict,
            trouble,
        })
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.scan.feed(bytes);
    }

    /// Looks through the file that standard output went to; what cannot be read holds no lines.
    pub(super) fn read_file(&mut self, run: &Run, folder: &AttemptFolder) {
        self.scan.end();
        let path = run.stdout_to.as_deref().and_then(|file| folder.find(file));
        let Some(mut file) = path.and_then(|path| File::open(path).ok()) else {
            return;
        };
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = file.read(&mut buffer) {
            self.scan.feed(&buffer[..count]);
        }
        self.scan.end();
    }

    pub(super) fn judge(&self, run: &Run, ran: &Ran, is_there: impl Fn(&str) -> bool) -> Judged {
        let mut outcome = self.outcome(run, ran, is_there);
        let told = self.told();
        if let (Ok(()), Some((name, ..))) = (
            &outcome,
            self.tells.iter().find(|(name, ..)| !told.contains_key(name)),
        ) {
            outcome = Err(self.rule_cause(run, &ran.finished.end).unwrap_or_else(|| {
                let message = format!(
                    "`{}` ended well but did not tell `{name}`; the log shows what it said",
                    run.title
                );
                Cause::new(CauseKind::MissingOutput, message)
            }));
        }
        let verdict = self.verdict.and_then(|patterns| self.verdict_of(patterns, ran));
        if let (Ok(()), Some(verdict @ Verdict { passed: false, .. })) = (&outcome, &verdict) {
            let known = self.rule_cause(run, &ran.finished.end);
            outcome = Err(known.unwrap_or_else(|| {
                let mut cause = Cause::new(
                    CauseKind::TestFailed,
                    "the test says that the design is wrong; the line below is what it said",
                );
                cause.line = Some(verdict.line.clone());
                cause
            }));
        }
        if let Err(cause @ Cause { line: None, .. }) = &mut outcome {
            cause.line = self.telling_line(cause.kind);
        }
        Judged {
            outcome: outcome.map_err(|cause| Cause {
                step: Some(run.title.clone()),
                exit_code: match ran.finished.end {
                    End::Exited { code } => Some(code),
                    _ => None,
                },
                ..cause
            }),
            verdict,
            told,
        }
    }

    /// What the answer to a question means, once it was judged as every program is.
    pub(super) fn answer(&self, poll: &Poll, ran: &Ran, judged: Judged) -> Answer {
        let found = |pattern| self.scan.found(pattern).map(|found| found.last.clone());
        let (done, pending) = self
            .answers
            .map_or((None, None), |(done, pending)| (found(done), found(pending)));
        match (judged.outcome, &ran.finished.end, done, pending) {
            (Ok(()), _, Some(_), _) => Answer::Done,
            (_, _, _, Some(line)) => Answer::Pending(line),
            (_, End::TimeLimit, ..) => Answer::Pending(format!("no answer within {}", seconds(ran.time))),
            (Err(cause), ..) => Answer::Failed(cause),
            (Ok(()), end, None, None) => Answer::Failed(Cause {
                step: Some(poll.ask.title.clone()),
                ..self.rule_cause(&poll.ask, end).unwrap_or_else(|| {
                    let message = format!(
                        "the answer to `{}` is none that is known; the end of the log shows it",
                        poll.ask.title
                    );
                    Cause::new(CauseKind::MissingOutput, message)
                })
            }),
        }
    }

    /// The last of each value that the output has.
    fn told(&self) -> BTreeMap<String, String> {
        let value = |line: &Regex, pattern: usize| {
            let found = self.scan.found(pattern)?;
            Some(line.captures(&found.last)?.get(1)?.as_str().to_owned())
        };
        let told = self.tells.iter();
        told.filter_map(|(name, line, pattern)| Some((name.clone(), value(line, *pattern)?)))
            .collect()
    }

    fn outcome(&self, run: &Run, ran: &Ran, is_there: impl Fn(&str) -> bool) -> Result<(), Cause> {
        match &ran.finished.end {
            End::Exited { code: 0 } => match run.makes.iter().find(|file| !is_there(file)) {
                Some(file) => Err(Cause::new(
                    CauseKind::MissingOutput,
                    format!("`{}` ended well but left no file `{file}`", run.title),
                )),
                None => Ok(()),
            },
            end => Err(limit_cause(run, ran, end)
                .or_else(|| self.rule_cause(run, end))
                .unwrap_or_else(|| plain_cause(run, end))),
        }
    }

    /// The line that says why, where no rule of the plan has named one.
    fn telling_line(&self, kind: CauseKind) -> Option<String> {
        let said = match (kind, self.verdict) {
            (CauseKind::TestFailed, Some((failed, _))) => self.scan.found(failed),
            _ => None,
        };
        let tells = matches!(kind, CauseKind::TestFailed | CauseKind::Exit);
        let found = said.or_else(|| self.scan.found(self.trouble).filter(|_| tells));
        found.map(|found| found.first.clone())
    }

    /// The first rule of the plan that fits.
    fn rule_cause(&self, run: &Run, end: &End) -> Option<Cause> {
        let code = code_of(end)?;
        let mut rules = run.failures.iter().zip(&self.rules);
        rules.find_map(|(rule, pattern)| {
            let FailureRule {
                exit_code, message, ..
            } = rule;
            if exit_code.is_some_and(|wanted| wanted != code) {
                return None;
            }
            let mut cause = Cause::new(rule.kind, message.clone());
            if let Some(pattern) = pattern {
                cause.line = Some(self.scan.found(*pattern)?.first.clone());
            }
            Some(cause)
        })
    }

    /// What the test said; nothing where it could not be run to its end.
    fn verdict_of(&self, (failed, passed): (usize, usize), ran: &Ran) -> Option<Verdict> {
        let code = code_of(&ran.finished.end)?;
        let verdict = |passed, line| Some(Verdict { passed, line });
        match (self.scan.found(failed), self.scan.found(passed)) {
            (Some(found), _) => verdict(false, found.first.clone()),
            (None, Some(found)) if code == 0 => verdict(true, found.last.clone()),
            (None, None) if code == 0 => verdict(true, "the test ended with exit code 0".to_owned()),
            (None, _) => verdict(false, format!("the test ended with exit code {code}")),
        }
    }
}

/// The plan's rules for a step are none that this worker can read.
pub(super) fn unreadable(run: &Run, error: &regex::Error) -> Fault {
    Fault::trouble(&format!("read the rules of the step `{}`", run.title), error)
}

/// As a shell gives it: 128 and the number of the signal.
fn code_of(end: &End) -> Option<i32> {
    match end {
        End::Exited { code } => Some(*code),
        End::Signalled { signal } => Some(128 + signal),
        End::TimeLimit | End::OutputLimit | End::Stopped(_) => None,
    }
}

/// A limit that was reached explains more than what the program said about it.
fn limit_cause(run: &Run, ran: &Ran, end: &End) -> Option<Cause> {
    let title = &run.title;
    let (kind, message) = match (end, ran.out_of_memory) {
        (End::TimeLimit, _) => (
            CauseKind::TimeLimit,
            format!(
                "`{title}` did not end within {} and was stopped; make the work smaller, or ask the operator for more time",
                seconds(ran.time)
            ),
        ),
        (End::OutputLimit, _) => (
            CauseKind::OutputLimit,
            format!(
                "the stage wrote more than {} into the log and `{title}` was stopped; let it write less, or into a file",
                bytes_in_words(ran.output_bytes)
            ),
        ),
        (_, Some(out)) => (
            CauseKind::OutOfMemory,
            match out.limit_bytes {
                Some(limit) => format!(
                    "`{title}` needed more than the {} of memory that a step may take here, and was killed; make the design smaller, or ask the operator for more",
                    bytes_in_words(limit)
                ),
                None => format!("`{title}` was killed because this machine had no memory left"),
            },
        ),
        (End::Signalled { signal: SIGXFSZ }, None) => (
            CauseKind::OutputLimit,
            format!(
                "`{title}` wrote a file of more than {} and was stopped",
                bytes_in_words(ran.file_bytes)
            ),
        ),
        _ => return None,
    };
    Some(Cause::new(kind, message))
}

fn plain_cause(run: &Run, end: &End) -> Cause {
    let title = &run.title;
    match end {
        // A sandbox ends as its program did, and says a signal as a shell says it.
        End::Signalled { signal: SIGKILL } | End::Exited { code: KILLED_CODE } => Cause::new(
            CauseKind::Killed,
            format!(
                "`{title}` was killed (signal 9) by something outside of the job, most often because the machine had no memory left"
            ),
        ),
        End::Signalled { signal } => Cause::new(
            CauseKind::Signal,
            format!(
                "`{title}` was ended by signal {signal} ({})",
                signal_name(*signal)
            ),
        ),
        End::Exited { code } if run.verdict.is_some() => Cause::new(
            CauseKind::TestFailed,
            format!(
                "the test ended with exit code {code}, which means that the design is wrong; the log says more"
            ),
        ),
        End::Exited { code } => Cause::new(
            CauseKind::Exit,
            format!("`{title}` ended with exit code {code}; the end of the log says why"),
        ),
        End::TimeLimit | End::OutputLimit | End::Stopped(_) => {
            Cause::new(CauseKind::WorkerTrouble, format!("`{title}` was stopped"))
        }
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => "it ran an instruction that this processor does not have",
        6 => "it gave up by itself: abort",
        7 | 11 => "it used memory that is not its own: a crash",
        8 => "arithmetic error",
        13 => "it wrote to a closed pipe",
        15 => "something asked it to end",
        31 => "it made a system call that is forbidden",
        _ => "see signal(7)",
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
