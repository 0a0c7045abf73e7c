//! Events that the service sends as they happen: a client of `text/event-stream`.

use std::time::Duration;

use reqwest::Response;

use super::destination::Destination;
use crate::client::ClientError;

/// Time without a byte after which a stream counts as lost: three heartbeats of the service.
const STALL_TIMEOUT: Duration = Duration::from_secs(45);
/// Maximum size of an event, in bytes.
const MAX_EVENT_BYTES: usize = 64 * 1024;

/// Event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamedEvent {
    /// Id of the event; empty without one.
    pub id: String,
    /// Data of the event, JSON.
    pub data: String,
}

/// Stream of events of a service.
pub struct EventStream {
    destination: Destination,
    response: Response,
    parser: EventParser,
}

impl EventStream {
    pub(super) fn new(destination: Destination, response: Response) -> Self {
        Self { destination, response, parser: EventParser::default() }
    }

    /// Returns the id from which another stream continues; empty before the first bytes.
    #[must_use]
    pub fn last_id(&self) -> &str {
        &self.parser.last_id
    }

    /// Returns the next event; `None` at the end of the stream, or if nothing arrives any more.
    ///
    /// # Errors
    /// Errors of the connection.
    pub async fn next(&mut self) -> Result<Option<StreamedEvent>, ClientError> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Some(event));
            }
            let Ok(chunk) = tokio::time::timeout(STALL_TIMEOUT, self.response.chunk()).await else { return Ok(None) };
            match chunk.map_err(|error| ClientError::of_request(&self.destination, error))? {
                Some(chunk) if self.parser.buffer.len() + chunk.len() <= 2 * MAX_EVENT_BYTES => {
                    self.parser.buffer.extend_from_slice(&chunk);
                }
                _ => return Ok(None),
            }
        }
    }
}

/// Splits received bytes into events.
#[derive(Debug, Default)]
struct EventParser {
    buffer: Vec<u8>,
    event: StreamedEvent,
    last_id: String,
}

impl EventParser {
    fn next(&mut self) -> Option<StreamedEvent> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line[..end]);
            let line = line.strip_suffix('\r').unwrap_or(&line);
            if line.is_empty() {
                let event = std::mem::take(&mut self.event);
                if !event.id.is_empty() {
                    self.last_id.clone_from(&event.id);
                }
                if !event.data.is_empty() {
                    return Some(event);
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => value.clone_into(&mut self.event.id),
                "data" if self.event.data.is_empty() => value.clone_into(&mut self.event.data),
                "data" if self.event.data.len() + value.len() < MAX_EVENT_BYTES => {
                    self.event.data.push('\n');
                    self.event.data.push_str(value);
                }
                // Comments, kinds, which the data repeat, and delays.
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_split_wherever_the_bytes_are() {
        let text = "retry: 5000\nid: 0\n: connected\n\nid: 1\nevent: a\ndata: {\"a\":1}\n\n: heartbeat\n\nid:2\r\ndata:x\r\ndata: y\r\n\r\n";
        let event = |id: &str, data: &str| StreamedEvent { id: id.to_owned(), data: data.to_owned() };
        for size in [1, 7, text.len()] {
            let (mut parser, mut found) = (EventParser::default(), Vec::new());
            parser.buffer.extend_from_slice(b"id: 0\n\n");
            assert_eq!((parser.next(), parser.last_id.as_str()), (None, "0"));
            for chunk in text.as_bytes().chunks(size) {
                parser.buffer.extend_from_slice(chunk);
                found.extend(std::iter::from_fn(|| parser.next()));
            }
            assert_eq!(found, [event("1", "{\"a\":1}"), event("2", "x\ny")], "{size}");
        }
    }
}
