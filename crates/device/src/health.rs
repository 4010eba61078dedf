//! Whether a board may be given to a job: what is read of it, and how long that must hold. Pure; time is an argument.
use std::time::{Duration, Instant};

use crate::device::Health;

/// How many readings in a row must be good before a sick board is well again: a reset lets one through.
const GOOD_READINGS: u32 = 3;
/// Sick from this close to the card's own limit.
const HEAT_MARGIN: f64 = 2.0;
/// It must cool this far below that before it is well again.
const HEAT_HYSTERESIS: f64 = 5.0;

/// What one look at a board gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    pub symptoms: Vec<Symptom>,
    pub heats: Vec<Heat>,
    /// Memory errors that could not be corrected, since the last reset.
    pub uncorrectable_errors: Option<i64>,
    /// What is not right but keeps no job from it.
    pub warnings: Vec<String>,
}

/// Something that is wrong, with the file that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symptom {
    pub kind: SymptomKind,
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SymptomKind {
    /// Off, shut down, hung, behind its firewall, in an error state.
    Down,
    /// An attribute or a node that must be there is not, or cannot be read.
    Unreadable,
    /// Its driver has not yet finished with it.
    NotReady,
    /// The card's own controller complains.
    Controller,
    /// It does not answer.
    Silent,
}

/// A temperature in °C with the limit that the card itself gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    pub sensor: String,
    pub celsius: f64,
    pub limit: f64,
}

impl SymptomKind {
    /// How long it must last before the board is sick.
    pub fn grace(self) -> Duration {
        match self {
            Self::Down | Self::Unreadable => Duration::ZERO,
            Self::NotReady | Self::Silent => Duration::from_secs(10),
            Self::Controller => Duration::from_secs(30),
        }
    }
}

impl Reading {
    pub fn add(&mut self, kind: SymptomKind, reason: impl Into<String>) {
        self.symptoms.push(Symptom {
            kind,
            reason: reason.into(),
        });
    }

    /// The verdict for whoever looks once, without a history: any symptom counts.
    pub fn verdict(&self) -> Health {
        let hot = self
            .heats
            .iter()
            .find(|heat| heat.celsius >= heat.limit - HEAT_MARGIN);
        let reason = self.symptoms.first().map(|symptom| symptom.reason.clone());
        match reason.or_else(|| hot.map(Heat::in_words)) {
            Some(reason) => Health::Sick { reason },
            None => Health::Healthy,
        }
    }
}

impl Heat {
    fn in_words(&self) -> String {
        format!(
            "{} is at {:.0} °C and the card's limit is {:.0} °C; look after its cooling",
            self.sensor, self.celsius, self.limit
        )
    }
}

/// A board's history, as far as its health needs it.
#[derive(Debug, Clone, Default)]
pub struct Keeper {
    /// Since when each kind of symptom has been there without a gap.
    since: Vec<(SymptomKind, Instant)>,
    /// Why it is sick, and how many good readings there were since.
    sick: Option<(String, u32)>,
    hot: Vec<String>,
    errors_at_first: Option<i64>,
    looked_before: bool,
}

impl Keeper {
    /// The verdict after one more reading. A board that is bad at the very first look is sick without grace.
    pub fn see(&mut self, reading: &Reading, now: Instant) -> Health {
        let complaint = self.complaint(reading, now);
        self.looked_before = true;
        self.sick = match (complaint, self.sick.take()) {
            (Some(reason), _) => Some((reason, 0)),
            (None, Some((reason, good))) if good + 1 < GOOD_READINGS => Some((reason, good + 1)),
            (None, _) => None,
        };
        match &self.sick {
            None => Health::Healthy,
            Some((reason, 0)) => Health::Sick {
                reason: reason.clone(),
            },
            Some((reason, good)) => Health::Sick {
                reason: format!("{reason}; it has been well for {good} of {GOOD_READINGS} readings"),
            },
        }
    }

    /// Whether it needs to be seen again soon, though nothing of it changes: a grace runs out, or it gets well.
    pub fn is_pending(&self) -> bool {
        !self.since.is_empty() || self.sick.is_some()
    }

    fn complaint(&mut self, reading: &Reading, now: Instant) -> Option<String> {
        self.since
            .retain(|(kind, _)| reading.symptoms.iter().any(|symptom| symptom.kind == *kind));
        for symptom in &reading.symptoms {
            if !self.since.iter().any(|(kind, _)| *kind == symptom.kind) {
                self.since.push((symptom.kind, now));
            }
        }
        let lasts = |kind: SymptomKind| {
            let since = self.since.iter().find(|(known, _)| *known == kind);
            since.is_some_and(|(_, since)| now.saturating_duration_since(*since) >= kind.grace())
        };
        // Which grace it had got through before it was first looked at, nobody knows.
        let counts = |kind: SymptomKind| !self.looked_before || self.sick.is_some() || lasts(kind);
        let symptom = reading.symptoms.iter().find(|symptom| counts(symptom.kind));
        let symptom = symptom.map(|symptom| symptom.reason.clone());
        let errors = self.new_errors(reading);
        let heat = self.heat(reading);
        symptom.or(errors).or(heat)
    }

    fn new_errors(&mut self, reading: &Reading) -> Option<String> {
        let count = reading.uncorrectable_errors?;
        let first = *self.errors_at_first.get_or_insert(count);
        if count < first {
            // A reset has cleared the counter.
            self.errors_at_first = Some(count);
            return None;
        }
        (count > first).then(|| {
            format!(
                "its memory had {} errors that could not be corrected since this program watches it; reset the card",
                count - first
            )
        })
    }

    fn heat(&mut self, reading: &Reading) -> Option<String> {
        let was_hot = std::mem::take(&mut self.hot);
        let limit = |heat: &Heat| {
            let hysteresis = if was_hot.contains(&heat.sensor) {
                HEAT_HYSTERESIS
            } else {
                0.0
            };
            heat.limit - HEAT_MARGIN - hysteresis
        };
        let hot: Vec<&Heat> = reading
            .heats
            .iter()
            .filter(|heat| heat.celsius >= limit(heat))
            .collect();
        self.hot = hot.iter().map(|heat| heat.sensor.clone()).collect();
        hot.first().map(|heat| heat.in_words())
    }
}
