//! From a bitstream back to a module that the testbench of the sources fits, and what user text cannot do on the way.
use std::fs;

use polyphemus_device::simulate::header::Direction;
use polyphemus_device::simulate::{self, Netlist, Pcf, SimulateError};
use tempfile::TempDir;

use crate::toolchain::{bitstream, carry_out, fixture, run};

/// Sends 0xA5 and compares what comes back; `led` must count one byte in a vector that has bits without a trace.
const TESTBENCH: &str = "
`timescale 1ns/1ns
module tb;
  reg clk = 0, rx = 1;
  wire tx;
  wire [4:0] led;
  reg [7:0] back = 0;
  integer i;
  echo dut (.clk(clk), .rx(rx), .tx(tx), .led(led));
  always #1 clk = !clk;
  initial begin
    repeat (40) @(negedge clk);
    rx = 0; repeat (12) @(negedge clk);
    for (i = 0; i < 8; i = i + 1) begin rx = (8'hA5 >> i) & 1; repeat (12) @(negedge clk); end
    rx = 1;
    @(negedge tx); repeat (6) @(negedge clk);
    for (i = 0; i < 8; i = i + 1) begin repeat (12) @(negedge clk); back[i] = tx; end
    $display(\"back=%h led=%b\", back, led);
    $finish;
  end
endmodule
";

#[test]
fn the_sources_testbench_runs_on_the_bitstream() {
    let folder = TempDir::new().unwrap();
    let board = simulate::board("ice40-hx1k").unwrap();
    let settings = "chparam -set DIVISOR 12 echo;";
    bitstream(
        folder.path(),
        board,
        &[fixture("echo.v")],
        "echo",
        settings,
        &fixture("echo.pcf"),
    );
    let pcf = Pcf::parse(&fs::read_to_string(fixture("echo.pcf")).unwrap()).unwrap();
    let recipe = simulate::netlist(board.package, "design.bin", &pcf, "echo").unwrap();
    let netlist = carry_out(&recipe, folder.path()).unwrap();
    fs::write(folder.path().join("tb.v"), TESTBENCH).unwrap();
    let cells = simulate::Tools::of_debian(1).cells_sim;
    run(
        folder.path(),
        &[
            "iverilog",
            "-g2012",
            "-DNO_ICE40_DEFAULT_ASSIGNMENTS",
            "-o",
            "sim",
            "-s",
            "tb",
            "tb.v",
            netlist.to_str().unwrap(),
            &cells,
        ],
    );
    run(folder.path(), &["vvp", "-n", "sim"]);
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("back=a5 led=00001"), "{log}");
}

const ICEBOX: &str = "
module bitstream (input port_0, output port_1, output port_2, input port_3);

wire port_0, n5;
reg port_1 = 0, port_2 = 0;
assign n5 = /* LUT    1  2  0 */ (port_0 ? !port_1 : port_1);
always @(posedge port_0) if (1'b1) port_1 <= 1'b0 ? 1'b0 : n5;

// Warning: unmatched port 'port_3'

endmodule
";

#[test]
fn ports_are_declared_in_the_old_form_and_tables_become_gates() {
    let netlist = Netlist::parse(ICEBOX).unwrap();
    assert!(netlist.verilog.starts_with(
        "module bitstream (port_0, port_1, port_2, port_3);\ninput port_0;\noutput port_1;\noutput port_2;\ninput port_3;\n"
    ));
    assert!(netlist.verilog.contains("reg port_1 = 0, port_2 = 0;"));
    assert!(
        netlist.verilog.contains("(port_0 ^ port_1);"),
        "{}",
        netlist.verilog
    );
    assert_eq!(netlist.port("port_2").unwrap().direction, Direction::Output);
    assert!(!netlist.port("port_3").unwrap().used);
}

#[test]
fn a_vectors_bit_without_a_trace_reads_zero() {
    let pcf = Pcf::parse("set_io clk 21\nset_io q[0] 1\nset_io q[2] 2\nset_io q[1] 3\n").unwrap();
    let text = Netlist::parse(ICEBOX)
        .unwrap()
        .with_users_ports("top", &pcf)
        .unwrap();
    assert!(
        text.contains(
            "module \\top (\\clk , \\q );\ninput \\clk ;\noutput [2:0] \\q ;\nassign \\q [1] = 1'b0;\n"
        ),
        "{text}"
    );
    assert!(text.contains(".port_2(\\q [2])"), "{text}");
}

#[test]
fn a_signal_without_a_source_is_refused() {
    let text = ICEBOX.replace("(port_0 ? !port_1 : port_1)", "(n77 ? !port_1 : port_1)");
    assert!(matches!(Netlist::parse(&text), Err(SimulateError::Limits { .. })));
}

#[test]
fn output_of_another_tool_is_refused() {
    let hostile = [
        "",
        "module",
        "module x (input a",
        "module x (input a`b);",
        "module x y (input a);",
        "module x (wire a);",
    ];
    for text in hostile {
        assert!(
            matches!(Netlist::parse(text), Err(SimulateError::Netlist { .. })),
            "{text:?}"
        );
    }
}

#[test]
fn constraints_are_read_as_nextpnr_reads_them() {
    let pcf = Pcf::parse(&fs::read_to_string(fixture("echo.pcf")).unwrap()).unwrap();
    assert_eq!(
        (pcf.pin("rx"), pcf.pin("led[4]"), pcf.pin("led")),
        (Some("9"), Some("95"), None)
    );
    assert_eq!(pcf.port("99").unwrap().text(), "led[0]");
    let twice = Pcf::parse("set_io a 1\nset_io a 2\nset_io b 1").unwrap();
    assert_eq!((twice.pin("a"), twice.pin("b")), (Some("2"), Some("1")));
}

#[test]
fn names_that_could_become_code_are_refused_with_their_line() {
    let names = [
        "a;b", "a\"b", "\\a", "a[1][2]", "a[x]", "a[-1]", "a[12345]", "a`b", "$x", "1a", "a)", "ä", "a[",
    ];
    for name in names {
        let error = Pcf::parse(&format!("# first\nset_io {name} 21\n")).unwrap_err();
        assert!(
            matches!(error, SimulateError::Pcf { line: 2, .. }),
            "{name}: {error}"
        );
    }
    for line in [
        "set_io a",
        "set_io a 1 2",
        "set_io -x a 1",
        "set_io a 1;",
        "source x",
        "set_io -pullup",
    ] {
        assert!(Pcf::parse(line).is_err(), "{line}");
    }
    for text in ["set_io a 1\nset_io b 1", "set_io a 1\nset_io a[0] 2"] {
        assert!(
            matches!(Pcf::parse(text), Err(SimulateError::Pcf { line: 2, .. })),
            "{text}"
        );
    }
    let pcf = Pcf::parse("set_io a 1").unwrap();
    for top in ["x;y", "", "bitstream", "a b"] {
        assert!(simulate::netlist("tq144", "d.bin", &pcf, top).is_err(), "{top}");
    }
}

#[test]
fn a_simulated_board_is_asked_for_by_name_and_count() {
    let ids = |text| simulate::parse(text).map(|all| all.into_iter().map(|one| one.id).collect::<Vec<_>>());
    assert_eq!(
        ids("ice40-hx8k:2").unwrap(),
        ["sim-ice40-hx8k-0", "sim-ice40-hx8k-1"]
    );
    assert_eq!(
        simulate::parse("ice40-hx1k").unwrap()[0].labels,
        ["fpga:ice40-hx1k=virtual"]
    );
    let error = ids("u250:4").unwrap_err().to_string();
    assert!(error.contains("ice40-hx1k, ice40-hx8k, ice40-up5k"), "{error}");
    for text in [
        "ice40-hx8k:0",
        "ice40-hx8k:",
        "ice40-hx8k:-1",
        "ice40-hx8k:65",
        "ice40-hx8k:x",
    ] {
        assert!(matches!(ids(text), Err(SimulateError::BadCount { .. })), "{text}");
    }
}
