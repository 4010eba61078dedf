//! The design's own Makefile instead of the built-in steps.
//!
//! The contract: `make MODE=…` builds, with what the user gave as TOP, DEVICE, PACKAGE, PCF, FREQ,
//! SEED, FAMILY, PLATFORM, DIRECTIVES, and always ESTIMATE=0|1 and TARGET=program, the original's
//! names. Then `make run MODE=…` with the same, or the program itself where there is no target `run`.
//! In mode `hw` a board is loaded first, and POLYPHEMUS_SERIAL and ACC_DEVICE name its serial port.

use super::constraint::{self, Constraints};
use super::decision::Decisions;
use super::failure;
use super::file;
use super::option::{Mode, Options, bad_value};
use super::part::{self, Family, Part, Signs};
use super::source::Library;
use crate::design::Design;
use crate::flow::make;
use crate::flow::{Flow, FlowSettings, PlanError};
use crate::label::Need;
use crate::plan::{Load, Plan, PlannedStage, Run, Step};
use crate::report::{ReportFile, ReportFormat};
use crate::stage::StageName;
use std::collections::BTreeSet;

/// The names that make itself looks for, in its order.
const NAMES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];

/// The files that numbers are read from, where the Makefile leaves them.
const REPORTS: [(&str, ReportFormat); 5] = [
    ("build/top.stat.json", ReportFormat::YosysStat),
    ("build/top.report.json", ReportFormat::NextpnrReport),
    ("build/top.nextpnr.log", ReportFormat::NextpnrLog),
    ("build/top.icetime.json", ReportFormat::IcetimeJson),
    ("build/top.icetime.rpt", ReportFormat::IcetimeText),
];

/// Which way a job goes, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Workflow {
    BuiltIn(&'static str),
    Makefile { name: &'static str, why: &'static str },
}

pub(super) fn choose(options: &Options, design: &Design) -> Result<Workflow, PlanError> {
    let found = NAMES.into_iter().find(|name| design.has(name));
    match (options.make, found) {
        (Some(false), _) => Ok(Workflow::BuiltIn("the option `make` is off")),
        (Some(true), Some(name)) => Ok(Workflow::Makefile {
            name,
            why: "the option `make` is on",
        }),
        (Some(true), None) => Err(PlanError::Missing {
            what: "Makefile".into(),
            remedy: "put one into its folder, or leave out the option `make` for the built-in workflow"
                .into(),
        }),
        (None, None) => Ok(Workflow::BuiltIn("there is no Makefile")),
        (None, Some(name)) if mentions_mode(design.text(name).unwrap_or_default()) => {
            Ok(Workflow::Makefile {
                name,
                why: "it knows MODE",
            })
        }
        (None, Some(name)) if !design.paths().any(file::is_source) => Ok(Workflow::Makefile {
            name,
            why: "there is no Verilog source",
        }),
        (None, Some(_)) => Ok(Workflow::BuiltIn(
            "the Makefile does not know MODE; `make=1` uses it all the same",
        )),
    }
}

pub(super) fn plan(
    options: &Options,
    design: &Design,
    settings: &FlowSettings,
    name: &str,
    why: &str,
) -> Result<Plan, PlanError> {
    let mut decisions = Decisions::new(options, name, why);
    let mode = mode(options, design, &mut decisions);
    let variables = variables(options, settings, mode)?;
    let mut stages = vec![make(options, &variables, mode, design, name, settings)];
    let runs = mode != Mode::Estimate && !options.skip_run;
    if runs {
        let load = match mode {
            Mode::Hw => Some(load(options, design, &mut decisions)?),
            _ => None,
        };
        let has_target = has_run_target(design.text(name).unwrap_or_default());
        stages.push(run(&variables, load, has_target, settings));
    }
    Ok(Plan {
        flow: Flow::Open,
        mode: mode.as_str().to_owned(),
        stages,
        decisions: decisions.taken,
        notes: decisions.notes,
        refused: None,
    })
}

fn mode(options: &Options, design: &Design, decisions: &mut Decisions) -> Mode {
    if let Some(mode) = options.mode {
        return mode;
    }
    let is_host = |path: &str| file::stem(path) == "host";
    let (mode, why) = if design.paths().any(file::is_testbench) {
        (Mode::HwEmu, "there is a testbench")
    } else if design.paths().any(is_host) {
        (Mode::Hw, "there is a host program")
    } else {
        (Mode::SwEmu, "default")
    };
    decisions.take("mode", mode.as_str(), why);
    mode
}

/// The variables on make's command line.
fn variables(options: &Options, settings: &FlowSettings, mode: Mode) -> Result<Vec<String>, PlanError> {
    let target = &settings.executable_name;
    if let Some(odd) = super::option::unsafe_in_path(target) {
        return Err(bad_value(
            "EXECUTABLE_NAME",
            target,
            format!("a program's name is expected, but this {odd}"),
        ));
    }
    let seed = options.seed.map(|seed| seed.to_string());
    let estimate = if mode == Mode::Estimate { "1" } else { "0" };
    let given = [
        ("MODE", Some(mode.as_str())),
        ("ESTIMATE", Some(estimate)),
        ("TARGET", Some(target.as_str())),
        ("TOP", options.top.as_deref()),
        ("FAMILY", options.family.as_deref()),
        ("DEVICE", options.device.as_deref()),
        ("PACKAGE", options.package.as_deref()),
        ("PCF", options.pcf.as_deref()),
        ("FREQ", options.freq_mhz.as_deref()),
        ("SEED", seed.as_deref()),
        ("PLATFORM", options.platform.as_deref()),
        ("DIRECTIVES", options.directives.as_deref()),
    ];
    // The part is checked as in the built-in workflow: what reaches a command line is known.
    let family = part::family(options, false)?;
    part::choose(
        options,
        Signs {
            pins: None,
            ultra_plus_cells: false,
            family,
        },
    )?;
    let given = given.into_iter();
    Ok(given
        .filter_map(|(name, value)| Some(make::variable(name, value?)))
        .collect())
}

fn make(
    options: &Options,
    variables: &[String],
    mode: Mode,
    design: &Design,
    name: &str,
    settings: &FlowSettings,
) -> PlannedStage {
    let mut build = Run::new("the design's Makefile", argv(&["make"], variables));
    build.failures = failure::makefile();
    make::tell_variables(&mut build, variables, design, name, settings);
    let bitstream = matches!(mode, Mode::Hw | Mode::HwEmu).then(|| bitstreams(options).swap_remove(0));
    PlannedStage {
        name: StageName::Make,
        needs: vec![Need::tool("make")],
        steps: vec![Step::Run(build)],
        time_limit_s: settings.make_time_limit_s,
        reports: REPORTS
            .map(|(path, format)| ReportFile {
                path: path.to_owned(),
                format,
                optional: true,
            })
            .to_vec(),
        bitstream,
        discard: Vec::new(),
        network: false,
    }
}

fn run(
    variables: &[String],
    load: Option<(Part, Load)>,
    has_target: bool,
    settings: &FlowSettings,
) -> PlannedStage {
    let mut needs = Vec::new();
    let mut program = if has_target {
        needs.push(Need::tool("make"));
        Run::new("run by the Makefile", argv(&["make", "run"], variables))
    } else {
        Run::new("run", [format!("./{}", settings.executable_name)])
    };
    program.verdict = Some(failure::simulation_verdict());
    let mut steps = Vec::new();
    if let Some((part, load)) = load {
        needs.push(Need::fpga(&part.board()));
        for name in ["POLYPHEMUS_SERIAL", "ACC_DEVICE"] {
            program.env.insert(name.to_owned(), "{serial}".to_owned());
        }
        program.verdict = Some(failure::host_verdict());
        steps.push(Step::Load(load));
    }
    steps.push(Step::Run(program));
    PlannedStage {
        name: StageName::Run,
        needs,
        steps,
        time_limit_s: settings.run_time_limit_s,
        reports: Vec::new(),
        bitstream: None,
        discard: Vec::new(),
        network: false,
    }
}

/// The board to load, by the same signs as in the built-in workflow.
fn load(options: &Options, design: &Design, decisions: &mut Decisions) -> Result<(Part, Load), PlanError> {
    let has = |family| {
        design
            .paths()
            .any(|path| path.ends_with(constraint::ending(family)))
    };
    let family = part::family(options, has(Family::Ecp5) && !has(Family::Ice40))?;
    let constraints = constraints(options, design, family)?;
    let signs = Signs {
        pins: constraints.pins.as_ref(),
        ultra_plus_cells: false,
        family,
    };
    let part = part::choose(options, signs)?;
    if let Some(why) = part.why_device {
        decisions.take("device", part.device.name, why);
    }
    if options.pcf.is_none() {
        decisions.take("pcf", &constraints.path, "found in the design");
    }
    let load = Load {
        bitstream: bitstreams(options),
        constraints: constraints.path,
        cycles: None,
    };
    Ok((part, load))
}

fn constraints(options: &Options, design: &Design, family: Family) -> Result<Constraints, PlanError> {
    let library = Library::new(design);
    let top = options.top.as_deref().unwrap_or("top");
    let path = library.providers(top).next();
    let ports = path
        .and_then(|path| library.unit(path, top))
        .map_or_else(BTreeSet::new, |unit| unit.ports.clone());
    let found = constraint::choose(options, design, family, top, &ports)?;
    let ending = constraint::ending(family);
    let constraints = found.ok_or_else(|| PlanError::Missing {
        what: format!("constraints file ({ending})"),
        remedy: "a board is connected by it: hand in the one that the Makefile builds with".into(),
    })?;
    file::check_name(&constraints.path)?;
    Ok(constraints)
}

/// Where the bitstream may lie, the likeliest first.
fn bitstreams(options: &Options) -> Vec<String> {
    if let Some(given) = &options.bitstream {
        return vec![given.clone()];
    }
    let mut found = vec!["build/top.bin".to_owned()];
    if let Some(top) = options.top.as_deref().filter(|&top| top != "top") {
        found.insert(0, format!("build/{top}.bin"));
        found.push(format!("{top}.bin"));
    }
    found.extend(["build/top.bit", "top.bin", "top.bit"].map(str::to_owned));
    found
}

fn argv(words: &[&str], variables: &[String]) -> Vec<String> {
    words
        .iter()
        .map(|&word| word.to_owned())
        .chain(variables.iter().cloned())
        .collect()
}

fn mentions_mode(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .any(|word| word == "MODE")
}

/// Whether the Makefile has a rule for the target `run`.
fn has_run_target(text: &str) -> bool {
    text.lines().any(|line| {
        let Some((targets, rest)) = line.split_once(':') else {
            return false;
        };
        let is_rule = !line.starts_with(['\t', '#']) && !rest.trim_start_matches(':').starts_with('=');
        is_rule && !targets.contains('=') && targets.split_whitespace().any(|target| target == "run")
    })
}
