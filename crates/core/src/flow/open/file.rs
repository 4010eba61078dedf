//! Files of the design by name: as an option names them, and whether they may be named to a program.

use super::option::{shown, unsafe_in_path};
use crate::design::Design;
use crate::flow::PlanError;

/// The file that an option names: by its path, or by the end of its path where only one has it.
/// `fits` tells which files are offered when there is none of the name.
pub(super) fn named(
    design: &Design,
    option: &'static str,
    given: &str,
    fits: impl Fn(&str) -> bool,
) -> Result<String, PlanError> {
    if design.has(given) {
        return Ok(given.to_owned());
    }
    let below = format!("/{given}");
    let found: Vec<&str> = design.paths().filter(|path| path.ends_with(&below)).collect();
    match found[..] {
        [only] => Ok(only.to_owned()),
        [] => Err(PlanError::NotInDesign {
            name: option,
            path: shown(given),
            candidates: design
                .paths()
                .filter(|path| fits(path))
                .take(10)
                .map(shown)
                .collect(),
        }),
        _ => Err(PlanError::Ambiguous {
            what: format!("files of the name `{given}`"),
            candidates: found.into_iter().map(shown).collect(),
            option,
        }),
    }
}

/// Refuses a file whose name a program could take for something else.
pub(super) fn check_name(path: &str) -> Result<(), PlanError> {
    match unsafe_in_path(path) {
        None => Ok(()),
        Some(why) => Err(PlanError::UnsafeName {
            path: shown(path),
            why,
        }),
    }
}

pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

pub(super) fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path without `.`, `..` and doubled slashes; `None` when it leaves the design.
pub(super) fn normal(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The name without its last ending.
pub(super) fn stem(path: &str) -> &str {
    let name = name(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Whether a file is Verilog or SystemVerilog to be compiled, not only included.
pub(super) fn is_source(path: &str) -> bool {
    path.ends_with(".v") || path.ends_with(".sv")
}

/// Whether a source file is a testbench by its name, or by the name of a folder that it lies in.
pub(super) fn is_testbench(path: &str) -> bool {
    let stem = stem(path).to_ascii_lowercase();
    let by_name = matches!(&stem[..], "tb" | "testbench")
        || ["_tb", "_testbench"].iter().any(|end| stem.ends_with(end))
        || ["tb_", "testbench_"].iter().any(|begin| stem.starts_with(begin));
    // Elsewhere `test_pattern.v` may well be a part of the design.
    let by_folder = || {
        folder(path)
            .split('/')
            .any(|folder| matches!(folder, "tb" | "testbench" | "testbenches"))
    };
    is_source(path) && (by_name || by_folder())
}
