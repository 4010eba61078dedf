//! Amazon's F2 by the hardware development kit: a checkpoint, an image of it, and the card.

use super::vendor::{self, Options, SetUp};
use super::{Flow, FlowSettings, JobOptions, PlanError, afi, card, is_on};
use crate::cause::CauseKind;
use crate::design::Design;
use crate::label::Need;
use crate::plan::{FailureRule, Plan, PlannedStage, Run, Step};
use crate::stage::StageName;
use std::collections::BTreeMap;

/// What only this flow has: the custom logic's name, more words for the kit's script, and whether an image
/// may be made of a checkpoint that misses its clock.
pub(super) const OPTIONS: [&str; 3] = ["cl", "hdkflags", "allow_timing_violation"];
/// The labels of workers with the two halves of AWS' kit; see `tools.rs` of the worker.
const HDK: &str = "aws-fpga-hdk";
const SDK: &str = "aws-fpga-sdk";
/// The host program's source, where no Makefile builds it.
const HOST: &str = "main.cpp";
/// The exit code of a checkpoint that misses its clock.
const VIOLATED: i32 = 95;
const CHECK_TIMING: &str = "for one in build/checkpoints/*VIOLATED*; do [ -e \"$one\" ] || continue; \
                            echo \"timing is violated: ${one##*/}\"; exit 95; done";
/// The kit's own copy where the design has none: an archive may not hold the examples' link to it.
const BUILD: &str = "export CL_DIR=$PWD; mkdir -p build/scripts build/checkpoints; cd build/scripts; \
                     s=./aws_build_dcp_from_cl.py; [ -f \"$s\" ] || s=$HDK_SHELL_DIR/build/scripts/aws_build_dcp_from_cl.py; \
                     n=$1; shift; exec \"${@:1:n}\" python3 \"$s\" \"${@:n+1}\"";
const COMPILE_HOST: &str =
    "exec \"$@\" -I\"$SDK_DIR/userspace/include\" -L\"$SDK_DIR/userspace/lib/so\" -lfpga_mgmt";

pub(super) fn plan(
    given: &JobOptions,
    options: &Options,
    design: &Design,
    settings: &FlowSettings,
) -> Result<Plan, PlanError> {
    check_mode(options)?;
    let mut decisions = BTreeMap::new();
    let mut hosts = design.has(HOST);
    let (built, tool) = match vendor::makefile(options, design)? {
        Some((name, why)) => {
            decisions.insert("workflow".to_owned(), format!("{name} ({why})"));
            hosts = true;
            (by_makefile(options, settings), "make")
        }
        None => {
            let logic = logic(given, design)?;
            decisions.insert("workflow".to_owned(), "built-in".to_owned());
            decisions.insert("custom logic".to_owned(), logic.clone());
            (by_kit(given, &logic, settings)?, "python3")
        }
    };
    let is_allowed = is_on(given, "allow_timing_violation");
    let mut make = vendor::build(
        &[tool],
        std::iter::once(built).chain((!is_allowed).then(timing)).collect(),
        settings,
    );
    make.needs.push(Need::tool(HDK));
    let mut stages = vec![make, afi::of_checkpoint(settings)?];
    let is_own_host = hosts && !decisions["workflow"].contains("akefile");
    if !options.skip_run {
        stages.push(run(hosts, is_own_host, settings));
    }
    let unused = ["platform", "sdsflags", "estimate"];
    let mut notes = options.without_use(&unused, "the kit builds for the card that it is made for");
    if !hosts {
        notes.push(format!(
            "the design has no `{HOST}`: the card is loaded, and nothing runs on it"
        ));
    }
    Ok(Plan {
        flow: Flow::F2,
        mode: "hw".to_owned(),
        stages,
        decisions,
        notes,
        refused: None,
    })
}

fn check_mode(options: &Options) -> Result<(), PlanError> {
    match options.mode.as_str() {
        "" | "hw" => Ok(()),
        other => Err(PlanError::Contradiction {
            what: format!("mode `{other}`"),
            with: "the toolchain `f2`, whose kit builds for the card only".into(),
            remedy: "leave the mode out, or emulate a kernel with `toolchain=vitis` and F2's platform".into(),
        }),
    }
}

/// The design's name for the kit: the option, else that of the one top-level module by the kit's rule.
fn logic(given: &JobOptions, design: &Design) -> Result<String, PlanError> {
    if let Some(name) = given.get("cl").filter(|name| !name.is_empty()) {
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        return match is_name {
            true => Ok(name.clone()),
            false => Err(PlanError::BadValue {
                name: "cl".into(),
                value: vendor::shown(name),
                expected: "a name of letters, digits and `_` is expected".into(),
            }),
        };
    }
    let base = |path: &str| {
        let name = path.strip_prefix("design/")?;
        let base = name.strip_suffix(".sv").or_else(|| name.strip_suffix(".v"))?;
        (base.starts_with("cl_") && !base.ends_with("_defines") && !base.contains('/'))
            .then(|| base.to_owned())
    };
    let mut candidates: Vec<String> = design.paths().filter_map(base).collect();
    match candidates.len() {
        1 => Ok(candidates.remove(0)),
        0 => Err(PlanError::Missing {
            what: "custom logic".into(),
            remedy: "its top module is expected in `design/cl_NAME.sv`, as the kit's examples have it; or name it with \
                     the option `cl`, or hand in a Makefile"
                .into(),
        }),
        _ => Err(PlanError::Ambiguous {
            what: "modules that may be the custom logic".into(),
            candidates,
            option: "cl",
        }),
    }
}

fn hdk(settings: &FlowSettings) -> SetUp<'_> {
    SetUp {
        scripts: std::slice::from_ref(&settings.f2_setup),
        sets: None,
    }
}

fn by_makefile(options: &Options, settings: &FlowSettings) -> Run {
    let mut make = vendor::make(&[("DIRECTIVES", &options.directives)], settings);
    let command = vendor::prefixed(std::mem::take(&mut make.argv), settings);
    make.argv = hdk(settings).command("export CL_DIR=$PWD; exec \"$@\"", command);
    make.failures.insert(0, vendor::host());
    make
}

fn by_kit(given: &JobOptions, logic: &str, settings: &FlowSettings) -> Result<Run, PlanError> {
    let flags = vendor::words("hdkflags", given.get("hdkflags").map_or("", String::as_str))?;
    let prefix = &settings.command_prefix;
    let words = std::iter::once(prefix.len().to_string()).chain(prefix.iter().cloned());
    let own = ["--cl".to_owned(), logic.to_owned()];
    Ok(hdk(settings).tool("checkpoint", BUILD, words.chain(own).chain(flags)))
}

/// The kit packs a checkpoint that misses its clock all the same, and says so only in its name.
fn timing() -> Run {
    let mut check = Run::new("timing", ["bash", "-c", CHECK_TIMING]);
    check.failures = vec![FailureRule {
        exit_code: Some(VIOLATED),
        line: Some("^timing is violated: ".to_owned()),
        kind: CauseKind::TimingNotMet,
        message: "the checkpoint misses its clock, so that no image is made of it: shorten the critical path, choose a \
                  slower clock, or have it made all the same with `allow_timing_violation=1`"
            .to_owned(),
    }];
    check
}

fn run(hosts: bool, is_own_host: bool, settings: &FlowSettings) -> PlannedStage {
    let (load, wait) = card::load();
    let mut steps = Vec::new();
    if is_own_host {
        let exe = settings.executable_name.as_str();
        let words = ["g++", "-O2", "-o", exe, HOST].map(str::to_owned);
        let sdk = SetUp {
            scripts: std::slice::from_ref(&settings.f2_sdk_setup),
            sets: None,
        };
        let mut compile = sdk.tool("host program", COMPILE_HOST, words);
        compile.makes = vec![exe.to_owned()];
        steps.push(Step::Run(compile));
    }
    steps.extend([Step::Run(card::clear()), Step::Run(load), Step::Poll(wait)]);
    if hosts {
        steps.push(Step::Run(card::host(&settings.f2_sdk_setup, &[], settings)));
    }
    let mut stage = vendor::build(&[], Vec::new(), settings);
    stage.name = StageName::Run;
    stage.needs = vec![Need::tool(SDK), card::slot()];
    stage.steps = steps;
    stage.time_limit_s = settings.run_time_limit_s;
    stage
}
