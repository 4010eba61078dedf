//! Follows a job: its log, byte for byte however often the connection breaks, and its end.

use crate::failure::Patience;
use crate::out::{self, Sink};
use crate::{Failure, neutral};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use polyphemus_api::client::{LogPart, StatePart};
use polyphemus_api::event::LogEvent;
use polyphemus_api::job::Job;
use polyphemus_api::{Client, ClientError};
use polyphemus_core::{JobId, JobState};
use std::pin::pin;
use std::time::Duration;

/// When a log has been silent for so long, it is looked up whether the job waits for something.
const SILENCE: Duration = Duration::from_secs(3);

/// The log from a byte on until the job is over, into `sink`.
///
/// When the reader of `sink` goes, this ends with `Failure::OutputClosed`; the job does not mind.
pub async fn log(client: &Client, id: &JobId, from: u64, sink: &mut Sink) -> Result<JobState, Failure> {
    let mut follower = Follower {
        client,
        id,
        offset: from,
        told: None,
    };
    let mut patience = Patience::new();
    loop {
        let before = follower.offset;
        let error = match follower.go_on(sink).await? {
            Ok(state) => {
                sink.end()?;
                return Ok(state);
            }
            Err(error) => error,
        };
        if follower.offset > before {
            patience.renew();
        }
        let error = patience.endure(error).await?;
        if patience.is_new() {
            out::note(&format!(
                "{error}; trying again, the log goes on at byte {}",
                follower.offset
            ));
        }
    }
}

struct Follower<'a> {
    client: &'a Client,
    id: &'a JobId,
    /// Up to where the log was written.
    offset: u64,
    /// What the job waits for, as the user was told last.
    told: Option<String>,
}

impl Follower<'_> {
    /// One connection: to the end of the job, or to the error that breaks it. The outer error is one
    /// that no other connection can cure.
    async fn go_on(&mut self, sink: &mut Sink) -> Result<Result<JobState, ClientError>, Failure> {
        let parts = match self.client.log_events(self.id, self.offset).await {
            Ok(parts) => parts,
            Err(error) => return Ok(Err(error)),
        };
        let mut parts = pin!(parts);
        loop {
            let part = match tokio::time::timeout(SILENCE, parts.next()).await {
                Ok(part) => part,
                Err(_) => {
                    self.tell_what_it_waits_for().await;
                    parts.next().await
                }
            };
            match part {
                Some(Ok(LogPart::Log(event))) => {
                    if let Err(error) = self.write(&event, sink).await? {
                        return Ok(Err(error));
                    }
                }
                Some(Ok(LogPart::End(end))) => return Ok(Ok(end.job_state)),
                Some(Err(error)) => return Ok(Err(error)),
                None => return Ok(Err(cut(self.client))),
            }
        }
    }

    /// What of the event is not written yet. An event that does not continue what is written, or
    /// that cannot carry its bytes, is only a sign that there are more: the log itself has them.
    async fn write(&mut self, event: &LogEvent, sink: &mut Sink) -> Result<Result<(), ClientError>, Failure> {
        if event.end <= self.offset {
            return Ok(Ok(()));
        }
        let length = event.end - event.offset;
        let is_exact = event.offset == self.offset
            && event.text.len() as u64 == length
            && !event.text.contains(char::REPLACEMENT_CHARACTER);
        if is_exact {
            sink.write(event.text.as_bytes())?;
            self.offset = event.end;
            return Ok(Ok(()));
        }
        let chunks = match self.client.log(self.id, self.offset).await {
            Ok(chunks) => chunks,
            Err(error) => return Ok(Err(error)),
        };
        let mut chunks = pin!(chunks);
        loop {
            match chunks.try_next().await {
                Ok(Some(chunk)) => {
                    sink.write(&chunk)?;
                    self.offset += chunk.len() as u64;
                }
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    async fn tell_what_it_waits_for(&mut self) {
        // Only a courtesy: when this fails, the stream of the log fails too, and is heard.
        let Ok(job) = self.client.job(self.id).await else {
            return;
        };
        let reason = waits_for(&job);
        if reason.is_some() && reason != self.told {
            out::note(&format!("waiting: {}", reason.as_deref().unwrap_or_default()));
            self.told = reason;
        }
    }
}

/// Why no worker has the job's stage yet.
pub fn waits_for(job: &Job) -> Option<String> {
    job.stages
        .iter()
        .find_map(|stage| stage.waiting_for.as_deref())
        .map(neutral::line)
}

/// Waits until the job is over.
pub async fn end(client: &Client, id: &JobId) -> Result<JobState, Failure> {
    let mut after = 0;
    let mut patience = Patience::new();
    loop {
        let before = after;
        let error = match client.job_events(id, after).await {
            Ok(parts) => match last_state(parts, &mut after).await {
                Ok(Some(state)) => return Ok(state),
                Ok(None) => cut(client),
                Err(error) => error,
            },
            Err(error) => error,
        };
        if after > before {
            patience.renew();
        }
        let error = patience.endure(error).await?;
        if patience.is_new() {
            out::note(&format!("{error}; trying again"));
        }
    }
}

async fn last_state(
    parts: impl Stream<Item = Result<StatePart, ClientError>>,
    after: &mut i64,
) -> Result<Option<JobState>, ClientError> {
    let mut parts = pin!(parts);
    while let Some(part) = parts.try_next().await? {
        match part {
            StatePart::State(event) => *after = event.sequence,
            StatePart::End(end) => return Ok(Some(end.job_state)),
        }
    }
    Ok(None)
}

/// The job as it is now, through a short absence of its server.
pub async fn job(client: &Client, id: &JobId) -> Result<Job, Failure> {
    let mut patience = Patience::new();
    loop {
        match client.job(id).await {
            Ok(job) => return Ok(job),
            Err(error) => drop(patience.endure(error).await?),
        }
    }
}

/// A stream that ended without saying that the job is over: its server stops, or a proxy cut it.
fn cut(client: &Client) -> ClientError {
    ClientError::Cut {
        server: client.server().to_owned(),
    }
}
