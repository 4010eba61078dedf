//! The plans of the open flow, whole.

use crate::design::{design, example, planned};
use polyphemus_core::design::Design;
use polyphemus_core::plan::{Plan, Step};

const TOP: &str = "module top(input clk, output led); core c(.clk(clk), .q(led)); endmodule";
const CORE: &str = "module core(input clk, output reg q); always @(posedge clk) q <= ~q; endmodule";
const BENCH: &str =
    "module top_tb; reg clk = 0; wire led; top dut(.clk(clk), .led(led)); initial $finish; endmodule";
const PCF: &str = "set_io clk J3\nset_io led B5\n";

fn made(design: &Design, given: &[(&str, &str)]) -> Plan {
    planned(design, given).expect("the design can be planned")
}

fn argv<'p>(plan: &'p Plan, program: &str) -> Option<&'p [String]> {
    let mut steps = plan.stages.iter().flat_map(|stage| &stage.steps);
    steps.find_map(|step| match step {
        Step::Run(run) if run.argv[0] == program => Some(&run.argv[..]),
        _ => None,
    })
}

/// What yosys reads, in its order.
fn sources(plan: &Plan) -> String {
    let script = &argv(plan, "yosys").expect("a synthesis")[5];
    let read = script.split("; ").next().expect("a first command");
    read.trim_start_matches("read_verilog -sv ").to_owned()
}

#[test]
fn the_examples_are_planned_in_every_mode_as_they_were_tried() {
    for name in ["blinky", "vadd"] {
        let design = example(name);
        insta::assert_json_snapshot!(format!("{name}_default"), made(&design, &[]));
        for mode in ["estimate", "sw_emu", "hw_emu", "hw"] {
            insta::assert_json_snapshot!(format!("{name}_{mode}"), made(&design, &[("mode", mode)]));
        }
    }
}

#[test]
fn a_makefile_that_knows_the_modes_is_used() {
    let design = example("sha256");
    insta::assert_json_snapshot!("sha256_default", made(&design, &[]));
    let given = [
        ("mode", "hw"),
        ("freq", "24"),
        ("seed", "7"),
        ("platform", "zed"),
        ("directives", "a$(shell id)"),
    ];
    insta::assert_json_snapshot!("sha256_hw", made(&design, &given));
    insta::assert_json_snapshot!(
        "sha256_estimate",
        made(&design, &[("estimate", "1"), ("skipexec", "1")])
    );
    insta::assert_json_snapshot!(
        "sha256_without_make",
        made(&design, &[("make", "0"), ("mode", "hw")])
    );
}

#[test]
fn an_ecp5_gets_a_bitstream_and_runs_on_a_real_board() {
    let design = design(&[
        ("top.v", TOP),
        ("core.v", CORE),
        (
            "top.lpf",
            "LOCATE COMP \"clk\" SITE \"G2\";\nLOCATE COMP \"led\" SITE \"B2\";\n",
        ),
        ("host.py", "print('TEST PASSED')"),
    ]);
    let given = [
        ("device", "45k"),
        ("freq", "48.5"),
        ("allow_timing_violation", "1"),
    ];
    insta::assert_json_snapshot!("ecp5_hw", made(&design, &given));
}

#[test]
fn a_makefile_is_used_without_sources_or_when_asked_and_never_when_refused() {
    let only = design(&[("Makefile", "all:\n\techo hello\n")]);
    let plan = made(&only, &[]);
    assert_eq!(
        argv(&plan, "make").unwrap(),
        ["make", "MODE=sw_emu", "ESTIMATE=0", "TARGET=exe"]
    );
    assert_eq!(argv(&plan, "./exe").unwrap(), ["./exe"]);
    let both = design(&[
        ("Makefile", "all:\n\techo hello\n"),
        ("top.v", CORE),
        ("core.pcf", PCF),
    ]);
    assert!(argv(&made(&both, &[]), "make").is_none());
    assert!(argv(&made(&both, &[("make", "1")]), "make").is_some());
    let with_mode = design(&[("Makefile", "all:\n\techo $(MODE)\nrun: all\n"), ("top.v", CORE)]);
    assert!(argv(&made(&with_mode, &[("make", "0"), ("mode", "estimate")]), "make").is_none());
    let plan = made(&with_mode, &[]);
    let Step::Run(run) = &plan.stages[1].steps[0] else {
        panic!("no run")
    };
    assert_eq!(run.argv[..3], ["make", "run", "MODE=sw_emu"]);
}

#[test]
fn only_what_the_top_module_uses_is_compiled_dependencies_first() {
    let unrelated = "module core(input clk, output q); this is no Verilog at all";
    let plan = made(
        &design(&[
            (
                "rtl/a_top.sv",
                "import types::*; module top(input clk, output led); mid m(.clk(clk), .q(led)); endmodule",
            ),
            (
                "rtl/b_mid.v",
                "`include \"size.vh\"\nmodule mid(input clk, output q); core #(`SIZE) c(.clk(clk)); endmodule",
            ),
            ("rtl/core.v", CORE),
            ("rtl/z_types.sv", "package types; typedef logic t; endpackage"),
            ("inc/size.vh", "`define SIZE 4"),
            ("old/core.v", unrelated),
            (
                "old/other.v",
                "module other(input clk); core c(.clk(clk)); endmodule",
            ),
            ("top.pcf", PCF),
        ]),
        &[("top", "top")],
    );
    assert_eq!(
        sources(&plan),
        "-Iinc rtl/core.v rtl/b_mid.v rtl/z_types.sv rtl/a_top.sv"
    );
}

#[test]
fn a_file_comes_after_those_whose_macros_it_needs_even_where_they_use_its_modules() {
    let plan = made(
        &design(&[
            (
                "board.v",
                "module board(input clk, output led); soc s(.clk(clk), .q(led)); endmodule",
            ),
            (
                "soc.v",
                "`define REGISTERS own\nmodule soc(input clk, output q); cpu c(.clk(clk), .q(q)); endmodule\n\
                 module own(input clk, output reg q); always @(posedge clk) q <= ~q; endmodule",
            ),
            (
                "cpu.v",
                "module cpu(input clk, output q);\n`ifdef REGISTERS\n`REGISTERS r(.clk(clk), .q(q));\n\
                 `endif\nendmodule",
            ),
            ("board.pcf", PCF),
        ]),
        &[],
    );
    assert_eq!(sources(&plan), "soc.v cpu.v board.v");
}

#[test]
fn sources_that_load_memories_are_compiled_only_as_they_are_instantiated() {
    let plan = made(
        &design(&[
            (
                "top.v",
                "module top(input clk, output q); rom #(.FILE(\"a.hex\")) r(.clk(clk), .q(q)); endmodule",
            ),
            (
                "rom.v",
                "module rom #(parameter FILE = \"none.hex\")(input clk, output reg q); reg m[0:1];\n\
                 initial $readmemh(FILE, m);\nalways @(posedge clk) q <= m[0]; endmodule",
            ),
            ("top.pcf", PCF),
        ]),
        &[("mode", "estimate")],
    );
    let script = &argv(&plan, "yosys").unwrap()[5];
    assert!(
        script.starts_with("read_verilog -defer -sv rom.v top.v; "),
        "{script}"
    );
}

#[test]
fn what_may_go_wrong_with_a_design_is_noted_beforehand() {
    let bench = "module pwm_test; reg clk = 0; always #5 clk = ~clk; wire led; top dut(.clk(clk), .led(led)); \
                 endmodule";
    let plan = made(
        &design(&[
            ("src/types.sv", "package types; typedef logic t; endpackage"),
            (
                "src/top.sv",
                "module top import types::*; (input clk, output led); assign led = clk; endmodule",
            ),
            ("tb/pwm_test.v", bench),
            ("top.pcf", PCF),
        ]),
        &[("mode", "hw_emu")],
    );
    assert_eq!(plan.decisions["testbench"], "tb/pwm_test.v (by its name)");
    assert!(
        plan.notes
            .iter()
            .any(|note| note.starts_with("src/top.sv imports a package"))
    );
    assert!(
        plan.notes
            .iter()
            .any(|note| note.starts_with("tb/pwm_test.v never calls `$finish`"))
    );
}

#[test]
fn of_two_definitions_the_one_in_the_file_of_its_name_counts() {
    let other = "module core(input clk, output q); assign q = clk; endmodule";
    let with = |variant: &'static str| {
        design(&[
            (
                "top.v",
                "module top(input clk, output led); core c(.clk(clk), .q(led)); endmodule",
            ),
            ("core.v", CORE),
            (variant, other),
            ("top.pcf", PCF),
        ])
    };
    assert_eq!(sources(&made(&with("core_quartus.sv"), &[])), "core.v top.v");
    let refused = planned(&with("core.sv"), &[]).expect_err("both are of the module's name");
    assert!(refused.to_string().contains("core.sv"), "{refused}");
}

#[test]
fn a_file_that_another_includes_is_not_compiled_twice() {
    let plan = made(
        &design(&[
            (
                "top.v",
                "`include \"core.v\"\nmodule top(input clk, output led); core c(.clk(clk), .q(led)); endmodule",
            ),
            ("core.v", CORE),
            ("top.pcf", PCF),
        ]),
        &[],
    );
    assert_eq!(sources(&plan), "top.v");
}

#[test]
fn among_several_roots_the_testbench_or_the_constraints_tell_the_top() {
    let files = [
        (
            "board.v",
            "module board(input clk, output led); core c(.clk(clk), .q(led)); endmodule",
        ),
        (
            "bus.v",
            "module bus(input clk, input data); core c(.clk(clk)); endmodule",
        ),
        ("core.v", CORE),
    ];
    let with = |more: &[(&str, &str)]| design(&[&files[..], more].concat());
    let tested = with(&[("tb.v", "module tb; bus b(.clk(1'b0)); initial $finish; endmodule")]);
    assert_eq!(
        made(&tested, &[("mode", "sw_emu")]).decisions["top"],
        "bus (the testbench uses it)"
    );
    let placed = with(&[("board.pcf", PCF)]);
    assert_eq!(
        made(&placed, &[]).decisions["top"],
        "board (the constraints name its ports)"
    );
    assert!(planned(&with(&[]), &[]).is_err());
}

#[test]
fn the_part_follows_from_the_pins_and_the_cells() {
    let part = |pcf: &str, text: &str, given: &[(&str, &str)]| {
        let plan = made(
            &design(&[("top.v", text), ("core.v", CORE), ("top.pcf", pcf)]),
            given,
        );
        let argv = argv(&plan, "nextpnr-ice40").expect("place and route").join(" ");
        let from = argv.find(" --").expect("options") + 1;
        argv[from..]
            .split(" --pcf")
            .next()
            .expect("a part")
            .split_once(" --")
            .expect("a device")
            .1
            .to_owned()
    };
    let leds = |text: &str| TOP.replace("core c", &format!("{text} x(); core c"));
    assert_eq!(part(PCF, TOP, &[]), "hx8k --package ct256");
    assert_eq!(
        part("set_io clk 21\nset_io -nowarn led 99 # x", TOP, &[]),
        "hx1k --package tq144"
    );
    assert_eq!(
        part("set_io clk 35\nset_io led 11", TOP, &[]),
        "up5k --package sg48"
    );
    assert_eq!(
        part("set_io clk 44\nset_io led 39", &leds("SB_RGBA_DRV"), &[]),
        "up5k --package sg48"
    );
    assert_eq!(part(PCF, TOP, &[("device", "hx1k")]), "hx1k --package cb121");
    assert_eq!(
        part(PCF, TOP, &[("device", "iCE40-LP1K"), ("package", "QN84")]),
        "lp1k --package qn84"
    );
    assert_eq!(part(PCF, TOP, &[("package", "sg48")]), "up5k --package sg48");
}

#[test]
fn a_design_whose_clock_would_stand_still_is_simulated_from_its_sources() {
    let pll = TOP.replace(
        "core c",
        "SB_PLL40_CORE #(.DIVR(0)) p(.REFERENCECLK(clk)); core c",
    );
    let files = [
        ("top.v", pll.as_str()),
        ("core.v", CORE),
        ("top_tb.v", BENCH),
        ("top.pcf", PCF),
    ];
    let plan = made(&design(&files), &[]);
    assert_eq!(plan.mode, "sw_emu");
    assert!(
        plan.notes[0].contains("`SB_PLL40_CORE`, which top.v uses"),
        "{:?}",
        plan.notes
    );
    let compile = argv(&plan, "iverilog").expect("a compilation").join(" ");
    assert!(compile.contains("-DNO_ICE40_DEFAULT_ASSIGNMENTS"), "{compile}");
    assert!(
        compile.contains("/usr/share/yosys/ice40/cells_sim.v core.v top.v top_tb.v"),
        "{compile}"
    );
}

#[test]
fn a_testbench_keeps_its_own_modules_beside_the_bitstreams_logic() {
    let bench = "module top_tb; reg clk = 0; wire led; top dut(.clk(clk), .led(led)); spy s(.x(led)); core c(); endmodule";
    let plan = made(
        &design(&[
            ("top.v", TOP),
            ("core.v", CORE),
            ("sim/top_tb.v", bench),
            ("sim/spy.v", "module spy(input x); endmodule"),
            ("top.pcf", PCF),
        ]),
        &[("mode", "hw_emu")],
    );
    let compile = argv(&plan, "iverilog").expect("a compilation").join(" ");
    assert!(
        compile.ends_with("build/top.netlist.v core.v sim/spy.v sim/top_tb.v"),
        "{compile}"
    );
}

#[test]
fn a_design_in_one_folder_is_built_in_that_folder() {
    let files = [
        ("my design/top.v", TOP),
        ("my design/core.v", CORE),
        ("my design/top.pcf", PCF),
    ];
    let plan = made(&design(&files), &[("pcf", "my design/top.pcf"), ("mode", "hw")]);
    assert_eq!(sources(&plan), "core.v top.v");
    let Step::Run(synthesis) = &plan.stages[0].steps[1] else {
        panic!("no synthesis")
    };
    assert_eq!(synthesis.folder, "my design");
    assert_eq!(synthesis.makes, ["my design/build/top.json"]);
    let Step::Load(load) = &plan.stages[1].steps[0] else {
        panic!("no load")
    };
    assert_eq!(load.constraints, "my design/top.pcf");
    assert_eq!(plan.stages[0].bitstream.as_ref(), Some(&load.bitstream[0]));
}

#[test]
fn skipping_the_run_leaves_the_build_as_it_is() {
    let design = example("vadd");
    for mode in ["sw_emu", "hw_emu", "hw"] {
        let whole = made(&design, &[("mode", mode)]);
        let short = made(&design, &[("mode", mode), ("skipexec", "1")]);
        assert_eq!(short.stages[..], whole.stages[..1]);
    }
}

#[test]
fn a_design_may_be_as_deep_and_as_wide_as_its_author_likes() {
    const DEPTH: usize = 20_000;
    let deep: String = (0..DEPTH)
        .map(|n| format!("module m{n}(input clk); m{} i(); endmodule\n", n + 1))
        .collect();
    let nested = "`define a ".repeat(50_000);
    let wide: String = (0..DEPTH)
        .map(|n| format!("module w{n}(input clk); endmodule\n"))
        .collect();
    let chain: Vec<(String, String)> = (0..3_000)
        .map(|n| (format!("c{n}.v"), format!("`include \"c{}.v\"\n", n + 1)))
        .collect();
    let mut files: Vec<(&str, &str)> = chain
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    files.extend([
        ("deep.v", deep.as_str()),
        ("nested.v", &nested),
        ("wide_tb.v", &wide),
        ("m0.pcf", PCF),
    ]);
    assert_eq!(sources(&made(&design(&files), &[("top", "m0")])), "deep.v");
}
