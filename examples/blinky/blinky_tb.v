// SPDX-License-Identifier: Apache-2.0
//
// Testbench of blinky. It uses the ports of `top` and nothing else, so it
// checks the sources (sw_emu) and the logic that is read back out of the
// bitstream (hw_emu) alike; there, internal names and parameters are gone.

`timescale 1ns / 1ps
`default_nettype none

module blinky_tb;

  localparam CLOCKS = 20_000;  // LEDs 0, 1 and 2 change in this time, the others must not

  reg         clk = 1'b0;
  wire [ 7:0] led;
  reg  [23:0] expected = 24'd0;  // the number of rising clock edges so far
  integer     n;

  top dut (
      .clk(clk),
      .led(led)
  );

  // Compares at the falling edge, half a clock after the registers changed.
  // `!==` also catches an output that is unknown or not driven.
  task check;
    integer i;
    for (i = 0; i < 8; i = i + 1)
      if (led[i] !== expected[9+2*i]) begin
        $display("TEST FAILED: after %0d clocks led[%0d] is %b, expected %b",
                 expected, i, led[i], expected[9+2*i]);
        $fatal(1);
      end
  endtask

  initial begin
    #1 check;  // all dark before the first clock edge
    for (n = 0; n < CLOCKS; n = n + 1) begin
      #41.667 clk = 1'b1;
      expected = expected + 24'd1;
      #41.667 clk = 1'b0;
      check;
    end
    $display("%0d clocks, led = %b", CLOCKS, led);
    $display("TEST PASSED");
    $finish;
  end

endmodule

`default_nettype wire
