//! The testbench: found by its file's name, and only where it really uses the top module.

use super::file;
use super::option::{Options, shown};
use super::source::{Library, Reached};
use super::top::{Top, only_simulates};
use crate::flow::PlanError;
use crate::verilog::UnitKind;
use std::collections::BTreeSet;

/// With so many testbenches it is the user who must choose.
const MOST_SHOWN: usize = 10;

/// A testbench of the top module.
#[derive(Debug)]
pub(super) struct Testbench<'a> {
    pub(super) path: &'a str,
    pub(super) module: String,
    /// All that a simulation of the sources compiles.
    pub(super) reached: Reached<'a>,
    /// Whether the user named it.
    pub(super) named: bool,
}

/// What is found by name.
#[derive(Debug)]
pub(super) enum Found<'a> {
    None,
    One(Testbench<'a>),
    /// Several, or one that does not hold together: an error for whoever needs it.
    Unclear(PlanError),
}

/// The files that are testbenches: by name, and the one that the option names.
pub(super) fn files<'a>(options: &Options, library: &Library<'a>) -> Result<Vec<&'a str>, PlanError> {
    let mut found: Vec<&'a str> = library
        .sources()
        .filter(|path| file::is_testbench(path))
        .collect();
    if let Some(given) = &options.testbench {
        let named = named(given, library, &found)?;
        found.retain(|path| *path != named);
        found.insert(0, named);
    }
    Ok(found)
}

/// The testbench of the top module among the files.
pub(super) fn choose<'a>(
    options: &Options,
    library: &Library<'a>,
    files: &[&'a str],
    top: &Top<'_>,
) -> Result<Found<'a>, PlanError> {
    if let (Some(given), Some(path)) = (&options.testbench, files.first()) {
        return match of_file(library, path, top)?.into_iter().next() {
            Some(testbench) => Ok(Found::One(Testbench {
                named: true,
                ..testbench
            })),
            None => Err(PlanError::BadValue {
                name: "testbench".into(),
                value: shown(given),
                expected: format!("a testbench that has an instance of `{}` is expected", top.name),
            }),
        };
    }
    let names = [format!("{}_tb", top.name), format!("tb_{}", top.name)];
    let (own, others): (Vec<&str>, Vec<&str>) = files
        .iter()
        .partition(|path| names.iter().any(|name| name == file::stem(path)));
    match found(library, &own, top) {
        Found::None => Ok(found(library, &others, top)),
        found => Ok(found),
    }
}

/// The testbench among files none of which comes before another.
fn found<'a>(library: &Library<'a>, files: &[&'a str], top: &Top<'_>) -> Found<'a> {
    let (mut found, mut broken) = (Vec::new(), None);
    for path in files {
        match of_file(library, path, top) {
            Ok(testbench) => found.extend(testbench),
            Err(error) => broken = Some(error),
        }
        if found.len() == MOST_SHOWN {
            break;
        }
    }
    match (found.pop(), found.is_empty()) {
        (None, _) => broken.map_or(Found::None, Found::Unclear),
        (Some(only), true) => Found::One(only),
        (Some(last), false) => Found::Unclear(PlanError::Ambiguous {
            what: format!("testbenches of `{}`", top.name),
            candidates: found.iter().chain([&last]).map(|one| shown(one.path)).collect(),
            option: "testbench",
        }),
    }
}

/// The testbench in a file: a module that no other of the file uses and that reaches the top; of
/// several the one that is named as the file.
fn of_file<'a>(
    library: &Library<'a>,
    path: &'a str,
    top: &Top<'_>,
) -> Result<Option<Testbench<'a>>, PlanError> {
    let used: BTreeSet<&str> = library
        .units(path)
        .flat_map(|(user, unit)| {
            unit.uses
                .iter()
                .map(String::as_str)
                .filter(move |name| *name != user)
        })
        .collect();
    let mut candidates: Vec<&str> = library
        .units(path)
        .filter(|(name, unit)| unit.kind == UnitKind::Module && *name != top.name)
        .filter(|(name, _)| !used.contains(name))
        .filter(|(_, unit)| unit.ports.is_empty() || only_simulates(unit))
        .map(|(name, _)| name)
        .collect();
    candidates.sort_by_key(|name| *name != file::stem(path));
    for module in candidates {
        let reached = library.reach(path, module, None)?;
        if reached.units.contains(&top.name) {
            return Ok(Some(Testbench {
                path,
                module: module.to_owned(),
                reached,
                named: false,
            }));
        }
    }
    Ok(None)
}

/// The file that the option means: a path, the end of one, or the name of a module.
fn named<'a>(given: &str, library: &Library<'a>, by_name: &[&'a str]) -> Result<&'a str, PlanError> {
    let below = format!("/{given}");
    let sources: Vec<&'a str> = library.sources().collect();
    let exact = sources.iter().filter(|path| **path == given);
    let ends = sources.iter().filter(|path| path.ends_with(&below));
    if let Some(path) = exact.chain(ends).next() {
        return Ok(path);
    }
    library
        .providers(given)
        .next()
        .ok_or_else(|| PlanError::NotInDesign {
            name: "testbench",
            path: shown(given),
            candidates: by_name.iter().copied().map(shown).collect(),
        })
}
