//! What the vendor's flows share: the original's options, the choice between a Makefile and built-in
//! commands, the environment of the tools, and how their failures are told.

mod failure;
mod option;
mod setup;

pub(super) use failure::{host, tools as failures};
pub(super) use option::{Options, shown, words};
pub(super) use setup::{NOT_SET_UP, SetUp};

use super::{FlowSettings, JobOptions, PlanError, folder, make};
use crate::design::Design;
use crate::label::Need;
use crate::plan::{Plan, PlannedStage, Run, Step};
use crate::stage::StageName;

/// The names that make itself looks for, in its order.
const MAKEFILES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];
/// What tools of AMD and Xilinx read of their environment: where they and their licences are.
pub const INHERITED: [&str; 8] = [
    "LM_LICENSE_FILE",
    "XILINXD_LICENSE_FILE",
    "XILINX_SDX",
    "XILINX_VITIS",
    "XILINX_VIVADO",
    "XILINX_XRT",
    "PLATFORM_REPO_PATHS",
    "AWS_FPGA_REPO_DIR",
];

/// The plan that `here` makes where the design's files lie; `own` are the options that only it has.
pub(super) fn plan(
    given: &JobOptions,
    design: &Design,
    settings: &FlowSettings,
    own: &[&'static str],
    here: impl Fn(&Options, &Design, &FlowSettings) -> Result<Plan, PlanError>,
) -> Result<Plan, PlanError> {
    let options = Options::read(given, own)?;
    match design.only_folder() {
        None => here(&options, design, settings),
        Some(inner) => {
            let plan = here(&options, &design.below(&inner), settings)?;
            Ok(folder::moved(plan, &inner))
        }
    }
}

/// The Makefile that the job is to be built with, and why; `None` for the built-in commands. As the
/// option `make` says, and without it wherever there is one.
pub(super) fn makefile(
    options: &Options,
    design: &Design,
) -> Result<Option<(&'static str, &'static str)>, PlanError> {
    let found = MAKEFILES.into_iter().find(|name| design.has(name));
    match (options.make, found) {
        (Some(false), _) | (None, None) => Ok(None),
        (None, Some(name)) => Ok(Some((name, "the design has one"))),
        (Some(true), Some(name)) => Ok(Some((name, "the option `make` is on"))),
        (Some(true), None) => Err(PlanError::Missing {
            what: "Makefile".into(),
            remedy: "put one into its folder, or leave out the option `make` for the built-in commands"
                .into(),
        }),
    }
}

/// A step that runs a vendor's tool.
pub(super) fn tool<A: Into<String>>(title: &str, argv: impl IntoIterator<Item = A>) -> Run {
    let mut run = Run::new(title, argv);
    run.inherit = INHERITED.map(str::to_owned).to_vec();
    run.failures = failures();
    run
}

/// A command behind the operator's prefix, where that does not stand at its beginning.
pub(super) fn prefixed(command: Vec<String>, settings: &FlowSettings) -> Vec<String> {
    settings.command_prefix.iter().cloned().chain(command).collect()
}

/// The call of make with these variables, the empty ones left out as the original did.
pub(super) fn make(variables: &[(&str, &str)], settings: &FlowSettings) -> Run {
    let given = variables.iter().filter(|(_, value)| !value.is_empty());
    let variables = given.map(|(name, value)| make::variable(name, value));
    let mut run = tool(
        "the design's Makefile",
        std::iter::once("make".to_owned()).chain(variables),
    );
    run.dry_run = make::dry_run(settings);
    run
}

/// A make stage. Behind a prefix the tools may be anywhere, so that none is asked for.
pub(super) fn build(tools: &[&str], steps: Vec<Run>, settings: &FlowSettings) -> PlannedStage {
    let needs = match settings.command_prefix.is_empty() {
        true => tools.iter().map(|tool| Need::tool(tool)).collect(),
        false => Vec::new(),
    };
    PlannedStage {
        name: StageName::Make,
        needs,
        steps: steps.into_iter().map(Step::Run).collect(),
        time_limit_s: settings.make_time_limit_s,
        reports: Vec::new(),
        bitstream: None,
        discard: Vec::new(),
        // Licences come from servers.
        network: true,
    }
}
