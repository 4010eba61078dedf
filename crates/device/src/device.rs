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
    /// The board's name for `openFPGALoader -b`. None for what openFPGALoader does not load.
    pub loader: Option<String>,
    pub family: Family,
    /// Where it is: a PCI address (`0000:04:00.1`), a USB port (`1-1.2`), the kernel's name of a part of the chip.
    pub address: Option<String>,
    /// What its PCI function says that it is: `0x5005`.
    pub pci_id: Option<String>,
    /// The PCI address of the function that manages it: flash, reset, firewall. Never for users.
    pub management: Option<String>,
    /// What the vendor keeps loaded around a user's design.
    pub shell: Option<Shell>,
    /// The maker's number of the card.
    pub serial: Option<String>,
    /// The same for all devices of one card that is several devices. None where the card is the device.
    pub card: Option<String>,
    /// The memory it is near to; None where the machine does not tell.
    pub numa_node: Option<u32>,
    pub health: Health,
    /// What is not right but does not keep a job from it.
    pub warnings: Vec<String>,
}

impl Device {
    /// A healthy device of which no more is known.
    pub fn bare(family: Family, id: impl Into<String>, board: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            board: board.into(),
            labels: Vec::new(),
            simulated: family == Family::Virtual,
            serial_port: None,
            usb: None,
            loader: None,
            family,
            address: None,
            pci_id: None,
            management: None,
            shell: None,
            serial: None,
            card: None,
            numa_node: None,
            health: Health::Healthy,
            warnings: Vec::new(),
        }
    }
}

/// How a device is reached; decides where its nodes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Alveo, Versal and their kin under the driver `xocl`.
    Xrt,
    /// V80, V70 and VCK5000 under the driver `ami`.
    Ami,
    /// AWS F1 and F2 without `xocl`: reached through its PCI resources, no node.
    Aws,
    /// MA35D.
    Transcoder,
    /// Intel's device feature list.
    Dfl,
    /// The FPGA of a chip that Linux itself runs on.
    Soc,
    Usb,
    Virtual,
}

/// What the vendor keeps loaded around a user's design; a bitstream fits one shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shell {
    /// `xilinx_u200_xdma_201820_1`
    pub name: String,
    /// When it was built, in seconds; newer ones all say `0`.
    pub timestamp: String,
    /// 32 hexadecimal digits.
    pub logic_uuid: Option<String>,
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
    /// These folders, without rules.
    pub fn new(sys: impl Into<PathBuf>, dev: impl Into<PathBuf>) -> Self {
        Self {
            sys: sys.into(),
            dev: dev.into(),
            usb_rules: Vec::new(),
        }
    }

    /// This machine's own folders, without rules.
    pub fn of_this_machine() -> Self {
        Self::new("/sys", "/dev")
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
