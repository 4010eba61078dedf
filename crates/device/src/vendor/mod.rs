//! The board vendors: a table of probe functions, one file for each way a board is attached.
use crate::device::{Discovery, Roots};

mod usb;

/// Looks below `roots` and adds what it finds. A probe never fails as a whole: what it cannot read becomes a sick
/// device or a trouble, and it goes on.
type Probe = fn(&Roots, &mut Discovery);

const PROBES: &[Probe] = &[usb::probe];

/// All boards of this machine, sick ones included, sorted by id.
pub fn discover(roots: &Roots) -> Discovery {
    let mut discovery = Discovery::default();
    for probe in PROBES {
        probe(roots, &mut discovery);
    }
    discovery.devices.sort_by(|a, b| a.id.cmp(&b.id));
    discovery
}
