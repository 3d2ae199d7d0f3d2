//! Server-sent events as they come in, WHATWG HTML §9.2.6. The stream may be cut into chunks anywhere, and need not end.
//! The client of the conformance suite reads by this file too.

/// One event. `kind` is `message` unless the stream said otherwise.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) data: String,
}

/// A stream that is being read. An event that no blank line ends is never given: half of it may be missing.
#[derive(Default)]
pub(crate) struct Stream {
    /// What there is of the line that has not ended.
    line: Vec<u8>,
    /// Whether a line feed that comes now belongs to the line that a carriage return has ended.
    returned: bool,
    begun: bool,
    draft: Draft,
}

impl Stream {
    /// Takes the next chunk, and gives the events that end in it. Whoever calls it bounds how much there is in all.
    pub(crate) fn take(&mut self, chunk: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in chunk {
            let continues = byte == b'\n' && self.returned;
            self.returned = byte == b'\r';
            match byte {
                b'\n' if continues => {}
                b'\r' | b'\n' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let begun = std::mem::replace(&mut self.begun, true);
        let line = if begun { &line } else { line.strip_prefix('\u{feff}').unwrap_or(&line) };
        if line.is_empty() {
            return std::mem::take(&mut self.draft).finish();
        }
        self.draft.field(line);
        None
    }
}

#[derive(Default)]
struct Draft {
    kind: String,
    data: Option<String>,
}

impl Draft {
    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.kind),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // A comment has an empty name; `id` and `retry` serve reconnection, which nobody here does.
            _ => {}
        }
    }

    /// An event without data is not dispatched.
    fn finish(self) -> Option<Event> {
        let data = self.data.filter(|data| !data.is_empty())?;
        let kind = if self.kind.is_empty() { "message".to_owned() } else { self.kind };
        Some(Event { kind, data })
    }
}

#[cfg(test)]
#[path = "../../adapters/host/tests/rig/changed.rs"]
mod changed;

#[cfg(test)]
mod tests {
    use super::changed::Changes;
    use super::{Event, Stream};

    type Told = (String, String);

    fn told(events: Vec<Event>) -> Vec<Told> {
        events.into_iter().map(|Event { kind, data }| (kind, data)).collect()
    }

    fn read(body: &str) -> Vec<Told> {
        told(Stream::default().take(body.as_bytes()))
    }

    fn message(data: &str) -> Told {
        ("message".to_owned(), data.to_owned())
    }

    #[test]
    fn an_event_is_there_as_soon_as_its_blank_line() {
        for (before, end) in
            [("data: a\n", "\n"), ("data: a\r\n", "\r"), ("data: a\r", "\r"), ("data: a\r\n", "\n")]
        {
            let mut stream = Stream::default();
            assert_eq!(told(stream.take(before.as_bytes())), [], "{before:?}");
            assert_eq!(told(stream.take(end.as_bytes())), [message("a")], "{before:?}");
        }
    }

    #[test]
    fn every_line_ending_ends_a_line() {
        for end in ["\n", "\r\n", "\r"] {
            let body = format!("event: message{end}data: {{\"a\":1}}{end}{end}");
            assert_eq!(read(&body), [message("{\"a\":1}")], "{end:?}");
        }
        assert_eq!(read("data: a\r\ndata: b\n\rdata: c\r\r"), [message("a\nb"), message("c")]);
    }

    #[test]
    fn where_the_chunks_are_cut_makes_no_difference() {
        let body = "\u{feff}: alive\r\n\r\nevent: ping\r\ndata: ü\r\n\r\ndata: {\r\rdata:  \ndata: €}\n\n";
        let whole = read(body);
        assert_eq!(whole, [("ping".to_owned(), "ü".to_owned()), message("{"), message(" \n€}")]);
        for place in 0..=body.len() {
            let (first, second) = body.as_bytes().split_at(place);
            let mut stream = Stream::default();
            let mut events = told(stream.take(first));
            events.extend(told(stream.take(second)));
            assert_eq!(events, whole, "cut at {place}");
        }
        let mut stream = Stream::default();
        let bytes: Vec<_> = body.bytes().flat_map(|byte| told(stream.take(&[byte]))).collect();
        assert_eq!(bytes, whole, "byte by byte");
    }

    #[test]
    fn data_lines_are_joined_by_a_line_feed() {
        assert_eq!(read("data: a\ndata:b\ndata\ndata:  c\n\n"), [message("a\nb\n\n c")]);
    }

    #[test]
    fn comments_and_unknown_fields_are_passed_over() {
        assert_eq!(read(":\r\n\r\n: alive\nid: 7\nretry: 10\nother: x\ndata: a\n\n"), [message("a")]);
    }

    #[test]
    fn several_events_keep_their_order_and_kind() {
        let body = "event: ping\ndata: 1\n\ndata: 2\n\nevent: message\ndata: 3\n\n";
        assert_eq!(read(body), [("ping".to_owned(), "1".to_owned()), message("2"), message("3")]);
    }

    #[test]
    fn an_event_without_data_or_without_its_end_is_dropped() {
        assert_eq!(read("event: message\n\ndata:\n\n"), []);
        assert_eq!(read("data: whole\n\ndata: half\n"), [message("whole")]);
        assert_eq!(read("data: whole\n\ndata: half"), [message("whole")]);
        assert_eq!(read(""), []);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line_and_of_that_one_only() {
        assert_eq!(read("\u{feff}data: a\n\n"), [message("a")]);
        assert_eq!(read("\n\u{feff}data: a\n\n"), []);
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_replaced() {
        assert_eq!(told(Stream::default().take(b"data: \xff\n\n")), [message("\u{fffd}")]);
    }

    /// The same stream, read as a whole: event by event, and of each the lines that matter.
    fn at_once(body: &[u8]) -> Vec<Told> {
        let text = String::from_utf8_lossy(body);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        // A line feed in front ends an event that has not begun, and so the first is told like the others.
        let text = format!("\n{text}");
        let Some((ended, _)) = text.rsplit_once("\n\n") else { return Vec::new() };
        let value = |line: &str, name: &str| {
            let rest = line.strip_prefix(name)?;
            let value = if rest.is_empty() { Some("") } else { rest.strip_prefix(':') };
            value.map(|value| value.strip_prefix(' ').unwrap_or(value).to_owned())
        };
        let event = |event: &str| {
            let data: Vec<_> = event.split('\n').filter_map(|line| value(line, "data")).collect();
            let kind = event.split('\n').rev().find_map(|line| value(line, "event"));
            let kind = kind.filter(|kind| !kind.is_empty()).unwrap_or_else(|| "message".to_owned());
            Some((kind, data.join("\n"))).filter(|(_, data)| !data.is_empty())
        };
        ended.split("\n\n").filter_map(event).collect()
    }

    #[test]
    fn streams_of_anything_are_read_as_a_second_reader_reads_them() {
        let good = [
            "\u{feff}event: ping\ndata: 1\n\ndata: {\"a\":\ndata:  2}\n\n: alive\n\nid: 7\ndata: \u{fc}\n\n",
            "data: a\r\rdata\rdata:b\r\r\nevent:\ndata: c\r\n\r\nretry: 1\r\n\r\n",
            "event: a\nevent: b\ndata\ndata\n\ndata:x\n\ndata: half\n",
        ];
        let pieces = [
            "\r",
            "\n",
            "\r\n",
            "\n\n",
            ":",
            " ",
            "data",
            "data: ",
            "event",
            "event: x\n",
            "\u{feff}",
            "\0",
            "\u{20ac}",
        ];
        let (mut changes, mut many) = (Changes::new(0x9e37_79b9_7f4a_7c15), 0);
        for _ in 0..10_000 {
            let body = changes.to(&good, &pieces);
            let (mut stream, mut events, mut from) = (Stream::default(), Vec::new(), 0);
            while from < body.len() {
                let to = (from + 1 + changes.below(9)).min(body.len());
                events.extend(told(stream.take(&body[from..to])));
                from = to;
            }
            assert_eq!(events, at_once(&body), "{:?}", String::from_utf8_lossy(&body));
            many += events.len();
        }
        assert!(many > 10_000, "{many} events");
    }
}
