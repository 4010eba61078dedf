//! The top module: the one that no other uses.

use super::constraint::Constraints;
use super::option::{bad_value, is_identifier, shown};
use super::source::Library;
use crate::flow::PlanError;
use crate::verilog::{Unit, UnitKind};
use std::collections::BTreeSet;

/// The top module, and where it is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Top<'a> {
    pub(super) name: String,
    pub(super) path: &'a str,
    pub(super) ports: BTreeSet<String>,
    /// Why it was taken, where the user did not name it.
    pub(super) why: Option<&'static str>,
}

/// Finds the top module among the sources that are no testbenches.
pub(super) fn choose<'a>(
    given: Option<&str>,
    library: &Library<'a>,
    testbenches: &[&'a str],
    constraints: &[Constraints],
) -> Result<Top<'a>, PlanError> {
    let modules = modules(library, testbenches);
    if let Some(name) = given {
        return named(name, library, &modules, testbenches);
    }
    let roots = roots(library, testbenches, &modules);
    let top = |module: &Module<'a>, why| Top {
        name: module.name.clone(),
        path: module.path,
        ports: module.ports.clone(),
        why: Some(why),
    };
    if let [only] = &roots[..] {
        return Ok(top(only, "no other module uses it"));
    }
    let first = one(&roots, |root| root.name == "top").map(|root| top(root, "the root of that name"));
    let tested = || {
        let used: BTreeSet<&str> = testbenches
            .iter()
            .flat_map(|path| uses(library, path, |_| true))
            .collect();
        one(&roots, |root| used.contains(root.name.as_str())).map(|root| top(root, "the testbench uses it"))
    };
    let placed = || {
        let fit = |root: &Module<'_>| constraints.iter().map(|one| one.fit(&root.ports)).max();
        let best = roots
            .iter()
            .filter_map(|&root| fit(root))
            .max()
            .filter(|&best| best > 0)?;
        one(&roots, |root| fit(root) == Some(best)).map(|root| top(root, "the constraints name its ports"))
    };
    first
        .or_else(tested)
        .or_else(placed)
        .ok_or_else(|| ambiguous(&roots, &modules))
}

struct Module<'a> {
    name: String,
    path: &'a str,
    ports: BTreeSet<String>,
}

/// The modules that can be a top: none of a testbench, none that only simulates, none whose name a
/// tool could take for something else.
fn modules<'a>(library: &Library<'a>, testbenches: &[&str]) -> Vec<Module<'a>> {
    let sources = library.sources().filter(|path| !testbenches.contains(path));
    let mut found: Vec<Module<'a>> = Vec::new();
    for path in sources {
        for (name, unit) in library.units(path) {
            let fits = unit.kind == UnitKind::Module && is_identifier(name) && !only_simulates(unit);
            if fits && library.providers(name).any(|provider| provider == path) {
                found.push(Module {
                    name: name.to_owned(),
                    path,
                    ports: unit.ports.clone(),
                });
            }
        }
    }
    found
}

fn roots<'a, 'm>(
    library: &Library<'a>,
    testbenches: &[&str],
    modules: &'m [Module<'a>],
) -> Vec<&'m Module<'a>> {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for path in library.sources().filter(|path| !testbenches.contains(path)) {
        used.extend(uses(library, path, |unit| !only_simulates(unit)));
    }
    modules
        .iter()
        .filter(|module| !used.contains(module.name.as_str()))
        .collect()
}

/// The names that those of a file's modules use that count, each module's own name left out.
fn uses<'l>(library: &'l Library<'_>, path: &str, counts: fn(&Unit) -> bool) -> BTreeSet<&'l str> {
    let units = library.units(path).filter(|(_, unit)| counts(unit));
    units
        .flat_map(|(name, unit)| {
            unit.uses
                .iter()
                .map(String::as_str)
                .filter(move |used| *used != name)
        })
        .collect()
}

/// Whether a module has the marks of a testbench: no ports, and calls that only a simulation knows.
pub(super) fn only_simulates(unit: &Unit) -> bool {
    const OF_SIMULATIONS: [&str; 5] = ["$finish", "$stop", "$fatal", "$dumpfile", "$dumpvars"];
    unit.ports.is_empty()
        && OF_SIMULATIONS
            .iter()
            .any(|task| unit.system_tasks.contains(*task))
}

fn named<'a>(
    name: &str,
    library: &Library<'a>,
    modules: &[Module<'a>],
    testbenches: &[&str],
) -> Result<Top<'a>, PlanError> {
    let providers: Vec<&str> = library
        .providers(name)
        .filter(|path| !testbenches.contains(path))
        .collect();
    match providers[..] {
        [path] => Ok(Top {
            name: name.to_owned(),
            path,
            ports: library
                .unit(path, name)
                .map(|unit| unit.ports.clone())
                .unwrap_or_default(),
            why: None,
        }),
        [] => {
            let known: BTreeSet<&str> = modules.iter().map(|module| module.name.as_str()).collect();
            let some: Vec<&str> = known.into_iter().take(20).collect();
            Err(bad_value(
                "top",
                name,
                format!("the modules of the design are {}", some.join(", ")),
            ))
        }
        _ => Err(PlanError::DefinedTwice {
            unit: name.to_owned(),
            files: providers.into_iter().map(shown).collect(),
        }),
    }
}

fn ambiguous(roots: &[&Module<'_>], modules: &[Module<'_>]) -> PlanError {
    let names: BTreeSet<&str> = match roots {
        // Modules that use each other in a circle.
        [] => modules.iter().map(|module| module.name.as_str()).collect(),
        roots => roots.iter().map(|root| root.name.as_str()).collect(),
    };
    if names.is_empty() {
        return PlanError::Missing {
            what: "module that could be its top".into(),
            remedy: "hand in the Verilog files of the design itself, not only its testbench".into(),
        };
    }
    if let ([name], [_, _, ..]) = (&names.iter().collect::<Vec<_>>()[..], roots) {
        return PlanError::DefinedTwice {
            unit: shown(name),
            files: roots.iter().map(|root| shown(root.path)).collect(),
        };
    }
    PlanError::Ambiguous {
        what: if roots.is_empty() {
            "modules, each of which another uses".into()
        } else {
            "modules that no other uses".into()
        },
        candidates: names.into_iter().take(20).map(str::to_owned).collect(),
        option: "top",
    }
}

fn one<'r, T>(all: &[&'r T], fits: impl Fn(&T) -> bool) -> Option<&'r T> {
    let mut fitting = all.iter().filter(|one| fits(one));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}
