//! Which of a part's kinds of cells people want to see, and in which order.

use std::collections::BTreeMap;

use polyphemus_core::report::Utilisation;

/// Kinds that are shown even when the design takes none: logic, flip-flops, memory, pins and global
/// wires of iCE40 and ECP5, in the order in which people ask for them. Every other kind is shown
/// when it is used.
const ALWAYS: [&str; 10] = [
    "ICESTORM_LC",
    "ICESTORM_RAM",
    "SB_IO",
    "SB_GB",
    "TRELLIS_SLICE",
    "TRELLIS_COMB",
    "TRELLIS_FF",
    "DP16KD",
    "TRELLIS_IO",
    "DCCA",
];

/// Takes the kinds that are worth showing out of (used, available) by kind.
pub(crate) fn worth_showing(cells: BTreeMap<String, (u64, u64)>) -> Vec<Utilisation> {
    let place = |resource: &str| ALWAYS.iter().position(|kind| *kind == resource);
    let mut shown: Vec<Utilisation> = cells
        .into_iter()
        .filter(|(resource, (used, _))| *used > 0 || place(resource).is_some())
        .map(|(resource, (used, available))| Utilisation {
            resource,
            used,
            available: Some(available),
        })
        .collect();
    // Stable: the kinds without a place follow in the order of their names.
    shown.sort_by_key(|utilisation| place(&utilisation.resource).unwrap_or(ALWAYS.len()));
    shown
}
