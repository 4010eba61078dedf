// SPDX-License-Identifier: Apache-2.0
//
// The mean of two numbers, rounded down, one clock later.
//
// MISTAKE ON PURPOSE, and easily read over: every operand and the result have
// 8 bits, so Verilog adds in 8 bits, and the carry is lost before the shift.
// Right: ({1'b0, a} + {1'b0, b}) >> 1

`default_nettype none

module top (
    input  wire       clk,
    input  wire [7:0] a,
    input  wire [7:0] b,
    output reg  [7:0] mean
);

  initial mean = 8'd0;

  always @(posedge clk) mean <= (a + b) >> 1;

endmodule

`default_nettype wire
