// SPDX-License-Identifier: Apache-2.0
//
// Sum of products: in every clock, two 16-bit numbers from shift registers are
// multiplied and the product is added to a 32-bit sum.
//
// MISTAKE ON PURPOSE: the multiplication and the addition both happen between
// one clock edge and the next. An iCE40-HX8K has no multipliers, so the product is a
// tower of adders that takes about 15 ns: good for 12 MHz, far from 100.
// A register after each row of the tower would make it fast.

`default_nettype none

module top (
    input  wire clk,
    input  wire a_bit,
    input  wire b_bit,
    output wire sum_bit  // parity of the sum, so that no bit of it can be left out
);

  reg [15:0] a = 0, b = 0;
  reg [31:0] sum = 0;

  always @(posedge clk) begin
    a   <= {a[14:0], a_bit};
    b   <= {b[14:0], b_bit};
    sum <= sum + a * b;
  end

  assign sum_bit = ^sum;

endmodule

`default_nettype wire
