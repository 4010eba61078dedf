//! Why a stage waits, in plain words.

use super::worker::Fit;
use super::{App, now_ms};
use crate::store::{Shape, StageRow};
use polyphemus_core::Cause;
use polyphemus_core::label::{self, Need};
use polyphemus_core::plan::PlannedStage;
use polyphemus_core::stage::StageState;

impl App {
    /// Why no worker has this stage yet; `None` when it is not queued.
    pub(super) fn waiting_for(&self, row: &StageRow, planned: &PlannedStage) -> Option<String> {
        let StageState::Queued { not_before_ms } = row.stage.state else {
            return None;
        };
        Some(self.why(not_before_ms, row.cause.as_ref(), &Shape::of(planned)))
    }

    /// Why no worker has a queued stage of this shape yet, whose last attempt failed by `cause`.
    pub(super) fn why(&self, not_before_ms: i64, cause: Option<&Cause>, shape: &Shape) -> String {
        let wait_ms = not_before_ms - now_ms();
        match (wait_ms > 0, cause) {
            (true, Some(cause)) => format!(
                "it will be tried again in {} s, because the last attempt failed ({cause})",
                seconds(wait_ms)
            ),
            (true, None) => format!("it will be tried again in {} s", seconds(wait_ms)),
            (false, _) => self.wanting(shape),
        }
    }

    fn wanting(&self, shape: &Shape) -> String {
        if self.0.waiting.idle(shape) > 0 {
            return "a worker is about to take it".into();
        }
        let fit = self.fit(shape);
        match fit.able {
            0 if fit.live == 0 => "no worker is live; start one with `polyphemus worker --server URL`".into(),
            0 => match &fit.refusal {
                Some((worker, why)) => {
                    format!("worker {worker}, which could do it, takes no stage now: {why}")
                }
                None => nobody(shape, &fit),
            },
            1 => "the one worker that can do it is busy".into(),
            able => format!("all {able} workers that can do it are busy"),
        }
    }
}

fn nobody(shape: &Shape, fit: &Fit) -> String {
    let quoted = |needs: Vec<&Need>| needs.iter().map(|need| format!("`{need}`")).collect::<Vec<_>>();
    let unmet = quoted(label::unmet(&shape.needs, &fit.labels));
    match (unmet.as_slice(), fit.equipped) {
        ([], 0) => format!(
            "no live worker offers {} together; start one on a machine that has them all",
            quoted(shape.needs.iter().collect()).join(", ")
        ),
        ([], _) => format!(
            "none of the {} live workers takes `{}` stages; start one that does",
            fit.live, shape.stage
        ),
        (unmet, _) => format!(
            "no live worker offers {}; start one on a machine that has it",
            unmet.join(" nor ")
        ),
    }
}

/// Whole seconds, not less than there are.
fn seconds(wait_ms: i64) -> u64 {
    wait_ms.max(0).unsigned_abs().div_ceil(1000)
}
