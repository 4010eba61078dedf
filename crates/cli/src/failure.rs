//! Why a command did not do what it should, by the exit code that says so.

use polyphemus_api::ClientError;
use std::error::Error;
use std::io;
use std::time::Duration;

/// What the program ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Good = 0,
    JobFailed = 1,
    WrongUse = 2,
    ServerFailed = 3,
    /// As `timeout(1)` ends.
    NotInTime = 124,
    /// As a shell tells of a program that SIGINT ended.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed. A failed *job* is none of these: it is a result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Server(#[from] ClientError),
    /// A file, a folder or a stream of this machine cannot be used.
    #[error("{what}")]
    Local { what: String, source: io::Error },
    /// What the server sent is not what it said it is.
    #[error("{0}")]
    Damaged(String),
    #[error("{0}")]
    NotInTime(String),
    /// The user pressed Ctrl-C while a job was followed; the sentence says how it goes on.
    #[error("{0}")]
    Interrupted(String),
    /// A role of the system ended that should not have.
    #[error("{what}")]
    Role {
        what: &'static str,
        source: Box<dyn Error + Send + Sync>,
    },
    /// The reader of our output has had enough (`| head`): nobody is left to tell.
    #[error("standard output is closed")]
    OutputClosed,
}

impl Failure {
    pub fn local(what: impl Into<String>, source: io::Error) -> Self {
        Self::Local {
            what: what.into(),
            source,
        }
    }

    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Local { .. } => Exit::WrongUse,
            Self::Server(error) => exit_of(error),
            Self::Damaged(_) | Self::Role { .. } => Exit::ServerFailed,
            Self::NotInTime(_) => Exit::NotInTime,
            Self::Interrupted(_) => Exit::Interrupted,
            Self::OutputClosed => Exit::Good,
        }
    }

    /// The error and, where that tells more, what it comes from. May have several lines.
    pub fn text(&self) -> String {
        let mut text = self.to_string();
        let source: Option<&dyn Error> = match self {
            Self::Server(error) => error.source().map(root_of),
            // Each link says something of its own here.
            Self::Role { source, .. } => {
                let mut link: Option<&dyn Error> = Some(source.as_ref());
                while let Some(error) = link {
                    text.push_str(&format!("\n  because: {error}"));
                    link = error.source();
                }
                None
            }
            other => other.source(),
        };
        if let Some(source) = source {
            text.push_str(&format!("\n  because: {source}"));
        }
        text
    }

    /// What to do now, where the error does not say so itself.
    pub fn next(&self) -> Option<&'static str> {
        match self {
            Self::Server(ClientError::Unreachable { .. }) => {
                Some("start it, or name another server with --server URL or the variable POLYPHEMUS")
            }
            Self::Server(ClientError::NoSocket { .. }) => {
                Some("correct the path, or start a server there: `polyphemus serve --instance DIR`")
            }
            Self::Server(ClientError::Broken { .. }) => {
                Some("see in `polyphemus jobs` whether it was done all the same; if not, do it again")
            }
            Self::Server(ClientError::BadAddress(_)) => {
                Some("correct --server URL or the variable POLYPHEMUS")
            }
            Self::Server(ClientError::BadToken) => Some("correct the variable POLYPHEMUS_TOKEN"),
            Self::Server(ClientError::NotPolyphemus { .. }) => {
                Some("check the address; a proxy or another program may answer there")
            }
            _ => None,
        }
    }
}

fn exit_of(error: &ClientError) -> Exit {
    match error {
        ClientError::BadAddress(_) | ClientError::BadToken => Exit::WrongUse,
        ClientError::Refused { status, .. } if (400..500).contains(status) => Exit::WrongUse,
        _ => Exit::ServerFailed,
    }
}

/// The layers between say only that a request failed.
fn root_of<'a>(error: &'a (dyn Error + 'static)) -> &'a dyn Error {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

/// How long to go on trying to reach a server that was there, and how long between two tries.
#[derive(Debug)]
pub struct Patience {
    tries: u32,
    failing_since: Option<tokio::time::Instant>,
}

impl Patience {
    /// A restart of a server takes seconds, a short cut of the network a minute or two.
    const LONGEST: Duration = Duration::from_secs(180);

    pub fn new() -> Self {
        Self {
            tries: 0,
            failing_since: None,
        }
    }

    /// Something came.
    pub fn renew(&mut self) {
        *self = Self::new();
    }

    /// Waits for the next try after an error that may pass; gives back one that will not, or one
    /// that has lasted too long.
    pub async fn endure(&mut self, error: ClientError) -> Result<ClientError, ClientError> {
        let since = *self.failing_since.get_or_insert_with(tokio::time::Instant::now);
        if !error.is_transient() || since.elapsed() > Self::LONGEST {
            return Err(error);
        }
        let delay = Duration::from_millis(200) * (1 << self.tries.min(5));
        self.tries += 1;
        tokio::time::sleep(delay.min(Duration::from_secs(5))).await;
        Ok(error)
    }

    /// Whether this is the first failure since something came: the one worth telling.
    pub fn is_new(&self) -> bool {
        self.tries <= 1
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::new()
    }
}
