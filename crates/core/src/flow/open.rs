//! The open flow: yosys, nextpnr, icestorm and Icarus Verilog, or the design's own Makefile.
//!
//! What is on a worker is not known here: `needs` says what a stage calls, and the command lines are
//! those that were tried.

mod builtin;
mod cell;
mod constraint;
mod decision;
mod failure;
mod file;
mod host;
mod known;
mod makefile;
mod option;
mod part;
mod source;
mod testbench;
mod tool;
mod top;

pub(super) use failure::host_verdict;

use super::{FlowSettings, JobOptions, PlanError, folder};
use crate::design::Design;
use crate::plan::Plan;
use makefile::Workflow;
use option::Options;

/// The plan of a job for the open flow. What cannot be had is refused here, before anything runs.
///
/// Where one folder holds the whole design, as in an archive of a folder, the steps run in it: its
/// author named files as they are seen from there.
pub fn plan(options: &JobOptions, design: &Design, settings: &FlowSettings) -> Result<Plan, PlanError> {
    let only_folder = design.only_folder();
    let options = Options::read(options, only_folder.as_deref())?;
    match only_folder {
        None => plan_here(&options, design, settings),
        Some(folder) => {
            let plan = plan_here(&options, &design.below(&folder), settings)?;
            Ok(folder::moved(plan, &folder))
        }
    }
}

fn plan_here(options: &Options, design: &Design, settings: &FlowSettings) -> Result<Plan, PlanError> {
    match makefile::choose(options, design)? {
        Workflow::BuiltIn(why) => builtin::plan(options, design, settings, why),
        Workflow::Makefile { name, why } => makefile::plan(options, design, settings, name, why),
    }
}
