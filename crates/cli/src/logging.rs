//! Where a role's own log goes: standard error, as lines or as JSON.

use crate::Failure;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// What is logged where nobody says otherwise. What libraries say of their work is for who asks.
const DEFAULT: &str = "warn,polyphemus=info";

/// How a role logs.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArg {
    /// Log to standard error as one JSON object a line
    #[arg(long)]
    log_json: bool,
}

impl LogArg {
    /// Begins to log. The filter is in the variable POLYPHEMUS_LOG, else RUST_LOG.
    pub fn start(&self) -> Result<(), Failure> {
        let (name, directives) = directives();
        let filter = EnvFilter::try_new(&directives).map_err(|error| {
            Failure::Usage(format!(
                "{name} cannot be `{directives}`: {error}; write a level, or TARGET=LEVEL, as in polyphemus_server=debug"
            ))
        })?;
        let stderr = std::io::stderr();
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_writer(std::io::stderr)
            // It would tell of a line that cannot be written on standard error, which cannot be written:
            // a panic, and a full disk under the log would end the role.
            .log_internal_errors(false);
        let started = if self.log_json {
            builder.json().flatten_event(true).try_init()
        } else {
            builder.try_init()
        };
        started.map_err(|source| Failure::Role {
            what: "the log cannot be started",
            source,
        })
    }
}

fn directives() -> (&'static str, String) {
    for name in ["POLYPHEMUS_LOG", "RUST_LOG"] {
        match std::env::var(name) {
            Ok(directives) if !directives.is_empty() => return (name, directives),
            _ => {}
        }
    }
    ("POLYPHEMUS_LOG", DEFAULT.to_owned())
}
