//! Reads a stream of server-sent events (WHATWG HTML, §9.2.6), as far as our server makes use of them.

use super::ClientError;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde::de::DeserializeOwned;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
    server: String,
}

impl Event {
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_str(&self.data).map_err(|_| ClientError::NotPolyphemus {
            server: self.server.clone(),
            status: 200,
            text: self.data.chars().take(200).collect(),
        })
    }
}

/// The events of a body. It ends where the body ends; an event that is cut off there is dropped, as
/// the standard has it.
pub(super) fn events(
    body: impl Stream<Item = Result<Bytes, ClientError>>,
    server: String,
) -> impl Stream<Item = Result<Event, ClientError>> {
    let mut reader = Reader {
        server,
        ..Reader::default()
    };
    body.flat_map(move |chunk| {
        let events: Vec<Result<Event, ClientError>> = match chunk {
            Ok(chunk) => reader.feed(&chunk).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        futures::stream::iter(events)
    })
}

#[derive(Debug, Default)]
struct Reader {
    line: Vec<u8>,
    name: String,
    data: Vec<String>,
    server: String,
}

impl Reader {
    fn feed(&mut self, chunk: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in chunk {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                let text = String::from_utf8_lossy(&line);
                if let Some(event) = self.end_of_line(text.trim_end_matches('\r')) {
                    events.push(event);
                }
            } else {
                self.line.push(byte);
            }
        }
        events
    }

    fn end_of_line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            let name = std::mem::take(&mut self.name);
            let event = Event {
                name,
                data: data.join("\n"),
                server: self.server.clone(),
            };
            return (!data.is_empty()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "data" => self.data.push(value.to_owned()),
            // Comments keep the connection alive; ids are within the data of our events.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_the_body_is_cut() {
        let body =
            b": hello\n\nevent: log\r\nid: 7\r\ndata: {\"a\":1,\ndata: \"b\":2}\n\ndata: x\n\ndata: cut";
        for size in 1..body.len() {
            let mut reader = Reader::default();
            let events: Vec<Event> = body.chunks(size).flat_map(|chunk| reader.feed(chunk)).collect();
            let seen: Vec<(&str, &str)> = events
                .iter()
                .map(|event| (event.name.as_str(), event.data.as_str()))
                .collect();
            assert_eq!(seen, [("log", "{\"a\":1,\n\"b\":2}"), ("", "x")]);
        }
    }
}
