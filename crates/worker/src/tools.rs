//! Which programs this machine has, as labels: `tool:yosys=0.23`. The only place with the table of
//! programs that are looked for.

use crate::sandbox::Sandbox;
use futures::{StreamExt as _, stream};
use polyphemus_core::label::Label;
use regex::Regex;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::process::Command;

/// Version questions at once.
const AT_ONCE: usize = 4;
/// Wine, WASM and licence checks make some tools slow to say who they are.
const PATIENCE: Duration = Duration::from_secs(30);

/// A tool, and how it is told that it is here.
struct Tool {
    name: &'static str,
    /// All of these must be there; the first is asked.
    programs: &'static [&'static str],
    /// The arguments that make it print its version; none where no version can be had.
    ask: Option<&'static str>,
    /// The Debian package, for messages; [`VENDOR`] where there is none.
    package: &'static str,
}

/// Comes from AMD, for whoever has a licence.
const VENDOR: &str = "";

/// What is no program but a folder that a variable names, with a file in it.
const KITS: [(&str, &str, &str); 3] = [
    ("aws-fpga", "AWS_FPGA_REPO_DIR", "sdaccel_setup.sh"),
    ("aws-fpga-hdk", "AWS_FPGA_REPO_DIR", "hdk_setup.sh"),
    ("aws-fpga-sdk", "AWS_FPGA_REPO_DIR", "sdk_setup.sh"),
];

/// The first release of Vitis whose `v++` has no software emulation any more.
const WITHOUT_SW_EMU: (u32, u32) = (2024, 2);

const fn tool(
    name: &'static str,
    programs: &'static [&'static str],
    ask: Option<&'static str>,
    package: &'static str,
) -> Tool {
    Tool {
        name,
        programs,
        ask,
        package,
    }
}

/// The options were tried with Debian 12's packages; those of the ECP5 with YoWASP's.
static TOOLS: [Tool; 24] = [
    tool("yosys", &["yosys"], Some("-V"), "yosys"),
    tool(
        "nextpnr-ice40",
        &["nextpnr-ice40"],
        Some("--version"),
        "nextpnr-ice40",
    ),
    tool(
        "nextpnr-ecp5",
        &["nextpnr-ecp5"],
        Some("--version"),
        "nextpnr-ecp5",
    ),
    tool(
        "nextpnr-gowin",
        &["nextpnr-gowin"],
        Some("--version"),
        "nextpnr-gowin",
    ),
    tool(
        "icestorm",
        &["icepack", "iceunpack", "icetime", "icebox_vlog"],
        None,
        "fpga-icestorm",
    ),
    tool("ecppack", &["ecppack"], Some("--version"), "prjtrellis"),
    tool("iverilog", &["iverilog", "vvp"], Some("-V"), "iverilog"),
    tool("verilator", &["verilator"], Some("--version"), "verilator"),
    tool("ghdl", &["ghdl"], Some("--version"), "ghdl"),
    tool(
        "openFPGALoader",
        &["openFPGALoader"],
        Some("-V"),
        "openfpgaloader",
    ),
    tool("cc", &["cc"], Some("--version"), "gcc"),
    tool("c++", &["c++"], Some("--version"), "g++"),
    tool("g++", &["g++"], Some("--version"), "g++"),
    tool("clang", &["clang"], Some("--version"), "clang"),
    tool("make", &["make"], Some("--version"), "make"),
    tool("cmake", &["cmake"], Some("--version"), "cmake"),
    tool("python3", &["python3"], Some("--version"), "python3"),
    tool("perl", &["perl"], None, "perl"),
    tool(
        "riscv64-gcc",
        &["riscv64-unknown-elf-gcc"],
        Some("-dumpversion"),
        "gcc-riscv64-unknown-elf",
    ),
    tool("sdsoc", &["sds++"], Some("--version"), VENDOR),
    tool("xocc", &["xocc"], Some("--version"), VENDOR),
    tool("vitis", &["v++"], Some("--version"), VENDOR),
    tool("vivado", &["vivado"], Some("-version"), VENDOR),
    tool("aws", &["aws"], Some("--version"), "awscli"),
];

/// The labels of the tools that steps on this machine can start, sorted.
pub async fn detect(sandbox: &Sandbox) -> Vec<Label> {
    let asked: Vec<_> = TOOLS.iter().map(|tool| label(sandbox, tool)).collect();
    let mut labels: Vec<Label> = stream::iter(asked)
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    labels.extend(kits(sandbox));
    labels.extend(sw_emu(&labels));
    labels.sort_unstable();
    labels
}

/// Whether `v++` still has software emulation, as far as its version tells.
fn sw_emu(labels: &[Label]) -> Option<Label> {
    let version = labels
        .iter()
        .find_map(|label| label.0.strip_prefix("tool:vitis="))?;
    let (year, rest) = version.split_once('.')?;
    let release = rest.split('.').next()?;
    let is_older = (year.parse::<u32>().ok()?, release.parse::<u32>().ok()?) < WITHOUT_SW_EMU;
    is_older.then(|| Label::tool("vitis-sw_emu", None))
}

fn kits(sandbox: &Sandbox) -> impl Iterator<Item = Label> {
    KITS.iter().filter_map(|(name, variable, file)| {
        let named = sandbox.inherited(&[(*variable).to_owned()]);
        let folder = Path::new(named.get(*variable)?);
        folder.join(file).is_file().then(|| Label::tool(name, None))
    })
}

async fn label(sandbox: &Sandbox, tool: &Tool) -> Option<Label> {
    let found: Option<Vec<PathBuf>> = tool.programs.iter().map(|one| sandbox.find(one)).collect();
    let version = match (found?.first(), tool.ask) {
        (Some(program), Some(option)) => ask(program, option).await,
        _ => None,
    };
    Some(Label::tool(tool.name, version.as_deref()))
}

/// A tool of the table, and how it is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surveyed {
    pub name: &'static str,
    pub here: bool,
    pub version: Option<String>,
    /// The Debian package that has it.
    pub package: &'static str,
}

/// Every tool that is looked for, in the order of the table, whether it is here or not.
pub async fn survey(sandbox: &Sandbox) -> Vec<Surveyed> {
    let labels: Vec<_> = TOOLS.iter().map(|tool| label(sandbox, tool)).collect();
    let labels: Vec<Option<Label>> = stream::iter(labels).buffered(AT_ONCE).collect().await;
    let surveyed = TOOLS.iter().zip(labels).map(|(tool, label)| Surveyed {
        name: tool.name,
        here: label.is_some(),
        version: label.and_then(|label| Some(label.0.split_once('=')?.1.to_owned())),
        package: tool.package,
    });
    surveyed.collect()
}

/// What to do about a program that is not there.
pub fn remedy(program: &str) -> String {
    match TOOLS.iter().find(|tool| tool.programs.contains(&program)) {
        Some(Tool { package: VENDOR, .. }) => {
            "install AMD's tools there, and have their programs on the PATH of the worker, or set them up by \
             HLS_COMMAND_PREFIX"
                .to_owned()
        }
        Some(tool) => format!("install it (Debian: `apt-get install {}`)", tool.package),
        None => "install it, or correct the name".to_owned(),
    }
}

/// A tool that does not say its version is there all the same.
async fn ask(program: &Path, option: &str) -> Option<String> {
    let run = Command::new(program)
        .arg(option)
        .stdin(Stdio::null())
        .current_dir("/")
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, run).await.ok()?.ok()?;
    let mut text = output.stdout;
    text.push(b'\n');
    text.extend(output.stderr);
    version(&String::from_utf8_lossy(&text))
}

/// The first number with a dot in it, with what hangs on it (`0.4-1`, `5.006`), but never a word in
/// parentheses such as the package of a compiler (`cc (Debian 12.2.0-14) 12.2.0`), unless there is no other.
fn version(text: &str) -> Option<String> {
    static PARENTHESES: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\([^()]*\)").expect("the expression is constant"));
    static VERSION: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b[vV]?(\d+(?:\.\d+)+)").expect("the expression is constant"));
    let find = |text: &str| Some(VERSION.captures(text)?[1].to_owned());
    find(&PARENTHESES.replace_all(text, "")).or_else(|| find(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_emulation_is_offered_by_the_releases_that_have_it() {
        let offered = |version| sw_emu(&[Label::tool("vitis", version)]).is_some();
        assert!(offered(Some("2022.1")) && offered(Some("2024.1")));
        assert!(!offered(Some("2024.2")) && !offered(Some("2025.1")) && !offered(None));
    }

    #[test]
    fn versions_are_read_from_what_the_tools_print() {
        for (text, expected) in [
            ("Yosys 0.23 (git sha1 7ce5011c24b)", "0.23"),
            (
                "nextpnr-ice40 -- Next Generation Place and Route (Version 0.4-1+b1)",
                "0.4",
            ),
            ("Icarus Verilog version 11.0 (stable) ()", "11.0"),
            ("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)", "5.006"),
            ("openFPGALoader v0.10.0", "0.10.0"),
            (
                "cc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright (C) 2022",
                "12.2.0",
            ),
            ("GNU Make 4.3\nBuilt for x86_64-pc-linux-gnu", "4.3"),
            ("Python 3.11.2", "3.11.2"),
        ] {
            assert_eq!(version(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(version("no number here"), None);
    }
}
