//! What waits for a worker, in which order, and why nobody has it.

use super::list::page_size;
use super::{App, AppError};
use polyphemus_api::queue::{Queue, QueuedStage};

/// Stages of an answer.
const PAGE: u32 = 100;

impl App {
    /// The stages that wait for a worker, those first that are handed out first.
    pub async fn queue(&self, limit: Option<u32>) -> Result<Queue, AppError> {
        let limit = page_size(limit, PAGE, "stages")?;
        let mut waiting = Vec::new();
        for shape in self.0.store.shape_list() {
            for queued in self.0.store.queue_list(&shape.key, limit + 1).await? {
                waiting.push((queued, shape.clone()));
            }
        }
        waiting.sort_by_key(|(queued, _)| (queued.not_before_ms, queued.job_seq));
        let more = waiting.len() > limit as usize;
        waiting.truncate(limit as usize);
        let stages = waiting.into_iter().map(|(queued, shape)| QueuedStage {
            waiting_for: self.why(queued.not_before_ms, queued.cause.as_ref(), &shape),
            job: queued.job,
            title: queued.title,
            stage: shape.stage,
            needs: shape.needs.clone(),
            ready_ms: queued.not_before_ms,
        });
        Ok(Queue {
            stages: stages.collect(),
            more,
        })
    }
}
