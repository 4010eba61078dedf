//! Where a setting came from, and why settings are refused.

use super::python::SyntaxError;
use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::PathBuf;

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File { path: PathBuf, line: usize },
    Environment { variable: String },
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Environment { variable } => write!(f, "the variable {variable}"),
        }
    }
}

/// Why a server does not start with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("the settings in {} cannot be read; correct the file's permissions, or remove it to have the defaults", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}, line {line}: this is not UTF-8; save the file in this encoding", path.display())]
    NotText { path: PathBuf, line: usize },
    #[error("{origin} is not UTF-8; set it to a text in this encoding")]
    VariableNotText { origin: Origin },
    #[error("{}, line {}, {error}", path.display(), error.line)]
    Syntax { path: PathBuf, error: SyntaxError },
    // The value is not told: who knows what is secret about a setting that we do not know.
    #[error("{origin}: there is no setting {name}; {}", hint(*nearest))]
    UnknownKey {
        origin: Origin,
        name: String,
        nearest: Option<&'static str>,
    },
    #[error("{origin}: {name} cannot be {value}: it is {allowed}")]
    WrongValue {
        origin: Origin,
        name: &'static str,
        /// As a literal, shortened.
        value: String,
        allowed: &'static str,
    },
}

fn hint(nearest: Option<&'static str>) -> String {
    match nearest {
        Some(name) => format!("did you mean {name}?"),
        None => "`polyphemus config` lists all".to_owned(),
    }
}
