//! Whatever is handed in: a plan or a refusal, and nothing of it where a tool could take it for more.

use crate::design::{design, options};
use polyphemus_core::flow::{FlowSettings, plan};
use polyphemus_core::plan::{Plan, Step};
use proptest::prelude::*;

const PATHS: [&str; 26] = [
    "top.v",
    "a b.v",
    "-x.v",
    "rtl/core.sv",
    "core.v",
    "rtl/top_tb.v",
    "tb.v",
    "x.pcf",
    "sim/y.pcf",
    "z.lpf",
    "Makefile",
    "host.c",
    "pc/host.py",
    "host.h",
    "inc/defs.vh",
    "\"q\".v",
    "+/x.v",
    "one/top.v",
    "one/two/top.v",
    "tb_$(id).sv",
    "`id`.pcf",
    "top\n.v",
    "größe.v",
    ";ls;.v",
    "x'y.pcf",
    "one/..v",
];

const TEXTS: [&str; 18] = [
    "module top(input clk, output led); core c(.clk(clk)); endmodule\n",
    "module core(input clk); endmodule\n",
    "module top_tb; top dut(); initial $finish; endmodule\n",
    "module tb; top #(.N(1)) dut(); core c(); endmodule\n",
    "`include \"defs.vh\"\n",
    "`include \"../../top.v\"\n",
    "`include \"core.v\"\n",
    "`define M(x) core x();\n",
    "`M(y) `N\n",
    "package p; import q::*; endpackage\n",
    "SB_PLL40_CORE p(); SB_MAC16 #(1) m();\n",
    "set_io clk J3\nset_io led 5\n",
    "set_io -pullup yes\nset_io\n",
    "LOCATE COMP \"clk\" SITE \"G2\";\n",
    "all:\n\techo $(MODE)\nrun: all\n",
    "module \\a;b module (* module `define \\\n",
    "(* \"unclosed /*",
    "#include \"host.h\"\n#include \"../host.c\"\n",
];

const NAMES: [&str; 20] = [
    "mode",
    "top",
    "family",
    "device",
    "package",
    "pcf",
    "freq",
    "seed",
    "testbench",
    "host",
    "bitstream",
    "make",
    "estimate",
    "skipexec",
    "allow_timing_violation",
    "hwname",
    "toolchain",
    "platform",
    "directives",
    "other",
];

const VALUES: [&str; 30] = [
    "",
    "0",
    "1",
    "top",
    "core",
    "top_tb",
    "estimate",
    "sw_emu",
    "hw_emu",
    "hw",
    "ice40",
    "ecp5",
    "hx1k",
    "up5k",
    "85k",
    "tq144",
    "sg48",
    "x.pcf",
    "sim/y.pcf",
    "tb.v",
    "host.c",
    "48.5",
    "-1",
    "$(shell id)",
    "a; rm -rf /",
    "--eval=x",
    "x\ny",
    "../../etc/passwd",
    "`id`.pcf",
    "open",
];

fn any_text() -> impl Strategy<Value = String> {
    let known =
        prop::collection::vec(prop::sample::select(TEXTS.to_vec()), 0..5).prop_map(|texts| texts.concat());
    prop_oneof![6 => known, 1 => any::<String>()]
}

/// A name that may be harmless, may be a trap, and has the ending that gives the file its part.
fn any_name(ending: &'static str) -> impl Strategy<Value = String> {
    let stem = prop_oneof![
        6 => "[a-z]{1,3}",
        1 => prop::sample::select(vec!["a b", "-x", "+/x", "x;ls", "x$(id)", "x'y", "\"q\"", "x\ny", "one/../y"])
            .prop_map(str::to_owned),
        1 => "[ -~]{1,6}",
    ];
    stem.prop_map(move |stem| format!("{stem}{ending}"))
}

/// Most often a design that hangs together, with names of any kind, and some files more.
fn any_files() -> impl Strategy<Value = Vec<(String, String)>> {
    let path = prop_oneof![9 => prop::sample::select(PATHS.to_vec()).prop_map(str::to_owned), 1 => "[ -~]{1,12}\\.v"];
    let more = prop::collection::vec((path, any_text()), 0..4);
    let names = (
        any_name(".v"),
        any_name(".v"),
        any_name("_tb.sv"),
        any_name(".pcf"),
        any_name("/host.py"),
    );
    (names, more, 0..16_u8).prop_map(|((top, core, bench, pcf, host), more, left_out)| {
        let whole = [
            (top, TEXTS[0]),
            (core, TEXTS[1]),
            (bench, TEXTS[2]),
            (pcf, TEXTS[11]),
            (host, ""),
        ];
        let kept = whole
            .into_iter()
            .enumerate()
            .filter(|(at, _)| left_out != *at as u8);
        kept.map(|(_, (path, text))| (path, text.to_owned()))
            .chain(more)
            .collect()
    })
}

fn any_options() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![30 => prop::sample::select(NAMES[..19].to_vec()), 1 => Just("other")];
    let value =
        prop_oneof![9 => prop::sample::select(VALUES.to_vec()).prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec((name.prop_map(str::to_owned), value), 0..4)
}

/// A word that no tool can take for more than a name or a number.
fn is_plain(word: &str) -> bool {
    word.chars()
        .all(|c| c.is_alphanumeric() || "_.-+/=,:{}".contains(c))
}

fn check(plan: &Plan) -> Result<(), TestCaseError> {
    prop_assert!(!plan.stages.is_empty());
    for stage in &plan.stages {
        prop_assert!(!stage.steps.is_empty());
        for step in &stage.steps {
            let Step::Run(run) = step else { continue };
            let program = run.argv[0].as_str();
            for word in &run.argv[1..] {
                match program {
                    "yosys" if word.starts_with("read_verilog") => check_script(word)?,
                    "make" => prop_assert!(is_variable(word), "{word:?}"),
                    _ => prop_assert!(is_plain(word), "{word:?}"),
                }
            }
        }
    }
    Ok(())
}

/// Three commands, and in them nothing but plain words.
fn check_script(script: &str) -> Result<(), TestCaseError> {
    let commands: Vec<&str> = script.split("; ").collect();
    prop_assert_eq!(commands.len(), 3, "{}", script);
    prop_assert!(
        commands[1].starts_with("synth_") && commands[2].starts_with("tee "),
        "{script}"
    );
    for word in commands.iter().flat_map(|command| command.split(' ')) {
        prop_assert!(is_plain(word) && !word.is_empty(), "{script}");
        prop_assert!(!word.starts_with('+'), "{script}");
    }
    for file in commands[0].split(' ').skip(2) {
        prop_assert!(!file.starts_with('-') || file.starts_with("-I"), "{script}");
    }
    Ok(())
}

/// `NAME=value`, with no `$` that make would expand.
fn is_variable(word: &str) -> bool {
    let expands = word.replace("$$", "").contains('$');
    let named = word
        .split_once('=')
        .is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_uppercase()));
    word == "run" || (named && !expands && !word.contains('\n'))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_design_and_no_option_makes_planning_panic_or_reaches_a_tool_unchecked(
        files in any_files(),
        given in any_options(),
    ) {
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if let Ok(plan) = plan(&options(&given), &design(&files), &FlowSettings::default()) {
            check(&plan)?;
        }
    }
}
