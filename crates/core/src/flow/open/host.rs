//! The host program: the one that talks to the board and judges what it answers.

use super::file;
use super::option::Options;
use crate::design::Design;
use crate::flow::PlanError;

/// A host program's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) path: String,
    pub(super) language: Language,
    /// Whether the user named it.
    pub(super) named: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    C,
    Cpp,
    Python,
}

/// The host program of the design: as the option says, or by the name `host`.
pub(super) fn choose(options: &Options, design: &Design) -> Result<Option<Host>, PlanError> {
    if let Some(given) = &options.host {
        let path = file::named(design, "host", given, |path| language(path).is_some())?;
        file::check_name(&path)?;
        let language = language(&path).ok_or_else(|| PlanError::BadValue {
            name: "host".into(),
            value: path.clone(),
            expected: "a host program in C, C++ or Python is expected (.c, .cpp, .cc, .py)".into(),
        })?;
        return Ok(Some(Host {
            path,
            language,
            named: true,
        }));
    }
    let found: Vec<Host> = design
        .paths()
        .filter(|path| file::stem(path) == "host")
        .filter_map(|path| {
            Some(Host {
                path: path.to_owned(),
                language: language(path)?,
                named: false,
            })
        })
        .collect();
    match &found[..] {
        [] => Ok(None),
        [only] => file::check_name(&only.path).map(|()| Some(only.clone())),
        several => Err(PlanError::Ambiguous {
            what: "host programs".into(),
            candidates: several.iter().map(|host| host.path.clone()).collect(),
            option: "host",
        }),
    }
}

fn language(path: &str) -> Option<Language> {
    match file::name(path).rsplit_once('.')?.1 {
        "c" => Some(Language::C),
        "cpp" | "cc" | "cxx" => Some(Language::Cpp),
        "py" => Some(Language::Python),
        _ => None,
    }
}
