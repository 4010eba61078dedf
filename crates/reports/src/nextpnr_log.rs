//! `nextpnr-* --log FILE`: the same numbers as the report, rounded; there even when nextpnr ended
//! before it wrote the report, as when the design does not fit.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use polyphemus_core::report::Clock;
use regex::Regex;

use crate::bounded::{MAX_ENTRIES, MAX_NAME_BYTES};
use crate::{Numbers, ReportError, Source, clock_name, resource};

/// `Info: Max frequency for clock 'NAME': 40.66 MHz (PASS at 12.00 MHz)`; after routing a missed
/// wish comes as `ERROR:`, or as `Warning:` under `--timing-allow-fail`.
static MAX_FREQUENCY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?:Info|Warning|ERROR): Max frequency for clock +'(.+)': +([0-9]{1,9}\.[0-9]{1,9}) MHz(?: \((PASS|FAIL) at ([0-9]{1,9}\.[0-9]{1,9}) MHz\))?",
    )
    .expect("the pattern is a constant")
});

/// `Info: \t         ICESTORM_LC:  5139/ 7680    66%`
static CELLS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^Info:\s+([A-Za-z0-9_]+):\s*([0-9]{1,15})/\s*([0-9]{1,15})\s+[0-9]+%")
        .expect("the pattern is a constant")
});

/// What each line of interest begins with.
const LEVELS: [&[u8]; 3] = [b"Info: ", b"Warning: ", b"ERROR: "];

/// The head of the table. Lines of the same form before it count what packing will merge.
const CELLS_HEAD: &str = "Info: Device utilisation:";

/// nextpnr prints two decimals: this is half of the last one.
const HALF_A_DIGIT_MHZ: f64 = 0.005;

#[derive(Debug, Default)]
struct Log {
    cells: BTreeMap<String, (u64, u64)>,
    /// (achieved, wanted) in MHz.
    clocks: BTreeMap<String, (f64, Option<f64>)>,
    in_table: bool,
}

pub(crate) fn read(source: Source<'_>, content: &[u8]) -> Result<Numbers, ReportError> {
    let mut log = Log::default();
    for line in content.split(|byte| *byte == b'\n') {
        if LEVELS.iter().any(|level| line.starts_with(level)) && line.len() <= 2 * MAX_NAME_BYTES {
            log.line(&String::from_utf8_lossy(line));
        } else {
            log.in_table = false;
        }
        if log.cells.len() > MAX_ENTRIES || log.clocks.len() > MAX_ENTRIES {
            return Err(source.malformed(format_args!("more than {MAX_ENTRIES} clocks or kinds of cells")));
        }
    }
    let clocks = clock_name::as_the_user_wrote(log.clocks).into_iter();
    Ok(Numbers {
        utilisation: resource::worth_showing(log.cells),
        clocks: clocks
            .map(|(name, (achieved_mhz, wanted_mhz))| Clock {
                name,
                achieved_mhz,
                wanted_mhz,
            })
            .collect(),
        figures: Vec::new(),
    })
}

impl Log {
    fn line(&mut self, line: &str) {
        if let Some((name, achieved_mhz, wanted_mhz)) = max_frequency(line) {
            // Printed after placement and again after routing: the later one is true.
            self.clocks.insert(name, (achieved_mhz, wanted_mhz));
        } else if line.starts_with(CELLS_HEAD) {
            self.in_table = true;
        } else if self.in_table {
            match cells(line) {
                Some((kind, counts)) => {
                    self.cells.insert(kind, counts);
                }
                None => self.in_table = false,
            }
        }
    }
}

fn max_frequency(line: &str) -> Option<(String, f64, Option<f64>)> {
    let found = MAX_FREQUENCY.captures(line)?;
    let mut achieved_mhz: f64 = found[2].parse().ok()?;
    let wanted_mhz: Option<f64> = found.get(4).and_then(|wanted| wanted.as_str().parse().ok());
    let failed = found.get(3).is_some_and(|verdict| verdict.as_str() == "FAIL");
    // 79.997 MHz against 80 is printed as `80.00 MHz (FAIL at 80.00 MHz)`: nextpnr compared the exact
    // numbers, so its verdict goes before its rounding.
    if let Some(wanted_mhz) = wanted_mhz.filter(|wanted_mhz| failed && achieved_mhz >= *wanted_mhz) {
        achieved_mhz = (wanted_mhz - HALF_A_DIGIT_MHZ).max(0.0);
    }
    Some((
        found[1].to_owned(),
        achieved_mhz,
        wanted_mhz.filter(|mhz| *mhz > 0.0),
    ))
}

fn cells(line: &str) -> Option<(String, (u64, u64))> {
    let found = CELLS.captures(line)?;
    Some((
        found[1].to_owned(),
        (found[2].parse().ok()?, found[3].parse().ok()?),
    ))
}
