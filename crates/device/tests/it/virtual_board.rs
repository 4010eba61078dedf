//! The virtual board end to end: a design of our own becomes a bitstream, the bitstream a board, and the test is the
//! host program at its serial port.
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use polyphemus_device::simulate::{self, Pty, Tools};
use tempfile::TempDir;

use crate::running::{PATIENCE, Running};
use crate::toolchain::{bitstream, carry_out, fixture};

/// The design's speed: the board's clock over its divisor of 12.
const BAUD: u32 = 1_000_000;

#[test]
fn a_thousand_bytes_come_back_as_they_were_sent() {
    let mut board = Running::start(echo_board(), &[]);
    let mut port = board.open(BAUD);
    let sent = noise(1000);
    assert_eq!(port.talk(&sent, sent.len()), sent);
    let summary = board.end();
    assert_eq!((summary.bytes_from_host, summary.bytes_to_host), (1000, 1000));
    assert_eq!((summary.bytes_dropped, summary.framing_errors), (0, 0));
    assert!(summary.cycles >= 1000 * 10 * 12, "{summary:?}");
    // The LEDs count the bytes: 1000 is 0b1111101000.
    let levels: Vec<_> = summary
        .leds
        .iter()
        .map(|led| (led.pin.as_str(), led.high))
        .collect();
    assert_eq!(
        levels,
        [
            ("99", false),
            ("98", false),
            ("97", false),
            ("96", true),
            ("95", false)
        ]
    );
    assert_eq!(summary.leds[0].toggles, 1000);
}

#[test]
fn the_speed_is_what_the_host_sets() {
    let mut board = Running::start(echo_board(), &[]);
    let mut port = board.open(115_200);
    port.file.write_all(b"too slow").unwrap();
    board.wait_for_silence(&mut port);
    drop(port);
    let mut port = board.open(BAUD);
    assert_eq!(port.talk(b"right", 5), b"right");
    let summary = board.end();
    assert_eq!(summary.bytes_from_host, 13);
}

#[test]
fn the_port_can_be_closed_and_opened_again() {
    let mut board = Running::start(echo_board(), &[]);
    for round in 0..5_u8 {
        let mut port = board.open(BAUD);
        let sent = [round, 0x55, 0xff, 0, round];
        assert_eq!(port.talk(&sent, 5), sent);
    }
    assert_eq!(board.end().bytes_to_host, 25);
}

#[test]
fn bytes_written_just_before_closing_reach_the_board() {
    let mut board = Running::start(echo_board(), &[]);
    board.open(BAUD).file.write_all(&[b'.'; 300]).unwrap();
    let mut port = board.open(BAUD);
    // What the first host left unread may reach the second, as on a USB chip; the last byte is the second's.
    port.file.write_all(b"!").unwrap();
    loop {
        match port.read_some() {
            Some(b'!') => break,
            Some(_) => {}
            None => panic!("the second host's byte never came back"),
        }
    }
    assert_eq!(board.end().bytes_from_host, 301);
}

#[test]
fn a_board_takes_a_port_that_somebody_else_opened() {
    let pty = Pty::open().unwrap();
    let port = pty.port.clone();
    let mut board = Running::start_with(echo_board(), &["--pty-fd", "0"], Stdio::from(pty.master));
    board.port = Some(port);
    let mut port = board.open(BAUD);
    assert_eq!(port.talk(b"over there", 10), b"over there");
    board.end();
}

#[test]
fn a_link_leads_to_the_port_while_the_board_runs() {
    let folder = TempDir::new().unwrap();
    let link = folder.path().join("ttyUSB1");
    let mut board = Running::start(echo_board(), &["--link", link.to_str().unwrap()]);
    board.port = Some(link.clone());
    assert_eq!(board.open(BAUD).talk(b"ab", 2), b"ab");
    board.end();
    assert!(link.symlink_metadata().is_err());
}

#[test]
fn without_a_host_it_runs_as_many_cycles_as_asked() {
    let mut board = Running::start_with(echo_board(), &["--cycles", "5000"], Stdio::null());
    let summary = board.summary();
    assert_eq!((summary.cycles, summary.bytes_to_host), (5000, 0));
    assert!(board.child.wait().unwrap().success());
}

#[test]
fn it_stops_using_the_processor_when_nobody_is_there() {
    let mut board = Running::start(echo_board(), &[]);
    let pid = board.child.id();
    // The clock runs on for a while, then stands: two looks, far enough apart, see the same time used.
    let deadline = Instant::now() + PATIENCE;
    let mut before = cpu_ticks(pid);
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let now = cpu_ticks(pid);
        if now - before <= 2 {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "still {} ticks of 10 ms in half a second",
            now - before
        );
        before = now;
    }
    assert_eq!(board.open(BAUD).talk(b"awake", 5), b"awake");
    board.end();
}

/// The program of the echo's board, made once for all tests.
fn echo_board() -> &'static Path {
    static BOARD: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    &BOARD
        .get_or_init(|| {
            let folder = TempDir::new().unwrap();
            let board = simulate::board("ice40-hx1k").unwrap();
            let settings = "chparam -set DIVISOR 12 echo;";
            bitstream(
                folder.path(),
                board,
                &[fixture("echo.v")],
                "echo",
                settings,
                &fixture("echo.pcf"),
            );
            let work = folder.path().join("board");
            std::fs::create_dir(&work).unwrap();
            let recipe = simulate::virtual_board(board, "../design.bin", &Tools::of_debian(2));
            let program = carry_out(&recipe, &work).unwrap();
            (folder, program)
        })
        .1
}

/// Clock ticks of processor time, from `/proc/PID/stat` (proc(5)): fields 14 and 15, after the name in brackets.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Bytes without a pattern, the same in each run (xorshift).
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(count)
    .collect()
}

/// Keeps the type in the signature of [`Pty`] honest: the master is an owned descriptor.
#[test]
fn a_pseudo_terminals_master_closes_with_its_owner() {
    let pty = Pty::open().unwrap();
    let port = pty.port.clone();
    let master: OwnedFd = pty.master;
    assert!(port.exists());
    drop(master);
    assert!(!port.exists());
}
