// SPDX-License-Identifier: Apache-2.0
//
// An LED that changes at every clock.
//
// MISTAKE ON PURPOSE: line 19 lacks its semicolon. A parser notices at the next
// word, so it names line 20: look at the line that a message names and at
// the one before it.

`default_nettype none

module top (
    input  wire clk,
    output reg  led
);

  initial led = 1'b0;

  always @(posedge clk) begin
    led <= !led
  end

endmodule

`default_nettype wire
