//! How the tools' failures are told, by what they print (yosys 0.23, nextpnr-ice40 0.4, nextpnr-ecp5
//! 0.11, Icarus 11: each line was provoked), in words for the user.

use crate::cause::CauseKind::{self, DoesNotFit, SourceError, TimingNotMet, WorkerTrouble};
use crate::plan::{FailureRule, VerdictRule};

fn rule(exit_code: Option<i32>, line: &str, kind: CauseKind, message: impl Into<String>) -> FailureRule {
    FailureRule {
        exit_code,
        line: Some(line.to_owned()),
        kind,
        message: message.into(),
    }
}

/// `yosys`: exit code 1 for every error.
pub(super) fn synthesis() -> Vec<FailureRule> {
    vec![
        rule(
            None,
            r"ERROR: Can't open output file",
            WorkerTrouble,
            "yosys could not write its result on this worker; nothing is wrong with the design",
        ),
        rule(
            None,
            r"ERROR: Module `.*' referenced in module `.*' .*is not part of the design",
            SourceError,
            "a module is used that no file of the design defines: add its file, or correct the name",
        ),
        rule(
            None,
            r"ERROR: (Can't open include file|Can not open file|Can't open input file)",
            SourceError,
            "a file that the sources read is not in the design: hand it in too, and name it relative to the \
             design's folder or to the file that reads it",
        ),
        rule(
            None,
            r"^\S.*:\d+: ERROR: ",
            SourceError,
            "yosys cannot read the sources: the line below names the file and the line to correct",
        ),
        rule(
            None,
            r"^ERROR: ",
            SourceError,
            "yosys cannot make logic of the sources: correct what the line below names",
        ),
    ]
}

/// `nextpnr-*`: exit code 1 when only the timing is missed, 255 for every other error.
pub(super) fn place_and_route(freq_mhz: &str, constraints: Option<&str>, log: &str) -> Vec<FailureRule> {
    let constraints = constraints.unwrap_or("the constraints file");
    vec![
        rule(
            Some(1),
            r"^ERROR: Max frequency for clock .*\(FAIL at ",
            TimingNotMet,
            format!(
                "the design is placed and routed, but slower than the {freq_mhz} MHz wished for: shorten the \
                 critical path ({log} shows it), wish for less with the option `freq`, try another `seed`, or \
                 take it as it is with `allow_timing_violation=1`"
            ),
        ),
        rule(
            None,
            NO_ROOM,
            DoesNotFit,
            format!(
                "the design needs more than the part has: the table of use in {log} tells of what; make the \
                 design smaller, or choose a larger part with the options `device` and `package`"
            ),
        ),
        rule(
            None,
            r"^ERROR: IO '.*' is unconstrained",
            SourceError,
            format!("a port of the top module has no pin in {constraints}: give it one, or remove the port"),
        ),
        rule(
            None,
            r"^ERROR: (package does not have a pin named|.* which does not exist for package)",
            SourceError,
            format!(
                "{constraints} names a pin that the package does not have: correct the pin, or choose the \
                 board's part with the options `device` and `package`"
            ),
        ),
        rule(
            None,
            r"^ERROR: .*\$(sb|tr)_io' cannot be bound to bel .* already bound",
            SourceError,
            format!("{constraints} puts two ports on one pin: give each its own"),
        ),
        rule(
            None,
            r"^ERROR: (unsupported PCF command|expected (PCF )?syntax|Loading PCF failed|Failed to parse LPF)",
            SourceError,
            format!("nextpnr cannot read {constraints}: correct the line that it names"),
        ),
        rule(
            None,
            r"^ERROR: timing analysis failed due to presence of combinatorial loops",
            SourceError,
            "the logic has a loop without a register in it: find it by the warning `found logic loop` of the \
             synthesis, and put a register in",
        ),
    ]
}

/// `iverilog` on the sources.
pub(super) fn compile() -> Vec<FailureRule> {
    vec![
        missing_cells(),
        rule(
            None,
            r"error: Unknown module type: ",
            SourceError,
            "a module is used that no file of the design defines: add its file, or correct the name",
        ),
        rule(
            None,
            r": Include file .* not found",
            SourceError,
            "a file that the sources include is not in the design: hand it in too",
        ),
        rule(
            None,
            r"(: syntax error|: error: |^error: |: sorry: |I give up\.)",
            SourceError,
            "Icarus Verilog cannot compile the sources and their testbench: the line below names the file and \
             the line to correct",
        ),
    ]
}

/// `iverilog` on the netlist that came out of the bitstream.
pub(super) fn compile_netlist(testbench: &str, top: &str) -> Vec<FailureRule> {
    vec![
        missing_cells(),
        rule(
            None,
            r"(: syntax error|^I give up\.)",
            SourceError,
            format!("Icarus Verilog cannot compile {testbench}: the line below names the line to correct"),
        ),
        rule(
            None,
            r"error: Unknown module type: ",
            SourceError,
            format!("{testbench} uses a module that no file of the design defines: add its file"),
        ),
        rule(
            None,
            r"(: error: |^error: |: sorry: )",
            SourceError,
            format!(
                "{testbench} does not fit the logic that came out of the bitstream: there `{top}` has its ports \
                 and nothing else, so use no names of inner nets, and connect ports by name; or choose mode \
                 `sw_emu`, which simulates the sources"
            ),
        ),
    ]
}

/// A Makefile, which may call any of the tools: what each of them alone prints.
pub(super) fn makefile() -> Vec<FailureRule> {
    vec![
        rule(
            None,
            r"^make(\[\d+\])?: \*\*\* No rule to make target ",
            SourceError,
            "the Makefile wants a file or a target that is not there: hand the file in too, or correct its name",
        ),
        rule(
            None,
            r"^ERROR: Max frequency for clock .*\(FAIL at ",
            TimingNotMet,
            "the design is placed and routed, but slower than wished for: shorten the critical path, wish for \
             less, or let the Makefile call nextpnr with `--timing-allow-fail`",
        ),
        rule(
            None,
            NO_ROOM,
            DoesNotFit,
            "the design needs more than the part has: make it smaller, or build for a larger part",
        ),
        rule(
            None,
            r"^\S.*:\d+: (ERROR: |syntax error|error: )",
            SourceError,
            "a tool cannot read the sources: the line below names the file and the line to correct",
        ),
    ]
}

/// The C or C++ compiler.
pub(super) fn compile_host(path: &str) -> Vec<FailureRule> {
    vec![rule(
        None,
        r"(: (fatal )?error: |undefined reference to |ld returned )",
        SourceError,
        format!("the host program {path} does not compile: the line below says why"),
    )]
}

/// `vvp`: it goes on without the file, and the memory holds nothing.
pub(super) fn simulation() -> Vec<FailureRule> {
    vec![rule(
        None,
        r"\$readmem[bh]: Unable to open ",
        SourceError,
        "the simulation finds no file of the name in the line below: hand it in, and name it relative to the \
         design's folder; a name relative to the source file is found by yosys alone",
    )]
}

/// `vvp`: `$error` prints its line and changes no exit code; `$fatal` gives 1.
pub(super) fn simulation_verdict() -> VerdictRule {
    VerdictRule {
        failed: format!(r"^(ERROR|FATAL): |{FAILED}"),
        passed: PASSED.to_owned(),
    }
}

/// A host program.
pub(in crate::flow) fn host_verdict() -> VerdictRule {
    VerdictRule {
        failed: FAILED.to_owned(),
        passed: PASSED.to_owned(),
    }
}

const NO_ROOM: &str = concat!(
    r"^ERROR: .*(no BELs remaining|Unable to find a placement location|Unable to find legal placement",
    r"|probably at utilisation limit|couldn't be placed anywhere)",
);
/// `Test failed: 3 wrong`, but not `Failed: 0`.
const FAILED: &str = r"\bTESTS? FAILED\b|^\s*(?i:(test(bench)?\s+)?fail(ed|ure)?)\b[\s:=]*([^0\s:=]|$)";
const PASSED: &str = r"\b(TESTS?|ALL) PASS(ED)?\b|^\s*PASS(ED)?\b";

fn missing_cells() -> FailureRule {
    rule(
        None,
        r"cells_sim\.v: No such file",
        WorkerTrouble,
        "this worker lacks yosys' models of the part's cells: install Debian's package `yosys` there",
    )
}
