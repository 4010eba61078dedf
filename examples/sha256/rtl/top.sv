// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 on the iCE40-HX8K breakout board, over the board's USB serial port at
// 1 Mbaud, 8N1. A message comes in pieces, so its length need not be known:
//
//   request  N, then N bytes     N = 1 to 255: the next piece of the message
//   request  0                   the message is over
//   answer   32 bytes            its digest; then the next message begins
//
// One byte takes 120 clocks on the line and a block 50 in the core, so
// the core is always ready for the next byte and the host never has to wait.

`default_nettype none

module top (
    input  wire       clk,  // 12 MHz oscillator
    input  wire       rx,   // from the host
    output wire       tx,   // to the host
    output wire [7:0] led   // first byte of the last digest
);

  localparam CLOCKS_PER_BIT = 12;  // 12 MHz / 1 Mbaud, exactly

  typedef enum logic [1:0] {
    LENGTH,  // the next byte is N
    PIECE,   // `left` bytes of the message are to come
    HASH,    // the message is over, its last block is being hashed
    ANSWER
  } state_t;

  state_t state = LENGTH;

  logic [7:0] left = 0;
  logic [4:0] index = 0;  // the digest's byte at hand
  logic started = 0;      // the core has been told that a message begins
  logic [7:0] shown = 0;

  wire [7:0] in_data;
  wire in_valid, out_ready, done;
  wire [255:0] digest;

  wire end_of_message = state == LENGTH && in_valid && in_data == 0;

  always_ff @(posedge clk) begin
    started <= 1'b1;
    case (state)
      LENGTH:
      if (in_valid) begin
        left  <= in_data;
        state <= in_data == 0 ? HASH : PIECE;
      end

      PIECE:
      if (in_valid) begin
        left <= left - 8'd1;
        if (left == 1) state <= LENGTH;
      end

      HASH:
      if (done) begin
        shown <= digest[255-:8];
        state <= ANSWER;
      end

      ANSWER:
      if (out_ready) begin
        index <= index + 5'd1;
        if (index == 31) begin
          state   <= LENGTH;
          started <= 1'b0;
        end
      end
    endcase
  end

  uart_rx #(
      .CLOCKS_PER_BIT(CLOCKS_PER_BIT)
  ) receiver (
      .clk  (clk),
      .rx   (rx),
      .data (in_data),
      .valid(in_valid)
  );

  sha256 hash (
      .clk   (clk),
      .start (!started),
      .data  (in_data),
      .valid (state == PIECE && in_valid),
      .finish(end_of_message),
      .ready (),
      .done  (done),
      .digest(digest)
  );

  uart_tx #(
      .CLOCKS_PER_BIT(CLOCKS_PER_BIT)
  ) transmitter (
      .clk  (clk),
      .data (digest[8*(31-index)+:8]),
      .valid(state == ANSWER),
      .ready(out_ready),
      .tx   (tx)
  );

  assign led = shown;

endmodule

`default_nettype wire
