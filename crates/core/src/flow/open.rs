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
mod makefile;
mod option;
mod part;
mod source;
mod testbench;
mod tool;
mod top;

use super::{FlowSettings, JobOptions, PlanError};
use crate::design::Design;
use crate::plan::Plan;
use makefile::Workflow;

/// The plan of a job for the open flow. What cannot be had is refused here, before anything runs.
pub fn plan(options: &JobOptions, design: &Design, settings: &FlowSettings) -> Result<Plan, PlanError> {
    let options = option::Options::read(options)?;
    match makefile::choose(&options, design)? {
        Workflow::BuiltIn(why) => builtin::plan(&options, design, settings, why),
        Workflow::Makefile { name, why } => makefile::plan(&options, design, settings, name, why),
    }
}
