//! SDAccel on Amazon's F1, by the design's own Makefile: software and hardware emulation, and estimates.
//! Images for real F1 cards are not made yet.

use super::vendor::{self, Options};
use super::{Flow, FlowSettings, PlanError, open};
use crate::design::Design;
use crate::label::Need;
use crate::plan::{Plan, PlannedStage};
use crate::stage::StageName;
use std::collections::BTreeMap;

/// The label of a worker with AWS' development kit; see `tools.rs` of the worker.
const KIT: &str = "aws-fpga";
/// The exit code of a set-up that failed.
pub(super) const NOT_SET_UP: i32 = 96;

pub(super) fn plan(options: &Options, design: &Design, settings: &FlowSettings) -> Result<Plan, PlanError> {
    let mode = match options.mode.as_str() {
        "" => settings.default_f1_mode.as_str(),
        given => given,
    };
    if mode == "hw" {
        return Err(PlanError::Contradiction {
            what: "mode `hw`".into(),
            with: "the toolchain `f1` in this version, which makes no images for F1's cards".into(),
            remedy: "choose `sw_emu`, `hw_emu` or `estimate`".into(),
        });
    }
    if options.make == Some(false) {
        return Err(PlanError::Contradiction {
            what: "`make=0`".into(),
            with: "the toolchain `f1`, which has no commands of its own".into(),
            remedy: "leave it out: the design's Makefile builds".into(),
        });
    }
    let Some((name, why)) = vendor::makefile(options, design)? else {
        return Err(PlanError::Missing {
            what: "Makefile".into(),
            remedy: "put one that takes MODE and DEVICE into its folder, since the toolchain `f1` has no commands of its own".into(),
        });
    };
    let mut decisions = BTreeMap::from([("workflow".to_owned(), format!("{name} ({why})"))]);
    if options.mode.is_empty() {
        decisions.insert("mode".to_owned(), format!("{mode} (default)"));
    }
    let runs = mode != "estimate" && !options.estimate && !options.skip_run;
    let run = runs.then(|| emulation(mode, settings));
    Ok(Plan {
        flow: Flow::F1,
        mode: mode.to_owned(),
        stages: [build(options, mode, settings)].into_iter().chain(run).collect(),
        decisions,
        notes: options.without_use(
            &["platform", "sdsflags"],
            "the device is that of AWS' development kit",
        ),
        refused: None,
    })
}

/// `make MODE= [DIRECTIVES=] DEVICE=`, the device as the platform's script says it.
fn build(options: &Options, mode: &str, settings: &FlowSettings) -> PlannedStage {
    let variables = [("MODE", mode), ("DIRECTIVES", &options.directives)];
    let mut make = vendor::make(&variables, settings);
    let prefix = settings.command_prefix.iter().cloned();
    let command = prefix.chain(std::mem::take(&mut make.argv));
    make.argv = after_set_up("exec \"$@\" \"DEVICE=$AWS_PLATFORM\"", command);
    make.failures.insert(0, vendor::host());
    let mut stage = vendor::build(&["make"], vec![make], settings);
    stage.needs.push(Need::tool(KIT));
    stage
}

fn emulation(mode: &str, settings: &FlowSettings) -> PlannedStage {
    let program = format!("./{}", settings.executable_name);
    let mut run = vendor::tool("emulation", after_set_up("exec \"$@\"", [program]));
    run.env.insert("XCL_EMULATION_MODE".to_owned(), mode.to_owned());
    run.failures = vec![vendor::host()];
    run.verdict = Some(open::host_verdict());
    let mut stage = vendor::build(&[], vec![run], settings);
    stage.name = StageName::Run;
    stage.needs = vec![Need::tool(KIT)];
    stage.time_limit_s = settings.run_time_limit_s;
    stage
}

/// bash, since the platform's script is written for it, runs `then` with the words of the command when
/// the script has set up the environment. What the script prints is left out, as the original did.
fn after_set_up(then: &str, command: impl IntoIterator<Item = String>) -> Vec<String> {
    let script = format!(
        "here=$PWD; cd \"$AWS_FPGA_REPO_DIR\" && source ./sdaccel_setup.sh >/dev/null; cd \"$here\"; \
         [ -n \"$AWS_PLATFORM\" ] || {{ echo \"polyphemus: $AWS_FPGA_REPO_DIR/sdaccel_setup.sh set no AWS_PLATFORM\" >&2; \
         exit {NOT_SET_UP}; }}; {then}"
    );
    let shell = ["bash", "-c", &script, "bash"].map(str::to_owned);
    shell.into_iter().chain(command).collect()
}
