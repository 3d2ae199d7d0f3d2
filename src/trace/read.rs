//! Reading a trace, and what is wrong with a line that is none.
//!
//! What is said of a line names members and places, and no value: a value may be a secret, and serde quotes values.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use super::event::{Answer, Told};
use super::{Header, Line, Note, Proof, Trace, VERSION};
use crate::base::text::clean;
use crate::base::time::Timestamp;

/// The longest line that is read, in bytes.
pub(super) const MAX_LINE: usize = 4 << 20;
/// The most lines that are read.
pub(super) const MAX_LINES: usize = 100_000;
/// The longest place that is named, in characters.
const MAX_PLACE: usize = 120;
/// How many bytes are read once more, at most, to find what is wrong with a line.
const MAX_READ_AGAIN: usize = 8 << 20;
/// The members of which each line after the first has one, and what it is by that.
const KINDS: [(&str, &str); 4] =
    [("event", "an event"), ("prove", "a proof"), ("action", "an action"), ("note", "a note")];

/// Text that is no trace. It quotes no value of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// The line of the text, counted from one.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the trace: {}", self.line, self.why)
    }
}

impl std::error::Error for Unreadable {}

impl Trace {
    /// Reads a trace. Empty lines are passed over; so is the last one where it breaks off and has no line feed, as a recorder
    /// leaves it that could not write on: [`broken_off`](Self::broken_off) says so.
    ///
    /// # Errors
    ///
    /// The first line that is not of the form or the version, or is longer than 4 MiB; more than 100,000 lines.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let unended = (!text.ends_with('\n')).then(|| text.lines().count());
        let numbered = (1_usize..).zip(text.lines());
        let mut numbered = numbered.filter(|(_, line)| !line.trim().is_empty());
        let (first, header) =
            numbered.next().ok_or_else(|| Unreadable { line: 1, why: "there is none".to_owned() })?;
        let header = self::header(header).map_err(|why| Unreadable { line: first, why })?;
        let (mut lines, mut numbers, mut broken_off) = (Vec::new(), vec![first], false);
        for (number, text) in numbered {
            if numbers.len() >= MAX_LINES {
                return Err(Unreadable { line: number, why: format!("more than {MAX_LINES} lines") });
            }
            match line(text) {
                Ok(line) => {
                    lines.push(line);
                    numbers.push(number);
                }
                Err(_) if unended == Some(number) && breaks_off(text) => broken_off = true,
                Err(why) => return Err(Unreadable { line: number, why }),
            }
        }
        Ok(Self { header, lines, numbers, broken_off })
    }
}

fn breaks_off(line: &str) -> bool {
    line.len() <= MAX_LINE && serde_json::from_str::<Value>(line).is_err_and(|error| error.is_eof())
}

fn header(text: &str) -> Result<Header, String> {
    let value = json(text)?;
    match value.get("trace").and_then(Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {}
        Some(version) => return Err(format!("it is of version {version}; this reads version {VERSION}")),
        None => return Err("it has no member `trace` with the version".to_owned()),
    }
    let fault = |why| fault("a header", &value, why, &|value| read_as::<Header>(value).is_ok());
    let header: Header = read_as(&value).map_err(fault)?;
    let config = serde_json::to_value(&header.config).unwrap_or_default();
    // What such a member would make of the machine nobody here knows.
    match value.get("config").and_then(|read| unknown(read, &config)) {
        Some(place) => Err(format!(
            "a header with {}, which this version does not know",
            shown(&format!("/config{place}"))
        )),
        None => Ok(header),
    }
}

fn line(text: &str) -> Result<Line, String> {
    let value = json(text)?;
    let members = value.as_object().ok_or("it is no JSON object")?;
    if members.contains_key("trace") {
        return Err("a header, which is the first line and no other".to_owned());
    }
    let mut kinds = KINDS.into_iter().filter(|(member, _)| members.contains_key(*member));
    let (member, kind) = kinds.next().ok_or("neither an event, a proof, an action nor a note")?;
    if let Some((_, other)) = kinds.next() {
        return Err(format!("{kind} and {other} at once"));
    }
    let held = members.get(member).unwrap_or(&Value::Null);
    let at = members.get("at");
    if member != "action" && at.is_none() {
        return Err(format!("{kind} in which `at` is missing"));
    }
    match (member, choice(held)) {
        ("event", Some(name)) if !knows::<Told>(name) => {
            return Err(format!("{kind} that this version does not know"));
        }
        ("event", Some("replied")) => {
            let answer = held.pointer("/replied/answer").and_then(choice);
            if answer.is_some_and(|name| !knows::<Answer>(name)) {
                return Err("an answer that this version does not know".to_owned());
            }
        }
        // It takes no part in a replay, so nothing is lost with it.
        ("note", Some(name)) if !knows::<Note>(name) => {
            let at = at.and_then(Value::as_u64).map(Timestamp::from_secs);
            let line = at.map(|at| Line::Unknown { at, text: text.trim().to_owned() });
            return line.ok_or_else(|| misfits(kind, "/at"));
        }
        _ => {}
    }
    serde_json::from_str(text).map_err(|_| {
        let why = match member {
            "event" => read_as::<Told>(held).err(),
            "prove" => read_as::<Proof>(held).err(),
            "note" => read_as::<Note>(held).err(),
            _ => None,
        };
        fault(kind, &value, why.unwrap_or_default(), &|value| read_as::<Line>(value).is_ok())
    })
}

fn json(line: &str) -> Result<Value, String> {
    if line.len() > MAX_LINE {
        return Err(format!("it is longer than {MAX_LINE} bytes"));
    }
    serde_json::from_str(line).map_err(|error| {
        let what = if error.classify() == Category::Eof { "it breaks off" } else { "it is no JSON" };
        format!("{what} (column {})", error.column())
    })
}

fn read_as<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    T::deserialize(value).map_err(|error| error.to_string())
}

/// The name of a choice.
fn choice(value: &Value) -> Option<&str> {
    match value {
        Value::String(name) => Some(name),
        Value::Object(members) if members.len() == 1 => members.keys().next().map(String::as_str),
        Value::Object(_) | Value::Array(_) | Value::Number(_) | Value::Bool(_) | Value::Null => None,
    }
}

/// Whether it is the name of one of these choices.
fn knows<T: DeserializeOwned>(name: &str) -> bool {
    let bare = read_as::<T>(&Value::from(name));
    !bare.is_err_and(|why| why.starts_with("unknown variant"))
}

/// What is wrong with a line of this kind. `why` is what serde has to say about it, of which the name of a member that is
/// missing is taken and nothing else; `reads` is whether a value is of the kind.
fn fault(kind: &str, line: &Value, why: String, reads: &dyn Fn(&Value) -> bool) -> String {
    if let Some(rest) = why.strip_prefix("missing field `") {
        let name = rest.split('`').next().unwrap_or_default();
        return format!("{kind} in which `{}` is missing", clean(name, MAX_PLACE));
    }
    // What is read of it by members would do, so the text has one of them twice.
    if reads(line) {
        return format!("{kind} that has a member twice");
    }
    let mut line = line.clone();
    let mut tries = MAX_READ_AGAIN.checked_div(line.to_string().len()).unwrap_or_default();
    match misfit(&mut line, "", reads, &mut tries) {
        Some(place) => misfits(kind, &place),
        None => format!("{kind} that is not of the form"),
    }
}

/// The innermost place at which another value makes the whole one that can be read: there one stands that is none.
fn misfit(
    whole: &mut Value,
    place: &str,
    reads: &dyn Fn(&Value) -> bool,
    tries: &mut usize,
) -> Option<String> {
    let names = match whole.pointer(place)? {
        Value::Object(members) => {
            // A longer name is none of the form's, and would be kept for each member within.
            let short = members.keys().filter(|name| name.len() <= MAX_PLACE);
            short.map(|name| name.replace('~', "~0").replace('/', "~1")).collect()
        }
        Value::Array(items) => (0..items.len()).map(|place| place.to_string()).collect(),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => Vec::new(),
    };
    for name in names {
        if let Some(found) = misfit(whole, &format!("{place}/{name}"), reads, tries) {
            return Some(found);
        }
        if *tries == 0 {
            return None;
        }
    }
    let (around, name) = place.rsplit_once('/')?;
    let own = whole.pointer(place)?.clone();
    let mut fits = false;
    for other in others() {
        *tries = tries.saturating_sub(1);
        *whole.pointer_mut(place)? = other;
        fits = fits || reads(whole);
    }
    if let Some(members) = whole.pointer_mut(around).and_then(Value::as_object_mut) {
        // A choice takes none of these, but it may be one that can be left out.
        let name = name.replace("~1", "/").replace("~0", "~");
        members.remove(&name);
        fits = fits || reads(whole);
        if let Some(members) = whole.pointer_mut(around).and_then(Value::as_object_mut) {
            members.insert(name, own);
        }
    } else {
        *whole.pointer_mut(place)? = own;
    }
    fits.then(|| place.to_owned())
}

/// One value of each type, and a seed.
fn others() -> [Value; 7] {
    let seed = Value::from("A".repeat(43));
    [
        Value::Null,
        false.into(),
        0.into(),
        "".into(),
        seed,
        Value::Array(Vec::new()),
        Value::Object(Default::default()),
    ]
}

/// The first member that was read and is not written again.
fn unknown(read: &Value, written: &Value) -> Option<String> {
    match (read, written) {
        (Value::Object(read), Value::Object(written)) => read.iter().find_map(|(name, member)| {
            match written.get(name) {
                // Of a key only what is needed is taken (RFC 7517 §4).
                Some(_) if name == "public" => None,
                Some(written) => unknown(member, written).map(|place| format!("/{name}{place}")),
                None => (!member.is_null()).then(|| format!("/{name}")),
            }
        }),
        (Value::Array(read), Value::Array(written)) => {
            let mut both = read.iter().zip(written).enumerate();
            both.find_map(|(at, (read, written))| Some(format!("/{at}{}", unknown(read, written)?)))
        }
        _ => None,
    }
}

fn misfits(kind: &str, place: &str) -> String {
    format!("{kind} in which {} is not what the form has there", shown(place))
}

fn shown(place: &str) -> String {
    clean(place, MAX_PLACE)
}
