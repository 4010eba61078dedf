//! The flow's own way from the sources to a bitstream and its execution.

use super::cell;
use super::decision::Decisions;
use super::host::{Host, Language};
use super::known::Known;
use super::option::{Mode, Options};
use super::part::Family;
use super::source::Library;
use super::tool::{self, Build};
use crate::design::Design;
use crate::flow::{Flow, FlowSettings, PlanError};
use crate::label::Need;
use crate::plan::{Load, Plan, PlannedStage, Step};
use crate::stage::StageName;

/// How long a virtual board runs where no host program says when it is enough.
const CYCLES_WITHOUT_HOST: u64 = 1_000_000;

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
    let mut decisions = Decisions::new(options, "built-in", why);
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
        refused: None,
    })
}

impl<'a> Known<'a> {
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
        let host = match mode {
            Mode::Hw => self.host.as_ref().map_err(Clone::clone)?.as_ref(),
            _ => None,
        };
        if let Some(path) = self.sources.undefined.get("import") {
            decisions.note(format!(
                "{path} imports a package, which older versions of yosys cannot read (0.23 of Debian 12): if the \
                 synthesis stops there, write `package::name` at each use instead"
            ));
        }
        let make = self.make_stage(mode, host, &build, settings);
        let run = match (mode, constraints) {
            (Mode::HwEmu, Some(constraints)) => {
                Some(self.emulation(&build, constraints, library, settings, decisions)?)
            }
            (Mode::Hw, Some(constraints)) => self.board(&build, constraints, host, settings, decisions),
            _ => None,
        };
        let run = run.filter(|_| !self.options.skip_run);
        Ok([make].into_iter().chain(run).collect())
    }

    fn make_stage(
        &self,
        mode: Mode,
        host: Option<&Host>,
        build: &Build<'_>,
        settings: &FlowSettings,
    ) -> PlannedStage {
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
        if let Some(host) = host
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
        host: Option<&Host>,
        settings: &FlowSettings,
        decisions: &mut Decisions,
    ) -> Option<PlannedStage> {
        if host.is_none() && self.options.mode.is_none() {
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
            cycles: host.is_none().then_some(CYCLES_WITHOUT_HOST),
        })];
        if let Some(host) = host {
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
