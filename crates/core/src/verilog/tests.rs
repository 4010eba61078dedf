//! Tests of the scanner.

use super::*;

fn names(set: &BTreeSet<String>) -> Vec<&str> {
    set.iter().map(String::as_str).collect()
}

#[test]
fn the_units_of_a_file_and_their_ports_are_found() {
    let file = scan(
        "package p; typedef int t; endpackage\n\
         interface bus(input clk); endinterface\n\
         module top import p::*; #(parameter W = f(3)) (input wire clk, output reg [W-1:0] q); endmodule\n\
         module old(a, b); input a; output b; endmodule : old\n\
         module automatic none; endmodule",
    );
    let ports: Vec<_> = file
        .units
        .iter()
        .map(|(name, unit)| (name.as_str(), names(&unit.ports)))
        .collect();
    assert_eq!(
        ports,
        [
            ("bus", vec!["clk"]),
            ("none", vec![]),
            ("old", vec!["a", "b"]),
            ("p", vec![]),
            ("top", vec!["W", "clk", "q"]),
        ]
    );
    assert_eq!(file.units["bus"].kind, UnitKind::Other);
    assert_eq!(file.units["top"].kind, UnitKind::Module);
    assert!(file.units["top"].uses.contains("p"));
}

#[test]
fn an_instance_is_a_use_and_a_signal_of_the_same_name_is_none() {
    let file = scan(
        "module m; wire alu; alu2 #(.N(4)) adder (.x(alu)); fifo `P f(); other other(.y(tx)); prim (a, b);\n\
         assign q = count ? lfsr : pkg::C; endmodule",
    );
    let unit = &file.units["m"];
    for used in ["alu2", "fifo", "other", "prim", "pkg"] {
        assert!(unit.uses.contains(used), "{used}");
    }
    for unused in ["alu", "adder", "tx", "count", "lfsr", "x", "f"] {
        assert!(!unit.uses.contains(unused), "{unused}");
    }
    assert_eq!(names(&unit.with_parameters), ["alu2"]);
}

#[test]
fn comments_texts_numbers_and_attributes_hide_nothing_and_show_nothing() {
    let file = scan(
        "// module a;\n/* module b; endmodule */ (* keep, x = \"module c\" *) module d;\n\
         initial $display(\"module e; \\\" endmodule\"); always @(*) x = 8'hfade; always @( * ) y = 'b0 ;\n\
         endmodule \\esc+aped+ module f; endmodule",
    );
    assert_eq!(file.units.keys().collect::<Vec<_>>(), ["d", "f"]);
    assert_eq!(names(&file.units["d"].system_tasks), ["$display"]);
    assert!(!file.units["d"].uses.contains("hfade"));
}

#[test]
fn both_branches_of_a_condition_count() {
    let file = scan(
        "`ifdef A\nmodule m(input x);\n`else\nmodule m(input y);\n`endif\n\
         `ifndef B fast f(); `elsif C slow s(); `endif endmodule\nmodule n; endmodule",
    );
    assert_eq!(file.units.keys().collect::<Vec<_>>(), ["m", "n"]);
    assert_eq!(names(&file.units["m"].ports), ["x", "y"]);
    assert!(file.units["m"].uses.contains("fast") && file.units["m"].uses.contains("slow"));
    assert!(file.macros_used.is_empty());
}

#[test]
fn includes_and_macros_are_listed() {
    let file = scan(
        "`timescale 1ns / 1ps\n`default_nettype none\n`include \"inc/defs.vh\"\n`include <sys.vh>\n`include `X\n\
         `define RAM(n) \\\n  ram_cell #(.N(n)) \\\n  i()\n`define EMPTY\nmodule m; `RAM(`DEPTH) endmodule",
    );
    assert_eq!(names(&file.includes), ["inc/defs.vh", "sys.vh"]);
    assert_eq!(names(&file.macros_defined), ["EMPTY", "RAM"]);
    assert_eq!(names(&file.macros_used), ["DEPTH", "RAM", "X"]);
    assert!(file.uses.contains("ram_cell"));
    assert_eq!(file.units.len(), 1);
}
