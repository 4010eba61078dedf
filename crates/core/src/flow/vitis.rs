//! Vitis on Alveo: `v++` compiles, links and packs a kernel, g++ builds its host against XRT, and both
//! run in emulation or on a card with the platform's shell.

use super::vendor::{self, Options, SetUp};
use super::{Flow, FlowSettings, PlanError, card, open};
use crate::design::Design;
use crate::label::{Label, Need};
use crate::plan::{Plan, PlannedStage, Run};
use crate::stage::StageName;
use std::collections::BTreeMap;

/// The host program's source; the rule is SDSoC's.
const HOST: &str = "main.cpp";
/// What a worker offers whose `v++` still has software emulation; see `tools.rs` of the worker.
const SW_EMU: &str = "vitis-sw_emu";
const COMPILE_HOST: &str = "exec \"$@\" ${XILINX_XRT:+-I\"$XILINX_XRT/include\" -L\"$XILINX_XRT/lib\"} -lxrt_coreutil -luuid -pthread";

pub(super) fn plan(options: &Options, design: &Design, settings: &FlowSettings) -> Result<Plan, PlanError> {
    let mut decisions = BTreeMap::new();
    let mode = match options.mode.as_str() {
        "" => {
            decisions.insert("mode".to_owned(), "hw_emu (default)".to_owned());
            "hw_emu"
        }
        given => given,
    };
    let platform = match options.platform.as_str() {
        "" => {
            let default = settings.default_vitis_platform.as_str();
            decisions.insert("platform".to_owned(), format!("{default} (default)"));
            default
        }
        given => given,
    };
    check_f2(platform, mode)?;
    let (mut build, unused, arguments) = match vendor::makefile(options, design)? {
        Some((name, why)) => {
            decisions.insert("workflow".to_owned(), format!("{name} ({why})"));
            (
                by_makefile(options, mode, platform, settings),
                &["sdsflags"][..],
                vec![],
            )
        }
        None => {
            let kernel = super::sdsoc::hardware(options, design, "v++")?;
            decisions.insert("workflow".to_owned(), "built-in".to_owned());
            decisions.insert("kernel".to_owned(), kernel.decision());
            let own = BuiltIn {
                kernel: kernel.function,
                mode,
                platform,
                configs: Configs::of(design),
                settings,
            };
            let stage = vendor::build(&["vitis"], own.steps(), settings);
            (stage, &["sdsflags", "directives"][..], vec![own.packed()])
        }
    };
    if mode == "sw_emu" {
        build.needs.push(Need::tool(SW_EMU));
    }
    let runs = mode != "estimate" && !options.estimate && !options.skip_run;
    let run = runs.then(|| run(mode, platform, &arguments, settings));
    Ok(Plan {
        flow: Flow::Vitis,
        mode: mode.to_owned(),
        stages: std::iter::once(build).chain(run).collect(),
        decisions,
        notes: options.without_use(
            unused,
            "`v++` takes its settings from `*.cfg` files in the design",
        ),
        refused: None,
    })
}

/// What the workers' tools do not have any more. Where no worker has Vitis now, the job waits for one.
pub(super) fn check_offered(plan: &Plan, labels: &[Label]) -> Result<(), PlanError> {
    let wants = Need::tool(SW_EMU);
    let is_wanted = plan.stages.iter().any(|stage| stage.needs.contains(&wants));
    let is_offered = labels.iter().any(|label| wants.is_met_by(label));
    let vitis = labels.iter().find(|label| Need::tool("vitis").is_met_by(label));
    match vitis {
        Some(vitis) if is_wanted && !is_offered => Err(PlanError::Contradiction {
            what: "mode `sw_emu`".into(),
            with: format!("the workers' `v++` (`{vitis}`), which has no software emulation any more"),
            remedy: "choose `hw_emu`".into(),
        }),
        _ => Ok(()),
    }
}

/// AWS makes no image of what `v++` links for F2, so that it could never be loaded.
fn check_f2(platform: &str, mode: &str) -> Result<(), PlanError> {
    let lower = platform.to_ascii_lowercase();
    if mode != "hw" || !(lower.contains("aws") && lower.contains("f2")) {
        return Ok(());
    }
    Err(PlanError::Contradiction {
        what: "mode `hw`".into(),
        with: "F2's platform and the toolchain `vitis`: AWS takes no `.xclbin` for images of F2".into(),
        remedy: "choose `hw_emu`, or build with the kit by `toolchain=f2`".into(),
    })
}

fn tools(settings: &FlowSettings) -> SetUp<'_> {
    SetUp {
        scripts: &settings.vitis_setup,
        sets: None,
    }
}

/// As the vendor's examples take their variables.
fn by_makefile(options: &Options, mode: &str, platform: &str, settings: &FlowSettings) -> PlannedStage {
    let variables = [
        ("TARGET", mode),
        ("PLATFORM", platform),
        ("DIRECTIVES", &options.directives),
    ];
    let mut make = vendor::make(&variables, settings);
    let command = vendor::prefixed(std::mem::take(&mut make.argv), settings);
    make.argv = tools(settings).command("exec \"$@\"", command);
    make.failures.insert(0, vendor::host());
    vendor::build(&["vitis", "make"], vec![make], settings)
}

/// Config files directly in the design's folder: `compile.cfg` and `package.cfg` for those steps, all
/// others for the link.
struct Configs<'a> {
    compile: Vec<&'a str>,
    link: Vec<&'a str>,
    package: Vec<&'a str>,
}

impl<'a> Configs<'a> {
    fn of(design: &'a Design) -> Self {
        let all = design
            .paths()
            .filter(|path| !path.contains('/') && path.ends_with(".cfg"));
        let mut configs = Self {
            compile: Vec::new(),
            link: Vec::new(),
            package: Vec::new(),
        };
        for path in all {
            match path {
                "compile.cfg" => configs.compile.push(path),
                "package.cfg" => configs.package.push(path),
                _ => configs.link.push(path),
            }
        }
        configs
    }
}

struct BuiltIn<'a> {
    kernel: &'a str,
    mode: &'a str,
    platform: &'a str,
    configs: Configs<'a>,
    settings: &'a FlowSettings,
}

impl BuiltIn<'_> {
    fn packed(&self) -> String {
        format!("{}.xclbin", self.kernel)
    }

    fn steps(&self) -> Vec<Run> {
        let kernel = self.kernel;
        let target = if self.mode == "estimate" { "hw" } else { self.mode };
        let (source, object) = (format!("{kernel}.cpp"), format!("{kernel}.xo"));
        let (linked, packed) = (format!("{kernel}.link.xclbin"), self.packed());
        let head = ["-t", target, "--platform", self.platform];
        let compile = [
            "-c",
            "--save-temps",
            "-k",
            kernel,
            "--temp_dir",
            "_x",
            "-o",
            &object,
            &source,
        ];
        let mut words = [&["v++"], &head[..], &compile[..]].concat();
        if self.mode == "estimate" {
            words.extend(["--report_level", "estimate"]);
        }
        let mut compile = self.tool("kernel", &words, &self.configs.compile);
        compile.makes = vec![object.clone()];
        if self.mode == "estimate" {
            return vec![compile];
        }
        let link = ["-l", "--temp_dir", "_x", "-o", &linked, &object];
        let mut link = self.tool(
            "link",
            &[&["v++"], &head[..], &link[..]].concat(),
            &self.configs.link,
        );
        link.makes = vec![linked.clone()];
        let pack = ["-p", &linked, "--package.out_dir", "package", "-o", &packed];
        let pack = [&["v++"], &head[..], &pack[..]].concat();
        let mut pack = self.tool("package", &pack, &self.configs.package);
        pack.makes = vec![packed.clone()];
        let emulated = ["emconfigutil", "--platform", self.platform, "--od", "."];
        let emulated = (self.mode != "hw").then(|| self.tool("emulated card", &emulated, &[]));
        [compile, link, pack]
            .into_iter()
            .chain(emulated)
            .chain([self.host()])
            .collect()
    }

    fn tool(&self, title: &str, words: &[&str], configs: &[&str]) -> Run {
        let configs = configs.iter().flat_map(|path| ["--config", path]);
        let words = words.iter().copied().chain(configs).map(str::to_owned).collect();
        let words = vendor::prefixed(words, self.settings);
        if self.settings.vitis_setup.is_empty() {
            return vendor::tool(title, words);
        }
        tools(self.settings).tool(title, "exec \"$@\"", words)
    }

    fn host(&self) -> Run {
        let exe = self.settings.executable_name.as_str();
        let words = ["g++", "-std=c++17", "-O2", "-o", exe, HOST].map(str::to_owned);
        let mut host = tools(self.settings).tool("host program", COMPILE_HOST, words);
        host.makes = vec![exe.to_owned()];
        host
    }
}

fn run(mode: &str, platform: &str, arguments: &[String], settings: &FlowSettings) -> PlannedStage {
    let mut stage = vendor::build(&[], Vec::new(), settings);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = if mode == "hw" {
        stage.needs = vec![Need::fpga(shell_of(platform))];
        card::host(&settings.xrt_setup, &arguments, settings)
    } else {
        stage.needs = vec![Need::tool("vitis")];
        let program = std::iter::once(format!("./{}", settings.executable_name));
        let words = program.chain(arguments.iter().map(|&word| word.to_owned()));
        let mut run = tools(settings).tool("emulation", "exec \"$@\"", words);
        run.env.insert("XCL_EMULATION_MODE".to_owned(), mode.to_owned());
        run.failures = vec![vendor::host()];
        run.verdict = Some(open::host_verdict());
        run
    };
    stage.name = StageName::Run;
    stage.steps = vec![crate::plan::Step::Run(run)];
    stage.time_limit_s = settings.run_time_limit_s;
    stage
}

/// A platform may be given as the path of its description: `…/NAME/NAME.xpfm`.
fn shell_of(platform: &str) -> &str {
    let name = platform.rsplit('/').next().unwrap_or(platform);
    name.strip_suffix(".xpfm").unwrap_or(name)
}
