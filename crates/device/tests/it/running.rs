//! A virtual board that runs, and the host program's end of its serial port.
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use polyphemus_device::simulate::{Ready, Summary};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// Far above what any answer takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A board that runs, ended by its Drop at the latest.
pub struct Running {
    pub child: Child,
    lines: BufReader<ChildStdout>,
    pub port: Option<PathBuf>,
}

impl Running {
    pub fn start(program: &Path, arguments: &[&str]) -> Self {
        Self::start_with(program, arguments, Stdio::null())
    }

    pub fn start_with(program: &Path, arguments: &[&str], stdin: Stdio) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(stdin).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut port = None;
        if !arguments.contains(&"--cycles") {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            port = Ready::parse(&line)
                .unwrap_or_else(|| panic!("not ready: {line}"))
                .port;
        }
        Self { child, lines, port }
    }

    /// Opens the port as a host program does.
    pub fn open(&self, baud: u32) -> Host {
        let file = File::options()
            .read(true)
            .write(true)
            .open(self.port.as_ref().unwrap())
            .unwrap();
        let mut settings = tcgetattr(&file).unwrap();
        settings.make_raw();
        settings.set_speed(baud).unwrap();
        tcsetattr(&file, OptionalActions::Now, &settings).unwrap();
        Host { file }
    }

    /// Reads garbage until none comes any more.
    pub fn wait_for_silence(&self, port: &mut Host) {
        while port.readable(Duration::from_millis(500)) {
            let mut garbage = [0; 64];
            let _ = port.file.read(&mut garbage).unwrap();
        }
    }

    pub fn end(&mut self) -> Summary {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let summary = self.summary();
        assert!(self.child.wait().unwrap().success());
        summary
    }

    pub fn summary(&mut self) -> Summary {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        rest.lines()
            .find_map(Summary::parse)
            .unwrap_or_else(|| panic!("no summary: {rest}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Host {
    pub file: File,
}

impl Host {
    pub fn talk(&mut self, bytes: &[u8], answer: usize) -> Vec<u8> {
        let mut writer = self.file.try_clone().unwrap();
        let bytes = bytes.to_vec();
        let writing = std::thread::spawn(move || writer.write_all(&bytes).unwrap());
        let mut got = Vec::new();
        while got.len() < answer {
            match self.read_some() {
                Some(byte) => got.push(byte),
                None => panic!("silence after {} of {answer} bytes: {got:02x?}", got.len()),
            }
        }
        writing.join().unwrap();
        got
    }

    pub fn read_some(&mut self) -> Option<u8> {
        let mut byte = [0];
        (self.readable(PATIENCE) && self.file.read(&mut byte).unwrap() == 1).then_some(byte[0])
    }

    pub fn readable(&self, patience: Duration) -> bool {
        let limit = Timespec::try_from(patience).unwrap();
        poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&limit)).unwrap() > 0
    }
}
