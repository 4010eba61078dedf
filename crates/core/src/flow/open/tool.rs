//! The command lines of the open tools, as they were tried (yosys 0.23, nextpnr 0.4, icestorm,
//! Icarus Verilog 11).

use super::failure;
use super::host::{Host, Language};
use super::part::{Family, Part};
use super::source::Reached;
use crate::plan::Run;
use crate::report::{ReportFile, ReportFormat};

/// Where Debian's yosys keeps its models of the iCE40's cells.
const ICE40_CELLS: &str = "/usr/share/yosys/ice40/cells_sim.v";
/// Icarus Verilog 11 cannot read the default values of ports in them.
const NO_DEFAULTS: &str = "-DNO_ICE40_DEFAULT_ASSIGNMENTS";

/// What the command lines are made of.
#[derive(Debug)]
pub(super) struct Build<'a> {
    pub(super) top: &'a str,
    pub(super) part: Part,
    pub(super) sources: &'a Reached<'a>,
    pub(super) constraints: Option<&'a str>,
    pub(super) freq_mhz: &'a str,
    pub(super) seed: Option<u32>,
    pub(super) allow_timing_violation: bool,
}

impl Build<'_> {
    /// A file that is made on the way: `build/TOP.ENDING`.
    pub(super) fn file(&self, ending: &str) -> String {
        made(self.top, ending)
    }

    pub(super) fn bitstream(&self) -> String {
        self.file(match self.part.family() {
            Family::Ice40 => "bin",
            Family::Ecp5 => "bit",
        })
    }

    /// What place and route hands to the packer: large, and made again in seconds.
    pub(super) fn routed(&self) -> String {
        self.file(match self.part.family() {
            Family::Ice40 => "asc",
            Family::Ecp5 => "config",
        })
    }

    pub(super) fn synthesis(&self) -> Run {
        let folders: String = self
            .sources
            .include_folders
            .iter()
            .map(|folder| format!(" -I{folder}"))
            .collect();
        // Else yosys makes each module with its parameters' defaults first, and stops where such a
        // default names a memory's file that is not there, though no instance asks for it.
        let defer = match self.sources.calls_any_of(&["$readmemh", "$readmemb"]) {
            true => "-defer ",
            false => "",
        };
        let script = format!(
            "read_verilog {defer}-sv{folders} {}; synth_{} -top {} -json {}; tee -q -o {} stat -json",
            self.sources.files.join(" "),
            self.part.family().as_str(),
            self.top,
            self.file("json"),
            self.file("stat.json"),
        );
        let log = self.file("yosys.log");
        let mut run = Run::new("synthesis", ["yosys", "-q", "-l", &log, "-p", &script]);
        run.makes = vec![self.file("json")];
        run.failures = failure::synthesis();
        run
    }

    pub(super) fn place_and_route(&self) -> Run {
        let log = self.file("nextpnr.log");
        let (program, constrain, write) = match self.part.family() {
            Family::Ice40 => ("nextpnr-ice40", "--pcf", "--asc"),
            Family::Ecp5 => ("nextpnr-ecp5", "--lpf", "--textcfg"),
        };
        let device = format!("--{}", self.part.device.name);
        let mut argv = texts([
            program,
            "-q",
            "--log",
            &log,
            &device,
            "--package",
            self.part.package,
        ]);
        if let Some(constraints) = self.constraints {
            argv.extend(texts([constrain, constraints]));
        }
        argv.extend(texts(["--freq", self.freq_mhz]));
        if let Some(seed) = self.seed {
            argv.extend(["--seed".to_owned(), seed.to_string()]);
        }
        if self.allow_timing_violation {
            argv.push("--timing-allow-fail".to_owned());
        }
        let report = self.file("report.json");
        argv.extend(texts([
            "--json",
            &self.file("json"),
            write,
            &self.routed(),
            "--report",
            &report,
        ]));
        let mut run = Run::new("place and route", argv);
        run.makes = vec![self.routed()];
        run.failures = failure::place_and_route(self.freq_mhz, self.constraints, &log);
        run
    }

    /// icetime's own view of the delays; only the iCE40 has it.
    pub(super) fn timing(&self) -> Run {
        let package = self.part.icestorm_package();
        let (json, text, routed) = (self.file("icetime.json"), self.file("icetime.rpt"), self.routed());
        Run::new(
            "timing analysis",
            [
                "icetime",
                "-d",
                self.part.device.name,
                "-P",
                &package,
                "-mt",
                "-j",
                &json,
                "-r",
                &text,
                &routed,
            ],
        )
    }

    pub(super) fn pack(&self) -> Run {
        let program = match self.part.family() {
            Family::Ice40 => "icepack",
            Family::Ecp5 => "ecppack",
        };
        let mut run = Run::new("bitstream", [program, &self.routed(), &self.bitstream()]);
        run.makes = vec![self.bitstream()];
        run
    }

    /// The bitstream back into Verilog, ports of several bits kept together (`-c`): else the
    /// testbench could not connect to them.
    pub(super) fn unpack(&self, constraints: &str) -> [Run; 2] {
        let (unpacked, netlist) = (self.file("unpacked.asc"), self.file("netlist.v"));
        let mut unpack = Run::new("bitstream unpacked", ["iceunpack", &self.bitstream(), &unpacked]);
        unpack.makes = vec![unpacked.clone()];
        let package = self.part.icestorm_package();
        let mut back = Run::new(
            "bitstream back to logic",
            [
                "icebox_vlog",
                "-s",
                "-c",
                "-d",
                &package,
                "-p",
                constraints,
                "-n",
                self.top,
                &unpacked,
            ],
        );
        // Else Python's order of sets, and with it the order of the ports, differs from run to run.
        back.env.insert("PYTHONHASHSEED".to_owned(), "0".to_owned());
        back.stdout_to = Some(netlist.clone());
        back.makes = vec![netlist];
        [unpack, back]
    }

    /// The netlist with the testbench. The models of the cells and the netlist come first: both rely
    /// on implicit nets, which a testbench may switch off for all that follows.
    pub(super) fn compile_netlist(&self, testbench: &str, module: &str, others: &Reached<'_>) -> Run {
        let (netlist, made) = (self.file("netlist.v"), self.file("vvp"));
        let mut argv = texts(["iverilog", "-g2012", NO_DEFAULTS, "-s", module, "-o", &made]);
        argv.extend(others.include_folders.iter().map(|folder| format!("-I{folder}")));
        argv.extend(texts([ICE40_CELLS, &netlist]));
        argv.extend(others.files.iter().map(|&path| path.to_owned()));
        let mut run = Run::new("compilation", argv);
        run.makes = vec![made];
        run.failures = failure::compile_netlist(testbench, self.top);
        run
    }

    pub(super) fn reports(&self) -> Vec<ReportFile> {
        let mut reports = vec![
            ("stat.json", ReportFormat::YosysStat),
            ("report.json", ReportFormat::NextpnrReport),
            ("nextpnr.log", ReportFormat::NextpnrLog),
        ];
        if self.part.family() == Family::Ice40 {
            reports.push(("icetime.json", ReportFormat::IcetimeJson));
            reports.push(("icetime.rpt", ReportFormat::IcetimeText));
        }
        let file = |(ending, format)| ReportFile {
            path: self.file(ending),
            format,
            optional: false,
        };
        reports.into_iter().map(file).collect()
    }
}

pub(super) fn folder() -> Run {
    Run::new("folder for the results", ["mkdir", "-p", "build"])
}

/// The sources with the testbench, and before them the models of the part's cells if any is used.
pub(super) fn compile(top: &str, module: &str, sources: &Reached<'_>, cells: bool) -> Run {
    let made = made(top, "vvp");
    let mut argv = texts(["iverilog", "-g2012"]);
    if cells {
        argv.push(NO_DEFAULTS.to_owned());
    }
    argv.extend(texts(["-s", module, "-o", &made]));
    argv.extend(sources.include_folders.iter().map(|folder| format!("-I{folder}")));
    if cells {
        argv.push(ICE40_CELLS.to_owned());
    }
    argv.extend(sources.files.iter().map(|&path| path.to_owned()));
    let mut run = Run::new("compilation", argv);
    run.makes = vec![made];
    run.failures = failure::compile();
    run
}

/// With `-N` a `$stop` ends the simulation with exit code 1 instead of waiting for somebody.
pub(super) fn simulate(top: &str) -> Run {
    let mut run = Run::new("simulation", ["vvp", "-N", &made(top, "vvp")]);
    run.failures = failure::simulation();
    run.verdict = Some(failure::simulation_verdict());
    run
}

/// The host program made ready; one in Python is.
pub(super) fn compile_host(host: &Host) -> Option<Run> {
    let compiler = match host.language {
        Language::C => "cc",
        Language::Cpp => "c++",
        Language::Python => return None,
    };
    let mut argv = texts([compiler, "-O2", "-Wall", "-o", HOST_PROGRAM, &host.path]);
    argv.extend(host.companions.iter().cloned());
    argv.push("-lm".to_owned());
    let mut run = Run::new("host program", argv);
    run.makes = vec![HOST_PROGRAM.to_owned()];
    run.failures = failure::compile_host(&host.path);
    Some(run)
}

pub(super) fn run_host(host: &Host) -> Run {
    let mut run = match host.language {
        Language::Python => Run::new("host program on the board", ["python3", &host.path, "{serial}"]),
        Language::C | Language::Cpp => Run::new("host program on the board", [HOST_PROGRAM, "{serial}"]),
    };
    run.verdict = Some(failure::host_verdict());
    run
}

const HOST_PROGRAM: &str = "build/host";

fn made(top: &str, ending: &str) -> String {
    format!("build/{top}.{ending}")
}

fn texts<const N: usize>(argv: [&str; N]) -> Vec<String> {
    argv.map(str::to_owned).to_vec()
}
