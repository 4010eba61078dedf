//! `icetime -j FILE` and `icetime -r FILE`: the critical path that icestorm's own timing model finds
//! in the bitstream, an opinion beside nextpnr's. It names no clock, so it gives figures.

use std::sync::LazyLock;

use polyphemus_core::report::Figure;
use regex::bytes::Regex;
use serde::Deserialize;

use crate::bounded::{Amount, Fold, Folded};
use crate::{Numbers, ReportError, Source, json};

/// `Total path delay: 25.26 ns (39.58 MHz)`
static TOTAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m-u)^Total path delay: ([0-9]{1,9}\.[0-9]{1,9}) ns \(([0-9]{1,9}\.[0-9]{1,9}|inf) MHz\)")
        .expect("the pattern is a constant")
});

const REMEDY: &str =
    "The design may have no path between registers; otherwise see icetime's words in the job's log";

/// One cell on a path; `delay_ns` is the time at which the signal leaves it, counted from the clock
/// edge, and not the cell's own share.
#[derive(Debug, Deserialize)]
struct Cell {
    delay_ns: Amount,
}

/// When the signal of one path arrives, in ns; `None` for a path without cells.
#[derive(Debug, Default)]
struct Arrival(Option<f64>);

impl Fold<'_> for Arrival {
    type Item = Cell;

    fn add(&mut self, cell: Cell) {
        self.0 = Some(cell.delay_ns.0);
    }
}

/// The latest arrival of all paths, in ns.
#[derive(Debug, Default)]
struct Latest(Option<f64>);

impl Fold<'_> for Latest {
    type Item = Folded<Arrival>;

    fn add(&mut self, Folded(Arrival(arrival_ns)): Self::Item) {
        self.0 = later(self.0, arrival_ns);
    }
}

/// Reads `icetime -j`. Under `-m` ("max span") its path is shorter than the text's by some percent:
/// icetime rounds long wires up in the text alone (seen in icestorm 2023-02-18).
pub(crate) fn read_json(source: Source<'_>, content: &[u8]) -> Result<Numbers, ReportError> {
    let Folded(Latest(path_ns)): Folded<Latest> = json::whole(source, content)?;
    let path_ns = path_ns.ok_or_else(|| source.missing("path", REMEDY))?;
    Ok(numbers(path_ns, (path_ns > 0.0).then(|| 1000.0 / path_ns)))
}

/// Reads `icetime -r`; the longest path counts where it holds several.
pub(crate) fn read_text(source: Source<'_>, content: &[u8]) -> Result<Numbers, ReportError> {
    let totals = TOTAL
        .captures_iter(content)
        .filter_map(|found| Some((decimal(&found[1])?, decimal(&found[2]))));
    let longest = totals.max_by(|(a_ns, _), (b_ns, _)| a_ns.total_cmp(b_ns));
    let (path_ns, mhz) = longest.ok_or_else(|| source.missing("line `Total path delay`", REMEDY))?;
    Ok(numbers(path_ns, mhz))
}

fn numbers(path_ns: f64, fmax_mhz: Option<f64>) -> Numbers {
    let path = Figure {
        name: "critical path".to_owned(),
        value: path_ns,
        unit: "ns".to_owned(),
    };
    let fmax = fmax_mhz.filter(|mhz| mhz.is_finite());
    let fmax = fmax.map(|value| Figure {
        name: "fmax".to_owned(),
        value,
        unit: "MHz".to_owned(),
    });
    Numbers {
        figures: [path].into_iter().chain(fmax).collect(),
        ..Numbers::default()
    }
}

fn decimal(digits: &[u8]) -> Option<f64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn later(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}
