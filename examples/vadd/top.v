// SPDX-License-Identifier: Apache-2.0
//
// Vector adder on the iCEstick (iCE40-HX1K): the adder between the two halves
// of a UART, 115200 baud, 8N1, on the board's USB serial port.

`default_nettype none

module top (
    input  wire       clk,  // 12 MHz oscillator
    input  wire       rx,   // from the host
    output wire       tx,   // to the host
    output wire [4:0] led   // 4 (green): waiting for a request; 3..0: reading a, reading b, answering, busy line
);

  localparam CLOCKS_PER_BIT = 104;  // 12 MHz / 115200 = 104.17; 0.16 % off, of about 4 % allowed

  wire [7:0] in_data, out_data;
  wire in_valid, out_valid, out_ready;
  wire [3:0] state;

  uart_rx #(
      .CLOCKS_PER_BIT(CLOCKS_PER_BIT)
  ) receiver (
      .clk  (clk),
      .rx   (rx),
      .data (in_data),
      .valid(in_valid)
  );

  vadd adder (
      .clk      (clk),
      .in_data  (in_data),
      .in_valid (in_valid),
      .out_data (out_data),
      .out_valid(out_valid),
      .out_ready(out_ready),
      .state_led(state)
  );

  uart_tx #(
      .CLOCKS_PER_BIT(CLOCKS_PER_BIT)
  ) transmitter (
      .clk  (clk),
      .data (out_data),
      .valid(out_valid),
      .ready(out_ready),
      .tx   (tx)
  );

  assign led = {state[0], state[1], state[2], state[3], !out_ready};

endmodule

`default_nettype wire
