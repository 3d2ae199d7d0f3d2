//! Running a trace again.

use std::fmt;

use serde_json::Value;
use url::Url;

use super::{Header, Line, Trace, action};
use crate::authorizer::Authorizer;
use crate::base::breach::Breach;
use crate::wire::jws::SigningInput;

/// A trace that ran again as it was written.
#[derive(Debug)]
#[non_exhaustive]
pub struct Replayed {
    /// The machine as it was after the last line.
    pub machine: Authorizer,
    /// How many events it was told.
    pub events: usize,
    /// How many actions were the same.
    pub actions: usize,
}

/// Where the machine first did something else than the trace says. `Display` names what differs by its place, and
/// shows no value: it may be a secret.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Divergence {
    /// The machine cannot be made of what the header says.
    Unmade(Breach),
    /// With pseudonyms in it the configuration cannot be read: what one stands for (a secret, a value in the query of the
    /// server's URL, the name of a person) is one of its words.
    Unscrubbable,
    /// The line holds something that can be no event, or no URL.
    Unreadable {
        /// The line of the text, counted from one.
        line: usize,
    },
    /// Secrets cannot be looked for in the line, or in the header, within any time that somebody waits for.
    Laborious {
        /// The line of the text, counted from one.
        line: usize,
    },
    /// It asked for something else.
    Differs {
        /// The line of the text, counted from one.
        line: usize,
        /// What the trace says.
        recorded: Box<Value>,
        /// What the machine asked for now.
        replayed: Box<Value>,
    },
}

impl Header {
    pub(super) fn machine(&self) -> Result<Authorizer, Breach> {
        let (config, seed) = (self.config.clone(), self.seed.clone());
        match &self.snapshot {
            None => Authorizer::new(config, seed),
            Some(snapshot) => Authorizer::resume(config, seed, (**snapshot).clone()),
        }
    }
}

impl Trace {
    /// The machine as it was before the first event, to be told something else.
    pub fn machine(&self) -> Result<Authorizer, Breach> {
        self.header.machine()
    }

    /// Runs the machine again. Whatever of the trace is an action must come of it, byte for byte.
    pub fn replay(&self) -> Result<Replayed, Divergence> {
        self.follow(|_, _| {})
    }

    /// The same, and shows `seen` the machine as it is after each of the [`entries`](Self::entries), with the place of that
    /// entry, counted from zero: for whoever wants to know what was checked on the way.
    pub fn follow(&self, mut seen: impl FnMut(usize, &Authorizer)) -> Result<Replayed, Divergence> {
        self.run(|place, machine, _| seen(place, machine))
    }

    /// The same, and shows what is to be signed for a request of the host's own, too.
    pub(super) fn run(
        &self,
        mut seen: impl FnMut(usize, &Authorizer, Option<SigningInput>),
    ) -> Result<Replayed, Divergence> {
        let mut machine = self.header.machine().map_err(Divergence::Unmade)?;
        let (mut events, mut actions) = (0_usize, 0_usize);
        for (place, line) in self.lines.iter().enumerate() {
            let line_number = self.number(Some(place));
            let mut proof = None;
            match line {
                Line::Event { at, event } => {
                    let event = event.clone().into_event();
                    let event = event.ok_or(Divergence::Unreadable { line: line_number })?;
                    machine.handle(*at, event);
                    events = events.saturating_add(1);
                }
                Line::Prove { at, prove } => {
                    let url = Url::parse(&prove.url);
                    let url = url.map_err(|_| Divergence::Unreadable { line: line_number })?;
                    // The draw counts, whatever comes of it.
                    proof = machine.prove(*at, &prove.method, &url).ok().flatten();
                }
                Line::Action { action: recorded } => {
                    let replayed = action::written(&machine.poll());
                    if replayed != *recorded {
                        let (recorded, replayed) = (Box::new(recorded.clone()), Box::new(replayed));
                        return Err(Divergence::Differs { line: line_number, recorded, replayed });
                    }
                    actions = actions.saturating_add(1);
                }
                Line::Note { .. } | Line::Unknown { .. } => {}
            }
            seen(place, &machine, proof);
        }
        Ok(Replayed { machine, events, actions })
    }
}

/// Where two values first differ, as a path of members and places.
fn place(recorded: &Value, replayed: &Value) -> String {
    let step = match (recorded, replayed) {
        (Value::Object(a), Value::Object(b)) => {
            let name = a.keys().chain(b.keys()).find(|name| a.get(*name) != b.get(*name));
            name.map(|name| (name.clone(), a.get(name), b.get(name)))
        }
        (Value::Array(a), Value::Array(b)) => {
            let most = a.len().max(b.len());
            let index = (0..most).find(|index| a.get(*index) != b.get(*index));
            index.map(|index| (index.to_string(), a.get(index), b.get(index)))
        }
        _ => None,
    };
    match step {
        None => String::new(),
        Some((name, Some(a), Some(b))) => format!("/{name}{}", place(a, b)),
        Some((name, Some(_), None)) => format!("/{name} (the trace alone has it)"),
        Some((name, _, _)) => format!("/{name} (the trace lacks it)"),
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmade(breach) => write!(f, "the machine cannot be made: {breach}"),
            Self::Unscrubbable => {
                f.write_str(
                    "the header cannot be scrubbed: a secret, a value in the query of the server's URL or the name of a \
                     person is a word of the configuration",
                )
            }
            Self::Unreadable { line } => {
                write!(f, "line {line} holds what no machine can be told: no event, or no URL")
            }
            Self::Laborious { line } => {
                write!(
                    f,
                    "line {line}: to look for every secret in it would take too long; it is made so that it does"
                )
            }
            Self::Differs { line, recorded, replayed } => {
                let shown = |value: &Value| action::name(value).unwrap_or("nothing").to_owned();
                let (before, now) = (shown(recorded), shown(replayed));
                if before == now {
                    write!(f, "line {line}: {before} differs at {}", place(recorded, replayed))
                } else {
                    write!(f, "line {line}: the trace says {before}, the machine now asks for {now}")
                }
            }
        }
    }
}

impl fmt::Debug for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Divergence {}
