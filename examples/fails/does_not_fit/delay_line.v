// SPDX-License-Identifier: Apache-2.0
//
// An audio echo: `out` repeats `in` 256 samples later.
//
// MISTAKE ON PURPOSE: all samples move at every step, so each of the 2,048 bits
// needs a flip-flop of its own. An iCE40-HX1K has 1,280. Written as a memory
// with a moving address, the same delay takes one of its 16 block RAMs.

`default_nettype none

module top (
    input  wire       clk,
    input  wire       step,  // high for one clock when `in` holds a new sample
    input  wire [7:0] in,
    output wire [7:0] out
);

  localparam SAMPLES = 256;

  reg [8*SAMPLES-1:0] line = 0;  // the newest sample is in the lowest bits

  always @(posedge clk) if (step) line <= {line[8*SAMPLES-9:0], in};

  assign out = line[8*SAMPLES-1-:8];

endmodule

`default_nettype wire
