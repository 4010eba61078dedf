//! The host program: the one that talks to the board and judges what it answers.

use super::file;
use super::option::{Options, shown};
use crate::design::Design;
use crate::flow::PlanError;
use std::collections::BTreeSet;

/// A host program's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) path: String,
    /// Sources to compile with it: those beside the headers that it includes.
    pub(super) companions: Vec<String>,
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
        return host(design, path, language, true).map(Some);
    }
    let found: Vec<(&str, Language)> = design
        .paths()
        .filter(|path| file::stem(path) == "host")
        .filter_map(|path| Some((path, language(path)?)))
        .collect();
    match found[..] {
        [] => Ok(None),
        [(path, language)] => host(design, path.to_owned(), language, false).map(Some),
        _ => Err(PlanError::Ambiguous {
            what: "host programs".into(),
            candidates: found.into_iter().map(|(path, _)| shown(path)).collect(),
            option: "host",
        }),
    }
}

fn host(design: &Design, path: String, language: Language, named: bool) -> Result<Host, PlanError> {
    let companions = companions(design, &path);
    for path in companions.iter().chain([&path]) {
        file::check_name(path)?;
    }
    Ok(Host {
        path,
        companions,
        language,
        named,
    })
}

/// Where `x.h` is included and `x.c` lies beside it, the two belong together.
fn companions(design: &Design, host: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::from([host.to_owned()]);
    let mut todo = vec![host.to_owned()];
    while let Some(path) = todo.pop() {
        for included in design.text(&path).into_iter().flat_map(includes) {
            let Some(header) = file::normal(&format!("{}/{included}", file::folder(&path))) else {
                continue;
            };
            let beside = sources_beside(&header);
            found.extend(
                beside
                    .iter()
                    .filter(|path| design.has(path) && *path != host)
                    .cloned(),
            );
            for path in beside.into_iter().chain([header]).filter(|path| design.has(path)) {
                if seen.insert(path.clone()) {
                    todo.push(path);
                }
            }
        }
    }
    found.into_iter().collect()
}

/// What may implement a header; a source that is included itself is no header.
fn sources_beside(header: &str) -> Vec<String> {
    match header.rsplit_once('.') {
        Some((bare, "h" | "hpp" | "hh")) => ["c", "cpp", "cc", "cxx"]
            .map(|ending| format!("{bare}.{ending}"))
            .to_vec(),
        _ => Vec::new(),
    }
}

/// The targets of `#include "…"`.
fn includes(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let directive = line.trim_start().strip_prefix('#')?.trim_start();
        let target = directive
            .strip_prefix("include")?
            .trim_start()
            .strip_prefix('"')?;
        Some(target.split_once('"')?.0)
    })
}

fn language(path: &str) -> Option<Language> {
    match file::name(path).rsplit_once('.')?.1 {
        "c" => Some(Language::C),
        "cpp" | "cc" | "cxx" => Some(Language::Cpp),
        "py" => Some(Language::Python),
        _ => None,
    }
}
