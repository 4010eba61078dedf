// SPDX-License-Identifier: Apache-2.0
//
// The compression function of SHA-256 (FIPS 180-4, section 6.2.2), one round a
// clock. The names of its variables and functions are those of the standard.
//
// A block is 16 words. Each of the first 16 rounds runs in the clock in which
// its word arrives; the other 48 follow by themselves. One more clock adds the
// result to the digest, and one takes the digest over for the next block: `ready`
// is low in those 50 clocks, and in the one after `start`.

`default_nettype none

module sha256_core (
    input  wire         clk,
    input  wire         start,       // forget everything: the next word opens a new message
    input  wire  [31:0] word,
    input  wire         word_valid,  // only while `ready`
    output wire         ready,
    output logic [255:0] digest      // of all blocks so far, while `ready`
);

  localparam logic [255:0] INITIAL = {  // square roots of the first 8 primes, first 32 fractional bits
    32'h6a09e667, 32'hbb67ae85, 32'h3c6ef372, 32'ha54ff53a,
    32'h510e527f, 32'h9b05688c, 32'h1f83d9ab, 32'h5be0cd19
  };

  function automatic logic [31:0] ch(input logic [31:0] x, y, z);
    ch = (x & y) ^ (~x & z);
  endfunction

  function automatic logic [31:0] maj(input logic [31:0] x, y, z);
    maj = (x & y) ^ (x & z) ^ (y & z);
  endfunction

  function automatic logic [31:0] big_sigma0(input logic [31:0] x);  // rotate by 2, 13, 22
    big_sigma0 = {x[1:0], x[31:2]} ^ {x[12:0], x[31:13]} ^ {x[21:0], x[31:22]};
  endfunction

  function automatic logic [31:0] big_sigma1(input logic [31:0] x);  // rotate by 6, 11, 25
    big_sigma1 = {x[5:0], x[31:6]} ^ {x[10:0], x[31:11]} ^ {x[24:0], x[31:25]};
  endfunction

  function automatic logic [31:0] small_sigma0(input logic [31:0] x);  // rotate by 7, 18, shift by 3
    small_sigma0 = {x[6:0], x[31:7]} ^ {x[17:0], x[31:18]} ^ (x >> 3);
  endfunction

  function automatic logic [31:0] small_sigma1(input logic [31:0] x);  // rotate by 17, 19, shift by 10
    small_sigma1 = {x[16:0], x[31:17]} ^ {x[18:0], x[31:19]} ^ (x >> 10);
  endfunction

  // ------------------------------------------------------------ which round

  localparam logic [6:0] ADD = 7'd64, LOAD = 7'd65;

  logic [6:0] round = LOAD;  // 0 to 63, ADD, LOAD

  assign ready = round < 7'd16;
  wire step = ready ? word_valid : round < ADD;

  always_ff @(posedge clk)
    if (start) round <= LOAD;
    else if (round == LOAD) round <= 7'd0;
    else if (step || round == ADD) round <= round + 7'd1;

  // ------------------------------------------------------------ constants
  // Cube roots of the first 64 primes, first 32 fractional bits. They lie in two
  // block RAMs, which answer one clock after the address: ask for the next round.

  (* rom_style = "block" *)
  logic [31:0] rom[0:63];
  initial begin
    rom[0] = 32'h428a2f98; rom[1] = 32'h71374491; rom[2] = 32'hb5c0fbcf; rom[3] = 32'he9b5dba5;
    rom[4] = 32'h3956c25b; rom[5] = 32'h59f111f1; rom[6] = 32'h923f82a4; rom[7] = 32'hab1c5ed5;
    rom[8] = 32'hd807aa98; rom[9] = 32'h12835b01; rom[10] = 32'h243185be; rom[11] = 32'h550c7dc3;
    rom[12] = 32'h72be5d74; rom[13] = 32'h80deb1fe; rom[14] = 32'h9bdc06a7; rom[15] = 32'hc19bf174;
    rom[16] = 32'he49b69c1; rom[17] = 32'hefbe4786; rom[18] = 32'h0fc19dc6; rom[19] = 32'h240ca1cc;
    rom[20] = 32'h2de92c6f; rom[21] = 32'h4a7484aa; rom[22] = 32'h5cb0a9dc; rom[23] = 32'h76f988da;
    rom[24] = 32'h983e5152; rom[25] = 32'ha831c66d; rom[26] = 32'hb00327c8; rom[27] = 32'hbf597fc7;
    rom[28] = 32'hc6e00bf3; rom[29] = 32'hd5a79147; rom[30] = 32'h06ca6351; rom[31] = 32'h14292967;
    rom[32] = 32'h27b70a85; rom[33] = 32'h2e1b2138; rom[34] = 32'h4d2c6dfc; rom[35] = 32'h53380d13;
    rom[36] = 32'h650a7354; rom[37] = 32'h766a0abb; rom[38] = 32'h81c2c92e; rom[39] = 32'h92722c85;
    rom[40] = 32'ha2bfe8a1; rom[41] = 32'ha81a664b; rom[42] = 32'hc24b8b70; rom[43] = 32'hc76c51a3;
    rom[44] = 32'hd192e819; rom[45] = 32'hd6990624; rom[46] = 32'hf40e3585; rom[47] = 32'h106aa070;
    rom[48] = 32'h19a4c116; rom[49] = 32'h1e376c08; rom[50] = 32'h2748774c; rom[51] = 32'h34b0bcb5;
    rom[52] = 32'h391c0cb3; rom[53] = 32'h4ed8aa4a; rom[54] = 32'h5b9cca4f; rom[55] = 32'h682e6ff3;
    rom[56] = 32'h748f82ee; rom[57] = 32'h78a5636f; rom[58] = 32'h84c87814; rom[59] = 32'h8cc70208;
    rom[60] = 32'h90befffa; rom[61] = 32'ha4506ceb; rom[62] = 32'hbef9a3f7; rom[63] = 32'hc67178f2;
  end

  logic [31:0] k;
  wire  [ 5:0] next_round = round == LOAD ? 6'd0 : round[5:0] + {5'd0, step};

  always_ff @(posedge clk) k <= rom[next_round];

  // ------------------------------------------------------------ message schedule
  // The last 16 words of the schedule, w[t-16] to w[t-1]; the oldest is in the lowest bits.

  logic [511:0] w;

  wire [31:0] w_16 = w[31:0], w_15 = w[63:32], w_7 = w[319:288], w_2 = w[479:448];
  wire [31:0] w_t = ready ? word : small_sigma1(w_2) + w_7 + small_sigma0(w_15) + w_16;

  always_ff @(posedge clk) if (step) w <= {w_t, w[511:32]};

  // ------------------------------------------------------------ the round

  logic [31:0] a, b, c, d, e, f, g, h;

  wire [31:0] t1 = h + big_sigma1(e) + ch(e, f, g) + k + w_t;
  wire [31:0] t2 = big_sigma0(a) + maj(a, b, c);

  always_ff @(posedge clk)
    if (round == LOAD) {a, b, c, d, e, f, g, h} <= digest;
    else if (step) {a, b, c, d, e, f, g, h} <= {t1 + t2, a, b, c, d + t1, e, f, g};

  always_ff @(posedge clk)
    if (start) digest <= INITIAL;
    else if (round == ADD)
      digest <= {
        digest[255:224] + a, digest[223:192] + b, digest[191:160] + c, digest[159:128] + d,
        digest[127:96] + e, digest[95:64] + f, digest[63:32] + g, digest[31:0] + h
      };

endmodule

`default_nettype wire
