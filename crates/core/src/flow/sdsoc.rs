//! SDSoC on Zynq: the `sds++` commands of the original's built-in flow, or the design's own Makefile.
//! What they make is not run yet: a job says `estimate=1` or `skipexec=1`.

use super::vendor::{self, Options};
use super::{Flow, FlowSettings, PlanError};
use crate::design::Design;
use crate::plan::{Plan, Run};
use std::collections::BTreeMap;

/// The host program's source; its rules are the original's.
const HOST: &str = "main.cpp";
/// Of a host program's compilation.
const HOST_LIMIT_S: u64 = 60;
/// Where the tool leaves what goes to the board.
const SD_CARD: &str = "sd_card";

pub(super) fn plan(options: &Options, design: &Design, settings: &FlowSettings) -> Result<Plan, PlanError> {
    if !options.estimate && !options.skip_run {
        return Err(PlanError::Contradiction {
            what: "the run on a Zynq board".into(),
            with: "this version, which only builds for it".into(),
            remedy: "build with `skipexec=1`, or estimate with `estimate=1`".into(),
        });
    }
    let platform = match options.platform.as_str() {
        "" => settings.default_platform.as_str(),
        given => given,
    };
    let mut decisions = BTreeMap::new();
    if options.platform.is_empty() {
        decisions.insert("platform".to_owned(), format!("{platform} (default)"));
    }
    let (steps, unused) = match vendor::makefile(options, design)? {
        Some((name, why)) => {
            decisions.insert("workflow".to_owned(), format!("{name} ({why})"));
            (
                vec![by_makefile(options, platform, settings)],
                &["mode", "sdsflags"][..],
            )
        }
        None => {
            let hardware = hardware(options, design, "sds++")?;
            decisions.insert("workflow".to_owned(), "built-in".to_owned());
            decisions.insert("hardware".to_owned(), hardware.decision());
            (hardware.steps(options, platform, design, settings), &["mode"][..])
        }
    };
    let mode = if options.estimate { "estimate" } else { "hw" };
    Ok(Plan {
        flow: Flow::Sdsoc,
        mode: mode.to_owned(),
        stages: vec![vendor::build(&["sdsoc"], steps, settings)],
        decisions,
        notes: options.without_use(unused, "SDSoC does not know it"),
        refused: None,
    })
}

fn by_makefile(options: &Options, platform: &str, settings: &FlowSettings) -> Run {
    let variables = [
        ("ESTIMATE", if options.estimate { "1" } else { "0" }),
        ("PLATFORM", platform),
        ("TARGET", &settings.executable_name),
        ("DIRECTIVES", &options.directives),
    ];
    vendor::make(&variables, settings)
}

/// The function that becomes hardware.
pub(super) struct Hardware<'a> {
    /// Its name, and of the file that holds it without the ending.
    pub(super) function: &'a str,
    others: Vec<&'a str>,
}

/// The first source directly in the design's folder, in the order of the names, that is not the host's.
pub(super) fn hardware<'a>(
    options: &Options,
    design: &'a Design,
    tool: &str,
) -> Result<Hardware<'a>, PlanError> {
    let sources = design.paths().filter(|path| !path.contains('/'));
    let bases = sources.filter_map(|path| path.strip_suffix(".cpp"));
    let mut bases = bases.filter(|base| *base != "main");
    let function = bases.next().ok_or_else(|| PlanError::Missing {
        what: "hardware source file".into(),
        remedy: "a file with extension .cpp and basename not `main` is expected in its folder, named as the function \
                 that it holds"
            .into(),
    })?;
    if !is_identifier(function) {
        return Err(PlanError::Contradiction {
            what: format!("`{}.cpp` as hardware source file", vendor::shown(function)),
            with: format!("`{tool}`, which takes its name for the name of the function in it"),
            remedy: "name file and function alike, with letters, digits and `_`".into(),
        });
    }
    if !design.has(HOST) {
        return Err(PlanError::Missing {
            what: format!("host program `{HOST}`"),
            remedy: "hand it in beside the hardware source file".into(),
        });
    }
    if !options.directives.is_empty() && !design.has(&options.directives) {
        return Err(PlanError::NotInDesign {
            name: "directives",
            path: options.directives.clone(),
            candidates: design
                .paths()
                .filter(|path| path.ends_with(".tcl"))
                .map(str::to_owned)
                .collect(),
        });
    }
    Ok(Hardware {
        function,
        others: bases.collect(),
    })
}

impl Hardware<'_> {
    pub(super) fn decision(&self) -> String {
        match self.others.len() {
            0 => format!("{}.cpp (the one beside {HOST})", self.function),
            more => format!(
                "{}.cpp (the first of {} in the order of names)",
                self.function,
                more + 1
            ),
        }
    }

    /// The original's commands, with their flags, limits and order.
    fn steps(&self, options: &Options, platform: &str, design: &Design, settings: &FlowSettings) -> Vec<Run> {
        let function = self.function;
        let (source, object) = (format!("{function}.cpp"), format!("{function}.o"));
        let exe = settings.executable_name.as_str();
        let sds = |title: &str, words: &[&str]| {
            let mut argv = self.head(options, platform, &source);
            argv.extend(words.iter().map(|&word| word.to_owned()));
            vendor::tool(title, argv)
        };
        let mut compile = sds("hardware function", &["-c", &source, "-o", &object]);
        compile.time_limit_s = Some(settings.compile_time_limit_s);
        compile.makes = vec![object.clone()];
        let mut host = sds("host program", &["-c", HOST, "-o", "main.o"]);
        host.time_limit_s = Some(HOST_LIMIT_S);
        host.makes = vec!["main.o".to_owned()];
        let mut link = sds("synthesis", &[&object, "main.o", "-o", exe]);
        if options.estimate {
            return vec![compile, host, link];
        }
        link.makes = vec![SD_CARD.to_owned()];
        [compile, host, link].into_iter().chain(copy(design)).collect()
    }

    fn head(&self, options: &Options, platform: &str, source: &str) -> Vec<String> {
        let mut argv: Vec<&str> = vec!["sds++", "-sds-pf", platform, "-sds-hw", self.function, source];
        if !options.directives.is_empty() {
            argv.extend(["-hls-tcl", &options.directives]);
        }
        argv.extend([
            "-sds-end",
            "-clkid",
            "3",
            "-poll-mode",
            "1",
            "-verbose",
            "-Wall",
            "-O3",
        ]);
        argv.extend(options.sdsflags.iter().map(String::as_str));
        if options.estimate {
            argv.push("-perf-est-hw-only");
        }
        argv.into_iter().map(str::to_owned).collect()
    }
}

/// Data goes to the board with the program.
fn copy(design: &Design) -> Option<Run> {
    let data = design
        .paths()
        .filter(|path| !path.contains('/') && path.ends_with(".data"));
    let data: Vec<String> = data.map(str::to_owned).collect();
    if data.is_empty() {
        return None;
    }
    let words = ["cp", "-t", SD_CARD, "--"].map(str::to_owned);
    Some(Run::new("data for the board", words.into_iter().chain(data)))
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
