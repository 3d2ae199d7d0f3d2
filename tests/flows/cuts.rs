//! Where the body of an answer breaks off: at each kind of place that a reader of JSON goes through.

use std::ops::Range;

/// One kind of place. What comes before it arrives, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cut {
    /// Nothing arrives.
    Empty,
    OneByte,
    Half,
    BeforeLast,
    /// Between the bytes of one character.
    InCharacter,
    /// Within the name of a member.
    InName,
    /// Within a text.
    InText,
    AfterComma,
    AfterColon,
    /// After the quote that closes a text.
    AfterQuote,
    /// After the brace that closes an object within another.
    AfterObject,
}

impl Cut {
    pub(crate) const ALL: [Self; 11] = [
        Self::Empty,
        Self::OneByte,
        Self::Half,
        Self::BeforeLast,
        Self::InCharacter,
        Self::InName,
        Self::InText,
        Self::AfterComma,
        Self::AfterColon,
        Self::AfterQuote,
        Self::AfterObject,
    ];

    /// What is left of a body. An object that has no such place gets one first; `None` where the body is empty, or has no place
    /// of this kind and is no object.
    pub(crate) fn of(self, body: &[u8]) -> Option<Vec<u8>> {
        let end = match self {
            _ if body.is_empty() => None,
            Self::Empty => Some(0),
            Self::OneByte => Some(1),
            Self::Half => Some(body.len() / 2),
            Self::BeforeLast => Some(body.len() - 1),
            Self::InCharacter => return Some(within_a_character(body)),
            _ => Places::of(body)?.last(self, body),
        };
        end.map(|end| body[..end].to_vec()).or_else(|| {
            let wider = wider(body)?;
            let end = Places::of(&wider)?.last(self, &wider)?;
            Some(wider[..end].to_vec())
        })
    }
}

/// Cuts the last character of several bytes. Where there is none, the last text begins with one, or what is no JSON has one in the
/// middle.
fn within_a_character(body: &[u8]) -> Vec<u8> {
    if let Some(begin) = body.iter().rposition(|byte| *byte >= 0xc2) {
        return body[..=begin].to_vec();
    }
    let text = Places::of(body).map(|places| places.texts.last().map_or(body.len() - 1, |text| text.start));
    [&body[..text.unwrap_or(body.len() / 2)], &"€".as_bytes()[..2]].concat()
}

/// An object with members that have every kind of place.
fn wider(body: &[u8]) -> Option<Vec<u8>> {
    let end = body.iter().rposition(|byte| *byte == b'}')?;
    let comma: &[u8] = if Places::of(body)?.names.is_empty() { b"" } else { b"," };
    Some([&body[..end], comma, br#""inner":{"member":"text"},"last":1"#, &body[end..]].concat())
}

/// The places in a JSON text.
#[derive(Default)]
struct Places {
    names: Vec<Range<usize>>,
    texts: Vec<Range<usize>>,
    commas: Vec<usize>,
    colons: Vec<usize>,
    objects: Vec<usize>,
}

impl Places {
    fn of(json: &[u8]) -> Option<Self> {
        serde_json::from_slice::<serde::de::IgnoredAny>(json).ok()?;
        let (mut found, mut depth, mut at) = (Self::default(), 0, 0);
        while at < json.len() {
            match json[at] {
                b'"' => {
                    let begin = at + 1;
                    at = begin;
                    while json[at] != b'"' {
                        at += if json[at] == b'\\' { 2 } else { 1 };
                    }
                    let next = json[at + 1..].iter().find(|byte| !byte.is_ascii_whitespace());
                    let list = if next == Some(&b':') { &mut found.names } else { &mut found.texts };
                    list.push(begin..at);
                }
                b',' => found.commas.push(at + 1),
                b':' => found.colons.push(at + 1),
                b'{' | b'[' => depth += 1,
                b']' => depth -= 1,
                b'}' => {
                    depth -= 1;
                    // One that is followed by the end alone is cut before the last byte already.
                    if depth > 0 && at + 2 < json.len() {
                        found.objects.push(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        Some(found)
    }

    /// The end of what arrives: up to the last such place, so that as much as may be is there.
    fn last(&self, cut: Cut, json: &[u8]) -> Option<usize> {
        let within = |texts: &[Range<usize>]| {
            let text = texts.iter().rfind(|text| !text.is_empty())?;
            (text.start..=text.start + text.len() / 2).rfind(|at| json[*at] & 0xc0 != 0x80)
        };
        match cut {
            Cut::InName => within(&self.names),
            Cut::InText => within(&self.texts),
            Cut::AfterComma => self.commas.last().copied(),
            Cut::AfterColon => self.colons.last().copied(),
            Cut::AfterQuote => {
                let mut ends = self.texts.iter().map(|text| text.end + 1);
                ends.rfind(|end| end + 1 < json.len())
            }
            Cut::AfterObject => self.objects.last().copied(),
            Cut::Empty | Cut::OneByte | Cut::Half | Cut::BeforeLast | Cut::InCharacter => None,
        }
    }
}

#[test]
fn each_body_breaks_off_where_it_is_said_to() {
    let cut = |cut: Cut, body: &str| cut.of(body.as_bytes()).map(|left| left.escape_ascii().to_string());
    let left = |it: &str| Some(it.as_bytes().escape_ascii().to_string());
    let body = r#"{"first":{"a\"b":[1,"x:,}y"]},"name":"text","last":true}"#;
    for (kind, expected) in [
        (Cut::Empty, ""),
        (Cut::OneByte, "{"),
        (Cut::Half, r#"{"first":{"a\"b":[1,"x:,}y"]"#),
        (Cut::BeforeLast, r#"{"first":{"a\"b":[1,"x:,}y"]},"name":"text","last":true"#),
        (Cut::InName, r#"{"first":{"a\"b":[1,"x:,}y"]},"name":"text","la"#),
        (Cut::InText, r#"{"first":{"a\"b":[1,"x:,}y"]},"name":"te"#),
        (Cut::AfterComma, r#"{"first":{"a\"b":[1,"x:,}y"]},"name":"text","#),
        (Cut::AfterColon, r#"{"first":{"a\"b":[1,"x:,}y"]},"name":"text","last":"#),
        (Cut::AfterQuote, r#"{"first":{"a\"b":[1,"x:,}y"]},"name":"text""#),
        (Cut::AfterObject, r#"{"first":{"a\"b":[1,"x:,}y"]}"#),
    ] {
        assert_eq!(cut(kind, body), left(expected), "{kind:?}");
    }
    assert_eq!(Cut::InCharacter.of(br#"{"a":"b"}"#).unwrap(), b"{\"a\":\"\xe2\x82");
    assert_eq!(Cut::InCharacter.of("{\"a\":\"bäc\"}".as_bytes()).unwrap(), b"{\"a\":\"b\xc3");
    assert_eq!(Cut::InCharacter.of(b"<html>").unwrap(), b"<ht\xe2\x82");
    // What has no such place gets one.
    assert_eq!(cut(Cut::AfterObject, r#"{"a":1}"#), left(r#"{"a":1,"inner":{"member":"text"}"#));
    assert_eq!(cut(Cut::AfterQuote, r#"{"a":1}"#), left(r#"{"a":1,"inner":{"member":"text""#));
    assert_eq!(cut(Cut::InText, "{}"), left(r#"{"inner":{"member":"te"#));
    assert_eq!(cut(Cut::AfterComma, "{}"), left(r#"{"inner":{"member":"text"},"#));
    for kind in Cut::ALL {
        assert_eq!(kind.of(b""), None, "{kind:?}");
        let all = kind.of(body.as_bytes()).unwrap();
        assert!(kind == Cut::InCharacter || body.as_bytes().starts_with(&all), "{kind:?}");
        assert!(serde_json::from_slice::<serde_json::Value>(&all).is_err(), "{kind:?}");
    }
    assert_eq!(cut(Cut::InName, "<html>"), None);
}
