//! Stages that were not to be tried before a time: when it has come, waiting claims are woken.
//! Also makes good whatever wake-up was missed.

use crate::app::{App, AppError, Ready, now_ms};

/// Wakes one waiting claim for each ready stage, as far as there are any that can do it. Gives the
/// time when the next delayed stage becomes ready.
pub(super) async fn wake(app: &App) -> Result<Option<i64>, AppError> {
    let now_ms = now_ms();
    let mut next: Option<i64> = None;
    for shape in app.0.store.shape_list() {
        let delayed = app.0.store.stage_next_delayed(&shape.key, now_ms).await?;
        next = next.into_iter().chain(delayed).min();
        let idle = u32::try_from(app.0.waiting.idle(&shape)).unwrap_or(u32::MAX);
        if idle == 0 {
            continue;
        }
        for stage in app.0.store.stage_list_queued(&shape.key, now_ms, idle).await? {
            app.0.waiting.wake(Ready {
                job_seq: stage.job_seq,
                position: stage.position,
                shape: shape.clone(),
            });
        }
    }
    Ok(next)
}
