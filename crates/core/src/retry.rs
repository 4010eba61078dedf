//! Which failures are tried again, and when.

use crate::cause::CauseKind;
use std::time::Duration;

/// How long to wait before the next try of a stage of which `tries` have failed for this cause;
/// `None` when another try cannot cure it or enough were made.
///
/// Only failures of the surroundings are curable: a design that does not fit never will.
pub fn delay(cause: CauseKind, tries: u32) -> Option<Duration> {
    let (most, first) = match cause {
        // The work is lost with its worker; another takes it up at once. The bound is for a job that
        // brings down each machine that tries it; machines that die on their own stay well below.
        CauseKind::WorkerLost => (10, Duration::ZERO),
        // Tries are counted over all causes, so that a bound below that of lost workers would end a
        // job at the first trouble after some losses.
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
    fn waits_for_a_licence_grow_up_to_half_an_hour() {
        let waits: Vec<u64> = (1..48)
            .map(|tries| delay(CauseKind::Licence, tries).expect("curable").as_secs())
            .collect();
        assert_eq!(&waits[..7], [60, 120, 240, 480, 960, 1800, 1800]);
        assert_eq!(delay(CauseKind::Licence, 48), None);
    }
}
