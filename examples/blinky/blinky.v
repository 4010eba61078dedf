// SPDX-License-Identifier: Apache-2.0
//
// Blinky: eight LEDs of the iCE40-HX8K breakout board, driven by one counter.
//
// LED i shows bit 9 + 2i, so each LED blinks four times slower than the one
// before it. At 12 MHz LED 7 changes every 0.7 s for the eye, and LED 0 every
// 43 us: fast enough for a testbench to see it in a few hundred clocks.

`default_nettype none

module top (
    input  wire       clk,  // 12 MHz oscillator
    output wire [7:0] led   // high lights the LED
);

  // iCE40 registers start at 0 when the device is configured, so there is no reset.
  reg [23:0] count = 24'd0;

  always @(posedge clk) count <= count + 24'd1;

  genvar i;
  generate
    for (i = 0; i < 8; i = i + 1) begin : show
      assign led[i] = count[9+2*i];
    end
  endgenerate

endmodule

`default_nettype wire
