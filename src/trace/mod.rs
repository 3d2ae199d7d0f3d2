//! A run, written down: what the machine was made with, what it was told and when, and what it asked for.
//!
//! The machine is a function of its configuration, its seed and its events, so a trace is a bug report that
//! reproduces ([`Trace::replay`]). The form is JSON, one value on each line; `vectors/FORMAT.md` describes it field by field, for
//! readers in other languages.
//!
//! A trace holds every secret of the run. [`Trace::scrub`] puts pseudonyms in their places, so that what is left can be
//! shown to others and still replays.
//!
//! ```
//! use mcp_auth::trace::{Names, Recorder, Trace};
//! use mcp_auth::{Authorizer, Config, Event, Seed, Timestamp};
//!
//! let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
//! let seed = Seed::new([7; 32]);
//! let (sink, lines) = std::sync::mpsc::channel();
//! // Lines come without their line feed.
//! let mut recorder = Recorder::new(&config, &seed, move |line| sink.send(format!("{line}\n")).unwrap_or_default());
//! let mut auth = Authorizer::new(config, seed)?;
//! let (now, event) = (Timestamp::from_secs(1_800_000_000), Event::Restore);
//! recorder.event(now, &event);
//! auth.handle(now, event);
//! let action = auth.poll();
//! recorder.action(&action);
//!
//! let trace = Trace::read(&lines.try_iter().collect::<String>())?;
//! assert_eq!(trace.replay()?.actions, 1);
//! // The seed is a secret; this one is the same in every scrubbed trace.
//! assert!(!trace.scrub(Names::Kept)?.to_string().contains("BwcHBwcH"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod action;
mod answers;
mod event;
mod jws;
mod members;
mod names;
mod octets;
mod pseudonyms;
mod read;
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

pub use read::Unreadable;
pub use recorder::{Recorder, Sink};
pub use replay::{Divergence, Replayed};
pub use scrub::Names;

/// The version of the form that this crate writes and reads.
pub const VERSION: u32 = 1;

/// A run of one machine.
#[derive(Clone)]
pub struct Trace {
    header: Header,
    lines: Vec<Line>,
    /// Where in the text that was read the header stood, and each of the lines.
    numbers: Vec<usize>,
    broken_off: bool,
}

/// Where the lines stood in a text is no part of what they say.
impl PartialEq for Trace {
    fn eq(&self, other: &Self) -> bool {
        self.header == other.header && self.lines == other.lines
    }
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
    /// A note that this version does not know, as it stood.
    #[serde(skip)]
    Unknown { at: Timestamp, text: String },
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
    /// Something that this version does not know. It is written again as it was read.
    #[serde(skip)]
    Unknown,
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

impl Trace {
    fn of(header: Header, lines: Vec<Line>) -> Self {
        let numbers = (1..=lines.len().saturating_add(1)).collect();
        Self { header, lines, numbers, broken_off: false }
    }

    /// Where in the text the line stood, counted from one; `None` is the header.
    fn number(&self, place: Option<usize>) -> usize {
        let place = place.map_or(0, |place| place.saturating_add(1));
        self.numbers.get(place).copied().unwrap_or(place.saturating_add(1))
    }

    /// Whether the text that was read broke off in its last line. That line is no part of the trace, and is not written again.
    pub const fn broken_off(&self) -> bool {
        self.broken_off
    }

    /// What was read before this line of the text, such as one that a [`Divergence`] names. The header is always in it.
    #[must_use]
    pub fn before(&self, line: usize) -> Self {
        let lines = self.numbers.iter().skip(1).take_while(|number| **number < line).count();
        let numbers = self.numbers.iter().copied().take(lines.saturating_add(1)).collect();
        let lines = self.lines.iter().take(lines).cloned().collect();
        Self { header: self.header.clone(), lines, numbers, broken_off: false }
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
            Line::Unknown { at, .. } => Entry::Note { at: *at, note: &Note::Unknown },
        })
    }

    /// The events that the machine was told, with their times. What can be no event is left out; [`Self::replay`] says
    /// where it is.
    pub fn events(&self) -> impl Iterator<Item = (Timestamp, Event)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Event { at, event } => event.clone().into_event().map(|event| (*at, event)),
            Line::Prove { .. } | Line::Action { .. } | Line::Note { .. } | Line::Unknown { .. } => None,
        })
    }
}

/// A trace in its form.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", written(&self.header))?;
        self.lines.iter().try_for_each(|line| match line {
            Line::Unknown { text, .. } => writeln!(f, "{text}"),
            Line::Event { .. } | Line::Prove { .. } | Line::Action { .. } | Line::Note { .. } => {
                writeln!(f, "{}", written(line))
            }
        })
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

fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
