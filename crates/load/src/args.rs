//! What the command line asks for.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

pub const USAGE: &str = "\
Measures a server that has the original Polyphemus' HTTP API, and the machine beside it.

Usage: polyphemus-load [OPTION…] SCENARIO…
       polyphemus-load [OPTION…] start -- COMMAND…

Scenarios:
  probe     the machine: fdatasync, starting a program, writing a file
  latency   from the submission to the job's first instruction, one job at a time; the worker must run
            on this machine, since both ends are read from its clock
  submit    distinct small designs, all clients at once
  jobs      trivial make jobs, from the first submission until all are done
  lists     the time of /jobs.csv and of /
  fill      brings the server to --jobs finished jobs (start it without a worker)
  upload    one design of --size-mb incompressible data; with --pid also the memory that it takes
  idle      memory and processor time of --pid over --seconds
  start     from starting COMMAND to its first good answer; it is ended again

Options:
  --server URL     the server [http://127.0.0.1:8000]
  --folder DIR     where the probe writes: name the disk that the server writes to [.]
  --clients N      clients at once [submit: 64, jobs: 8, fill: 64]
  --jobs N         jobs [latency: 100, submit: 3000, jobs: 200, lists: 20 requests each, fill: 100000]
  --size-mb N      of the upload [1000]
  --seconds N      of being idle [60]
  --pid PID        the server's process, and with it its children
  --json           figures as JSON

The probe is always measured first; figures are shown with their ratio to it. The exit code is 1 if any
request failed.";

/// A wrong command line.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ArgsError {
    #[error("there is no option or scenario `{0}`")]
    Unknown(String),
    #[error("`{0}` needs a value behind it")]
    NoValue(String),
    #[error("`{option}` needs a whole number above 0, not `{value}`")]
    NoNumber { option: String, value: String },
    #[error("name at least one scenario")]
    NoScenario,
    #[error("`{scenario}` needs {what}")]
    Missing {
        scenario: &'static str,
        what: &'static str,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    Probe,
    Latency,
    Submit,
    Jobs,
    Lists,
    Fill,
    Upload,
    Idle,
    Start,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    pub server: String,
    pub folder: PathBuf,
    pub scenarios: Vec<Scenario>,
    pub clients: Option<usize>,
    pub jobs: Option<usize>,
    pub size_mb: u64,
    pub seconds: u64,
    pub pid: Option<i32>,
    pub json: bool,
    /// What `start` starts.
    pub command: Vec<OsString>,
}

/// What the command line is for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    Measurement(Args),
    Help,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            server: "http://127.0.0.1:8000".to_owned(),
            folder: ".".into(),
            scenarios: Vec::new(),
            clients: None,
            jobs: None,
            size_mb: 1000,
            seconds: 60,
            pid: None,
            json: false,
            command: Vec::new(),
        }
    }
}

impl Args {
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Wanted, ArgsError> {
        let mut args = Self::default();
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| ArgsError::NoValue(word.clone()));
            match word.as_str() {
                "--help" | "-h" => return Ok(Wanted::Help),
                "--server" => args.server = value()?,
                "--folder" => args.folder = value()?.into(),
                "--clients" => args.clients = Some(number(&word, &value()?)?),
                "--jobs" => args.jobs = Some(number(&word, &value()?)?),
                "--size-mb" => args.size_mb = number(&word, &value()?)?,
                "--seconds" => args.seconds = number(&word, &value()?)?,
                "--pid" => args.pid = Some(number(&word, &value()?)?),
                "--json" => args.json = true,
                "--" => args.command = words.by_ref().map(OsString::from).collect(),
                name => args
                    .scenarios
                    .push(Scenario::named(name).ok_or_else(|| ArgsError::Unknown(name.to_owned()))?),
            }
        }
        args.check().map(|()| Wanted::Measurement(args))
    }

    fn check(&self) -> Result<(), ArgsError> {
        let missing = |scenario, what| Err(ArgsError::Missing { scenario, what });
        if self.scenarios.is_empty() {
            return Err(ArgsError::NoScenario);
        }
        if self.scenarios.contains(&Scenario::Idle) && self.pid.is_none() {
            return missing("idle", "the server's process: --pid PID");
        }
        if self.scenarios.contains(&Scenario::Start) && self.command.is_empty() {
            return missing("start", "the command that starts the server: start -- COMMAND…");
        }
        Ok(())
    }
}

impl Scenario {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "probe" => Self::Probe,
            "latency" => Self::Latency,
            "submit" => Self::Submit,
            "jobs" => Self::Jobs,
            "lists" => Self::Lists,
            "fill" => Self::Fill,
            "upload" => Self::Upload,
            "idle" => Self::Idle,
            "start" => Self::Start,
            _ => return None,
        })
    }
}

fn number<T: FromStr + PartialOrd + Default>(option: &str, value: &str) -> Result<T, ArgsError> {
    let parsed = value.parse().ok().filter(|number| *number > T::default());
    parsed.ok_or_else(|| ArgsError::NoNumber {
        option: option.to_owned(),
        value: value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Wanted, ArgsError> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_and_scenarios_may_stand_in_any_order_and_a_command_is_last() {
        let wanted = parse("latency --jobs 5 --server http://h:1 start --json -- serve --listen x");
        let expected = Args {
            server: "http://h:1".to_owned(),
            scenarios: vec![Scenario::Latency, Scenario::Start],
            jobs: Some(5),
            json: true,
            command: ["serve", "--listen", "x"].map(OsString::from).into(),
            ..Args::default()
        };
        assert_eq!(wanted, Ok(Wanted::Measurement(expected)));
    }

    #[test]
    fn a_wrong_command_line_is_told_what_is_wrong() {
        for (line, message) in [
            ("", "name at least one scenario"),
            ("latencey", "there is no option or scenario `latencey`"),
            ("jobs --jobs", "`--jobs` needs a value behind it"),
            ("jobs --jobs 0", "`--jobs` needs a whole number above 0, not `0`"),
            ("idle", "`idle` needs the server's process: --pid PID"),
            (
                "start",
                "`start` needs the command that starts the server: start -- COMMAND…",
            ),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.to_string(), message, "{line}");
        }
    }
}
