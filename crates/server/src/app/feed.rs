//! The events of all jobs, in the order of their commits.

use super::list::page_size;
use super::{App, AppError};
use polyphemus_api::event::EventPage;
use tokio::sync::watch;

/// Events of an answer.
const PAGE: u32 = 100;

impl App {
    /// The events after a sequence number, the oldest first.
    pub async fn event_page(&self, after: i64, limit: Option<u32>) -> Result<EventPage, AppError> {
        let limit = page_size(limit, PAGE, "events")?;
        let events = self.0.store.event_page(after, limit).await?;
        let next = events.last().map_or(after, |event| event.sequence);
        Ok(EventPage { events, next })
    }

    /// Tells the sequence number of the latest event of all jobs whenever there is a new one.
    pub(crate) fn watch_all(&self) -> watch::Receiver<i64> {
        self.0.watches.all()
    }
}
