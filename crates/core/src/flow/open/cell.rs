//! Cells of the iCE40 that do not come back from a bitstream, and what the sources use of them.
//!
//! The oscillators, SB_MAC16, SB_SPRAM256KA and SB_RGBA_DRV were tried with icebox_vlog: what they
//! drive comes out as undriven. Of the others on the list it knows nothing.

use super::source::Reached;
use crate::flow::PlanError;

/// A cell that the sources use and the way back from the bitstream loses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LostCell {
    name: String,
    path: String,
    loss: &'static str,
}

const DEAD_CLOCK: &str = "its clock would stand still";
const VANISHES: &str = "it vanishes on the way back from the bitstream";

fn loss(cell: &str) -> Option<&'static str> {
    match cell {
        "SB_HFOSC" | "SB_LFOSC" => Some(DEAD_CLOCK),
        "SB_MAC16" | "SB_SPRAM256KA" | "SB_RGBA_DRV" | "SB_RGB_DRV" | "SB_I2C" | "SB_SPI" | "SB_LEDDA_IP" => {
            Some(VANISHES)
        }
        _ if cell.starts_with("SB_PLL40_") => Some(DEAD_CLOCK),
        _ => None,
    }
}

/// The first such cell that the sources use.
pub(super) fn lost(sources: &Reached<'_>) -> Option<LostCell> {
    sources.undefined.iter().find_map(|(name, path)| {
        Some(LostCell {
            loss: loss(name)?,
            name: name.clone(),
            path: (*path).to_owned(),
        })
    })
}

/// Whether any cell of the iCE40 is used by its name.
pub(super) fn any(sources: &Reached<'_>) -> bool {
    sources.undefined.keys().any(|name| name.starts_with("SB_"))
}

/// Whether a cell is used that only the iCE40 UltraPlus has.
pub(super) fn any_ultra_plus(sources: &Reached<'_>) -> bool {
    const ULTRA_PLUS: [&str; 6] = [
        "SB_MAC16",
        "SB_SPRAM256KA",
        "SB_HFOSC",
        "SB_LFOSC",
        "SB_RGBA_DRV",
        "SB_LEDDA_IP",
    ];
    sources
        .undefined
        .keys()
        .any(|name| ULTRA_PLUS.contains(&name.as_str()))
}

impl LostCell {
    pub(super) fn refusal(&self) -> PlanError {
        PlanError::Contradiction {
            what: "mode `hw_emu`".into(),
            with: format!("`{}`, which {} uses ({})", self.name, self.path, self.loss),
            remedy: "choose mode `sw_emu`, which simulates the sources, or `hw` with a real board".into(),
        }
    }

    pub(super) fn note(&self) -> String {
        format!(
            "{} uses `{}`: on a virtual board {}, so that only a real board can run this design",
            self.path, self.name, self.loss
        )
    }
}
