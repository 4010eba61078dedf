//! SDAccel on Amazon's F1, by the design's own Makefile or by commands of our own: emulation, estimates,
//! and images that run on the card.

mod builtin;

use super::vendor::{self, Options, SetUp};
use super::{Flow, FlowSettings, PlanError, afi, card, open};
use crate::design::Design;
use crate::label::Need;
use crate::plan::{Plan, PlannedStage, Run};
use crate::stage::StageName;
use std::collections::BTreeMap;

/// The label of a worker with AWS' development kit; see `tools.rs` of the worker.
const KIT: &str = "aws-fpga";

pub(super) fn plan(options: &Options, design: &Design, settings: &FlowSettings) -> Result<Plan, PlanError> {
    let mode = match options.mode.as_str() {
        "" => settings.default_f1_mode.as_str(),
        given => given,
    };
    let mut decisions = BTreeMap::new();
    if options.mode.is_empty() {
        decisions.insert("mode".to_owned(), format!("{mode} (default)"));
    }
    let (build, unused) = match vendor::makefile(options, design)? {
        Some((name, why)) => {
            decisions.insert("workflow".to_owned(), format!("{name} ({why})"));
            (
                by_makefile(options, mode, settings),
                &["platform", "sdsflags"][..],
            )
        }
        None => {
            let kernel = super::sdsoc::hardware(options, design, "xocc")?;
            decisions.insert("workflow".to_owned(), "built-in".to_owned());
            decisions.insert("kernel".to_owned(), kernel.decision());
            let steps = builtin::steps(kernel.function, mode, set_up(settings), settings);
            let unused = &["platform", "sdsflags", "directives"][..];
            (build(&["xocc"], steps, settings), unused)
        }
    };
    let mut stages = vec![build];
    if mode == "hw" {
        stages.push(image(settings)?);
    }
    if mode != "estimate" && !options.estimate && !options.skip_run {
        stages.push(match mode {
            "hw" => on_the_card(settings),
            _ => emulation(mode, settings),
        });
    }
    Ok(Plan {
        flow: Flow::F1,
        mode: mode.to_owned(),
        stages,
        decisions,
        notes: options.without_use(unused, "the device is that of AWS' development kit"),
        refused: None,
    })
}

fn set_up(settings: &FlowSettings) -> SetUp<'_> {
    SetUp {
        scripts: std::slice::from_ref(&settings.f1_setup),
        sets: Some("AWS_PLATFORM"),
    }
}

/// `make MODE= [DIRECTIVES=] DEVICE=`, the device as the platform's script says it.
fn by_makefile(options: &Options, mode: &str, settings: &FlowSettings) -> PlannedStage {
    let variables = [("MODE", mode), ("DIRECTIVES", &options.directives)];
    let mut make = vendor::make(&variables, settings);
    let command = vendor::prefixed(std::mem::take(&mut make.argv), settings);
    make.argv = set_up(settings).command("exec \"$@\" \"DEVICE=$AWS_PLATFORM\"", command);
    make.failures.insert(0, vendor::host());
    build(&["make"], vec![make], settings)
}

fn build(tools: &[&str], steps: Vec<Run>, settings: &FlowSettings) -> PlannedStage {
    let mut stage = vendor::build(tools, steps, settings);
    stage.needs.push(Need::tool(KIT));
    stage
}

fn image(settings: &FlowSettings) -> Result<PlannedStage, PlanError> {
    let mut stage = afi::of_xclbin(set_up(settings), settings)?;
    stage.needs.push(Need::tool(KIT));
    Ok(stage)
}

fn emulation(mode: &str, settings: &FlowSettings) -> PlannedStage {
    let program = format!("./{}", settings.executable_name);
    let mut run = set_up(settings).tool("emulation", "exec \"$@\"", [program]);
    run.env.insert("XCL_EMULATION_MODE".to_owned(), mode.to_owned());
    run.failures = vec![vendor::host()];
    run.verdict = Some(open::host_verdict());
    run_stage(vec![Need::tool(KIT)], vec![run], settings)
}

/// The image is loaded by the host program itself, from the `.awsxclbin`.
fn on_the_card(settings: &FlowSettings) -> PlannedStage {
    let run = card::host(&settings.xrt_setup, &[], settings);
    run_stage(vec![card::slot()], vec![card::clear(), run], settings)
}

fn run_stage(needs: Vec<Need>, steps: Vec<Run>, settings: &FlowSettings) -> PlannedStage {
    let mut stage = vendor::build(&[], steps, settings);
    stage.name = StageName::Run;
    stage.needs = needs;
    stage.time_limit_s = settings.run_time_limit_s;
    stage
}
