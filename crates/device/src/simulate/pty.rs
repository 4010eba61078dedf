//! A pseudo-terminal that is opened here and given to a virtual board as a descriptor (`--pty-fd 0`), for a board in
//! a sandbox of its own, whose `/dev/pts` is not the host program's.
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{ControlModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

/// The serial port of a virtual board.
#[derive(Debug)]
pub struct Pty {
    /// The board's end: its standard input. It is closed on exec otherwise.
    pub master: OwnedFd,
    /// The host program's end, `/dev/pts/N`; into a sandbox it is bound as any device is.
    pub port: PathBuf,
}

impl Pty {
    /// Opens a new one: raw, 115200 baud, eight data bits, no parity, one stop bit.
    pub fn open() -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let port = PathBuf::from(name.to_str().map_err(io::Error::other)?);
        let mut settings = tcgetattr(&master)?;
        settings.make_raw();
        settings.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
        settings.special_codes[SpecialCodeIndex::VMIN] = 1;
        settings.special_codes[SpecialCodeIndex::VTIME] = 0;
        settings.set_speed(115_200)?;
        tcsetattr(&master, OptionalActions::Now, &settings)?;
        // A slave that was never open does not count as closed, which the board waits for: open it once.
        drop(rustix::fs::open(
            &port,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )?);
        Ok(Self { master, port })
    }
}
