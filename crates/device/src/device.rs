//! What a device is: the words that discovery, the worker and the device plugin share.
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A board that one attempt at a time can hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The same after a restart and a replug; at most 63 bytes, as the kubelet asks of device ids.
    pub id: String,
    /// The board's name, as in [`crate::simulate::BOARDS`] (`ice40-hx8k`); `unknown` when it cannot be told.
    pub board: String,
    /// What a stage's needs are matched against: `fpga:ice40-hx8k`, or `fpga:ice40-hx8k=virtual`. Empty when the board cannot be told.
    pub labels: Vec<String>,
    /// True for a virtual board.
    pub simulated: bool,
    /// Where the host program finds the board. None for a virtual board: it has one once it runs.
    pub serial_port: Option<PathBuf>,
    /// Where on USB it is now; changes at each replug.
    pub usb: Option<UsbAddress>,
    /// The board's name for `openFPGALoader -b`. None for a virtual board.
    pub loader: Option<String>,
    pub health: Health,
}

/// Bus and device number, as `openFPGALoader --busdev-num BUS:DEVICE` takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsbAddress {
    pub bus: u16,
    pub device: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Healthy,
    /// Not to be given to a job; the reason says what is wrong and what to do.
    Sick {
        reason: String,
    },
}

impl Health {
    pub fn is_healthy(&self) -> bool {
        matches!(self, Self::Healthy)
    }
}

/// The folders below which boards are looked for.
#[derive(Debug, Clone)]
pub struct Roots {
    /// `/sys`, or a copy of it.
    pub sys: PathBuf,
    /// `/dev`, or a copy of it.
    pub dev: PathBuf,
    /// The operator's word where the hardware does not tell which board it is.
    pub usb_rules: Vec<UsbRule>,
}

impl Roots {
    /// This machine's own folders, without rules.
    pub fn of_this_machine() -> Self {
        Self {
            sys: "/sys".into(),
            dev: "/dev".into(),
            usb_rules: Vec::new(),
        }
    }
}

/// "The board with this serial number, or at this port, is an `ice40-hx8k`."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsbRule {
    /// The USB serial number, or the port's path as sysfs names it (`1-1.2`).
    pub serial_or_port: String,
    /// A name of [`crate::simulate::BOARDS`].
    pub board: String,
}

/// What discovery found. One device in trouble never hides another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovery {
    /// Sorted by id.
    pub devices: Vec<Device>,
    /// What could not be read at all, so that it is not known whether it is a board.
    pub trouble: Vec<Trouble>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub path: PathBuf,
    pub reason: String,
}
