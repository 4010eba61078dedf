// SPDX-License-Identifier: Apache-2.0
//
// Testbench of the vector adder. It talks to `top` over the two UART pins and
// nothing else, so it checks the sources (sw_emu) and the logic that is read
// back out of the bitstream (hw_emu) alike.
//
// It is stricter than a host's UART: every bit of an answer must have its full
// length, the stop bit included.

`timescale 1ns / 1ps
`default_nettype none

module vadd_tb;

  localparam CLOCKS_PER_BIT = 104;
  localparam ANSWER_LIMIT = 40 * CLOCKS_PER_BIT;  // clocks to wait for a start bit
  localparam MOST = 6;                            // elements in the longest vector tried here

  reg        clk = 1'b0;
  reg        rx = 1'b1;
  wire       tx;
  wire [4:0] led;

  top dut (
      .clk(clk),
      .rx (rx),
      .tx (tx),
      .led(led)
  );

  always #41.667 clk = !clk;  // 12 MHz

  // Everything happens at falling edges, where the registers of `top` are quiet.
  task clocks(input integer n);
    repeat (n) @(negedge clk);
  endtask

  task send(input [7:0] value);
    integer i;
    begin
      rx = 1'b0;
      clocks(CLOCKS_PER_BIT);
      for (i = 0; i < 8; i = i + 1) begin
        rx = value[i];
        clocks(CLOCKS_PER_BIT);
      end
      rx = 1'b1;
      clocks(CLOCKS_PER_BIT);
    end
  endtask

  task send_word(input [15:0] value);
    begin
      send(value[7:0]);
      send(value[15:8]);
    end
  endtask

  // The receiver runs on its own, since an answer may start before the request's
  // stop bit is over. It looks at every clock of every bit: a level that changes
  // inside a bit, or a stop bit that is too short, ends the test.
  reg [7:0] received[0:1023];
  integer received_count = 0, checked_count = 0;

  reg [7:0] byte_in;
  integer   bit_in;

  always begin
    @(negedge tx);
    @(negedge clk);
    hold(1'b0, CLOCKS_PER_BIT, "start");
    for (bit_in = 0; bit_in < 8; bit_in = bit_in + 1) begin
      byte_in[bit_in] = tx;
      hold(tx, CLOCKS_PER_BIT, "data");
    end
    hold(1'b1, CLOCKS_PER_BIT - 1, "stop");  // its last clock is spent waiting for the next edge
    received[received_count] = byte_in;
    received_count = received_count + 1;
  end

  task hold(input level, input integer n, input [8*5-1:0] name);
    repeat (n) begin
      if (tx !== level) begin
        $display("TEST FAILED: byte %0d on tx has a bad %0s bit: it does not last %0d clocks",
                 received_count, name, CLOCKS_PER_BIT);
        $fatal(1);
      end
      @(negedge clk);
    end
  endtask

  task expect_byte(input [7:0] value);
    integer waited;
    begin
      waited = 0;
      while (received_count == checked_count) begin
        if (waited == ANSWER_LIMIT) begin
          $display("TEST FAILED: request %0d, element %0d: no answer within %0d clocks, expected %h",
                   requests, element, ANSWER_LIMIT, value);
          $fatal(1);
        end
        waited = waited + 1;
        @(negedge clk);
      end
      if (received[checked_count] !== value) begin
        $display("TEST FAILED: request %0d, element %0d: got byte %h, expected %h",
                 requests, element, received[checked_count], value);
        $fatal(1);
      end
      checked_count = checked_count + 1;
    end
  endtask

  reg [15:0] a[0:MOST-1];
  reg [15:0] b[0:MOST-1];
  integer element = 0, requests = 0, sums = 0;

  // Sends the first `n` elements of a and b, and checks every sum.
  task add(input integer n);
    begin
      requests = requests + 1;
      send(n);
      for (element = 0; element < n; element = element + 1) send_word(a[element]);
      for (element = 0; element < n; element = element + 1) send_word(b[element]);
      for (element = 0; element < n; element = element + 1) begin : check
        reg [15:0] sum;
        sum = a[element] + b[element];
        expect_byte(sum[7:0]);
        expect_byte(sum[15:8]);
        sums = sums + 1;
      end
    end
  endtask

  task hello;
    begin
      requests = requests + 1;
      element  = 0;
      send(8'd0);
      expect_byte("V");
    end
  endtask

  initial begin
    clocks(2 * CLOCKS_PER_BIT);
    if (tx !== 1'b1) begin
      $display("TEST FAILED: tx is %b on an idle line, expected 1", tx);
      $fatal(1);
    end
    hello;

    // A carry through all bits, an overflow, zeros, and bit patterns that differ in both bytes.
    a[0] = 16'h0001; b[0] = 16'hfffe;
    a[1] = 16'hffff; b[1] = 16'h0001;
    a[2] = 16'h0000; b[2] = 16'h0000;
    a[3] = 16'h1234; b[3] = 16'habcd;
    a[4] = 16'h00ff; b[4] = 16'h0001;
    a[5] = 16'h8000; b[5] = 16'h7fff;
    add(6);

    // Shorter: nothing of the longer vector may show.
    a[0] = 16'h5aa5; b[0] = 16'h0f0f;
    add(1);
    hello;

    clocks(ANSWER_LIMIT);
    if (received_count != checked_count) begin
      $display("TEST FAILED: %0d bytes that nobody asked for", received_count - checked_count);
      $fatal(1);
    end
    $display("%0d requests, %0d sums", requests, sums);
    $display("TEST PASSED");
    $finish;
  end

endmodule

`default_nettype wire
