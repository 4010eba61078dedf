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

use super::{FlowSettings, JobOptions, PlanError};
use crate::design::Design;
use crate::plan::{Plan, Step};
use makefile::Workflow;
use option::Options;

/// The plan of a job for the open flow. What cannot be had is refused here, before anything runs.
///
/// Where one folder holds the whole design, as in an archive of a folder, the steps run in it: its
/// author named files as they are seen from there.
pub fn plan(options: &JobOptions, design: &Design, settings: &FlowSettings) -> Result<Plan, PlanError> {
    let folder = design.only_folder();
    let options = Options::read(options, folder.as_deref())?;
    match folder {
        None => plan_here(&options, design, settings),
        Some(folder) => {
            let plan = plan_here(&options, &design.below(&folder), settings)?;
            Ok(moved(plan, &folder))
        }
    }
}

fn plan_here(options: &Options, design: &Design, settings: &FlowSettings) -> Result<Plan, PlanError> {
    match makefile::choose(options, design)? {
        Workflow::BuiltIn(why) => builtin::plan(options, design, settings, why),
        Workflow::Makefile { name, why } => makefile::plan(options, design, settings, name, why),
    }
}

/// The plan carried out in a folder of the workspace.
fn moved(mut plan: Plan, folder: &str) -> Plan {
    let prefix = |path: &mut String| *path = format!("{folder}/{path}");
    for stage in &mut plan.stages {
        stage
            .reports
            .iter_mut()
            .for_each(|report| prefix(&mut report.path));
        stage.bitstream.iter_mut().for_each(prefix);
        stage.discard.iter_mut().for_each(prefix);
        for step in &mut stage.steps {
            match step {
                Step::Run(run) => {
                    run.folder = folder.to_owned();
                    run.makes.iter_mut().for_each(prefix);
                    run.stdout_to.iter_mut().for_each(prefix);
                }
                Step::Load(load) => {
                    load.bitstream.iter_mut().for_each(prefix);
                    prefix(&mut load.constraints);
                }
            }
        }
    }
    plan
}
