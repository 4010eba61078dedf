//! The card of an Amazon machine, as a board of this worker: there where its management programs are.

use crate::sandbox::Sandbox;
use polyphemus_device::{Device, Family};

/// Tells that this is a machine with such cards.
const PROGRAM: &str = "fpga-clear-local-image";
/// The plans' jobs use slot 0, as the original's did: one at a time.
const SLOT: &str = "aws-slot-0";

pub(crate) fn of(sandbox: &Sandbox) -> Option<Device> {
    sandbox.find(PROGRAM).map(|_| Device {
        labels: vec![format!("fpga:{SLOT}")],
        ..Device::bare(Family::Aws, SLOT, SLOT)
    })
}
