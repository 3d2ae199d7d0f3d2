//! Server-sent events, as a finished body: WHATWG HTML §9.2.6.

/// One event. `kind` is `message` unless the stream said otherwise.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) data: String,
}

/// The events of a body that has been read to its end. An event that no blank line ends is dropped, as the
/// standard says: half of it may be missing.
pub(crate) fn events(body: &[u8]) -> Result<Vec<Event>, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the event stream is not UTF-8".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut events = Vec::new();
    let mut draft = Draft::default();
    let mut rest = text;
    while let Some((line, after)) = split_line(rest) {
        rest = after;
        if line.is_empty() {
            events.extend(std::mem::take(&mut draft).finish());
        } else {
            draft.field(line);
        }
    }
    Ok(events)
}

/// A line that a CRLF, LF or CR ends, and what follows it.
fn split_line(text: &str) -> Option<(&str, &str)> {
    let (line, rest) = text.split_at(text.find(['\r', '\n'])?);
    let rest = rest.strip_prefix("\r\n").unwrap_or_else(|| &rest[1..]);
    Some((line, rest))
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
            // A comment has an empty name; `id` and `retry` serve reconnection, which a finished body has no use for.
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
    use super::{Event, events};

    fn read(body: &str) -> Vec<(String, String)> {
        let found = events(body.as_bytes()).unwrap();
        found.into_iter().map(|Event { kind, data }| (kind, data)).collect()
    }

    fn message(data: &str) -> (String, String) {
        ("message".to_owned(), data.to_owned())
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
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        assert_eq!(read("\u{feff}data: a\n\n"), [message("a")]);
    }

    #[test]
    fn other_encodings_are_refused() {
        assert!(events(b"data: \xff\n\n").is_err());
    }
}
