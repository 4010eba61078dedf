//! The failures of the real tools, told by what they really print.

use crate::design::{example, planned};
use polyphemus_core::cause::CauseKind;
use polyphemus_core::plan::{Plan, Run, Step};
use regex::Regex;

fn step<'p>(plan: &'p Plan, program: &str) -> &'p Run {
    let mut steps = plan.stages.iter().flat_map(|stage| &stage.steps);
    steps
        .find_map(|step| match step {
            Step::Run(run) if run.argv[0] == program => Some(run),
            _ => None,
        })
        .expect("the plan has the step")
}

/// As a worker tells a failure: the first rule that fits.
fn told(run: &Run, exit_code: i32, output: &str) -> Option<CauseKind> {
    let fits = |line: &str| {
        let line = Regex::new(line).expect("the rule is a regular expression");
        output.lines().any(|text| line.is_match(text))
    };
    let mut rules = run.failures.iter();
    rules
        .find(|rule| {
            rule.exit_code.is_none_or(|code| code == exit_code) && rule.line.as_deref().is_none_or(fits)
        })
        .map(|rule| rule.kind)
}

#[test]
fn what_the_tools_print_is_told_as_what_it_is() {
    use CauseKind::{DoesNotFit, SourceError, TimingNotMet, WorkerTrouble};
    let vadd = example("vadd");
    let emulation = planned(&vadd, &[("mode", "hw_emu")]).unwrap();
    let sources = planned(&vadd, &[("mode", "sw_emu")]).unwrap();
    let board = planned(&vadd, &[("mode", "hw")]).unwrap();
    let makefile = planned(&example("sha256"), &[]).unwrap();
    let (yosys, nextpnr) = (step(&emulation, "yosys"), step(&emulation, "nextpnr-ice40"));
    let (netlist, compile, make) = (
        step(&emulation, "iverilog"),
        step(&sources, "iverilog"),
        step(&makefile, "make"),
    );
    let cc = step(&board, "cc");
    let timing = "ERROR: Max frequency for clock 'clk$SB_IO_IN_$glb_clk': 40.66 MHz (FAIL at 80.00 MHz)";
    let no_room =
        "ERROR: Unable to place cell 'm.0.107_RAM', no BELs remaining to implement cell type 'ICESTORM_RAM'";
    let unknown = "t4.v:19: error: Unknown module type: foo\n2 error(s) during elaboration.";
    let cases = [
        (
            yosys,
            1,
            "toggle.v:20: ERROR: syntax error, unexpected TOK_END",
            Some(SourceError),
        ),
        (
            yosys,
            1,
            "ERROR: Module `\\foo' referenced in module `\\top' in cell `\\u' is not part of the design.",
            Some(SourceError),
        ),
        (
            yosys,
            1,
            "ERROR: Can't open include file `nothere.vh'!",
            Some(SourceError),
        ),
        (
            yosys,
            1,
            "multi.v:0: ERROR: Can not open file `nomem.hex` for \\$readmemh.",
            Some(SourceError),
        ),
        (
            yosys,
            1,
            "ERROR: Can't open output file `build/top.json' for writing: No space left on device",
            Some(WorkerTrouble),
        ),
        (yosys, 137, "", None),
        (nextpnr, 1, timing, Some(TimingNotMet)),
        (nextpnr, 255, no_room, Some(DoesNotFit)),
        (
            nextpnr,
            255,
            "ERROR: Unable to find a placement location for cell 'q[37]$sb_io'",
            Some(DoesNotFit),
        ),
        (
            nextpnr,
            255,
            "ERROR: IO 'led[3]' is unconstrained in PCF (override this error with --pcf-allow-unconstrained)\nERROR: Loading PCF failed.",
            Some(SourceError),
        ),
        (
            nextpnr,
            255,
            "ERROR: package does not have a pin named '21' (on line 4)",
            Some(SourceError),
        ),
        (
            nextpnr,
            255,
            "ERROR: Cell 'led[1]$sb_io' cannot be bound to bel 'X7/Y33/io1' since it is already bound to cell 'led[0]$sb_io'",
            Some(SourceError),
        ),
        (
            nextpnr,
            255,
            "ERROR: unsupported PCF command 'hello' (on line 1)",
            Some(SourceError),
        ),
        (
            nextpnr,
            255,
            "ERROR: timing analysis failed due to presence of combinatorial loops, incomplete specification of timing ports, etc.",
            Some(SourceError),
        ),
        (
            nextpnr,
            255,
            "ERROR: IO pin 'clk$tr_io' constrained to pin 'ZZ9', which does not exist for package 'CABGA381'.",
            Some(SourceError),
        ),
        (
            nextpnr,
            255,
            "ERROR: Failed to parse LPF file 'g.lpf'",
            Some(SourceError),
        ),
        (
            nextpnr,
            255,
            "ERROR: Cell 'clk$tr_io' cannot be bound to bel 'X0/Y47/PIOA' since it is already bound to cell 'led$tr_io'",
            Some(SourceError),
        ),
        (
            nextpnr,
            139,
            "Warning: Max frequency for clock 'clk': 194.33 MHz (FAIL at 500.00 MHz)",
            None,
        ),
        (compile, 2, unknown, Some(SourceError)),
        (
            compile,
            1,
            "inc.v:2: Include file nothere.vh not found",
            Some(SourceError),
        ),
        (compile, 2, "syn.v:3: syntax error\nI give up.", Some(SourceError)),
        (
            netlist,
            1,
            "t1.v:37: error: Unable to bind wire/reg/memory `dut.count' in `blinky_tb'",
            Some(SourceError),
        ),
        (
            netlist,
            1,
            "t7.v:37: error: Could not find variable ``dut.count'' in ``blinky_tb''",
            Some(SourceError),
        ),
        (
            netlist,
            1,
            "t3.v:19: error: port ``leds'' is not a port of dut.",
            Some(SourceError),
        ),
        (
            netlist,
            1,
            "/usr/share/yosys/ice40/cells_sim.v: No such file or directory",
            Some(WorkerTrouble),
        ),
        (
            cc,
            1,
            "h.c:1:10: fatal error: no.h: No such file or directory",
            Some(SourceError),
        ),
        (
            cc,
            1,
            "h2.c:(.text+0x5): undefined reference to `f'",
            Some(SourceError),
        ),
        (make, 2, timing, Some(TimingNotMet)),
        (make, 2, no_room, Some(DoesNotFit)),
        (
            make,
            2,
            "make: *** No rule to make target 'all'.  Stop.",
            Some(SourceError),
        ),
        (make, 2, "make: *** [Makefile:3: all] Error 1", None),
    ];
    for (run, exit_code, output, kind) in cases {
        assert_eq!(told(run, exit_code, output), kind, "{}: {output}", run.argv[0]);
    }
    let last = |run: &Run, output: &str| {
        let fits = |rule: &&polyphemus_core::plan::FailureRule| {
            Regex::new(rule.line.as_deref().unwrap_or(""))
                .unwrap()
                .is_match(output)
        };
        run.failures
            .iter()
            .find(fits)
            .map(|rule| rule.message.clone())
            .unwrap_or_default()
    };
    assert!(last(netlist, "x.v:1: error: Unable to bind wire `dut.n'").contains("came out of the bitstream"));
    assert!(last(netlist, "x.v:1: syntax error").contains("cannot compile"));
}

#[test]
fn a_verdict_follows_from_what_a_testbench_prints() {
    let plan = planned(&example("blinky"), &[("mode", "sw_emu")]).unwrap();
    let verdict = step(&plan, "vvp").verdict.as_ref().unwrap();
    let (failed, passed) = (
        Regex::new(&verdict.failed).unwrap(),
        Regex::new(&verdict.passed).unwrap(),
    );
    for line in [
        "TEST FAILED: led[3] is x",
        "ERROR: t.v:1: x",
        "FATAL: mean_tb.v:31: ",
        "FAIL",
        "  FAILED at 5",
        "Test failed: 3 sums are wrong",
        "FAILED: 12",
    ] {
        assert!(failed.is_match(line), "{line}");
        assert!(!passed.is_match(line), "{line}");
    }
    for line in ["TEST PASSED", "ALL PASSED", "PASS"] {
        assert!(passed.is_match(line) && !failed.is_match(line), "{line}");
    }
    for line in [
        "0 tests failed",
        "Failed: 0",
        "FAIL = 0 of 12",
        "failover begins",
        "20000 clocks, led = 00000011",
        "no ERROR: here",
        "password",
    ] {
        assert!(!failed.is_match(line) && !passed.is_match(line), "{line}");
    }
}
