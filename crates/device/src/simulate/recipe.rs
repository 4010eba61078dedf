//! How a bitstream becomes logic, and logic a virtual board: command lines, files and pure steps in between, as data.
//! The worker carries them out in its sandbox, in a folder of the job's.
use std::path::PathBuf;

use super::bindings::{MODULE, bindings};
use super::{Board, Netlist, Pcf, SimulateError, limits};

const BOARD_CPP: &str = include_str!("board.cpp");
/// What `make` builds inside [`OBJECTS`].
const PROGRAM: &str = "virtual-board";
const OBJECTS: &str = "objects";
/// Verilator's runtime, without which no model links (5.006: the second even without threads).
const RUNTIME: [&str; 2] = ["verilated", "verilated_threads"];

/// Where the tools keep what is not found through `PATH`, and how much of the machine a build may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// What `verilator --getenv VERILATOR_ROOT` prints.
    pub verilator_root: String,
    /// Yosys' models of the iCE40's cells.
    pub cells_sim: String,
    /// Compilers that run at once.
    pub jobs: u16,
}

impl Tools {
    /// As Debian's packages lay them out.
    pub fn of_debian(jobs: u16) -> Self {
        Self {
            verilator_root: "/usr/share/verilator".to_owned(),
            cells_sim: "/usr/share/yosys/ice40/cells_sim.v".to_owned(),
            jobs: jobs.max(1),
        }
    }
}

/// What to do, in order, in an empty folder that is every command's working directory. All paths but the bitstream's
/// are relative to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// To be written before the first step.
    pub files: Vec<NewFile>,
    pub steps: Vec<Step>,
    /// What there is at the end: the board's program (to be started with the options of `board.cpp`), or a netlist.
    pub product: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    pub path: PathBuf,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Commands that do not wait for one another; the step has succeeded when all of them exit with 0.
    Together(Vec<Command>),
    /// Read the file, [`Transform::apply`], write what comes out.
    Transform { input: PathBuf, transform: Transform },
}

/// One process, never a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// For the log: what the user waits for.
    pub title: String,
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    /// The file that takes its standard output; else that is part of the log.
    pub stdout: Option<PathBuf>,
}

/// A pure step between two commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transform {
    /// Refuses a bitstream that would not be executed faithfully. Input: what iceunpack wrote.
    CheckLimits,
    /// The netlist and its bindings, for [`virtual_board`]. Input: what icebox_vlog wrote.
    ForBoard { board: &'static Board },
    /// The netlist under the user's names, for [`netlist`]. Input: what icebox_vlog wrote.
    ForTestbench { top: String, pcf: Pcf },
}

impl Transform {
    /// The files that the input becomes, relative to the folder of the recipe.
    pub fn apply(&self, input: &str) -> Result<Vec<NewFile>, SimulateError> {
        match self {
            Self::CheckLimits => match limits(input) {
                sentences if sentences.is_empty() => Ok(Vec::new()),
                sentences => Err(SimulateError::Limits { sentences }),
            },
            Self::ForBoard { board } => {
                let netlist = Netlist::parse(input)?;
                let bindings = bindings(board, &netlist)?;
                Ok(vec![
                    file("netlist.v", netlist.verilog),
                    file("bindings.h", bindings),
                ])
            }
            Self::ForTestbench { top, pcf } => {
                let netlist = Netlist::parse(input)?.with_users_ports(top, pcf)?;
                Ok(vec![file("netlist.v", netlist)])
            }
        }
    }
}

/// From a bitstream to the program that executes it as `board`. `bitstream` is a path as seen from the folder.
///
/// The runtime of Verilator is compiled while icebox_vlog works: neither waits for the other, and each takes seconds.
pub fn virtual_board(board: &'static Board, bitstream: &str, tools: &Tools) -> Recipe {
    let mut vlog = vec![icebox_vlog(board.package, MODULE)];
    vlog.extend(RUNTIME.map(|unit| runtime(unit, tools)));
    let steps = vec![
        iceunpack(bitstream),
        transform("bitstream.asc", Transform::CheckLimits),
        Step::Together(vlog),
        transform("icebox.v", Transform::ForBoard { board }),
        verilate(tools),
        compile(tools),
    ];
    Recipe {
        files: vec![
            file("pins.pcf", board.pcf()),
            file("board.cpp", BOARD_CPP.to_owned()),
            file(&format!("{OBJECTS}/.keep"), String::new()),
        ],
        steps,
        product: PathBuf::from(format!("{OBJECTS}/{PROGRAM}")),
    }
}

/// From a bitstream to `netlist.v`: a module `top` with the ports that `pcf` names, for the testbench of the sources
/// together with [`Tools::cells_sim`]. Fails when `top` is not a plain name.
///
/// An output that is 0 for ever leaves no trace in a bitstream: outside a vector it is then an input, and reads `z`.
pub fn netlist(package: &str, bitstream: &str, pcf: &Pcf, top: &str) -> Result<Recipe, SimulateError> {
    if !super::pcf::is_identifier(top) || top == MODULE {
        return Err(SimulateError::ModuleName { name: top.to_owned() });
    }
    let for_testbench = Transform::ForTestbench {
        top: top.to_owned(),
        pcf: pcf.clone(),
    };
    Ok(Recipe {
        files: vec![file("pins.pcf", pcf.numbered())],
        steps: vec![
            iceunpack(bitstream),
            transform("bitstream.asc", Transform::CheckLimits),
            Step::Together(vec![icebox_vlog(package, MODULE)]),
            transform("icebox.v", for_testbench),
        ],
        product: "netlist.v".into(),
    })
}

fn iceunpack(bitstream: &str) -> Step {
    // A name that begins with a dash would be taken for an option.
    let bitstream = if bitstream.starts_with('-') {
        format!("./{bitstream}")
    } else {
        bitstream.to_owned()
    };
    let argv = ["iceunpack", &bitstream, "bitstream.asc"];
    Step::Together(vec![command("unpack the bitstream", &argv)])
}

fn icebox_vlog(package: &str, module: &str) -> Command {
    let argv = [
        "icebox_vlog",
        "-s",
        "-l",
        "-d",
        package,
        "-p",
        "pins.pcf",
        "-n",
        module,
        "bitstream.asc",
    ];
    Command {
        // Python's sets change their order with the seed, and with them the netlist.
        env: vec![("PYTHONHASHSEED".to_owned(), "0".to_owned())],
        stdout: Some("icebox.v".into()),
        ..command("turn the bitstream back into logic", &argv)
    }
}

/// The runtime is not where the time goes: unoptimised, it compiles fastest.
fn runtime(unit: &str, tools: &Tools) -> Command {
    let include = format!("-I{}/include", tools.verilator_root);
    let vltstd = format!("-I{}/include/vltstd", tools.verilator_root);
    let source = format!("{}/include/{unit}.cpp", tools.verilator_root);
    let object = format!("{OBJECTS}/{unit}.o");
    let settings = [
        "-DVM_COVERAGE=0",
        "-DVM_SC=0",
        "-DVM_TRACE=0",
        "-DVM_TRACE_FST=0",
        "-DVM_TRACE_VCD=0",
    ];
    let mut argv = vec!["g++", "-O0", "-w", "-faligned-new", &include, &vltstd];
    argv.extend(settings);
    argv.extend(["-c", "-o", &object, &source]);
    command("compile Verilator's runtime", &argv)
}

/// `-fno-split`: splitting blocks made the model of a SHA-256 core slower by a third. One file of C++ (no
/// `--output-split`): two compilers at once took longer together than one, each reading the same headers.
const VERILATE: &str = "verilator --cc --exe --no-timing -O3 -fno-split --x-assign fast --x-initial fast -Wno-fatal \
    -Wno-lint -Wno-TIMESCALEMOD -DNO_ICE40_DEFAULT_ASSIGNMENTS --prefix Vbitstream -CFLAGS -I..";

fn verilate(tools: &Tools) -> Step {
    let mut argv: Vec<_> = VERILATE.split_whitespace().collect();
    argv.extend(["--Mdir", OBJECTS, "--top-module", MODULE, "-o", PROGRAM]);
    argv.extend(["netlist.v", &tools.cells_sim, "../board.cpp"]);
    Step::Together(vec![command("turn the logic into a program", &argv)])
}

fn compile(tools: &Tools) -> Step {
    let jobs = format!("-j{}", tools.jobs);
    let mut argv = vec!["make", &jobs, "-C", OBJECTS, "-f", "Vbitstream.mk", "OBJCACHE="];
    argv.extend(["OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0"]);
    // The runtime is compiled already; make would do it again because the makefile is younger (-o: leave it).
    let ready = RUNTIME.map(|unit| format!("{unit}.o"));
    ready.iter().for_each(|object| argv.extend(["-o", object]));
    argv.push(PROGRAM);
    Step::Together(vec![command("compile the virtual board", &argv)])
}

fn command(title: &str, argv: &[&str]) -> Command {
    Command {
        title: title.to_owned(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: Vec::new(),
        stdout: None,
    }
}

fn transform(input: &str, transform: Transform) -> Step {
    Step::Transform {
        input: input.into(),
        transform,
    }
}

fn file(path: &str, text: String) -> NewFile {
    NewFile {
        path: path.into(),
        text,
    }
}
