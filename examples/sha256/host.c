// SPDX-License-Identifier: Apache-2.0
//
// Host program of the SHA-256 accelerator: sends messages over the serial port,
// compares every digest with the published one or with software, and prints what
// it measured.
//
//   host PORT [--long]          or POLYPHEMUS_SERIAL=PORT host [--long]
//
// --long adds NIST's message of a million bytes: ten seconds on a board.
// Exit codes: 0 every digest is right, 1 one is wrong, 2 no answer or no port.
// Every wait has a bound, so the program always ends.

#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "reference.h"

enum {
  EXIT_RIGHT = 0,
  EXIT_WRONG = 1,
  EXIT_NO_ANSWER = 2,

  PIECE = 255,            // most bytes of a message in one request
  MILLION = 1000000,
  HELLO_TRIES = 3,
  HELLO_WAIT_MS = 1000,
  QUIET_MS = 50,
  ANSWER_WAIT_MS = 10000,  // silence after which the board counts as dead
};

static double now_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Opens the port raw: 1 Mbaud, 8 data bits, no parity, one stop bit, no flow control.
static int open_port(const char *path) {
  int port = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
  struct termios mode;
  if (port < 0 || tcgetattr(port, &mode) != 0) {
    fprintf(stderr, "host: cannot open serial port %s: %s\n", path, strerror(errno));
    exit(EXIT_NO_ANSWER);
  }
  cfmakeraw(&mode);
  mode.c_cflag &= ~(CSTOPB | CRTSCTS);
  mode.c_cflag |= CLOCAL | CREAD;
  cfsetspeed(&mode, B1000000);
  if (tcsetattr(port, TCSANOW, &mode) != 0) {
    fprintf(stderr, "host: cannot set %s to 1000000 baud: %s\n", path, strerror(errno));
    exit(EXIT_NO_ANSWER);
  }
  tcflush(port, TCIOFLUSH);
  return port;
}

// Waits until the port can be read (POLLIN) or written (POLLOUT). 0: the time is over.
static int wait_for(int port, short event, int wait_ms) {
  struct pollfd p = {.fd = port, .events = event};
  int ready;
  do ready = poll(&p, 1, wait_ms);
  while (ready < 0 && errno == EINTR);
  return ready > 0 && (p.revents & event);
}

// Sends or receives all of `size` bytes. Returns how many there were when the time was over.
static size_t send_bytes(int port, const uint8_t *bytes, size_t size, int wait_ms) {
  size_t done = 0;
  while (done < size && wait_for(port, POLLOUT, wait_ms)) {
    ssize_t n = write(port, bytes + done, size - done);
    if (n > 0) done += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return done;
}

static size_t receive_bytes(int port, uint8_t *bytes, size_t size, int wait_ms) {
  size_t done = 0;
  while (done < size && wait_for(port, POLLIN, wait_ms)) {
    ssize_t n = read(port, bytes + done, size - done);
    if (n > 0) done += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return done;
}

static size_t total_bytes;  // over the line, both ways
static int right, wrong;

// Finds the accelerator, in whatever state an earlier program left it. An empty
// message must bring its digest and then silence; if it does not, zeros complete
// the message that was broken off, and it is tried again.
static void say_hello(int port, const char *path) {
  static const uint8_t zeros[1 + PIECE];
  uint8_t expected[DIGEST_BYTES], answer[256];
  reference_sha256(zeros, 0, expected);
  for (int attempt = 0; attempt < HELLO_TRIES; attempt++) {
    send_bytes(port, zeros, 1, HELLO_WAIT_MS);
    if (receive_bytes(port, answer, DIGEST_BYTES, HELLO_WAIT_MS) == DIGEST_BYTES &&
        memcmp(answer, expected, DIGEST_BYTES) == 0 && receive_bytes(port, answer, 1, QUIET_MS) == 0)
      return;
    send_bytes(port, zeros, sizeof zeros, HELLO_WAIT_MS);
    while (receive_bytes(port, answer, sizeof answer, HELLO_WAIT_MS) > 0) continue;
  }
  fprintf(stderr, "host: no SHA-256 answers on %s: is its bitstream loaded, and is this its serial port?\n", path);
  printf("TEST FAILED\n");
  exit(EXIT_NO_ANSWER);
}

// The digest of a message, by the board.
static void board_sha256(int port, const uint8_t *message, size_t size, uint8_t digest[DIGEST_BYTES]) {
  size_t left = size;
  int complete = 1;
  while (complete) {
    uint8_t request[1 + PIECE];
    size_t n = left < PIECE ? left : PIECE;
    request[0] = (uint8_t)n;
    memcpy(request + 1, message + (size - left), n);
    size_t sent = send_bytes(port, request, 1 + n, ANSWER_WAIT_MS);
    total_bytes += sent;
    complete = sent == 1 + n;
    left -= n;
    if (n == 0) break;
  }
  size_t got = complete ? receive_bytes(port, digest, DIGEST_BYTES, ANSWER_WAIT_MS) : 0;
  total_bytes += got;
  if (got != DIGEST_BYTES) {
    fprintf(stderr, "host: message of %zu bytes: %zu of %d bytes of its digest, then nothing more (waited up to %d s)\n", size, got,
            DIGEST_BYTES, ANSWER_WAIT_MS / 1000);
    printf("TEST FAILED\n");
    exit(EXIT_NO_ANSWER);
  }
}

static void hex(char *text, const uint8_t digest[DIGEST_BYTES]) {
  for (int i = 0; i < DIGEST_BYTES; i++) sprintf(text + 2 * i, "%02x", digest[i]);
}

// Hashes a message on the board and compares with software, and with `published` if there is one.
static void check(int port, const char *name, const uint8_t *message, size_t size, const char *published) {
  uint8_t digest[DIGEST_BYTES];
  char board[2 * DIGEST_BYTES + 1], software[2 * DIGEST_BYTES + 1];
  board_sha256(port, message, size, digest);
  hex(board, digest);
  reference_sha256(message, size, digest);
  hex(software, digest);
  const char *expected = published ? published : software;
  int good = strcmp(board, expected) == 0 && strcmp(software, expected) == 0;
  if (good) right++;
  else wrong++;
  printf("%7zu bytes, %-28s %.16s... %s\n", size, name, board, good ? "right" : "WRONG");
  if (!good) printf("  board    %s\n  software %s\n  expected %s\n", board, software, expected);
}

static void check_text(int port, const char *name, const char *text, const char *published) {
  check(port, name, (const uint8_t *)text, strlen(text), published);
}

// NIST: "Example Values" for FIPS 180-4, and CAVS 11.0 SHA256ShortMsg (Len = 8).
static void check_published(int port) {
  check_text(port, "empty (NIST)", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  check_text(port, "abc (NIST)", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  check_text(port, "448 bits (NIST)", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
             "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  check_text(port, "896 bits (NIST)",
             "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
             "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
             "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  check_text(port, "8 bits (NIST CAVS)", "\xd3", "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1");
}

// Lengths on both sides of where the padding changes its shape, and a message of many blocks.
static void check_lengths(int port) {
  static const size_t lengths[] = {1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 255, 256, 1000};
  uint8_t message[1000];
  uint32_t random = 2463534242u;  // xorshift32: the same bytes in every run
  for (size_t i = 0; i < sizeof message; i++) {
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    message[i] = (uint8_t)(random >> 8);
  }
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
    check(port, "random (against software)", message, lengths[i], NULL);
}

static void check_million(int port) {
  uint8_t *message = malloc(MILLION);
  if (!message) {
    fprintf(stderr, "host: no memory for a message of %d bytes\n", MILLION);
    exit(EXIT_NO_ANSWER);
  }
  memset(message, 'a', MILLION);
  check(port, "a million a (NIST)", message, MILLION, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  free(message);
}

int main(int argc, char **argv) {
  const char *path = getenv("POLYPHEMUS_SERIAL");
  int with_million = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--long") == 0) with_million = 1;
    else path = argv[i];
  }
  if (!path) {
    fprintf(stderr, "usage: %s PORT [--long] (or set POLYPHEMUS_SERIAL)\n", argv[0]);
    return EXIT_NO_ANSWER;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  int port = open_port(path);
  say_hello(port, path);

  double start = now_seconds();
  check_published(port);
  check_lengths(port);
  if (with_million) check_million(port);
  double seconds = now_seconds() - start;
  close(port);

  printf("right: %d\nwrong: %d\nbytes: %zu\nseconds: %.3f\nthroughput: %.1f kB/s\n", right, wrong, total_bytes,
         seconds, (double)total_bytes / seconds / 1000);
  printf(wrong ? "TEST FAILED\n" : "TEST PASSED\n");
  return wrong ? EXIT_WRONG : EXIT_RIGHT;
}
