//! What is refused at submission, in the user's words.

use crate::design::{design, planned};
use std::fmt::Write;

const TOP: &str = "module top(input clk, output led); core c(.clk(clk), .q(led)); endmodule";
const CORE: &str = "module core(input clk, output q); endmodule";
const BENCH: &str = "module top_tb; top dut(.clk(1'b0)); initial $finish; endmodule";
const PCF: &str = "set_io clk J3\nset_io led B5\n";

const BOTH: &str = "module top(input clk); core c(.clk(clk)); endmodule module core(input clk); endmodule";
const PLL: &str = "module top(input clk, output led); SB_PLL40_PAD p(); core c(); endmodule";
const BENCH_WITH_CORE: &str = "module top_tb; top dut(.clk(1'b0)); core c(); initial $finish; endmodule";
const BENCH_WITH_PARAMETERS: &str = "module top_tb; top #(.N(3)) dut(); initial $finish; endmodule";

type Files<'a> = &'a [(&'a str, &'a str)];

/// What stands for a whole small design.
const WHOLE: Files<'_> = &[
    ("top.v", TOP),
    ("core.v", CORE),
    ("top_tb.v", BENCH),
    ("top.pcf", PCF),
];

/// Files, and the options given with them.
const CASES: &[(Files<'_>, Files<'_>)] = &[
    (
        &[
            ("top.v", "\u{feff}module top(input clk); endmodule"),
            ("top.pcf", PCF),
        ],
        &[],
    ),
    (WHOLE, &[("tpo", "top")]),
    (WHOLE, &[("mode", "fast\u{1b}[31m")]),
    (WHOLE, &[("mode", "hx"), ("estimate", "1")]),
    (WHOLE, &[("top", "to p")]),
    (WHOLE, &[("top", "nobody")]),
    (WHOLE, &[("family", "max10")]),
    (WHOLE, &[("device", "hx2k")]),
    (WHOLE, &[("family", "ecp5"), ("device", "hx8k")]),
    (WHOLE, &[("package", "bga1")]),
    (WHOLE, &[("device", "hx8k"), ("package", "sg48")]),
    (WHOLE, &[("freq", "12MHz")]),
    (WHOLE, &[("freq", "0")]),
    (WHOLE, &[("freq", "-1")]),
    (WHOLE, &[("freq", "1.2.3")]),
    (WHOLE, &[("seed", "2147483648")]),
    (WHOLE, &[("seed", "-1")]),
    (WHOLE, &[("pcf", "other.pcf")]),
    (WHOLE, &[("pcf", "../../etc/passwd")]),
    (WHOLE, &[("pcf", "a.pcf; rm -rf /")]),
    (WHOLE, &[("testbench", "core.v")]),
    (WHOLE, &[("testbench", "nothing.v")]),
    (WHOLE, &[("host", "top.v")]),
    (WHOLE, &[("bitstream", "x.bin")]),
    (WHOLE, &[("make", "1")]),
    (WHOLE, &[("toolchain", "quartus")]),
    (WHOLE, &[("directives", "--eval=x")]),
    (&[("README.md", "hello")], &[]),
    (&[("top.vhd", "entity top is end;")], &[]),
    (&[("top_tb.v", BENCH)], &[]),
    (&[("top.v", TOP), ("core.v", CORE)], &[]),
    (
        &[("top.v", TOP), ("core.v", CORE), ("x.pcf", PCF), ("y.pcf", PCF)],
        &[("mode", "estimate")],
    ),
    (
        &[("top.v", TOP), ("core.v", CORE), ("x.pcf", PCF)],
        &[("mode", "sw_emu")],
    ),
    (
        &[
            ("a.v", "module a(input x); endmodule"),
            ("b.v", "module b(input x); endmodule"),
        ],
        &[],
    ),
    (
        &[
            ("a.v", "module a(input x); b i(); endmodule"),
            ("b.v", "module b(input x); a i(); endmodule"),
        ],
        &[],
    ),
    (
        &[
            ("top.v", TOP),
            ("x/core.v", CORE),
            ("y/core.v", CORE),
            ("top.pcf", PCF),
        ],
        &[],
    ),
    (&[("x/top.v", CORE), ("y/top.v", CORE), ("top.pcf", PCF)], &[]),
    (&[("top.v", TOP), ("co re.v", CORE), ("top.pcf", PCF)], &[]),
    (&[("top.v", TOP), ("-core.v", CORE), ("top.pcf", PCF)], &[]),
    (&[("top.v", TOP), ("core.v", CORE), ("top;ls.pcf", PCF)], &[]),
    (
        &[
            ("top.v", TOP),
            ("core.v", CORE),
            ("1_tb.v", BENCH),
            ("2_tb.v", BENCH),
            ("top.pcf", PCF),
        ],
        &[],
    ),
    (
        &[
            ("top.v", TOP),
            ("core.v", CORE),
            ("host.c", ""),
            ("pc/host.py", ""),
            ("top.pcf", PCF),
        ],
        &[],
    ),
    (
        &[
            ("top.v", PLL),
            ("core.v", CORE),
            ("top_tb.v", BENCH),
            ("top.pcf", PCF),
        ],
        &[("mode", "hw_emu")],
    ),
    (
        &[
            ("top.v", TOP),
            ("core.v", CORE),
            ("top_tb.v", BENCH_WITH_PARAMETERS),
            ("top.pcf", PCF),
        ],
        &[("mode", "hw_emu")],
    ),
    (
        &[("top.v", BOTH), ("top_tb.v", BENCH_WITH_CORE), ("top.pcf", PCF)],
        &[("mode", "hw_emu")],
    ),
    (
        &[
            ("top.v", TOP),
            ("core.v", CORE),
            ("top_tb.v", BENCH),
            ("top.lpf", ""),
        ],
        &[("mode", "hw_emu")],
    ),
    (
        &[
            ("top.v", TOP),
            ("core.v", CORE),
            ("host.c", ""),
            ("pc/host.py", ""),
            ("top_tb.v", BENCH),
            ("top.pcf", PCF),
        ],
        &[("mode", "hw")],
    ),
    (&[("Makefile", "all:\n\techo $(MODE)\n")], &[("mode", "hw")]),
];

#[test]
fn every_refusal_says_what_is_wrong_and_what_to_do() {
    let mut told = String::new();
    for &(files, given) in CASES {
        let names: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        let error = planned(&design(files), given).expect_err(&format!("{names:?} {given:?}"));
        writeln!(told, "{} {given:?}\n    {error}", names.join(" ")).unwrap();
    }
    insta::assert_snapshot!("refusals", told);
}
