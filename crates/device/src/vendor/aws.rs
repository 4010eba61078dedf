//! AWS F1 and F2 slots without XRT's driver: the development kit reaches them through their PCI resources.
use super::pci::{self, Id};
use super::{Probed, Seen};
use crate::device::{Device, Family, Roots};
use crate::health::Reading;

/// The application's function (AWS FPGA development kit): with a design of the kit, and with the factory's image.
const SLOTS: &[(&str, &str)] = &[
    ("1042", "f1"),
    ("f010", "f1"),
    ("f011", "f1"),
    ("f000", "f1"),
    ("9048", "f2"),
    ("9248", "f2"),
];

pub(super) fn probe(roots: &Roots, address: &str) -> Option<Probed> {
    let id = Id::of(roots, address).ok()??;
    let is = |known: &&(&str, &str)| id.vendor == "1d0f" && known.0 == id.device;
    let (_, board) = SLOTS.iter().find(is)?;
    let device = Device {
        labels: vec![format!("fpga:{board}")],
        address: Some(address.to_owned()),
        numa_node: pci::numa_node(roots, address),
        ..Device::bare(Family::Aws, address, *board)
    };
    let seen = Seen {
        device,
        reading: Reading::default(),
        is_complete: true,
        watch: Vec::new(),
    };
    Some(seen.into())
}
