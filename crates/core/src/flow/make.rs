//! What is common to calls of make, whatever the toolchain: variables on its command line, and the
//! dry run that tells the Makefile's own.

mod plain;

use super::FlowSettings;
use crate::design::Design;
use crate::plan::{DryRun, Run};
use std::collections::BTreeMap;

/// The original's.
const DRY_RUN_LIMIT_S: u64 = 60;

/// Of a value that is known without a dry run, in bytes; a longer one is told cut short by it.
const VALUE_BYTES: usize = 1024;

/// A variable on make's command line. make expands `$` in it, so it is doubled: a value reaches the
/// tools as text, and `$(shell …)` in it does nothing.
pub(super) fn variable(name: &str, value: &str) -> String {
    format!("{name}={}", value.replace('$', "$$"))
}

/// The dry run before make, where the operator wants to see variables at all.
pub(super) fn dry_run(settings: &FlowSettings) -> Option<DryRun> {
    let variables = settings.make_conf_vars.clone();
    (!variables.is_empty()).then(|| DryRun {
        arguments: ["--dry-run", "--print-data-base"].map(str::to_owned).to_vec(),
        time_limit_s: DRY_RUN_LIMIT_S,
        variables,
    })
}

/// Has the variables of the Makefile `name` told before `run`, a call of make with `variables` behind
/// it: by a dry run, but where it is known what that would tell. Then it is left out, for it would take
/// a small job longer than its build.
pub(super) fn tell_variables(
    run: &mut Run,
    variables: &[String],
    design: &Design,
    name: &str,
    settings: &FlowSettings,
) {
    run.make_conf = values(variables, design, name, settings);
    if run.make_conf.is_empty() {
        run.dry_run = dry_run(settings);
    }
}

/// What the dry run would tell; nothing where only make knows that.
fn values(
    variables: &[String],
    design: &Design,
    name: &str,
    settings: &FlowSettings,
) -> BTreeMap<String, String> {
    let names = &settings.make_conf_vars;
    let default = FlowSettings::default().make_conf_vars;
    let given: Vec<(&str, &str)> = variables.iter().filter_map(|one| one.split_once('=')).collect();
    let defined: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
    // Other names may be make's own, or stand in the environment; before a prefix's make stands more.
    let are_known = settings.command_prefix.is_empty() && names.iter().all(|name| default.contains(name));
    // From these make would make the Makefile anew, even in a dry run.
    let is_source = |path: &str| {
        let file = path.rsplit('/').next().unwrap_or(path);
        file.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['.', ',']))
            || file == format!("s.{name}")
    };
    if !are_known
        || design.paths().any(is_source)
        || !given.iter().all(|(_, value)| is_literal(value))
        || !design
            .text(name)
            .is_some_and(|text| plain::is_plain(text, &defined, names))
    {
        return BTreeMap::new();
    }
    let is_told = |told: &str| names.iter().any(|name| name.eq_ignore_ascii_case(told));
    let told = given.into_iter().filter(|(name, _)| is_told(name));
    told.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Whether the dry run shows a value as it was given, and nothing else.
fn is_literal(value: &str) -> bool {
    value.len() <= VALUE_BYTES
        && value.trim() == value
        && !value.contains(|c: char| c.is_control() || matches!(c, '=' | '$' | '\\' | '#'))
}
