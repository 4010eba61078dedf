//! The final word of several reports of one build, for people: of each number the one that is
//! nearest to what the board will do.

use polyphemus_core::report::{Clock, Figure, Report, ReportFormat, Utilisation};
use serde::Serialize;

use ReportFormat::{IcetimeJson, IcetimeText, NextpnrLog, NextpnrReport, YosysStat};

/// What a result card shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// What the design takes of what the part has. Without placement, what synthesis made; then
    /// `available` is absent.
    pub utilisation: Vec<Utilisation>,
    /// What each clock reaches after routing, against its wish.
    pub clocks: Vec<Clock>,
    /// Single figures, each with the tool whose word it is.
    pub figures: Vec<ToolFigure>,
}

/// A figure and the tool that says so: nextpnr and icetime both have a critical path, and differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolFigure {
    pub tool: String,
    #[serde(flatten)]
    pub figure: Figure,
}

impl Summary {
    /// Whether every clock with a wish reaches it; `None` when no clock has one.
    pub fn timing_met(&self) -> Option<bool> {
        self.clocks
            .iter()
            .filter_map(Clock::met)
            .reduce(|all, one| all && one)
    }

    /// The kinds of cells of which the design takes more than the part has.
    pub fn overfull(&self) -> impl Iterator<Item = &Utilisation> {
        self.utilisation
            .iter()
            .filter(|kind| kind.available.is_some_and(|available| kind.used > available))
    }
}

/// Picks the final word of the reports of one build.
///
/// - utilisation: nextpnr's over Yosys', for nextpnr knows the part and packs cells together;
/// - clocks: nextpnr's report over its log, which is rounded;
/// - figures: all tools' side by side; icetime's text over its JSON, which is less cautious.
///
/// Of two reports of the same format the later in the list counts. An empty list gives an empty
/// summary.
pub fn summary(reports: &[Report]) -> Summary {
    Summary {
        utilisation: first(reports, &[NextpnrReport, NextpnrLog, YosysStat], |report| {
            &report.utilisation
        }),
        clocks: first(reports, &[NextpnrReport, NextpnrLog], |report| &report.clocks),
        figures: [
            [YosysStat].as_slice(),
            &[NextpnrReport, NextpnrLog],
            &[IcetimeText, IcetimeJson],
        ]
        .into_iter()
        .flat_map(|formats| tool_figures(reports, formats))
        .collect(),
    }
}

/// The numbers of the first of the formats whose report has any.
fn first<T: Clone>(reports: &[Report], formats: &[ReportFormat], of: fn(&Report) -> &Vec<T>) -> Vec<T> {
    latest(reports, formats)
        .map(of)
        .find(|numbers| !numbers.is_empty())
        .cloned()
        .unwrap_or_default()
}

fn tool_figures(reports: &[Report], formats: &[ReportFormat]) -> Vec<ToolFigure> {
    let Some(report) = latest(reports, formats).find(|report| !report.figures.is_empty()) else {
        return Vec::new();
    };
    let figures = report.figures.iter().cloned();
    figures
        .map(|figure| ToolFigure {
            tool: report.tool.clone(),
            figure,
        })
        .collect()
}

/// For each of the formats its last report.
fn latest<'a>(reports: &'a [Report], formats: &'a [ReportFormat]) -> impl Iterator<Item = &'a Report> {
    formats
        .iter()
        .filter_map(|format| reports.iter().rev().find(|report| report.format == *format))
}
