//! Many measurements of the same thing, and what failed among them.

use crate::figure::Figure;
use crate::http::HttpError;
use std::collections::BTreeMap;
use std::time::Duration;

/// What one client or one scenario saw.
#[derive(Debug, Default)]
pub struct Sample {
    times: Vec<Duration>,
    errors: BTreeMap<String, u64>,
}

/// Percentiles of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spread {
    pub p50: Duration,
    pub p90: Duration,
    pub p99: Duration,
}

impl Sample {
    pub fn take(&mut self, time: Duration) {
        self.times.push(time);
    }

    pub fn fail(&mut self, error: &HttpError) {
        self.fail_as(error.to_string());
    }

    pub fn fail_as(&mut self, how: String) {
        *self.errors.entry(how).or_default() += 1;
    }

    pub fn merge(&mut self, other: Self) {
        self.times.extend(other.times);
        for (how, count) in other.errors {
            *self.errors.entry(how).or_default() += count;
        }
    }

    /// How many went well.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// `None` where nothing went well.
    pub fn spread(&self) -> Option<Spread> {
        let mut times = self.times.clone();
        times.sort_unstable();
        let last = times.len().checked_sub(1)?;
        let at = |share: usize| times[last * share / 100];
        Some(Spread {
            p50: at(50),
            p90: at(90),
            p99: at(99),
        })
    }

    /// What failed, a line for each way.
    pub fn failures(&self, scenario: &'static str) -> Vec<Figure> {
        let errors = self.errors.iter();
        errors
            .map(|(how, count)| Figure::errors(scenario, *count, how))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut sample = Sample::default();
        assert_eq!(sample.spread(), None);
        for ms in (1..=101).rev() {
            sample.take(Duration::from_millis(ms));
        }
        let spread = sample.spread().unwrap();
        assert_eq!(spread.p50, Duration::from_millis(51));
        assert_eq!(spread.p90, Duration::from_millis(91));
        assert_eq!(spread.p99, Duration::from_millis(100));
    }

    #[test]
    fn failures_are_counted_by_how_they_failed() {
        let mut sample = Sample::default();
        for how in ["500", "reset", "500"] {
            sample.fail_as(how.to_owned());
        }
        let lines = sample.failures("submit");
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].value, 2.0);
        assert!(lines.iter().all(Figure::is_error));
    }
}
