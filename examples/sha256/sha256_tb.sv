// SPDX-License-Identifier: Apache-2.0
//
// Testbench of the SHA-256 accelerator. It talks to `top` over the two UART
// pins and nothing else, so it checks the sources (sw_emu) and the logic that is
// read back out of the bitstream (hw_emu) alike.
//
// Messages and digests, but for one: the examples that NIST publishes for FIPS 180-4
// (csrc.nist.gov, "Cryptographic Standards and Guidelines: Example Values").

`timescale 1ns / 1ps
`default_nettype none

module sha256_tb;

  localparam CLOCKS_PER_BIT = 12;
  localparam ANSWER_LIMIT = 300;  // clocks to the next byte: two blocks in the core, and a byte on the line
  localparam LONGEST = 56;       // bytes in the longest message here

  reg        clk = 1'b0;
  reg        rx = 1'b1;
  wire       tx;
  wire [7:0] led;

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

  integer    messages = 0;
  reg [ 7:0] answer;

  task receive;
    integer waited;
    begin
      waited = 0;
      while (received_count == checked_count) begin
        if (waited == ANSWER_LIMIT) begin
          $display("TEST FAILED: message %0d: no byte within %0d clocks", messages, ANSWER_LIMIT);
          $fatal(1);
        end
        waited = waited + 1;
        @(negedge clk);
      end
      answer = received[checked_count];
      checked_count = checked_count + 1;
    end
  endtask

  // Sends the last `length` bytes of `text` in pieces, and compares the digest.
  task check(input [8*LONGEST-1:0] text, input integer length, input integer piece, input [255:0] expected);
    integer i;
    reg [255:0] digest;
    begin
      for (i = 0; i < length; i = i + 1) begin
        if (i % piece == 0) send(length - i < piece ? length - i : piece);
        send(text[8*(length-1-i)+:8]);
      end
      send(8'd0);
      for (i = 0; i < 32; i = i + 1) begin
        receive;
        digest = {digest[247:0], answer};
      end
      if (digest !== expected) begin
        $display("TEST FAILED: message %0d (%0d bytes)\n  got      %h\n  expected %h", messages, length, digest,
                 expected);
        $fatal(1);
      end
      if (led !== expected[255-:8]) begin
        $display("TEST FAILED: message %0d: the LEDs show %h, expected %h", messages, led, expected[255-:8]);
        $fatal(1);
      end
      $display("%3d bytes: %h", length, digest);
      messages = messages + 1;
    end
  endtask

  initial begin
    clocks(2 * CLOCKS_PER_BIT);
    if (tx !== 1'b1) begin
      $display("TEST FAILED: tx is %b on an idle line, expected 1", tx);
      $fatal(1);
    end

    // One block; two blocks in three pieces, the second one all padding; no message at all;
    // and a byte less than before (from software): now the padding just fits into one block.
    check("abc", 3, 255, 256'hba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad);
    check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 24,
          256'h248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1);
    check("", 0, 255, 256'he3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855);
    check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnop", 55, 255,
          256'haa353e009edbaebfc6e494c8d847696896cb8b398e0173a4b5c1b636292d87c7);

    clocks(ANSWER_LIMIT);
    if (received_count != checked_count) begin
      $display("TEST FAILED: %0d bytes that nobody asked for", received_count - checked_count);
      $fatal(1);
    end
    $display("%0d messages", messages);
    $display("TEST PASSED");
    $finish;
  end

endmodule

`default_nettype wire
