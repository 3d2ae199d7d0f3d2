//! A run, written down: what the machine was made with, what it was told and when, and what it asked for.
//!
//! The machine is a function of its configuration, its seed and its events, so a trace is a bug report that
//! reproduces ([`Trace::replay`]). The form is JSON, one value on each line; `vectors/FORMAT.md` describes it field by field, for
//! readers in other languages.
//!
//! A trace holds every secret of the run. [`Trace::scrub`] puts pseudonyms in their places, so that what is left can be
//! shown to others and still replays.

mod action;
mod answers;
mod event;
mod jws;
mod members;
mod names;
mod octets;
mod pseudonyms;
mod recorder;
mod replay;
mod scrub;
mod sought;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::seed::Seed;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::event::Event;
use crate::snapshot::Snapshot;
use event::Told;

pub use recorder::{Recorder, Sink};
pub use replay::{Divergence, Replayed};
pub use scrub::Names;

/// The version of the form that this crate writes and reads.
pub const VERSION: u32 = 1;
/// The longest line that is read, in bytes.
const MAX_LINE: usize = 4 << 20;
/// The most lines that are read.
const MAX_LINES: usize = 100_000;

/// A run of one machine.
#[derive(Clone, PartialEq)]
pub struct Trace {
    header: Header,
    lines: Vec<Line>,
}

/// The first line: what the machine was made with.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Header {
    trace: u32,
    config: Config,
    seed: Seed,
    /// The login that it took up, if it was made to take one up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snapshot: Option<Box<Snapshot>>,
}

/// Each line after the first.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    /// The machine was told something.
    Event { at: Timestamp, event: Told },
    /// It was asked what to sign for a request of the host.
    Prove { at: Timestamp, prove: Proof },
    /// It asked for something.
    Action { action: Value },
    /// Something that is no part of the run, to explain it.
    Note { at: Timestamp, note: Note },
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Proof {
    method: String,
    url: String,
}

/// What the host did beside the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Note {
    /// A request of the host went to the MCP server.
    Request {
        /// Its method.
        method: String,
        /// Where it went, without the query.
        url: String,
        /// The host's name for it.
        operation: String,
        /// Whether it carried the token.
        authorized: bool,
    },
    /// It was answered.
    Response {
        /// The status.
        status: u16,
        /// The values of `WWW-Authenticate`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        www_authenticate: Vec<String>,
    },
}

/// One line of a trace, for whoever shows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Entry<'a> {
    /// The machine was told something: the event in the form of the trace.
    Event {
        /// When.
        at: Timestamp,
        /// What.
        event: Value,
    },
    /// The machine asked for something: the action in the form of the trace.
    Action(&'a Value),
    /// The host asked what to sign for its own request.
    Prove {
        /// When.
        at: Timestamp,
        /// The method of the request.
        method: &'a str,
        /// Where it goes.
        url: &'a str,
    },
    /// What the host did beside.
    Note {
        /// When.
        at: Timestamp,
        /// What.
        note: &'a Note,
    },
}

/// Text that is no trace. It quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// The line, counted from one.
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
    /// Reads a trace. Empty lines are passed over.
    ///
    /// # Errors
    ///
    /// The first line that is not of the form or the version, or is longer than 4 MiB; more than 100,000 lines.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        let mut numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let unreadable = |line: usize, why: String| Unreadable { line: line.saturating_add(1), why };
        let (place, first) = numbered.next().ok_or_else(|| unreadable(0, "there is none".to_owned()))?;
        let header: Value = parsed(first).map_err(|why| unreadable(place, why))?;
        match header.get("trace").and_then(Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => {
                let why = format!("it is of version {version}; this reads version {VERSION}");
                return Err(unreadable(place, why));
            }
            None => return Err(unreadable(place, "it has no member `trace` with the version".to_owned())),
        }
        let header = serde_json::from_value(header).map_err(|error| unreadable(place, plain(&error)))?;
        let mut lines = Vec::new();
        for (place, line) in numbered {
            // The header is one of them.
            if lines.len().saturating_add(1) >= MAX_LINES {
                return Err(unreadable(place, format!("more than {MAX_LINES} lines")));
            }
            lines.push(parsed(line).map_err(|why| unreadable(place, why))?);
        }
        Ok(Self { header, lines })
    }

    /// What the machine was made with.
    pub fn config(&self) -> &Config {
        &self.header.config
    }

    /// The login that the machine took up, if it was made to take one up.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.header.snapshot.as_deref()
    }

    /// What happened, line by line.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.lines.iter().map(|line| match line {
            Line::Event { at, event } => {
                Entry::Event { at: *at, event: serde_json::to_value(event).unwrap_or_default() }
            }
            Line::Prove { at, prove } => Entry::Prove { at: *at, method: &prove.method, url: &prove.url },
            Line::Action { action } => Entry::Action(action),
            Line::Note { at, note } => Entry::Note { at: *at, note },
        })
    }

    /// The events that the machine was told, with their times. What can be no event is left out; [`Self::replay`] says
    /// where it is.
    pub fn events(&self) -> impl Iterator<Item = (Timestamp, Event)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Event { at, event } => event.clone().into_event().map(|event| (*at, event)),
            Line::Prove { .. } | Line::Action { .. } | Line::Note { .. } => None,
        })
    }
}

/// A trace in its form.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", written(&self.header))?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{}", written(line)))
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("config", &self.header.config)
            .field("lines", &self.lines.len())
            .finish_non_exhaustive()
    }
}

fn parsed<T: serde::de::DeserializeOwned>(line: &str) -> Result<T, String> {
    if line.len() > MAX_LINE {
        return Err(format!("it is longer than {MAX_LINE} bytes"));
    }
    serde_json::from_str(line).map_err(|error| plain(&error))
}

/// What is wrong, without what the text holds: serde quotes values, and a value may be a secret.
fn plain(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => "it is no JSON",
        serde_json::error::Category::Eof => "it breaks off",
        serde_json::error::Category::Data => "it is not what the form has there",
    };
    format!("{what} (column {})", error.column())
}

fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
