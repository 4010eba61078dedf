//! A figure: what was measured, and how it compares to what the machine can do.

use crate::probe::Probe;
use serde::Serialize;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "1/s")]
    PerSecond,
    #[serde(rename = "MB/s")]
    MegabytesPerSecond,
    #[serde(rename = "MB")]
    Megabytes,
    #[serde(rename = "%")]
    Percent,
    #[serde(rename = "")]
    Count,
}

impl Unit {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::PerSecond => "/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::Megabytes => "MB",
            Self::Percent => "%",
            Self::Count => "",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    pub scenario: &'static str,
    pub what: String,
    pub value: f64,
    pub unit: Unit,
    /// The value as a ratio to a figure of the probe, and to which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
    #[serde(skip_serializing_if = "is_false")]
    error: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ratio {
    pub ratio: f64,
    pub to: &'static str,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Figure {
    pub fn new(scenario: &'static str, what: impl Into<String>, value: f64, unit: Unit) -> Self {
        Self {
            scenario,
            what: what.into(),
            value,
            unit,
            ratio: None,
            error: false,
        }
    }

    pub fn time(scenario: &'static str, what: impl Into<String>, time: Duration) -> Self {
        Self::new(scenario, what, ms(time), Unit::Milliseconds)
    }

    /// Requests that failed, and how.
    pub fn errors(scenario: &'static str, count: u64, how: &str) -> Self {
        Self {
            error: true,
            ..Self::new(scenario, format!("FAILED: {how}"), count as f64, Unit::Count)
        }
    }

    pub fn is_error(&self) -> bool {
        self.error
    }

    /// A time, against that of one fdatasync.
    pub fn in_syncs(self, probe: &Probe) -> Self {
        let ratio = self.value / ms(probe.sync.p50);
        self.with_ratio(ratio, "fdatasync")
    }

    /// A rate, against one for each fdatasync.
    pub fn for_each_sync(self, probe: &Probe) -> Self {
        let ratio = self.value * probe.sync.p50.as_secs_f64();
        self.with_ratio(ratio, "one for each fdatasync")
    }

    /// A rate of bytes, against writing a file and syncing it.
    pub fn of_disk(self, probe: &Probe) -> Self {
        let ratio = self.value / probe.write_mb_s;
        self.with_ratio(ratio, "writing a file")
    }

    fn with_ratio(self, ratio: f64, to: &'static str) -> Self {
        Self {
            ratio: Some(Ratio { ratio, to }),
            ..self
        }
    }
}

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
