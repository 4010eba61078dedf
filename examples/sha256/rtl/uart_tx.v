// SPDX-License-Identifier: Apache-2.0
//
// UART transmitter, 8N1: start bit, eight data bits, stop bit, each of them
// CLOCKS_PER_BIT long. `ready` rises only when the stop bit is over: were it to
// rise earlier, the next start bit would cut the stop bit short, and a receiver
// whose clock is a little slower would lose bytes sent back to back.

`default_nettype none

module uart_tx #(
    parameter CLOCKS_PER_BIT = 104
) (
    input  wire       clk,
    input  wire [7:0] data,
    input  wire       valid,  // send `data`; taken in a clock where `ready` is high too
    output wire       ready,
    output wire       tx      // the pin; high when idle
);

  localparam TIMER_BITS = $clog2(CLOCKS_PER_BIT);

  reg [           8:0] shift = 9'h1ff;  // bit 0 is on the line; ones move in behind and are the stop bit
  reg [           3:0] left = 0;        // bits to hold, this one included; 0 = idle
  reg [TIMER_BITS-1:0] timer = 0;       // clocks left in this bit

  assign ready = left == 0;
  assign tx    = shift[0];

  always @(posedge clk) begin
    if (ready) begin
      if (valid) begin
        shift <= {data, 1'b0};
        left  <= 10;
        timer <= CLOCKS_PER_BIT - 1;
      end
    end else if (timer != 0) begin
      timer <= timer - 1'b1;
    end else begin
      shift <= {1'b1, shift[8:1]};
      left  <= left - 1'b1;
      timer <= CLOCKS_PER_BIT - 1;
    end
  end

endmodule

`default_nettype wire
