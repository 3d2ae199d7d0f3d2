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
mod tests {
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
}
