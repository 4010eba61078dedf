//! `yosys … tee -o FILE stat -json`: cells of the whole design by kind, before placement. The same
//! keys in Yosys 0.23 and 0.70.

use std::borrow::Cow;
use std::collections::BTreeSet;

use polyphemus_core::report::{Figure, Utilisation};
use serde::Deserialize;

use crate::bounded::Entries;
use crate::{Numbers, ReportError, Source, json};

#[derive(Debug, Deserialize)]
struct Stat {
    /// The hierarchy below the top module, each module counted as often as it is used. Left out
    /// when Yosys was not told the top.
    design: Option<Counts>,
    modules: Entries<Counts>,
}

#[derive(Debug, Deserialize)]
struct Counts {
    num_cells_by_type: Entries<u64>,
}

/// What flattening leaves to remember a module by; it is no hardware, though Yosys counts it.
const SCOPE_MARK: &str = "$scopeinfo";

pub(crate) fn read(source: Source<'_>, content: &[u8]) -> Result<Numbers, ReportError> {
    let stat: Stat = json::leading(source, &tidied(content))?;
    let modules: BTreeSet<String> = stat.modules.0.keys().map(|name| plain(name).to_owned()).collect();
    let counts = design_wide(stat).ok_or_else(|| {
        source.missing(
            "count of the whole design",
            "Tell Yosys the top module (`synth_… -top NAME`), so that it knows how often each module is used",
        )
    })?;
    // Yosys 0.70 lists uses of modules among the cells, and 0.23 does not: their cells are counted already.
    let is_cell = |kind: &String| kind != SCOPE_MARK && !modules.contains(plain(kind));
    let cells = counts
        .num_cells_by_type
        .0
        .into_iter()
        .filter(|(kind, _)| is_cell(kind));
    let utilisation: Vec<Utilisation> = cells
        .map(|(resource, used)| Utilisation {
            resource,
            used,
            available: None,
        })
        .collect();
    // The sum, and not `num_cells`, which counts the marks.
    let total = utilisation
        .iter()
        .fold(0_u64, |total, kind| total.saturating_add(kind.used));
    Ok(Numbers {
        utilisation,
        clocks: Vec::new(),
        figures: vec![cells_in_all(total)],
    })
}

fn cells_in_all(total: u64) -> Figure {
    Figure {
        name: "cells".to_owned(),
        value: total as f64,
        unit: "cells".to_owned(),
    }
}

/// A name without the backslash by which Yosys marks the user's own.
fn plain(name: &str) -> &str {
    name.strip_prefix('\\').unwrap_or(name)
}

/// Without a top, a single module is the design; of several nobody knows which are used how often.
fn design_wide(stat: Stat) -> Option<Counts> {
    let mut modules = stat.modules.0.into_values();
    match (stat.design, modules.next(), modules.next()) {
        (Some(design), _, _) => Some(design),
        (None, only, None) => only,
        (None, _, Some(_)) => None,
    }
}

/// Makes valid JSON of what Yosys and `tee` leave. Bytes are blanked, not cut, so that an error still
/// names the file's own lines.
fn tidied(content: &[u8]) -> Cow<'_, [u8]> {
    let start = document_start(content);
    let comma = comma_before_the_end(content);
    if start == 0 && comma.is_none() {
        return Cow::Borrowed(content);
    }
    let mut tidied = content.to_vec();
    for byte in tidied.iter_mut().take(start).filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
    if let Some(comma) = comma.and_then(|comma| tidied.get_mut(comma)) {
        *comma = b' ';
    }
    Cow::Owned(tidied)
}

/// `tee` takes along what Yosys prints before the document (the pass's heading, in some versions).
fn document_start(content: &[u8]) -> usize {
    let mut lines = content.split_inclusive(|byte| *byte == b'\n');
    let mut start = 0;
    let found = lines.any(|line| {
        let opens = line.trim_ascii_start().starts_with(b"{");
        start += if opens { 0 } else { line.len() };
        opens
    });
    if found { start } else { 0 }
}

/// Without a top, Yosys 0.23 leaves out the design but not the comma before it: `},\n}`.
fn comma_before_the_end(content: &[u8]) -> Option<usize> {
    let inside = content.trim_ascii_end().strip_suffix(b"}")?.trim_ascii_end();
    inside.ends_with(b",").then(|| inside.len() - 1)
}
