//! `nextpnr-* --report FILE`: what the part has and the design takes, fmax by clock against the
//! wish, and the longest path. The same keys in nextpnr 0.4 and 0.11, iCE40 and ECP5.

use polyphemus_core::report::{Clock, Figure};
use serde::Deserialize;

use crate::bounded::{Amount, Entries, Fold, Folded};
use crate::{Numbers, ReportError, Source, clock_name, json, resource};

#[derive(Debug, Deserialize)]
struct Document {
    fmax: Entries<Fmax>,
    utilization: Entries<Cells>,
    #[serde(default)]
    critical_paths: Folded<Longest>,
}

/// In MHz. nextpnr writes `null` for what is not finite: a clock without a path that limits it, or
/// without a wish.
#[derive(Debug, Deserialize)]
struct Fmax {
    achieved: Option<Amount>,
    constraint: Option<Amount>,
}

#[derive(Debug, Deserialize)]
struct Cells {
    used: u64,
    available: u64,
}

#[derive(Debug, Deserialize)]
struct CriticalPath {
    from: String,
    to: String,
    path: Folded<SumNs>,
}

/// One leg of a path, in ns.
#[derive(Debug, Deserialize)]
struct Leg {
    delay: Amount,
}

/// Each leg carries its own delay (unlike icetime's, which carry the time of arrival).
#[derive(Debug, Default)]
struct SumNs(f64);

impl Fold<'_> for SumNs {
    type Item = Leg;

    fn add(&mut self, leg: Leg) {
        self.0 += leg.delay.0;
    }
}

/// The longest path from a register to a register, in ns. Paths from or to a pin (`<async>`) are
/// bound by no clock and say nothing about fmax.
#[derive(Debug, Default)]
struct Longest(Option<f64>);

impl Fold<'_> for Longest {
    type Item = CriticalPath;

    fn add(&mut self, path: CriticalPath) {
        let SumNs(sum_ns) = path.path.0;
        let clocked = path.from != "<async>" && path.to != "<async>";
        if clocked && sum_ns.is_finite() && self.0.is_none_or(|longest| sum_ns > longest) {
            self.0 = Some(sum_ns);
        }
    }
}

pub(crate) fn read(source: Source<'_>, content: &[u8]) -> Result<Numbers, ReportError> {
    let document: Document = json::whole(source, content)?;
    let cells = document.utilization.0.into_iter();
    let cells = cells
        .map(|(kind, cells)| (kind, (cells.used, cells.available)))
        .collect();
    let clocks = clock_name::as_the_user_wrote(document.fmax.0).into_iter();
    let Folded(Longest(longest_ns)) = document.critical_paths;
    Ok(Numbers {
        utilisation: resource::worth_showing(cells),
        clocks: clocks.filter_map(|(name, fmax)| clock(name, &fmax)).collect(),
        figures: longest_ns.into_iter().map(critical_path).collect(),
    })
}

fn clock(name: String, fmax: &Fmax) -> Option<Clock> {
    let Amount(achieved_mhz) = fmax.achieved?;
    // Older versions write 0 where no wish was given.
    let wanted_mhz = fmax.constraint.map(|Amount(mhz)| mhz).filter(|mhz| *mhz > 0.0);
    Some(Clock {
        name,
        achieved_mhz,
        wanted_mhz,
    })
}

fn critical_path(length_ns: f64) -> Figure {
    Figure {
        name: "critical path".to_owned(),
        value: length_ns,
        unit: "ns".to_owned(),
    }
}
