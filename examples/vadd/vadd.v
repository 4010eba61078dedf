// SPDX-License-Identifier: Apache-2.0
//
// The vector adder, between two streams of bytes:
//
//   request  N, a[0] ... a[N-1], b[0] ... b[N-1]     N = 1 to 255
//   answer   s[0] ... s[N-1]                         s[i] = a[i] + b[i] modulo 65536
//   request  0                                       "who is there?"
//   answer   'V'
//
// Every element is 16 bits wide, low byte first. N is one byte. The answer
// starts when the request is complete, so neither side has to receive while it
// sends, and no byte can be lost to a slow reader.

`default_nettype none

module vadd (
    input  wire       clk,
    input  wire [7:0] in_data,
    input  wire       in_valid,   // one clock for each byte
    output wire [7:0] out_data,
    output wire       out_valid,
    input  wire       out_ready,
    output wire [3:0] state_led   // one-hot: waiting, reading a, reading b, answering
);

  localparam [2:0] LENGTH = 0, READ_A = 1, READ_B = 2, FETCH = 3, SEND = 4, HELLO = 5;

  reg [2:0] state = LENGTH;
  reg [7:0] length = 0;
  reg [7:0] index = 0;     // the element at hand
  reg       high = 0;      // the next byte is its high byte
  reg [7:0] low_byte = 0;  // the low byte of the element that is being received

  wire last = index == length - 8'd1;

  // One block RAM (256 x 16) holds a, and later the sums in its place.
  reg  [15:0] memory   [0:255];
  reg  [15:0] word = 0;  // memory[index], one clock later
  wire [15:0] element = {in_data, low_byte};
  wire        store = in_valid && high && (state == READ_A || state == READ_B);

  always @(posedge clk) begin
    if (store) memory[index] <= state == READ_B ? word + element : element;
    word <= memory[index];
  end

  assign out_valid = state == SEND || state == HELLO;
  assign out_data  = state == HELLO ? "V" : high ? word[15:8] : word[7:0];

  always @(posedge clk) begin
    case (state)
      LENGTH:
      if (in_valid) begin
        length <= in_data;
        index  <= 0;
        high   <= 0;
        state  <= in_data == 0 ? HELLO : READ_A;
      end

      READ_A, READ_B:
      if (in_valid) begin
        high <= !high;
        if (!high) low_byte <= in_data;
        else if (!last) index <= index + 8'd1;
        else begin
          index <= 0;
          state <= state == READ_A ? READ_B : FETCH;
        end
      end

      // The memory answers one clock after `index` has changed. While reading b, the
      // next byte is hundreds of clocks away; before sending, this state waits for it.
      FETCH: state <= SEND;

      SEND:
      if (out_ready) begin
        high <= !high;
        if (high) begin
          index <= index + 8'd1;
          state <= last ? LENGTH : FETCH;
        end
      end

      HELLO: if (out_ready) state <= LENGTH;

      default: state <= LENGTH;
    endcase
  end

  assign state_led = {state >= FETCH, state == READ_B, state == READ_A, state == LENGTH};

endmodule

`default_nettype wire
