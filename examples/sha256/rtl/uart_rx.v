// SPDX-License-Identifier: Apache-2.0
//
// UART receiver, 8N1: a falling edge starts a byte, every bit is sampled once
// in its middle, and the byte counts only if its stop bit is high.

`default_nettype none

module uart_rx #(
    parameter CLOCKS_PER_BIT = 104
) (
    input  wire       clk,
    input  wire       rx,     // the pin; may change at any time
    output reg  [7:0] data,   // least significant bit was first on the line
    output reg        valid   // high for one clock when `data` holds a new byte
);

  localparam TIMER_BITS = $clog2(CLOCKS_PER_BIT + CLOCKS_PER_BIT / 2);

  // Two registers bring the pin into this clock domain. They start high, like an idle line.
  reg [1:0] sync = 2'b11;
  always @(posedge clk) sync <= {sync[0], rx};
  wire line = sync[1];

  reg [TIMER_BITS-1:0] timer = 0;  // clocks until the next sample
  reg [           3:0] left = 0;   // samples to take: 9 = eight data bits and the stop bit, 0 = idle

  initial data = 8'd0;
  initial valid = 1'b0;

  always @(posedge clk) begin
    valid <= 1'b0;
    if (left == 0) begin
      if (!line) begin
        left  <= 9;
        timer <= CLOCKS_PER_BIT + CLOCKS_PER_BIT / 2 - 1;  // past the start bit, to the middle of bit 0
      end
    end else if (timer != 0) begin
      timer <= timer - 1'b1;
    end else begin
      left  <= left - 1'b1;
      timer <= CLOCKS_PER_BIT - 1;
      if (left == 1) valid <= line;
      else data <= {line, data[7:1]};
    end
  end

endmodule

`default_nettype wire
