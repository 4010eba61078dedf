//! The commands for an F1 design without a Makefile: kernel, link, the emulation's description, host.

use crate::flow::FlowSettings;
use crate::flow::vendor::{self, SetUp};
use crate::plan::Run;

/// The host program's source; the rule is SDSoC's.
const HOST: &str = "main.cpp";
/// As the examples of the kit name them, with the mode and the platform in the name: hosts look for that.
const LINK: &str = "p=${AWS_PLATFORM##*/}; mkdir -p xclbin; o=xclbin/$1.$2.${p%.xpfm}.xclbin; shift 2; \
                    exec \"$@\" --platform \"$AWS_PLATFORM\" -o \"$o\"";
const COMPILE_HOST: &str = "exec \"$@\" ${XILINX_XRT:+-I\"$XILINX_XRT/include\" -L\"$XILINX_XRT/lib\"} -lxilinxopencl -lpthread -lrt";

pub(super) fn steps(kernel: &str, mode: &str, set_up: SetUp<'_>, settings: &FlowSettings) -> Vec<Run> {
    let with_platform = "exec \"$@\" --platform \"$AWS_PLATFORM\"";
    let step = |title: &str, then: &str, words: &[&str]| {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        set_up.tool(title, then, vendor::prefixed(words, settings))
    };
    let is_estimate = mode == "estimate";
    let target = if is_estimate { "sw_emu" } else { mode };
    let (source, object) = (format!("{kernel}.cpp"), format!("{kernel}.xo"));
    let (nk, report) = (format!("{kernel}:1"), ["--report_level", "estimate"]);
    let mut compile = vec![
        "xocc",
        "-t",
        target,
        "--save-temps",
        "-c",
        "-k",
        kernel,
        "-o",
        &object,
        &source,
    ];
    let mut link = vec!["xocc", "-t", target, "--save-temps", "-l", "--nk", &nk, &object];
    if is_estimate {
        compile.extend(report);
        link.extend(report);
    }
    let mut compile = step("kernel", with_platform, &compile);
    compile.makes = vec![object.clone()];
    let link = vendor::prefixed(link.into_iter().map(str::to_owned).collect(), settings);
    let names = [kernel.to_owned(), target.to_owned()];
    let link = set_up.tool("link", LINK, names.into_iter().chain(link));
    if is_estimate {
        return vec![compile, link];
    }
    let emulated = ["emconfigutil", "--od", "."];
    let emulated = (mode != "hw").then(|| step("emulated card", with_platform, &emulated));
    let exe = settings.executable_name.as_str();
    let host = ["xcpp", "-std=c++14", "-O2", "-o", exe, HOST];
    let mut host = step("host program", COMPILE_HOST, &host);
    host.makes = vec![exe.to_owned()];
    [compile, link]
        .into_iter()
        .chain(emulated)
        .chain([host])
        .collect()
}
