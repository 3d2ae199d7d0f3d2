//! Event streams, each event within its limit.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, BoxStream, StreamExt as _};
use mcp_auth_reqwest::Error;
use mcp_auth_reqwest::reqwest::Response;
use sse_stream::{Error as SseError, Sse, SseStream};

use crate::error::broken;

pub(crate) type Events = BoxStream<'static, Result<Sse, SseError>>;

/// How many places are remembered where a stream cannot be taken up.
const DEAD_ENDS: usize = 64;

#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Broken(Error),
    #[error("an event is larger than the {limit} bytes that one may have")]
    TooLarge { limit: usize },
}

/// Where streams ended at an event that cannot be read. rmcp asks again from the last good one, at once and for ever, and
/// would be given the bad one each time.
#[derive(Clone, Default)]
pub(crate) struct DeadEnds(Arc<Mutex<VecDeque<Place>>>);

/// A place in the events of a session: after the event of this id.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) session: Option<Arc<str>>,
    pub(crate) event: Option<String>,
}

impl DeadEnds {
    pub(crate) fn has(&self, place: &Place) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(place)
    }

    /// The beginning of a stream is none: it may go otherwise the next time.
    fn add(&self, place: &Place) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if place.event.is_some() && !places.contains(place) {
            places.truncate(DEAD_ENDS.saturating_sub(1));
            places.push_front(place.clone());
        }
    }
}

/// The events of a body. `place` is where they begin.
pub(crate) fn of(response: Response, limit: usize, mut place: Place, dead_ends: DeadEnds) -> Events {
    let begun = (response, Gauge::new(limit), false);
    let chunks = stream::try_unfold(begun, move |(mut response, mut gauge, over)| async move {
        if over {
            return Err(Stopped::TooLarge { limit });
        }
        let chunk = response.chunk().await.map_err(|error| Stopped::Broken(broken(error)))?;
        let Some(chunk) = chunk else { return Ok(None) };
        // What comes before the event that is too large is good.
        let good = gauge.admits(&chunk);
        let over = good < chunk.len();
        Ok(Some((chunk.slice(..good), (response, gauge, over))))
    });
    let events = SseStream::from_bytes_stream(chunks.boxed());
    let watched = events.inspect(move |event| match event {
        Ok(event) => {
            if let Some(id) = &event.id {
                place.event = Some(id.clone());
            }
        }
        Err(SseError::Body(error)) if matches!(error.downcast_ref(), Some(Stopped::Broken(_))) => {}
        Err(error) => {
            tracing::warn!(target: "mcp_auth", %error, "the event stream cannot be read further");
            dead_ends.add(&place);
        }
    });
    watched.boxed()
}

/// One event with this text.
pub(crate) fn one(text: String) -> Events {
    stream::iter([Ok(Sse::default().data(text))]).boxed()
}

/// Counts what a reader must keep of the event that has begun: its lines, but no comments.
struct Gauge {
    limit: usize,
    /// The lines of the event that are complete, each with its end.
    kept: usize,
    line: usize,
    comment: bool,
    after_cr: bool,
}

impl Gauge {
    fn new(limit: usize) -> Self {
        Self { limit, kept: 0, line: 0, comment: false, after_cr: false }
    }

    /// How many of these bytes come before one with which an event is too large.
    fn admits(&mut self, chunk: &[u8]) -> usize {
        chunk.iter().position(|byte| !self.admits_byte(*byte)).unwrap_or(chunk.len())
    }

    fn admits_byte(&mut self, byte: u8) -> bool {
        // CR, LF, and both together end a line.
        let second_half = byte == b'\n' && self.after_cr;
        self.after_cr = byte == b'\r';
        match byte {
            _ if second_half => {}
            b'\r' | b'\n' => {
                self.kept = match self.line {
                    0 => 0,
                    _ if self.comment => self.kept,
                    line => self.kept.saturating_add(line).saturating_add(1),
                };
                self.line = 0;
            }
            _ => {
                if self.line == 0 {
                    self.comment = byte == b':';
                }
                self.line = self.line.saturating_add(1);
            }
        }
        self.kept.saturating_add(self.line) <= self.limit
    }
}

#[cfg(test)]
#[path = "../../host/tests/rig/changed.rs"]
mod changed;

#[cfg(test)]
mod tests {
    use super::changed::Changes;
    use super::{DEAD_ENDS, DeadEnds, Gauge, Place};

    fn fits(limit: usize, chunks: &[&str]) -> bool {
        let mut gauge = Gauge::new(limit);
        chunks.iter().all(|chunk| gauge.admits(chunk.as_bytes()) == chunk.len())
    }

    #[test]
    fn each_event_is_measured_by_itself() {
        assert!(fits(8, &["data: a\n\n", "data: b\n\n"]));
        assert!(!fits(8, &["data: a\n", "data: b\n\n"]), "two lines of one event");
        assert!(!fits(8, &["data: a", "aaaa"]), "a line that has not ended");
        assert!(fits(8, &["data: a\r", "\n\r\n", "data: b\r\n\r\n"]), "the ends of lines cut in two");
        assert!(fits(8, &["data: a\r\rdata: b\r\r"]), "CR alone");
        assert!(fits(8, &[": aaaaa\n: aaaaa\n: aaaaa\ndata: a\n\n"]), "comments are not kept");
        assert!(!fits(8, &[": aaaaaaaaaaaaaaaaaa"]), "but their line is, until it ends");
        assert!(!fits(0, &["a"]) && fits(0, &["\n\n\n"]));
    }

    #[test]
    fn dead_ends_are_bounded_and_the_beginning_is_none() {
        let (ends, at) = (DeadEnds::default(), |event: Option<usize>| Place {
            session: Some("s".into()),
            event: event.map(|event| event.to_string()),
        });
        ends.add(&at(None));
        assert!(!ends.has(&at(None)));
        for event in 0..=DEAD_ENDS {
            ends.add(&at(Some(event)));
            ends.add(&at(Some(event)));
        }
        assert!(ends.has(&at(Some(DEAD_ENDS))) && ends.has(&at(Some(1))) && !ends.has(&at(Some(0))));
        assert!(!ends.has(&Place { session: None, ..at(Some(1)) }));
    }

    /// What a reader must keep once it has read so much, counted from the whole.
    fn kept(read: &str) -> usize {
        let read = read.replace("\r\n", "\n").replace('\r', "\n");
        let lines: Vec<_> = read.split('\n').collect();
        let (last, whole) = lines.split_last().unwrap();
        let event = whole.rsplit(|line| line.is_empty()).next().unwrap_or_default();
        let lines = event.iter().filter(|line| !line.starts_with(':')).map(|line| line.len() + 1);
        lines.sum::<usize>() + last.len()
    }

    #[test]
    fn streams_of_anything_are_measured_as_a_second_reader_measures_them() {
        let good = [
            "event: message\nid: 1\ndata: {\"a\":1}\n\n: alive\n\ndata: b\r\n\r\n",
            "data: a\rdata: b\r\r:\r\n:\n\rdata: c\n\n",
            ": aaaaaaaaaa\n: aaaaaaaaaa\ndata: aaaaaaaaaa\nretry: 10\n\n",
        ];
        let pieces = ["\r", "\n", "\r\n", "\n\n", ":", "data: ", "xxxxxxxx", "\n:", "\0", "id: 2\n"];
        let (mut changes, mut whole, mut cut) = (Changes::new(0x9e37_79b9_7f4a_7c15), 0, 0);
        for _ in 0..10_000 {
            // Bytes are counted, and none of what matters is above ASCII.
            let mut stream = changes.to(&good, &pieces);
            stream.iter_mut().for_each(|byte| *byte &= 0x7f);
            let text = std::str::from_utf8(&stream).unwrap();
            let limit = changes.below(48);
            let fits = |end: &usize| kept(&text[..*end]) <= limit;
            let expected = (1..=text.len()).take_while(fits).count();
            let (mut gauge, mut from, mut admitted) = (Gauge::new(limit), 0, 0);
            while from < text.len() && admitted == from {
                let to = (from + 1 + changes.below(9)).min(text.len());
                admitted += gauge.admits(&text.as_bytes()[from..to]);
                from = to;
            }
            assert_eq!(admitted, expected, "{text:?} at a limit of {limit}");
            if expected == text.len() { whole += 1 } else { cut += 1 }
        }
        assert!(whole > 1_000 && cut > 1_000, "{whole} whole, {cut} cut");
    }
}
