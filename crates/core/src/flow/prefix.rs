//! The operator's `HLS_COMMAND_PREFIX`: which commands of a plan it is put before.

use super::FlowSettings;
use crate::plan::{Plan, Run, Step};

/// Not tools: what the steps themselves are made of.
const OWN: [&str; 6] = ["bash", "cp", "mkdir", "python3", "scp", "ssh"];

/// The plan with the prefix before each command of a tool: `make` and whatever compiles, synthesises
/// or simulates, but not what the job has built.
pub(super) fn put(mut plan: Plan, settings: &FlowSettings) -> Plan {
    if settings.command_prefix.is_empty() {
        return plan;
    }
    for step in plan.stages.iter_mut().flat_map(|stage| &mut stage.steps) {
        if let Step::Run(run) = step
            && is_tool(run)
        {
            run.argv.splice(0..0, settings.command_prefix.iter().cloned());
        }
    }
    plan
}

fn is_tool(run: &Run) -> bool {
    let program = run.argv.first().map_or("", String::as_str);
    !program.contains('/') && !OWN.contains(&program)
}
