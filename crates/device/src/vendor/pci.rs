//! What is common to boards on PCI: addresses, and which ids are whose (XRT's device table, pci.ids, the vendors' drivers).
use std::path::PathBuf;

use crate::device::{Roots, Trouble};
use crate::sysfs::{self, Reason};

/// Vendor and device of one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) vendor: String,
    pub(super) device: String,
}

/// Boards with their management and user functions, of vendor 10ee.
const XILINX: &[(&str, &[&str], &[&str])] = &[
    ("u200", &["5000", "d000"], &["5001"]),
    ("u250", &["5004", "d004"], &["5005"]),
    ("u280", &["500c"], &["500d"]),
    ("u50", &["5020", "d020", "506c"], &["5021", "506d"]),
    ("u55c", &["505c"], &["505d"]),
    ("u25", &["5050", "504e", "d04c"], &["5051", "504f"]),
    ("u30", &["503c", "513c", "d03c"], &["503d", "513d"]),
    ("u2", &["6987", "5034"], &["6988", "5035"]),
    ("smartn", &["5030", "d030"], &["5031"]),
    ("x3522pv", &["5074"], &["5075", "5086"]),
    ("versal", &["5028", "5078"], &["5029", "5079"]),
    ("vck5000", &["5044", "5048"], &["5045", "5049"]),
    ("vck190", &["6098"], &["6099"]),
    ("v70", &["5094", "50b0"], &["5095", "50b1"]),
    ("v80", &["50b4"], &["50b5"]),
    ("rave", &["5700", "5710"], &["5701", "5711"]),
];

/// Advantech's, of vendor 13fe.
const ADVANTECH: &[(&str, &[&str], &[&str])] = &[("vega", &["006c", "0078", "806c"], &["0065", "0077"])];

/// What a function of this id is for, where its driver does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    User(&'static str),
    Management(&'static str),
}

impl Id {
    /// None when there is no such function any more.
    pub(super) fn of(roots: &Roots, address: &str) -> Result<Option<Self>, Reason> {
        let folder = folder(roots, address);
        let (vendor, device) = (
            sysfs::id(&folder.join("vendor"))?,
            sysfs::id(&folder.join("device"))?,
        );
        Ok(vendor.zip(device).map(|(vendor, device)| Self { vendor, device }))
    }

    pub(super) fn role(&self) -> Option<Role> {
        let table = match self.vendor.as_str() {
            "10ee" => XILINX,
            "13fe" => ADVANTECH,
            _ => return None,
        };
        let is = |ids: &[&str]| ids.contains(&self.device.as_str());
        table.iter().find_map(|(board, management, user)| match () {
            () if is(user) => Some(Role::User(board)),
            () if is(management) => Some(Role::Management(board)),
            () => None,
        })
    }
}

pub(super) fn folder(roots: &Roots, address: &str) -> PathBuf {
    roots.sys.join("bus/pci/devices").join(address)
}

/// `0000:04:00.1`; domains of some machines have more digits.
pub(super) fn is_address(name: &str) -> bool {
    let Some((slot, function)) = name.rsplit_once('.') else {
        return false;
    };
    let parts: Vec<&str> = slot.split(':').collect();
    let hex = |text: &str, least: usize| text.len() >= least && text.bytes().all(|b| b.is_ascii_hexdigit());
    matches!(parts[..], [domain, bus, device] if hex(domain, 4) && hex(bus, 2) && hex(device, 2))
        && hex(function, 1)
}

/// The address without its function: what the functions of one card have in common.
pub(crate) fn slot(address: &str) -> &str {
    address.rsplit_once('.').map_or(address, |(slot, _)| slot)
}

/// The numbers of an address: domain, bus, device, function.
pub(super) fn numbers(address: &str) -> Option<[u64; 4]> {
    let (slot, function) = address.rsplit_once('.')?;
    let mut parts = slot.split(':');
    let hex = |text: Option<&str>| u64::from_str_radix(text?, 16).ok();
    Some([
        hex(parts.next())?,
        hex(parts.next())?,
        hex(parts.next())?,
        hex(Some(function))?,
    ])
}

/// The other functions of the same slot, in their order.
pub(super) fn siblings(roots: &Roots, address: &str) -> Vec<String> {
    let functions = (0..8).map(|function| format!("{}.{function}", slot(address)));
    functions
        .filter(|other| other != address && sysfs::is_there(&folder(roots, other)))
        .collect()
}

/// The memory that the function is near to; the kernel says -1 where it does not know.
pub(super) fn numa_node(roots: &Roots, address: &str) -> Option<u32> {
    let number = sysfs::number(&folder(roots, address).join("numa_node")).ok()??;
    u32::try_from(number).ok()
}

/// What to say of an entry of which it cannot be told what it is.
pub(super) fn trouble(path: PathBuf, reason: Reason) -> Trouble {
    Trouble {
        path,
        reason: format!("{reason}; whether there is a board cannot be told"),
    }
}
