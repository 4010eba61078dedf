// SPDX-License-Identifier: Apache-2.0
//
// Host program of the vector adder: sends vectors over the serial port, checks
// every sum against a loop of its own, and prints what it measured.
//
//   host PORT          or POLYPHEMUS_SERIAL=PORT host
//
// Exit codes: 0 every sum is right, 1 a sum is wrong, 2 no answer or no port.
// Every wait has a bound, so the program always ends.

#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
  EXIT_RIGHT = 0,
  EXIT_WRONG = 1,
  EXIT_NO_ANSWER = 2,

  VECTORS = 8,
  LONGEST = 255,       // elements in one request
  ELEMENT_BYTES = 2,
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

// Opens the port raw: 115200 baud, 8 data bits, no parity, one stop bit, no flow control.
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
  cfsetspeed(&mode, B115200);
  if (tcsetattr(port, TCSANOW, &mode) != 0) {
    fprintf(stderr, "host: cannot set %s to 115200 baud: %s\n", path, strerror(errno));
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

// Finds the adder, in whatever state an earlier program left it. It must answer
// "who is there?" with one byte and then be silent; if it does not, zeros complete
// the request that was broken off, and it is asked again.
static void say_hello(int port, const char *path) {
  static const uint8_t zeros[1 + 2 * ELEMENT_BYTES * LONGEST];
  uint8_t answer[256];
  for (int attempt = 0; attempt < HELLO_TRIES; attempt++) {
    send_bytes(port, zeros, 1, HELLO_WAIT_MS);
    if (receive_bytes(port, answer, 1, HELLO_WAIT_MS) == 1 && answer[0] == 'V' &&
        receive_bytes(port, answer, 1, QUIET_MS) == 0)
      return;
    send_bytes(port, zeros, sizeof zeros, HELLO_WAIT_MS);
    while (receive_bytes(port, answer, sizeof answer, HELLO_WAIT_MS) > 0) continue;
  }
  fprintf(stderr, "host: no adder answers on %s: is vadd's bitstream loaded, and is this its serial port?\n", path);
  printf("TEST FAILED\n");
  exit(EXIT_NO_ANSWER);
}

// xorshift32: the same vectors in every run.
static uint16_t random_element(void) {
  static uint32_t state = 2463534242u;
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return (uint16_t)(state >> 8);
}

static uint8_t *put(uint8_t *at, uint16_t value) {
  *at++ = (uint8_t)value;
  *at++ = (uint8_t)(value >> 8);
  return at;
}

// Adds one pair of vectors on the board. Returns the number of wrong sums.
static int add(int port, int number, int length, size_t *bytes) {
  uint16_t a[LONGEST], b[LONGEST];
  uint8_t request[1 + 2 * ELEMENT_BYTES * LONGEST], answer[ELEMENT_BYTES * LONGEST];
  uint8_t *at = request;
  *at++ = (uint8_t)length;
  for (int i = 0; i < length; i++) at = put(at, a[i] = random_element());
  for (int i = 0; i < length; i++) at = put(at, b[i] = random_element());

  size_t size = (size_t)(at - request), wanted = (size_t)length * ELEMENT_BYTES;
  size_t sent = send_bytes(port, request, size, ANSWER_WAIT_MS);
  size_t got = sent == size ? receive_bytes(port, answer, wanted, ANSWER_WAIT_MS) : 0;
  *bytes += sent + got;
  if (got != wanted) {
    fprintf(stderr, "host: vector %d: %zu of %zu bytes sent, %zu of %zu received, then nothing more (waited up to %d s)\n", number,
            sent, size, got, wanted, ANSWER_WAIT_MS / 1000);
    printf("TEST FAILED\n");
    exit(EXIT_NO_ANSWER);
  }

  int wrong = 0;
  for (int i = 0; i < length; i++) {
    uint16_t sum = (uint16_t)(answer[2 * i] | answer[2 * i + 1] << 8);
    uint16_t golden = (uint16_t)(a[i] + b[i]);
    if (sum != golden && wrong++ == 0)
      printf("vector %d, element %d: %u + %u gave %u, expected %u\n", number, i, a[i], b[i], sum, golden);
  }
  return wrong;
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : getenv("POLYPHEMUS_SERIAL");
  if (!path) {
    fprintf(stderr, "usage: %s PORT (or set POLYPHEMUS_SERIAL)\n", argv[0]);
    return EXIT_NO_ANSWER;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  int port = open_port(path);
  say_hello(port, path);

  static const int lengths[VECTORS] = {1, 2, 3, 17, 64, 100, 128, LONGEST};
  int wrong = 0, sums = 0;
  size_t bytes = 0;
  double start = now_seconds();
  for (int v = 0; v < VECTORS; v++) {
    int bad = add(port, v, lengths[v], &bytes);
    printf("vector %d: %3d elements, %d wrong\n", v, lengths[v], bad);
    wrong += bad;
    sums += lengths[v];
  }
  double seconds = now_seconds() - start;
  close(port);

  printf("sums: %d\nwrong: %d\nbytes: %zu\nseconds: %.3f\nthroughput: %.1f kB/s\n", sums, wrong, bytes, seconds,
         (double)bytes / seconds / 1000);
  printf(wrong ? "TEST FAILED\n" : "TEST PASSED\n");
  return wrong ? EXIT_WRONG : EXIT_RIGHT;
}
