// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 of a message of bytes: adds the padding that FIPS 180-4 (section
// 5.1.1) asks for, and feeds the compression function word by word.
//
// `start`, then bytes, then `finish`; when `done` is high, `digest` is that of
// the message. A message may have up to 2^32 - 1 bytes (4 GiB).

`default_nettype none

module sha256 (
    input  wire         clk,
    input  wire         start,   // open a new message
    input  wire [  7:0] data,
    input  wire         valid,   // one clock for each byte; only while `ready`
    input  wire         finish,  // the message is over; only while `ready`
    output wire         ready,
    output wire         done,
    output wire [255:0] digest   // first byte in the highest bits
);

  typedef enum logic [2:0] {
    MESSAGE,  // bytes from outside
    MARK,     // the byte 80 that ends every message
    ZEROS,    // up to the last 8 bytes of a block
    LENGTH,   // the length in bits, 64 bits, highest byte first
    DONE
  } state_t;

  state_t state = DONE;

  logic [31:0] word = 0;  // the last four bytes
  logic        word_valid = 0;

  logic [31:0] length = 0;    // bytes of the message, without padding
  logic [ 5:0] position = 0;  // of the next byte in its block

  wire  [63:0] bits = {29'd0, length, 3'd0};
  wire         core_ready;

  // One byte goes in at a time: the message's, or in its place one of the padding.
  wire         padding = state == MARK || state == ZEROS || state == LENGTH;
  wire         push = core_ready && (state == MESSAGE ? valid : padding);

  logic [ 7:0] push_data;
  always_comb
    case (state)
      MESSAGE: push_data = data;
      MARK: push_data = 8'h80;
      LENGTH: push_data = bits[8*(63-position)+:8];  // positions 56 to 63
      default: push_data = 8'h00;
    endcase

  always_ff @(posedge clk)
    if (start) begin
      state    <= MESSAGE;
      length   <= 0;
      position <= 0;
    end else begin
      if (push) position <= position + 6'd1;
      case (state)
        MESSAGE:
        if (push) length <= length + 1;
        else if (finish) state <= MARK;
        MARK: if (push) state <= position == 55 ? LENGTH : ZEROS;
        ZEROS: if (push && position == 55) state <= LENGTH;
        LENGTH: if (push && position == 63) state <= DONE;
        default: state <= DONE;
      endcase
    end

  // The core is ready again when it has taken in the last block.
  assign ready = state == MESSAGE && core_ready;
  assign done  = state == DONE && core_ready && !word_valid;

  // ------------------------------------------------------------ bytes to words

  always_ff @(posedge clk) begin
    if (push) word <= {word[23:0], push_data};
    word_valid <= push && position[1:0] == 2'd3;
  end

  sha256_core core (
      .clk       (clk),
      .start     (start),
      .word      (word),
      .word_valid(word_valid),
      .ready     (core_ready),
      .digest    (digest)
  );

endmodule

`default_nettype wire
