//! The only place that writes to standard output and standard error.

use crate::Failure;
use crate::neutral::{self, Stream};
use crate::palette::Palette;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

/// A line of standard output.
pub fn line(text: &str) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Standard output, as it is.
pub fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                Failure::OutputClosed
            } else {
                Failure::local("standard output cannot be written", error)
            }
        })
}

/// One JSON document on standard output. Control characters in it are escaped also where JSON does
/// not ask for it, since terminals obey some of those.
pub fn json<T: Serialize>(document: &T) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| Failure::local("the answer cannot be written as JSON", error.into()))?;
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if neutral::is_control(c) && c != '\n' {
            // All of them are in the basic plane and outside of strings there is none but newlines.
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    line(&safe)
}

/// Something for the user to read, on standard error. May have several lines.
pub fn note(text: &str) {
    error_stream(&format!("{}\n", neutral::text(text)));
}

/// The same for a text that we have coloured ourselves, and whose foreign parts are neutral already.
pub fn painted_note(text: &str) {
    error_stream(&format!("{text}\n"));
}

/// Tells of a failure, and gives the exit code that goes with it.
pub fn failure(failure: &Failure) -> ExitCode {
    let palette = stderr_palette();
    match failure {
        Failure::OutputClosed => {}
        Failure::Interrupted(how_it_goes_on) => note(how_it_goes_on),
        _ => {
            let text = neutral::text(&failure.text());
            let mut message = format!("{} {text}", palette.bad("error:"));
            if let Some(next) = failure.next() {
                let _ = write!(message, "\n  {next}");
            }
            painted_note(&message);
        }
    }
    failure.exit().into()
}

/// Prints help, the version, or what is wrong with the arguments, and gives the exit code.
pub fn usage(error: &clap::Error) -> ExitCode {
    // A closed stream is nothing that could be told anybody.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

pub fn stdout_palette() -> Palette {
    Palette::of(&io::stdout())
}

pub fn stderr_palette() -> Palette {
    Palette::of(&io::stderr())
}

/// Whether progress can be shown.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Where the bytes of a log or file go.
#[derive(Debug)]
pub struct Sink {
    target: Target,
    /// Set on a terminal.
    stream: Option<Stream>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Stdout,
    Stderr,
    /// The reader has gone.
    Nowhere,
}

impl Sink {
    pub fn stdout() -> Self {
        Self {
            target: Target::Stdout,
            stream: io::stdout().is_terminal().then(Stream::default),
        }
    }

    pub fn stderr() -> Self {
        Self {
            target: Target::Stderr,
            stream: stderr_is_terminal().then(Stream::default),
        }
    }

    /// Raw where a file or program reads it, without control characters on a terminal.
    pub fn write(&mut self, raw: &[u8]) -> Result<(), Failure> {
        match &mut self.stream {
            Some(stream) => {
                let text = stream.feed(raw);
                self.send(text.as_bytes())
            }
            None => self.send(raw),
        }
    }

    /// What was held back because more might have come.
    pub fn end(&mut self) -> Result<(), Failure> {
        let rest = self.stream.as_mut().map(Stream::end).unwrap_or_default();
        self.send(rest.as_bytes())
    }

    /// From now on all is dropped: for whoever must go on though nobody reads any more.
    pub fn close(&mut self) {
        self.target = Target::Nowhere;
    }

    fn send(&self, text: &[u8]) -> Result<(), Failure> {
        match self.target {
            Target::Stdout => bytes(text),
            Target::Stderr => {
                let _ = io::stderr().write_all(text);
                Ok(())
            }
            Target::Nowhere => Ok(()),
        }
    }
}

/// There is nobody to tell when standard error itself is gone.
fn error_stream(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
