//! JSON objects from elsewhere, read within limits and with no member named twice.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use crate::base::breach::{Breach, Kind};

/// How deep values may nest.
pub const MAX_DEPTH: u32 = 16;
/// How many values a document may hold in all.
pub const MAX_VALUES: u32 = 10_000;

/// Up to so many members of an object each new name is held against all before it, which costs nothing but comparisons.
/// They grow with the square of the number, so where there are more, the names are sorted once instead. Documents have a
/// dozen or two.
const FEW: usize = 32;
/// How many members the outermost object of most documents has at most: room for them is made at once.
const USUAL: usize = 16;

type Members<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// A JSON value. Text without escapes is not copied out of the body.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Self>),
    /// An object: its members in the order in which they stand, no name twice.
    Object(Members<'a>),
}

impl Value<'_> {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// A JSON object whose members are read leniently: `null` and `""` count as absent.
#[derive(Clone, Debug, Default)]
pub struct Object<'a>(Members<'a>);

impl<'a> Object<'a> {
    /// Reads a body as one JSON object.
    ///
    /// A body that is no JSON object at all is [`Kind::NotADocument`]; an object that names a member twice (at any
    /// depth), nests deeper than [`MAX_DEPTH`] or holds more than [`MAX_VALUES`] values is [`Kind::Malformed`].
    pub fn read(body: &'a [u8]) -> Result<Self, Breach> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
        if start != Some(&b'{') {
            let got = match start {
                None => "an empty body",
                Some(b'<') => "markup",
                Some(b'[' | b'"' | b'0'..=b'9' | b't' | b'f' | b'n' | b'-') => {
                    "JSON of another type, or text"
                }
                Some(_) => "text",
            };
            return Err(Breach::new(Kind::NotADocument, "RFC 8259 §4", "a JSON object", got));
        }
        // Once for the whole body is far less work than for each text in it.
        let read = match std::str::from_utf8(body) {
            Ok(text) => value(serde_json::Deserializer::from_str(text)),
            Err(_) => value(serde_json::Deserializer::from_slice(body)),
        };
        match read {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(Breach::new(Kind::NotADocument, "RFC 8259 §4", "a JSON object", "another value")),
            Err(error) => Err(malformed(&error)),
        }
    }

    /// A member as it stands; `null` counts as absent.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let member = self.0.iter().find(|(known, _)| known == name);
        member.map(|(_, value)| value).filter(|value| !matches!(value, Value::Null))
    }

    /// A member that is an object itself.
    pub fn object(&self, name: &str) -> Option<Self> {
        match self.get(name) {
            Some(Value::Object(members)) => Some(Self(members.clone())),
            _ => None,
        }
    }

    /// A text member; `""` counts as absent.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`]: a value of another type.
    pub fn text(&self, name: &str, clause: &'static str) -> Result<Option<&str>, Breach> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.as_ref()).filter(|text| !text.is_empty())),
            Some(other) => Err(ill_typed(name, clause, "text", other)),
        }
    }

    /// A text member that must be there.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`]: none, or a value of another type.
    pub fn required(&self, name: &str, clause: &'static str) -> Result<&str, Breach> {
        self.text(name, clause)?
            .ok_or_else(|| Breach::new(Kind::Malformed, clause, format!("a member {name:?}"), "none"))
    }

    /// A true-or-false member.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`]: a value of another type.
    pub fn flag(&self, name: &str, clause: &'static str) -> Result<Option<bool>, Breach> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(ill_typed(name, clause, "true or false", other)),
        }
    }

    /// A number of seconds, as a number or as text, however it is written: with a fraction, which is dropped, or with an
    /// exponent. One above `u64::MAX` is that. What is negative, endless or no number counts as absent.
    pub fn seconds(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) => number.as_u64().or_else(|| floor(number.as_f64()?)),
            Value::Text(text) => seconds(text),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Object(_) => None,
        }
    }

    /// A list of texts; entries that are `null` or `""` are passed over.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`]: a value of another type, or an entry of another type.
    pub fn texts(
        &self,
        name: &str,
        clause: &'static str,
    ) -> Result<Option<impl Iterator<Item = &str> + Clone>, Breach> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let Value::List(entries) = value else {
            return Err(ill_typed(name, clause, "a list of texts", value));
        };
        if let Some(other) = entries.iter().find(|entry| !matches!(entry, Value::Text(_) | Value::Null)) {
            return Err(ill_typed(name, clause, "a list of texts", other));
        }
        Ok(Some(entries.iter().filter_map(Value::as_str).filter(|text| !text.is_empty())))
    }

    /// The same, to be kept.
    ///
    /// # Errors
    ///
    /// As with [`Self::texts`].
    pub fn owned_texts(&self, name: &str, clause: &'static str) -> Result<Option<Vec<String>>, Breach> {
        let texts = self.texts(name, clause)?;
        Ok(texts.map(|texts| texts.map(str::to_owned).collect()))
    }
}

/// The one value that the input holds.
fn value<'a, R: serde_json::de::Read<'a>>(
    mut input: serde_json::Deserializer<R>,
) -> Result<Value<'a>, serde_json::Error> {
    let mut values = 0;
    let value = Checked { depth: 0, values: &mut values }.deserialize(&mut input)?;
    input.end().map(|()| value)
}

/// Whether a name is there twice.
fn doubled(members: &Members<'_>) -> bool {
    let mut names: Vec<_> = members.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
}

/// A text as [`Object::seconds`] has it.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    text.parse().ok().or_else(|| floor(text.parse().ok()?))
}

/// The whole seconds of a number that is neither negative nor endless; the most there are, where it is more.
fn floor(seconds: f64) -> Option<u64> {
    let fits = seconds.is_finite() && seconds >= 0.0;
    // Without its fraction first, for a span would be rounded to the next nanosecond.
    fits.then(|| Duration::try_from_secs_f64(seconds.trunc()).map_or(u64::MAX, |span| span.as_secs()))
}

/// An error of the parser, told by place. Its own words may quote the body, so only its place is kept.
fn malformed(error: &serde_json::Error) -> Breach {
    let (clause, rule) = match error.classify() {
        serde_json::error::Category::Data => {
            ("RFC 8259 §4", "no member named twice, and limited depth and size")
        }
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => ("RFC 8259 §2", "valid JSON"),
    };
    let place = format!("something else at line {}, column {}", error.line(), error.column());
    Breach::new(Kind::Malformed, clause, rule, place)
}

fn ill_typed(name: &str, clause: &'static str, expected: &str, got: &Value<'_>) -> Breach {
    let got = match got {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::Text(_) => "text",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
    };
    Breach::new(Kind::Malformed, clause, format!("{expected} in {name:?}"), got)
}

/// Builds a value while counting depth and values and refusing doubled members.
struct Checked<'c> {
    depth: u32,
    values: &'c mut u32,
}

impl<'de> DeserializeSeed<'de> for Checked<'_> {
    type Value = Value<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, input: D) -> Result<Value<'de>, D::Error> {
        *self.values = self.values.saturating_add(1);
        if self.depth > MAX_DEPTH || *self.values > MAX_VALUES {
            return Err(de::Error::custom("too deep or too large"));
        }
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let depth = self.depth.saturating_add(1);
        let mut list = Vec::new();
        while let Some(value) = entries.next_element_seed(Checked { depth, values: self.values })? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let depth = self.depth.saturating_add(1);
        let mut members = Members::with_capacity(if self.depth == 0 { USUAL } else { 0 });
        while let Some(Name(name)) = entries.next_key()? {
            let value = entries.next_value_seed(Checked { depth, values: self.values })?;
            // The last of few is held against those before it here; one more, and all are looked through below.
            if members.len() < FEW && members.iter().any(|(known, _)| *known == name) {
                return Err(de::Error::custom("a member is named twice"));
            }
            members.push((name, value));
        }
        if members.len() > FEW && doubled(&members) {
            return Err(de::Error::custom("a member is named twice"));
        }
        Ok(Value::Object(members))
    }
}

/// The name of a member. `Cow` alone would always copy.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(body: &str) -> Option<Kind> {
        Object::read(body.as_bytes()).err().map(|breach| breach.kind)
    }

    #[test]
    fn what_is_no_object_is_no_document() {
        for body in ["", "  ", "<html>", "[]", "\"x\"", "null", "Not Found", "12"] {
            assert_eq!(kind(body), Some(Kind::NotADocument), "{body:?}");
        }
    }

    #[test]
    fn broken_objects_are_malformed() {
        for body in
            ["{", "{}x", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "{\"a\":1,}", "{\"a\":1e999}"]
        {
            assert_eq!(kind(body), Some(Kind::Malformed), "{body:?}");
        }
        for (count, place) in [(40, 0), (40, 39), (2, 0), (33, 32), (32, 31)] {
            let members: Vec<_> = (0..count).map(|n| format!("\"m{n}\":1")).collect();
            assert_eq!(kind(&format!("{{{}}}", members.join(","))), None);
            let doubled = format!("{{{},\"m{place}\":1}}", members.join(","));
            assert_eq!(kind(&doubled), Some(Kind::Malformed), "{doubled}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(20), "]".repeat(20));
        assert_eq!(kind(&deep), Some(Kind::Malformed));
        let wide = format!("{{\"a\":[{}0]}}", "0,".repeat(10_000));
        assert_eq!(kind(&wide), Some(Kind::Malformed));
    }

    #[test]
    fn depth_and_number_of_values_have_a_limit_each() {
        // The object has no depth yet; it and the list are values too.
        for (more, expected) in [(0, None), (1, Some(Kind::Malformed)), (2, Some(Kind::Malformed))] {
            let depth = MAX_DEPTH as usize + more;
            let deep = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(kind(&deep), expected, "{depth}");
            let values = MAX_VALUES as usize - 2 + more;
            let wide = format!("{{\"a\":[{}0]}}", "0,".repeat(values - 1));
            assert_eq!(kind(&wide), expected, "{values}");
        }
    }

    #[test]
    fn null_and_empty_are_absent() {
        let object =
            Object::read(b"\xef\xbb\xbf {\"a\":null,\"b\":\"\",\"c\":[null,\"\",\"x\"],\"d\":true}").unwrap();
        assert_eq!(object.text("a", "-").unwrap(), None);
        assert_eq!(object.text("b", "-").unwrap(), None);
        assert!(object.required("b", "-").is_err());
        assert_eq!(object.texts("c", "-").unwrap().map(Iterator::collect), Some(vec!["x"]));
        assert_eq!(object.flag("d", "-").unwrap(), Some(true));
        assert_eq!(object.text("d", "-").unwrap_err().kind, Kind::Malformed);
    }

    /// The same for a number and for text that holds it.
    #[test]
    fn seconds_are_read_however_they_are_written() {
        let read = |text: &str| Object::read(format!("{{\"n\":{text}}}").as_bytes()).unwrap().seconds("n");
        for (written, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-0.0", Some(0)),
            ("0.9999999999", Some(0)),
            ("1.5e-7", Some(0)),
            ("3599.9999999999", Some(3599)),
            ("1e3", Some(1000)),
            ("1E3", Some(1000)),
            ("1.5e9", Some(1_500_000_000)),
            ("1.5e+9", Some(1_500_000_000)),
            ("1e15", Some(1_000_000_000_000_000)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", Some(u64::MAX)),
            ("1e300", Some(u64::MAX)),
            ("-1", None),
            ("-0.5", None),
            ("-1e3", None),
        ] {
            assert_eq!(read(written), expected, "{written}");
            assert_eq!(read(&format!("\" {written} \"")), expected, "{written} in a text");
        }
        for nonsense in ["", "soon", "1.5.9", "1e", "1.x", "inf", "Infinity", "-inf", "NaN", "1e999", "0x10"]
        {
            assert_eq!(read(&format!("\"{nonsense}\"")), None, "{nonsense:?}");
        }
    }

    #[test]
    fn an_error_never_quotes_the_body() {
        let breach = Object::read(b"{\"access_token\":\"s3cret\",\"access_token\":\"s3cret\"}").unwrap_err();
        assert!(!breach.to_string().contains("s3cret"));
    }
}
