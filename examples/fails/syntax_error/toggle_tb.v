// SPDX-License-Identifier: Apache-2.0
//
// Testbench of toggle: the LED must change at every clock.

`timescale 1ns / 1ps
`default_nettype none

module toggle_tb;

  reg  clk = 1'b0;
  wire led;

  top dut (
      .clk(clk),
      .led(led)
  );

  integer n;

  initial begin
    for (n = 1; n <= 10; n = n + 1) begin
      #41.667 clk = 1'b1;
      #41.667 clk = 1'b0;
      if (led !== n[0]) begin
        $display("TEST FAILED: after %0d clocks the LED is %b, expected %b", n, led, n[0]);
        $fatal(1);
      end
    end
    $display("TEST PASSED");
    $finish;
  end

endmodule

`default_nettype wire
