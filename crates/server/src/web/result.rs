//! The card with what a job came to: verdict, cause of a failure, numbers, bitstream.

use super::files;
use super::prose::Prose;
use super::size::thousands;
use super::stage;
use polyphemus_api::job::Job;
use polyphemus_core::report::{Clock, Report, Utilisation};
use polyphemus_reports::{ToolFigure, summary};

/// What the card shows.
#[derive(Debug)]
pub(super) struct ResultCard {
    pub(super) verdict: Option<VerdictLine>,
    pub(super) failure: Option<Failure>,
    pub(super) bitstream: Option<Bitstream>,
    pub(super) device: Option<String>,
    pub(super) usage: Vec<Usage>,
    /// The kinds of cells that the part has and the design does not take.
    pub(super) unused: String,
    pub(super) clocks: Vec<ClockLine>,
    pub(super) figures: Vec<FigureLine>,
    /// Nothing of it is real.
    pub(super) stand_ins: bool,
}

#[derive(Debug)]
pub(super) struct VerdictLine {
    pub(super) passed: bool,
    pub(super) line: String,
}

#[derive(Debug)]
pub(super) struct Failure {
    pub(super) stage: &'static str,
    pub(super) title: &'static str,
    pub(super) message: Prose,
    pub(super) step: Option<String>,
    pub(super) exit_code: Option<i32>,
    pub(super) line: Option<String>,
}

#[derive(Debug)]
pub(super) struct Bitstream {
    pub(super) name: String,
    pub(super) link: String,
}

#[derive(Debug)]
pub(super) struct Usage {
    /// In plain words, and the tool's.
    pub(super) title: String,
    pub(super) resource: String,
    pub(super) used: String,
    pub(super) available: Option<String>,
    /// Of what the part has, at most 100.
    pub(super) percent: Option<f64>,
    pub(super) percent_text: String,
    /// `over`, `near` or nothing.
    pub(super) level: &'static str,
}

#[derive(Debug)]
pub(super) struct ClockLine {
    pub(super) name: String,
    pub(super) achieved: String,
    pub(super) wanted: Option<String>,
    pub(super) met: Option<bool>,
    /// Achieved against the wish, at most 100, and the difference in words.
    pub(super) percent: f64,
    pub(super) slack: String,
}

#[derive(Debug)]
pub(super) struct FigureLine {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) tool: String,
}

impl ResultCard {
    /// `None` while there is nothing to show.
    pub(super) fn of(job: &Job) -> Option<Self> {
        let reports: Vec<Report> = job
            .stages
            .iter()
            .flat_map(|stage| stage.reports.clone())
            .collect();
        let summary = summary(&reports);
        let last = |stage: fn(&polyphemus_api::job::JobStage) -> Option<String>| {
            job.stages.iter().rev().find_map(stage)
        };
        let (used, unused): (Vec<&Utilisation>, Vec<_>) =
            summary.utilisation.iter().partition(|kind| kind.used > 0);
        let verdict = job.stages.iter().rev().find_map(|stage| stage.verdict.as_ref());
        let told = job.stages.iter().flat_map(|stage| {
            stage.values.iter().map(|(name, value)| FigureLine {
                name: name.to_uppercase(),
                value: value.clone(),
                tool: stage::title(stage.name).to_owned(),
            })
        });
        let card = Self {
            verdict: verdict.map(|verdict| VerdictLine {
                passed: verdict.passed,
                line: verdict.line.clone(),
            }),
            failure: failure(job),
            bitstream: last(|stage| stage.bitstream.clone()).map(|path| Bitstream {
                link: files::link(job.id.as_str(), &path),
                name: path.rsplit('/').next().unwrap_or(&path).to_owned(),
            }),
            device: last(|stage| stage.device.clone()),
            usage: used.into_iter().map(Usage::of).collect(),
            unused: unused
                .iter()
                .map(|kind| words(&kind.resource))
                .collect::<Vec<_>>()
                .join(", "),
            clocks: summary.clocks.iter().map(ClockLine::of).collect(),
            figures: told.chain(summary.figures.iter().map(FigureLine::of)).collect(),
            stand_ins: job.stages.iter().any(|stage| stage.stand_ins),
        };
        let empty = card.verdict.is_none()
            && card.failure.is_none()
            && card.bitstream.is_none()
            && card.usage.is_empty()
            && card.clocks.is_empty()
            && card.figures.is_empty()
            && !card.stand_ins;
        (!empty).then_some(card)
    }
}

fn failure(job: &Job) -> Option<Failure> {
    let failed = job.stages.iter().find(|stage| stage.state == "failed")?;
    let cause = failed.cause.as_ref()?;
    Some(Failure {
        stage: stage::title(failed.name),
        title: cause.kind.title(),
        message: Prose::new(&cause.message),
        step: cause.step.clone(),
        exit_code: cause.exit_code,
        line: cause.line.clone(),
    })
}

impl Usage {
    fn of(kind: &Utilisation) -> Self {
        let percent = kind
            .available
            .map(|available| kind.used as f64 / (available.max(1)) as f64 * 100.0);
        Self {
            title: words(&kind.resource),
            resource: kind.resource.clone(),
            used: thousands(kind.used),
            available: kind.available.map(thousands),
            percent: percent.map(|percent| percent.min(100.0)),
            percent_text: percent.map(percent_text).unwrap_or_default(),
            level: match percent {
                Some(percent) if percent > 100.0 => "over",
                Some(percent) if percent >= 85.0 => "near",
                _ => "",
            },
        }
    }
}

impl ClockLine {
    fn of(clock: &Clock) -> Self {
        let over = clock.wanted_mhz.map(|wanted| clock.achieved_mhz - wanted);
        Self {
            name: clock.name.clone(),
            achieved: format!("{:.2}", clock.achieved_mhz),
            wanted: clock.wanted_mhz.map(|wanted| format!("{wanted:.2}")),
            met: clock.met(),
            percent: clock
                .wanted_mhz
                .filter(|wanted| *wanted > 0.0)
                .map_or(0.0, |wanted| {
                    (clock.achieved_mhz / wanted * 100.0).clamp(0.0, 100.0)
                }),
            slack: over.map(slack).unwrap_or_default(),
        }
    }
}

impl FigureLine {
    fn of(figure: &ToolFigure) -> Self {
        let ToolFigure { tool, figure } = figure;
        let value = if figure.value.fract() == 0.0 {
            format!("{:.0}", figure.value)
        } else {
            format!("{:.2}", figure.value)
        };
        Self {
            name: figure.name.clone(),
            value: format!("{value} {}", figure.unit).trim_end().to_owned(),
            tool: tool.clone(),
        }
    }
}

/// MHz above or below the wish.
fn slack(over_mhz: f64) -> String {
    if over_mhz < 0.0 {
        format!("{:.2} below", -over_mhz)
    } else {
        format!("{over_mhz:.2} above")
    }
}

fn percent_text(percent: f64) -> String {
    match percent {
        percent if percent > 0.0 && percent < 0.1 => "< 0.1 %".into(),
        percent if percent < 10.0 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// The tool's word for a kind of cell in plain ones (names of the nextpnr architectures ice40 and
/// ecp5); an unknown one stays as it is.
fn words(resource: &str) -> String {
    let plain = match resource {
        "ICESTORM_LC" => "Logic cells",
        "ICESTORM_RAM" => "Block RAMs",
        "ICESTORM_DSP" | "MULT18X18D" => "Multipliers",
        "ICESTORM_SPRAM" => "Single-port RAMs",
        "ICESTORM_PLL" | "EHXPLLL" => "PLLs",
        "SB_IO" | "TRELLIS_IO" => "I/O pins",
        "SB_GB" => "Global buffers",
        "SB_WARMBOOT" => "Warm boot",
        "ICESTORM_HFOSC" => "Fast oscillator",
        "ICESTORM_LFOSC" => "Slow oscillator",
        "TRELLIS_COMB" => "Look-up tables",
        "TRELLIS_FF" => "Flip-flops",
        "TRELLIS_RAMW" => "Distributed RAMs",
        "DP16KD" => "Block RAMs",
        other => other,
    };
    plain.to_owned()
}
