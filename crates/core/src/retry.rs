//! Which failures are tried again, when, and how often.

use crate::cause::CauseKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many attempts have failed, by the kind of their cause: each kind has a bound of its own, so that
/// a week of machines that come and go does not use up the patience for a licence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tries(BTreeMap<CauseKind, u32>);

impl Tries {
    /// Adds a failed try and gives how many there are of its kind.
    pub fn count(&mut self, kind: CauseKind) -> u32 {
        let tries = self.0.entry(kind).or_default();
        *tries = tries.saturating_add(1);
        *tries
    }

    /// Of all kinds together.
    pub fn all(&self) -> u32 {
        self.0.values().fold(0, |all, tries| all.saturating_add(*tries))
    }
}

impl FromIterator<(CauseKind, u32)> for Tries {
    fn from_iter<I: IntoIterator<Item = (CauseKind, u32)>>(tries: I) -> Self {
        Self(tries.into_iter().filter(|(_, tries)| *tries > 0).collect())
    }
}

/// How long to wait before the next try of a stage of which `tries` have failed for this cause;
/// `None` when another try cannot cure it or enough were made.
///
/// Only failures of the surroundings are curable: a design that does not fit never will.
pub fn delay(cause: CauseKind, tries: u32) -> Option<Duration> {
    let (most, first) = match cause {
        // The work is lost with its worker; another takes it up at once. The bound is for a job that
        // brings down each machine that tries it; machines that die on their own stay well below.
        CauseKind::WorkerLost => (10, Duration::ZERO),
        // A disk that is full, a tool that is gone: another worker may have neither, and an operator
        // gets most of an hour.
        CauseKind::WorkerTrouble => (10, Duration::from_secs(5)),
        // An operator, or the kernel of a machine that had no memory left at that moment.
        CauseKind::Killed => (5, Duration::from_secs(5)),
        CauseKind::Device => (3, Duration::from_secs(10)),
        // Licences come back when somebody else's build ends: patience, not speed.
        CauseKind::Licence => (48, Duration::from_secs(60)),
        CauseKind::Exit
        | CauseKind::Signal
        | CauseKind::SourceError
        | CauseKind::DoesNotFit
        | CauseKind::TimingNotMet
        | CauseKind::TestFailed
        | CauseKind::MissingOutput
        | CauseKind::TimeLimit
        | CauseKind::OutputLimit
        | CauseKind::OutOfMemory
        | CauseKind::Image
        | CauseKind::Access
        | CauseKind::NotExecutable
        | CauseKind::CorruptContent => return None,
    };
    if tries >= most {
        return None;
    }
    let doublings = tries.saturating_sub(1).min(5);
    Some((first * (1 << doublings)).min(Duration::from_secs(1800)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_worker_costs_no_wait_but_not_for_ever() {
        assert_eq!(delay(CauseKind::WorkerLost, 1), Some(Duration::ZERO));
        assert_eq!(delay(CauseKind::WorkerLost, 9), Some(Duration::ZERO));
        assert_eq!(delay(CauseKind::WorkerLost, 10), None);
    }

    #[test]
    fn a_failure_of_the_design_is_never_tried_again() {
        for kind in [
            CauseKind::DoesNotFit,
            CauseKind::TimingNotMet,
            CauseKind::TestFailed,
            CauseKind::Exit,
        ] {
            assert_eq!(delay(kind, 1), None);
        }
    }

    #[test]
    fn each_kind_of_failure_is_counted_for_itself() {
        let mut tries = Tries::from_iter([(CauseKind::WorkerLost, 9), (CauseKind::Device, 0)]);
        assert_eq!(tries.count(CauseKind::Device), 1);
        assert_eq!(tries.count(CauseKind::WorkerLost), 10);
        assert_eq!(tries.all(), 11);
        let text = serde_json::to_string(&tries).unwrap();
        assert_eq!(text, r#"{"device":1,"worker_lost":10}"#);
        assert_eq!(serde_json::from_str::<Tries>(&text).unwrap(), tries);
    }

    #[test]
    fn waits_for_a_licence_grow_up_to_half_an_hour() {
        let waits: Vec<u64> = (1..48)
            .map(|tries| delay(CauseKind::Licence, tries).expect("curable").as_secs())
            .collect();
        assert_eq!(&waits[..7], [60, 120, 240, 480, 960, 1800, 1800]);
        assert_eq!(delay(CauseKind::Licence, 48), None);
    }
}
