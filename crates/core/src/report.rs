//! The shape of the numbers that are read from the files a stage made: what the part has and the
//! design takes, how fast each clock can go against how fast it was wished, and single figures.

use serde::{Deserialize, Serialize};

/// The kinds of report files that we can read; `polyphemus-reports` has one file for each tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ReportFormat {
    /// `yosys … tee -o FILE stat -json`
    YosysStat,
    /// `nextpnr-* --report FILE`
    NextpnrReport,
    /// `nextpnr-* --log FILE`
    NextpnrLog,
    /// `icetime -j FILE`
    IcetimeJson,
    /// `icetime -r FILE`
    IcetimeText,
}

impl ReportFormat {
    /// The tool that writes such files, as users call it.
    pub fn tool(self) -> &'static str {
        match self {
            Self::YosysStat => "yosys",
            Self::NextpnrReport | Self::NextpnrLog => "nextpnr",
            Self::IcetimeJson | Self::IcetimeText => "icetime",
        }
    }
}

/// A file that a stage is expected to leave behind, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReportFile {
    /// Relative to the workspace.
    pub path: String,
    pub format: ReportFormat,
    /// Set where the stage may as well do without: a design's own Makefile need not write it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// The numbers of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Report {
    /// Which of the tool's files it was: they differ in precision, and a later one has the last word.
    pub format: ReportFormat,
    /// The tool that wrote the file, as users call it: `yosys`, `nextpnr`, `icetime`.
    pub tool: String,
    /// The file, relative to the workspace.
    pub file: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub utilisation: Vec<Utilisation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<Clock>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Figure>,
}

/// How many cells of a kind the design takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Utilisation {
    /// The tool's word: `ICESTORM_LC`, `SB_LUT4`, `TRELLIS_COMB`.
    pub resource: String,
    pub used: u64,
    /// What the part has; absent where the tool does not know the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<u64>,
}

/// What one clock reaches after routing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Clock {
    pub name: String,
    pub achieved_mhz: f64,
    /// The wish; absent where the tool was given none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted_mhz: Option<f64>,
}

impl Clock {
    /// Whether the wish is fulfilled; `None` without a wish.
    pub fn met(&self) -> Option<bool> {
        self.wanted_mhz.map(|wanted| self.achieved_mhz >= wanted)
    }
}

/// A single number with its unit, for whatever has no shape of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Figure {
    pub name: String,
    pub value: f64,
    /// `MHz`, `ns`, `cells`, `W`; empty for a pure number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
}
