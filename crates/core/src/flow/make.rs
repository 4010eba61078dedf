//! What is common to calls of make, whatever the toolchain: variables on its command line, and the
//! dry run that tells the Makefile's own.

use super::FlowSettings;
use crate::plan::DryRun;

/// The original's.
const DRY_RUN_LIMIT_S: u64 = 60;

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
