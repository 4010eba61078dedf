// SPDX-License-Identifier: Apache-2.0
//
// Testbench of mean: small numbers first, which the mistake lets pass, then
// numbers whose sum needs nine bits.

`timescale 1ns / 1ps
`default_nettype none

module mean_tb;

  reg        clk = 1'b0;
  reg  [7:0] a = 8'd0, b = 8'd0;
  wire [7:0] mean;

  top dut (
      .clk (clk),
      .a   (a),
      .b   (b),
      .mean(mean)
  );

  always #41.667 clk = !clk;

  task check(input [7:0] first, input [7:0] second, input [7:0] expected);
    begin
      a = first;
      b = second;
      @(negedge clk);
      if (mean !== expected) begin
        $display("TEST FAILED: the mean of %0d and %0d is %0d, expected %0d", first, second, mean, expected);
        $fatal(1);
      end
      $display("mean of %0d and %0d: %0d", first, second, mean);
    end
  endtask

  initial begin
    @(negedge clk);
    check(8'd10, 8'd20, 8'd15);
    check(8'd7, 8'd8, 8'd7);
    check(8'd100, 8'd100, 8'd100);
    check(8'd200, 8'd100, 8'd150);
    check(8'd255, 8'd255, 8'd255);
    $display("TEST PASSED");
    $finish;
  end

endmodule

`default_nettype wire
