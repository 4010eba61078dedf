//! The flow's own way from the sources to a bitstream and its execution.

use super::cell;
use super::constraint::{self, Constraints};
use super::decision::Decisions;
use super::file;
use super::host::{self, Host, Language};
use super::option::{Mode, Options};
use super::part::{self, Family, Part, Signs};
use super::source::{Library, Reached};
use super::testbench::{self, Found, Testbench};
use super::tool::{self, Build};
use super::top::{self, Top};
use crate::design::Design;
use crate::flow::{Flow, FlowSettings, PlanError};
use crate::label::Need;
use crate::plan::{Load, Plan, PlannedStage, Step};
use crate::stage::StageName;

/// How long a virtual board runs where no host program says when it is enough.
const CYCLES_WITHOUT_HOST: u64 = 1_000_000;

/// What is known of the design before any step is written down.
struct Known<'a> {
    options: &'a Options,
    top: Top<'a>,
    sources: Reached<'a>,
    testbench: Found<'a>,
    host: Option<Host>,
    constraints: Result<Option<Constraints>, PlanError>,
    part: Part,
}

pub(super) fn plan(
    options: &Options,
    design: &Design,
    settings: &FlowSettings,
    why: &str,
) -> Result<Plan, PlanError> {
    if let Some(bitstream) = &options.bitstream {
        return Err(PlanError::Contradiction {
            what: format!("option `bitstream` (`{bitstream}`)"),
            with: "the built-in workflow, which knows where its bitstream lies".into(),
            remedy: "leave it out, or use the design's Makefile with `make=1`".into(),
        });
    }
    let library = Library::new(design);
    if library.sources().next().is_none() {
        return Err(no_sources(design));
    }
    let mut decisions = Decisions::new("built-in", why);
    let known = Known::find(options, design, &library)?;
    let mode = known.mode(&library, &mut decisions)?;
    known.tell(&mut decisions);
    decisions.unused(options, &library.unread);
    let stages = match mode {
        Mode::SwEmu => known.simulation_of_sources(settings, &mut decisions)?,
        _ => known.bitstream(mode, &library, settings, &mut decisions)?,
    };
    Ok(Plan {
        flow: Flow::Open,
        mode: mode.as_str().to_owned(),
        stages,
        decisions: decisions.taken,
        notes: decisions.notes,
    })
}

impl<'a> Known<'a> {
    fn find(options: &'a Options, design: &Design, library: &Library<'a>) -> Result<Self, PlanError> {
        let has = |family| {
            design
                .paths()
                .any(|path| path.ends_with(constraint::ending(family)))
        };
        let family = part::family(options, has(Family::Ecp5) && !has(Family::Ice40))?;
        let testbenches = testbench::files(options, library)?;
        let placed = constraint::all(design, family);
        let top = top::choose(options.top.as_deref(), library, &testbenches, &placed)?;
        let sources = library.reach(top.path, &top.name, None)?;
        check_names(&sources)?;
        let constraints = constraint::choose(options, design, family, &top.name, &top.ports);
        let pins = constraints
            .as_ref()
            .ok()
            .and_then(|found| found.as_ref()?.pins.as_ref());
        let signs = Signs {
            pins,
            ultra_plus_cells: cell::any_ultra_plus(&sources),
            family,
        };
        let part = part::choose(options, signs)?;
        let testbench = testbench::choose(options, library, &testbenches, &top)?;
        Ok(Self {
            options,
            testbench,
            host: host::choose(options, design)?,
            sources,
            top,
            constraints,
            part,
        })
    }

    /// The mode: as given; else by what the design brings to judge it with.
    fn mode(&self, library: &Library<'a>, decisions: &mut Decisions) -> Result<Mode, PlanError> {
        if let Some(mode) = self.options.mode {
            return Ok(mode);
        }
        let (mode, why) = match (&self.testbench, &self.host) {
            (Found::Unclear(error), _) => return Err(error.clone()),
            (Found::One(testbench), _) => match self.obstacle(testbench, library) {
                None => (Mode::HwEmu, "there is a testbench"),
                Some(obstacle) => {
                    decisions.note(obstacle.to_string());
                    (
                        Mode::SwEmu,
                        "there is a testbench, but its bitstream cannot be simulated",
                    )
                }
            },
            (Found::None, Some(_)) => (Mode::Hw, "there is a host program"),
            (Found::None, None) => (Mode::Hw, "there is neither a testbench nor a host program"),
        };
        decisions.take("mode", mode.as_str(), why);
        Ok(mode)
    }

    /// Why the bitstream cannot be simulated with this testbench.
    fn obstacle(&self, testbench: &Testbench<'a>, library: &Library<'a>) -> Option<PlanError> {
        let refuse = |with: String, remedy: &str| {
            Some(PlanError::Contradiction {
                what: "mode `hw_emu`".into(),
                with,
                remedy: remedy.into(),
            })
        };
        if self.part.family() == Family::Ecp5 {
            return refuse(
                "the family ecp5".into(),
                "no tool turns an ECP5 bitstream back into logic; choose mode `sw_emu`, or `hw` with a real board",
            );
        }
        if let Some(lost) = cell::lost(&self.sources) {
            return Some(lost.refusal());
        }
        let unit = library.unit(testbench.path, &testbench.module)?;
        if unit.with_parameters.contains(&self.top.name) {
            return refuse(
                format!("{}, which gives `{}` parameters", testbench.path, self.top.name),
                "a bitstream has no parameters any more: set their defaults in the design, or choose mode `sw_emu`",
            );
        }
        let others = library
            .reach(testbench.path, &testbench.module, Some(&self.top.name))
            .ok()?;
        if others.files.contains(&self.top.path) {
            return refuse(
                format!(
                    "{}, which holds `{}` and what the testbench uses",
                    self.top.path, self.top.name
                ),
                "the bitstream's logic takes the place of that file: put the two into files of their own",
            );
        }
        None
    }

    fn simulation_of_sources(
        &self,
        settings: &FlowSettings,
        decisions: &mut Decisions,
    ) -> Result<Vec<PlannedStage>, PlanError> {
        let testbench = self.testbench(Mode::SwEmu, decisions)?;
        let cells = self.part.family() == Family::Ice40 && cell::any(&testbench.reached);
        let steps = vec![
            tool::folder(),
            tool::compile(&self.top.name, &testbench.module, &testbench.reached, cells),
        ];
        let mut needs = vec![Need::tool("iverilog")];
        if cells {
            needs.push(Need::tool("yosys"));
        }
        let mut stages = vec![stage(
            StageName::Make,
            needs,
            steps.into_iter().map(Step::Run),
            settings,
        )];
        if !self.options.skip_run {
            let mut run = stage(
                StageName::Run,
                vec![Need::tool("iverilog")],
                [Step::Run(tool::simulate(&self.top.name))],
                settings,
            );
            run.discard = vec![format!("build/{}.vvp", self.top.name)];
            stages.push(run);
        }
        Ok(stages)
    }

    fn bitstream(
        &self,
        mode: Mode,
        library: &Library<'a>,
        settings: &FlowSettings,
        decisions: &mut Decisions,
    ) -> Result<Vec<PlannedStage>, PlanError> {
        let constraints = self.constraints(mode, decisions)?;
        let (freq_mhz, taken) = self.options.freq_or_default();
        if taken {
            decisions.take("freq", &format!("{freq_mhz} MHz"), "default");
        }
        let build = Build {
            top: &self.top.name,
            part: self.part,
            sources: &self.sources,
            constraints,
            freq_mhz,
            seed: self.options.seed,
            allow_timing_violation: self.options.allow_timing_violation,
        };
        self.tell_part(decisions);
        let make = self.make_stage(mode, &build, settings);
        let run = match (mode, constraints) {
            (Mode::HwEmu, Some(constraints)) => {
                Some(self.emulation(&build, constraints, library, settings, decisions)?)
            }
            (Mode::Hw, Some(constraints)) => self.board(&build, constraints, settings, decisions),
            _ => None,
        };
        let run = run.filter(|_| !self.options.skip_run);
        Ok([make].into_iter().chain(run).collect())
    }

    fn make_stage(&self, mode: Mode, build: &Build<'_>, settings: &FlowSettings) -> PlannedStage {
        let is_ice40 = self.part.family() == Family::Ice40;
        let mut needs = vec![Need::tool("yosys")];
        let mut steps = vec![tool::folder(), build.synthesis(), build.place_and_route()];
        needs.push(Need::tool(if is_ice40 {
            "nextpnr-ice40"
        } else {
            "nextpnr-ecp5"
        }));
        if is_ice40 {
            needs.push(Need::tool("icestorm"));
            steps.push(build.timing());
        }
        if mode != Mode::Estimate {
            if !is_ice40 {
                needs.push(Need::tool("ecppack"));
            }
            steps.push(build.pack());
        }
        if let (Mode::Hw, Some(host)) = (mode, &self.host)
            && let Some(compile) = tool::compile_host(host)
        {
            needs.push(Need::tool(if host.language == Language::Cpp {
                "c++"
            } else {
                "cc"
            }));
            steps.push(compile);
        }
        let mut make = stage(StageName::Make, needs, steps.into_iter().map(Step::Run), settings);
        make.reports = build.reports();
        make.bitstream = (mode != Mode::Estimate).then(|| build.bitstream());
        make.discard = vec![build.file("json"), build.routed()];
        make
    }

    fn emulation(
        &self,
        build: &Build<'_>,
        constraints: &str,
        library: &Library<'a>,
        settings: &FlowSettings,
        decisions: &mut Decisions,
    ) -> Result<PlannedStage, PlanError> {
        let testbench = self.testbench(Mode::HwEmu, decisions)?;
        if let Some(obstacle) = self.obstacle(testbench, library) {
            return Err(obstacle);
        }
        let others = library.reach(testbench.path, &testbench.module, Some(&self.top.name))?;
        let [unpack, back] = build.unpack(constraints);
        let compile = build.compile_netlist(testbench.path, &testbench.module, &others);
        let steps = [unpack, back, compile, tool::simulate(&self.top.name)];
        let needs = ["icestorm", "yosys", "iverilog"].map(Need::tool).to_vec();
        let mut run = stage(StageName::Run, needs, steps.into_iter().map(Step::Run), settings);
        run.discard = vec![build.file("unpacked.asc"), build.file("vvp")];
        Ok(run)
    }

    /// The run on a board; none where nobody asked for one and nothing would judge it.
    fn board(
        &self,
        build: &Build<'_>,
        constraints: &str,
        settings: &FlowSettings,
        decisions: &mut Decisions,
    ) -> Option<PlannedStage> {
        if self.host.is_none() && self.options.mode.is_none() {
            decisions.note(
                "the run is left out, since there is neither a testbench nor a host program; with `mode=hw` the \
                 bitstream is loaded on a board all the same",
            );
            return None;
        }
        if let Some(lost) = cell::lost(&self.sources) {
            decisions.note(lost.note());
        }
        let mut needs = vec![Need::fpga(&self.part.board())];
        let mut steps = vec![Step::Load(Load {
            bitstream: vec![build.bitstream()],
            constraints: constraints.to_owned(),
            cycles: self.host.is_none().then_some(CYCLES_WITHOUT_HOST),
        })];
        if let Some(host) = &self.host {
            if host.language == Language::Python {
                needs.push(Need::tool("python3"));
            }
            if !host.named {
                decisions.take("host", &host.path, "by its name");
            }
            steps.push(Step::Run(tool::run_host(host)));
        }
        Some(stage(StageName::Run, needs, steps, settings))
    }

    fn constraints(&self, mode: Mode, decisions: &mut Decisions) -> Result<Option<&str>, PlanError> {
        let found = self.constraints.as_ref().map_err(Clone::clone)?;
        let ending = constraint::ending(self.part.family());
        match found {
            Some(constraints) => {
                file::check_name(&constraints.path)?;
                if self.options.pcf.is_none() {
                    decisions.take("pcf", &constraints.path, "found in the design");
                }
                Ok(Some(&constraints.path))
            }
            None if mode == Mode::Estimate => {
                decisions.note(format!(
                    "the design has no {ending} file, so the pins were chosen by nextpnr: the numbers are an estimate \
                     for any board"
                ));
                Ok(None)
            }
            None => Err(PlanError::Missing {
                what: format!("constraints file ({ending})"),
                remedy: format!(
                    "a bitstream for a board needs one that gives each port of `{}` its pin; the modes `estimate` \
                     and `sw_emu` do without",
                    self.top.name
                ),
            }),
        }
    }

    fn testbench(&self, mode: Mode, decisions: &mut Decisions) -> Result<&Testbench<'a>, PlanError> {
        match &self.testbench {
            Found::One(testbench) => {
                check_names(&testbench.reached)?;
                if !testbench.named {
                    decisions.take("testbench", testbench.path, "by its name");
                }
                Ok(testbench)
            }
            Found::Unclear(error) => Err(error.clone()),
            Found::None => Err(PlanError::Missing {
                what: format!("testbench that has an instance of `{}`", self.top.name),
                remedy: format!(
                    "mode `{}` simulates one: hand it in as `{}_tb.v`, or name it with the option `testbench`",
                    mode.as_str(),
                    self.top.name
                ),
            }),
        }
    }

    fn tell(&self, decisions: &mut Decisions) {
        if let Some(why) = self.top.why {
            decisions.take("top", &self.top.name, why);
        }
        decisions.take(
            "sources",
            &self.sources.files.join(" "),
            "what the top module uses",
        );
    }

    fn tell_part(&self, decisions: &mut Decisions) {
        if let Some(why) = self.part.why_device {
            decisions.take("device", self.part.device.name, why);
        }
        if let Some(why) = self.part.why_package {
            decisions.take("package", self.part.package, why);
        }
        if self.options.allow_timing_violation {
            decisions.note("a clock that is too slow does not fail this job: compare the numbers yourself");
        }
        if self.part.device.name == "up5k" {
            decisions.note(
                "on the UP5K, DSP blocks and SPRAM are used only where the sources name `SB_MAC16` or \
                 `SB_SPRAM256KA`: neither comes back from a bitstream",
            );
        }
    }
}

fn stage(
    name: StageName,
    needs: Vec<Need>,
    steps: impl IntoIterator<Item = Step>,
    settings: &FlowSettings,
) -> PlannedStage {
    PlannedStage {
        name,
        needs,
        steps: steps.into_iter().collect(),
        time_limit_s: match name {
            StageName::Run => settings.run_time_limit_s,
            StageName::Make | StageName::Afi => settings.make_time_limit_s,
        },
        reports: Vec::new(),
        bitstream: None,
        discard: Vec::new(),
        network: false,
    }
}

fn check_names(reached: &Reached<'_>) -> Result<(), PlanError> {
    let files = reached.files.iter().copied();
    let folders = reached.include_folders.iter().map(String::as_str);
    files.chain(folders).try_for_each(file::check_name)
}

fn no_sources(design: &Design) -> PlanError {
    let vhdl = design
        .paths()
        .find(|path| path.ends_with(".vhd") || path.ends_with(".vhdl"));
    PlanError::Missing {
        what: "Verilog source (.v, .sv) and no Makefile".into(),
        remedy: match vhdl {
            Some(_) => "VHDL is not read here: hand in what `ghdl --synth --out=verilog` makes of it".into(),
            None => "hand in the folder that holds the sources".into(),
        },
    }
}
