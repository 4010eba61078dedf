//! The board vendors: a table of where each shows its boards and who reads them, one file for each.
use std::path::PathBuf;

use crate::device::{Device, Discovery, Family, Roots, Trouble};
use crate::health::Reading;
use crate::node::Nodes;
use crate::sysfs::Reason;

mod ami;
mod aws;
mod dfl;
mod pci;
mod soc;
mod transcoder;
mod usb;
mod xrt;

pub(crate) use pci::slot;

/// A folder of sysfs and who reads its entries, the most particular first.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) folder: &'static str,
    /// Whether an entry of this name can be a board at all.
    pub(crate) may_be: fn(&str) -> bool,
    probes: &'static [Probe],
    /// The entries are looked at together, since one's name depends on another's.
    pub(crate) whole: bool,
}

/// Reads the board that an entry is; None when it is none of this kind. It never waits and never fails: what cannot
/// be read makes a sick board or, where it cannot be told whether there is one, a trouble.
type Probe = fn(&Roots, &str) -> Option<Probed>;

/// What an entry turned out to be; nothing at all for what is no board.
#[derive(Debug, Default)]
pub(crate) struct Probed {
    pub(crate) seen: Vec<Seen>,
    pub(crate) trouble: Vec<Trouble>,
}

/// A board as one look saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) device: Device,
    pub(crate) reading: Reading,
    /// False while it cannot be told what it is; whoever saw it before knows better.
    pub(crate) is_complete: bool,
    /// The attributes by whose change it shows that it must be looked at again.
    pub(crate) watch: Vec<PathBuf>,
}

pub(crate) const PLACES: &[Place] = &[
    Place {
        folder: "bus/pci/devices",
        may_be: pci::is_address,
        probes: &[ami::probe, xrt::probe, aws::probe],
        whole: false,
    },
    Place {
        folder: "class/misc",
        may_be: transcoder::may_be,
        probes: &[transcoder::probe],
        whole: false,
    },
    Place {
        folder: "class/fpga_region",
        may_be: dfl::may_be,
        probes: &[dfl::probe],
        whole: false,
    },
    Place {
        folder: "class/fpga_manager",
        may_be: soc::may_be,
        probes: &[soc::probe],
        whole: false,
    },
    Place {
        folder: "bus/usb/devices",
        may_be: usb::may_be,
        probes: &[usb::probe_all],
        whole: true,
    },
];

impl Place {
    pub(crate) fn probe(&self, roots: &Roots, name: &str) -> Probed {
        let found = self.probes.iter().find_map(|probe| probe(roots, name));
        found.unwrap_or_default()
    }
}

impl From<Seen> for Probed {
    fn from(seen: Seen) -> Self {
        Self {
            seen: vec![seen],
            trouble: Vec::new(),
        }
    }
}

impl From<Trouble> for Probed {
    fn from(trouble: Trouble) -> Self {
        Self {
            seen: Vec::new(),
            trouble: vec![trouble],
        }
    }
}

/// All boards of this machine, sick ones included, sorted by id, as one look sees them. Whoever looks again and again
/// takes a [`crate::Watcher`].
pub fn discover(roots: &Roots) -> Discovery {
    let mut watcher = crate::Watcher::new(roots.clone());
    watcher.look(std::time::Instant::now(), crate::Look::Whole);
    watcher.discovery()
}

/// The nodes of a device now.
pub(crate) fn nodes(roots: &Roots, device: &Device) -> Result<Nodes, Reason> {
    match device.family {
        Family::Xrt => xrt::nodes(roots, device),
        Family::Ami => ami::nodes(roots, device),
        Family::Transcoder => transcoder::nodes(roots, device),
        Family::Dfl => dfl::nodes(roots, device),
        Family::Soc => soc::nodes(roots, device),
        Family::Usb => usb::nodes(roots, device),
        Family::Aws => Err(
            "it is reached through its PCI resources, not through a node; load the driver xocl to give it one".to_owned(),
        ),
        Family::Virtual => Err("it is a virtual board".to_owned()),
    }
}

/// The address that a device of this family must have, since its probe gave it one.
fn address(device: &Device) -> Result<&str, Reason> {
    let missing = || "it is not known where it is".to_owned();
    device.address.as_deref().ok_or_else(missing)
}
