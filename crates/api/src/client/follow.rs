//! Logs and events, also while they grow.

use super::{ANSWER_TIMEOUT, Client, ClientError, LogPart, StatePart, of_job};
use crate::event::{self, EventPage, StateEvent};
use crate::job;
use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use polyphemus_core::job::JobId;
use reqwest::Method;

impl Client {
    /// The events of all jobs after a sequence number, the oldest first.
    pub async fn event_page(&self, after: i64) -> Result<EventPage, ClientError> {
        let request = self.request(Method::GET, event::EVENTS).timeout(ANSWER_TIMEOUT);
        self.json(request.query(&[("after", after)])).await
    }

    /// The events of all jobs after a sequence number as they happen, without an end.
    pub async fn events_of_all(
        &self,
        after: i64,
    ) -> Result<impl Stream<Item = Result<StateEvent, ClientError>> + use<>, ClientError> {
        let request = self
            .request(Method::GET, event::EVENTS)
            .query(&[("after", after)]);
        let events = self.events(request).await?;
        Ok(events.try_filter_map(|event| async move {
            Ok(match event.name.as_str() {
                "state" => Some(event.parse()?),
                _ => None,
            })
        }))
    }

    /// The log from a byte offset on, as it is now.
    pub async fn log(
        &self,
        id: &JobId,
        offset: u64,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + use<>, ClientError> {
        let request = self
            .request(Method::GET, &of_job(job::JOB_LOG, id))
            .query(&[("offset", offset)]);
        let response = self.send(request).await?;
        Ok(self.body(response))
    }

    /// The log from a byte offset on, and what is appended, until the job is over.
    pub async fn log_events(
        &self,
        id: &JobId,
        offset: u64,
    ) -> Result<impl Stream<Item = Result<LogPart, ClientError>> + use<>, ClientError> {
        let request = self
            .request(Method::GET, &of_job(job::JOB_LOG_EVENTS, id))
            .query(&[("offset", offset)]);
        let events = self.events(request).await?;
        Ok(events.try_filter_map(|event| async move {
            Ok(match event.name.as_str() {
                "log" => Some(LogPart::Log(event.parse()?)),
                "end" => Some(LogPart::End(event.parse()?)),
                _ => None,
            })
        }))
    }

    /// The changes of state after a sequence number (0 for all), until the job is over.
    pub async fn job_events(
        &self,
        id: &JobId,
        after: i64,
    ) -> Result<impl Stream<Item = Result<StatePart, ClientError>> + use<>, ClientError> {
        let request = self
            .request(Method::GET, &of_job(job::JOB_EVENTS, id))
            .query(&[("after", after)]);
        let events = self.events(request).await?;
        Ok(events.try_filter_map(|event| async move {
            Ok(match event.name.as_str() {
                "state" => Some(StatePart::State(event.parse()?)),
                "end" => Some(StatePart::End(event.parse()?)),
                _ => None,
            })
        }))
    }
}
