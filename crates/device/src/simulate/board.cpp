// The virtual board: drives the clock and the UART of a verilated bitstream and gives the host a pseudo-terminal.
//
// The UART is modelled bit by bit, at the speed and framing that the host has set on its end of the terminal, read
// anew for each byte as a real port would apply them. The clock never runs faster than the board's. It stands while
// no host has the port open and the UART has been quiet for CALM_CYCLES: nobody can see the difference.
#include "bindings.h"

#include <asm/termbits.h>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>

namespace {

constexpr uint64_t SERVICE_CYCLES = 256;
constexpr uint64_t CALM_CYCLES = 4000000;
// What the USB chip of the boards (FT2232H) keeps while nobody reads.
constexpr size_t CLOSED_BYTES = 4096;
// Far above what a kernel buffers for an open port; beyond it a real board loses bytes too.
constexpr size_t OPEN_BYTES = 1 << 20;

volatile sig_atomic_t stop_asked = 0;
void on_signal(int) { stop_asked = 1; }

double seconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec * 1e-9;
}

void sleep_seconds(double duration) {
  timespec time{time_t(duration), long((duration - time_t(duration)) * 1e9)};
  nanosleep(&time, nullptr); // A signal ends it early: the loop looks at stop_asked next.
}

struct Framing {
  double clocks_per_bit = CLOCK_HZ / 115200;
  int data_bits = 8;
  int stop_bits = 1;
  bool parity = false;
  bool odd = false;

  int parity_bit(unsigned byte) const { return __builtin_parity(byte) ^ int(odd); }
};

// The host's end is a terminal whose settings the master's descriptor shows (ioctl_tty(2)).
struct Port {
  int fd = -1;
  std::string path;
  std::string link;
  bool open = false;
  std::deque<uint8_t> to_host;
  Framing framing;
  uint64_t bytes_from_host = 0;
  uint64_t bytes_to_host = 0;
  uint64_t bytes_dropped = 0;

  const Framing &current_framing() {
    struct termios2 settings;
    if (ioctl(fd, TCGETS2, &settings) == 0 && settings.c_ospeed > 0) {
      framing.clocks_per_bit = CLOCK_HZ / settings.c_ospeed;
      switch (settings.c_cflag & CSIZE) {
      case CS5: framing.data_bits = 5; break;
      case CS6: framing.data_bits = 6; break;
      case CS7: framing.data_bits = 7; break;
      default: framing.data_bits = 8;
      }
      framing.stop_bits = settings.c_cflag & CSTOPB ? 2 : 1;
      framing.parity = settings.c_cflag & PARENB;
      framing.odd = settings.c_cflag & PARODD;
    }
    return framing;
  }

  // -1 when the host has sent nothing. A port that the host has closed reads EIO once it is empty.
  int next_byte() {
    uint8_t byte;
    if (fd < 0 || read(fd, &byte, 1) != 1) return -1;
    bytes_from_host++;
    return byte;
  }

  void put(uint8_t byte) {
    if (to_host.size() < (open ? OPEN_BYTES : CLOSED_BYTES)) to_host.push_back(byte);
    else bytes_dropped++;
  }

  void service() {
    if (fd < 0) return;
    pollfd state{fd, POLLOUT, 0};
    if (poll(&state, 1, 0) < 0) return;
    bool now_open = !(state.revents & POLLHUP);
    // What one host left unread is not for the next one: a closed port loses it.
    if (open && !now_open) ioctl(fd, TCFLSH, TCOFLUSH);
    open = now_open;
    if (open && (state.revents & POLLOUT)) send();
  }

  void send() {
    uint8_t chunk[512];
    size_t size = 0;
    while (size < sizeof chunk && size < to_host.size()) {
      chunk[size] = to_host[size];
      size++;
    }
    if (size == 0) return;
    ssize_t sent = write(fd, chunk, size);
    if (sent <= 0) return; // Full: the host is slow. The bytes stay for the next time.
    to_host.erase(to_host.begin(), to_host.begin() + sent);
    bytes_to_host += sent;
  }
};

// The wire from the host to the FPGA.
struct Sender {
  uint32_t bits = 0;
  int left = 0;
  double next_edge = 0;
  double clocks_per_bit = 0;
  int level = 1;

  bool idle(uint64_t now) const { return left == 0 && now >= next_edge; }

  void start(unsigned byte, const Framing &framing, uint64_t now) {
    byte &= (1u << framing.data_bits) - 1;
    bits = byte << 1;
    left = 1 + framing.data_bits;
    if (framing.parity) bits |= uint32_t(framing.parity_bit(byte)) << left++;
    for (int i = 0; i < framing.stop_bits; i++) bits |= 1u << left++;
    clocks_per_bit = framing.clocks_per_bit;
    // Back to back bytes keep the exact rate; after a pause the frame starts now.
    if (double(now) - next_edge > 1) next_edge = double(now);
  }

  void clock(uint64_t now) {
    if (left == 0 || double(now) < next_edge) return;
    level = bits & 1;
    bits >>= 1;
    left--;
    next_edge += clocks_per_bit;
  }
};

// The wire from the FPGA to the host. Nothing is taken for a byte before the line has been high: what the pin does
// while the design comes up is not data.
struct Receiver {
  enum { WAIT_HIGH, IDLE, FRAME } state = WAIT_HIGH;
  Framing framing;
  double sample_at = 0;
  int bit = 0;
  unsigned byte = 0;
  uint64_t framing_errors = 0;

  bool busy() const { return state == FRAME; }

  void clock(int level, uint64_t now, Port &port) {
    if (state == IDLE) {
      if (level) return;
      framing = port.current_framing();
      sample_at = double(now) + framing.clocks_per_bit / 2;
      state = FRAME;
      bit = 0;
      byte = 0;
    } else if (state == FRAME) {
      if (double(now) < sample_at) return;
      sample_at += framing.clocks_per_bit;
      sample(level, port);
    } else if (level) {
      state = IDLE;
    }
  }

  void sample(int level, Port &port) {
    int number = bit++;
    if (number == 0) {
      if (level) state = IDLE; // A glitch: the start bit was gone by its middle.
    } else if (number <= framing.data_bits) {
      byte |= unsigned(level) << (number - 1);
    } else if (framing.parity && number == framing.data_bits + 1) {
      if (level != framing.parity_bit(byte)) framing_errors++;
    } else {
      if (!level) framing_errors++;
      // As Linux does without INPCK, the byte is passed on whatever its stop bit was.
      port.put(uint8_t(byte));
      state = level ? IDLE : WAIT_HIGH;
    }
  }
};

struct Options {
  uint64_t cycles = 0;
  int pty_fd = -1;
  std::string link;
};

[[noreturn]] void fail(const char *what, const char *name) {
  fprintf(stderr, "virtual-board: cannot %s %s: %s\n", what, name, strerror(errno));
  exit(1);
}

[[noreturn]] void usage(const char *program) {
  fprintf(stderr,
          "usage: %s [--pty-fd N | --link PATH] | --cycles N\n"
          "  --pty-fd N   use descriptor N, the master of a pseudo-terminal, as the serial port\n"
          "  --link PATH  make PATH a symbolic link to the serial port\n"
          "  --cycles N   run N clock cycles without a serial port and print the summary\n",
          program);
  exit(2);
}

uint64_t number(const char *text, const char *program) {
  char *end = nullptr;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno || end == text || *end || *text == '-') usage(program);
  return value;
}

Options parse_options(int argc, char **argv) {
  Options options;
  bool has_cycles = false;
  for (int i = 1; i < argc; i += 2) {
    std::string name = argv[i];
    if (i + 1 >= argc) usage(argv[0]);
    if (name == "--cycles") {
      options.cycles = number(argv[i + 1], argv[0]);
      has_cycles = true;
    } else if (name == "--pty-fd") {
      uint64_t fd = number(argv[i + 1], argv[0]);
      if (fd > INT_MAX) usage(argv[0]);
      options.pty_fd = int(fd);
    } else if (name == "--link") {
      options.link = argv[i + 1];
    } else {
      usage(argv[0]);
    }
  }
  if (has_cycles && (options.cycles == 0 || options.pty_fd >= 0 || !options.link.empty())) usage(argv[0]);
  if (options.pty_fd >= 0 && !options.link.empty()) usage(argv[0]);
  return options;
}

// Opens a port of our own: raw, 115200 baud, as the boards' examples expect it.
void open_pty(Port &port) {
  port.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (port.fd < 0 || grantpt(port.fd) || unlockpt(port.fd)) fail("open", "a pseudo-terminal");
  char path[128];
  if (ptsname_r(port.fd, path, sizeof path)) fail("name", "the pseudo-terminal");
  port.path = path;
  struct termios2 settings;
  if (ioctl(port.fd, TCGETS2, &settings)) fail("read the settings of", path);
  settings.c_iflag = 0;
  settings.c_oflag = 0;
  settings.c_lflag = 0;
  settings.c_cflag = CS8 | CREAD | CLOCAL | B115200;
  settings.c_ispeed = settings.c_ospeed = 115200;
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  if (ioctl(port.fd, TCSETS2, &settings)) fail("set the speed of", path);
  // A slave that was never open does not count as closed: open it once.
  int slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) fail("open", path);
  close(slave);
}

void make_link(Port &port, const std::string &link) {
  std::string fresh = link + ".new";
  unlink(fresh.c_str());
  if (symlink(port.path.c_str(), fresh.c_str()) || rename(fresh.c_str(), link.c_str())) fail("make", link.c_str());
  port.link = link;
}

struct Simulation {
  VerilatedContext context;
  Vbitstream top{&context};
  Port port;
  Sender sender;
  Receiver receiver;
  uint64_t now = 0;
  unsigned leds = 0;
  uint64_t toggles[LED_COUNT] = {};

  void cycle() {
    sender.clock(now);
    set_rx(top, sender.level);
    set_clock(top, 0);
    top.eval();
    set_clock(top, 1);
    top.eval();
    receiver.clock(get_tx(top), now, port);
    unsigned levels = get_leds(top);
    if (levels != leds) count_toggles(levels);
    now++;
    if (sender.idle(now) && now >= look_again) feed();
  }

  void count_toggles(unsigned levels) {
    for (int i = 0; i < LED_COUNT; i++) toggles[i] += ((levels ^ leds) >> i) & 1;
    leds = levels;
  }

  // Asks the port for a byte when the wire is free: at once after a byte, then at each service.
  uint64_t look_again = 0;
  void feed() {
    int byte = port.next_byte();
    if (byte < 0) look_again = now + SERVICE_CYCLES;
    else sender.start(unsigned(byte), port.current_framing(), now);
  }

  void print_summary(double duration) const {
    printf("virtual-board summary board=%s cycles=%llu seconds=%.3f mhz=%.3f bytes_from_host=%llu bytes_to_host=%llu "
           "bytes_dropped=%llu framing_errors=%llu leds=",
           BOARD, (unsigned long long)now, duration, duration > 0 ? now / duration / 1e6 : 0.0,
           (unsigned long long)port.bytes_from_host, (unsigned long long)port.bytes_to_host,
           (unsigned long long)port.bytes_dropped, (unsigned long long)receiver.framing_errors);
    for (int i = 0; i < LED_COUNT; i++)
      printf("%s%s:%u:%llu", i ? "," : "", LEDS[i], (leds >> i) & 1, (unsigned long long)toggles[i]);
    printf("\n");
    fflush(stdout);
    if (receiver.framing_errors)
      fprintf(stderr,
              "virtual-board: note: %llu bytes came from the design with a wrong stop or parity bit: the design sends "
              "at another speed than the %.0f baud (%.1f clocks a bit) that the port had then\n",
              (unsigned long long)receiver.framing_errors, CLOCK_HZ / receiver.framing.clocks_per_bit,
              receiver.framing.clocks_per_bit);
  }
};

// Runs until a signal. Seconds in which the clock ran.
double serve(Simulation &board) {
  double begin = seconds(), paused = 0;
  uint64_t last_active = 0;
  while (!stop_asked) {
    for (uint64_t i = 0; i < SERVICE_CYCLES; i++) board.cycle();
    board.port.service();
    if (board.port.open || board.sender.left || board.receiver.busy()) last_active = board.now;
    double pause = 0;
    if (board.now - last_active > CALM_CYCLES) pause = 0.005;
    else pause = board.now / CLOCK_HZ - (seconds() - begin - paused);
    if (pause < 0.002) continue;
    double before = seconds();
    sleep_seconds(pause);
    if (board.now - last_active > CALM_CYCLES) paused += seconds() - before;
  }
  return seconds() - begin - paused;
}

} // namespace

int main(int argc, char **argv) {
  Options options = parse_options(argc, argv);
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < NOTE_COUNT; i++) fprintf(stderr, "virtual-board: note: %s\n", NOTES[i]);

  static Simulation board;
  set_idle_inputs(board.top);
  double duration = 0;
  if (options.cycles) {
    double begin = seconds();
    while (!stop_asked && board.now < options.cycles) board.cycle();
    duration = seconds() - begin;
  } else {
    Port &port = board.port;
    if (options.pty_fd >= 0) port.fd = options.pty_fd;
    else open_pty(port);
    if (!options.link.empty()) make_link(port, options.link);
    int flags = fcntl(port.fd, F_GETFL);
    if (flags < 0 || fcntl(port.fd, F_SETFL, flags | O_NONBLOCK)) fail("use", "the pseudo-terminal");
    printf("virtual-board ready board=%s port=%s\n", BOARD, port.path.empty() ? "-" : port.path.c_str());
    fflush(stdout);
    duration = serve(board);
    if (!port.link.empty()) unlink(port.link.c_str());
  }
  board.print_summary(duration);
  return 0;
}
