//! From a trace to the flow that is shown: the machine runs again, and what it did is put in rows.

use std::collections::BTreeMap;

use mcp_auth::base::text::clean;
use mcp_auth::trace::{Entry, Note, Trace};
use mcp_auth::{Authorizer, Timestamp};
use serde_json::Value;

use super::cast::Cast;
use super::flow::{Aside, Flow, Going, Message, Remark, Row, Tone, Verdict, What};
use super::values::{Aliases, span, split_url};
use crate::inspect;

/// The most rows that are shown; half of them are the first, the others the last.
const MAX_ROWS: usize = 400;
/// The most remarks of one row.
const MAX_REMARKS: usize = 24;
/// The most attempts, or requests, that are named in the title.
const MAX_TITLES: usize = 4;
/// What is said of a callback that ends nothing, and the clause.
const NOT_AWAITED: (&str, &str) =
    ("it answers no request that is waited for, and ends nothing", "RFC 6749 §10.12");
/// From how many seconds on it is worth a row that time has passed.
const GAP: u64 = 60;
/// The longest text of a row, in characters.
pub(super) const MAX_TEXT: usize = 300;

/// The flow of a trace that is scrubbed and replays.
pub(super) fn of(trace: &Trace) -> Flow {
    let entries: Vec<_> = trace.entries().collect();
    let mut story = Story {
        cast: Cast::of(trace.config(), &entries),
        aliases: Aliases::default(),
        rows: Vec::new(),
        pending: BTreeMap::new(),
        requested: None,
        answered: None,
        noted: Vec::new(),
        subject: None,
        first: None,
        now: Timestamp::default(),
        number: 0,
        going: Going::default(),
        restoring: false,
        titles: Vec::new(),
        operations: Vec::new(),
        consenting: true,
        said: None,
        inspects: is_inspection(trace),
        held_back: false,
    };
    // The caller has seen that it replays; what does not is not shown.
    let _ = trace.follow(|place, machine| {
        if let Some(entry) = entries.get(place) {
            story.entry(entry, machine);
        }
    });
    story.done(trace)
}

pub(super) struct Story {
    pub(super) cast: Cast,
    pub(super) aliases: Aliases,
    pub(super) rows: Vec<Row>,
    /// Which row waits for which answer.
    pub(super) pending: BTreeMap<u64, usize>,
    /// The row of the host's own request that is not answered yet.
    pub(super) requested: Option<usize>,
    /// The row of the one that was answered last, if nothing came between.
    pub(super) answered: Option<usize>,
    /// What of the trail has been taken.
    noted: Vec<mcp_auth::Entry>,
    /// The row that the next remarks are about.
    pub(super) subject: Option<usize>,
    first: Option<Timestamp>,
    now: Timestamp,
    number: usize,
    pub(super) going: Going,
    /// The store is being looked at, and nobody knows yet whether that is all.
    pub(super) restoring: bool,
    /// What the attempts were, for the title.
    pub(super) titles: Vec<&'static str>,
    /// What the host called, for the title where there was no attempt.
    operations: Vec<String>,
    /// Whether an authorization response is waited for. A machine that takes a login up does from the beginning.
    consenting: bool,
    /// The row with the last remarks.
    said: Option<usize>,
    /// Whether it is the run of an inspection, which sends no more than it takes to discover.
    pub(super) inspects: bool,
    /// The host did not send what was asked for last, and never meant to.
    pub(super) held_back: bool,
}

impl Story {
    fn entry(&mut self, entry: &Entry<'_>, machine: &Authorizer) {
        match entry {
            Entry::Event { at, event } => {
                self.at(*at);
                self.event(event);
                let called = event.get("called").is_some();
                // An answer that is foreign ends nothing.
                self.going.person &= machine.is_consenting() || !called;
                let awaited = self.consenting && !machine.is_consenting();
                let gained = self.remark(machine);
                if called && !awaited {
                    // What the machine makes of it is told of a trace that has no word of it any more.
                    self.remark_alone(Some(NOT_AWAITED));
                } else if self.held_back && event.get("replied").is_some() {
                    self.remark_alone(None);
                } else if !gained {
                    self.remark_again();
                }
            }
            Entry::Action(action) => {
                self.action(action);
                let _ = self.remark(machine);
            }
            Entry::Prove { at, .. } => {
                self.at(*at);
                self.aside(
                    Aside::Key,
                    "proof of the key for the next request (RFC 9449 §7)".to_owned(),
                    Tone::Plain,
                );
            }
            Entry::Note { at, note } => {
                self.at(*at);
                self.note(note);
            }
            _ => {}
        }
        self.consenting = machine.is_consenting();
    }

    fn at(&mut self, at: Timestamp) {
        self.first.get_or_insert(at);
        let passed = at.since(self.now).as_secs();
        if self.now != Timestamp::default() && passed >= GAP {
            self.now = at;
            self.push(What::Gap(format!("{} later", span(passed))));
        }
        self.now = self.now.max(at);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Adds a row, and gives its place.
    pub(super) fn push(&mut self, what: What) -> usize {
        let counts = matches!(what, What::Exchange { .. } | What::Message { .. });
        self.number = self.number.saturating_add(usize::from(counts));
        let number = if counts { self.number } else { 0 };
        let at = self.first.map_or(0, |first| self.now.since(first).as_secs());
        self.rows.push(Row { at, number, what, remarks: Vec::new(), going: self.going });
        let place = self.rows.len().saturating_sub(1);
        self.subject = Some(place);
        place
    }

    pub(super) fn aside(&mut self, sort: Aside, text: String, tone: Tone) -> usize {
        self.push(What::Aside { sort, text: clean(&text, MAX_TEXT), tone })
    }

    /// What the trail has gained belongs to the row that it came with. Whether it has gained anything.
    fn remark(&mut self, machine: &Authorizer) -> bool {
        let entries = machine.trail().entries();
        // Another attempt has a trail of its own.
        if !entries.starts_with(&self.noted) {
            self.noted.clear();
        }
        let fresh = entries.get(self.noted.len()..).unwrap_or_default();
        if fresh.is_empty() {
            return false;
        }
        if self.subject.is_none() {
            self.aside(Aside::Event, "time has passed".to_owned(), Tone::Plain);
        }
        let row = self.subject.and_then(|place| self.rows.get_mut(place));
        if let Some(row) = row {
            let room = MAX_REMARKS.saturating_sub(row.remarks.len());
            row.remarks.extend(fresh.iter().take(room).map(remark));
            // What ended the attempt was passed over first; once is enough.
            let failed = row
                .remarks
                .last()
                .filter(|last| last.verdict == Verdict::Failed)
                .map(|last| last.text.clone());
            row.remarks.retain(|it| it.verdict != Verdict::PassedOver || Some(&it.text) != failed.as_ref());
        }
        self.noted.extend_from_slice(fresh);
        self.said = self.subject;
        true
    }

    /// Nothing but this is said of the row.
    fn remark_alone(&mut self, it: Option<(&str, &str)>) {
        let Some(row) = self.subject.and_then(|place| self.rows.get_mut(place)) else { return };
        let remark = |(text, clause): (&str, &str)| Remark {
            verdict: Verdict::PassedOver,
            text: text.to_owned(),
            clause: clause.to_owned(),
            about: String::new(),
        };
        row.remarks = it.map(remark).into_iter().collect();
    }

    /// The trail does not say the same twice in a row. Where the same comes back for the same, the story does.
    fn remark_again(&mut self) {
        let (Some(place), Some(said)) = (self.subject, self.said) else { return };
        let came = |place: usize| match &self.rows.get(place)?.what {
            What::Exchange { request, answer: Some(answer), .. } => Some((&request.purpose, answer)),
            _ => None,
        };
        if place == said || came(place).is_none() || came(place) != came(said) {
            return;
        }
        let last = self.rows.get(said).and_then(|row| row.remarks.last().cloned());
        if let Some(row) = self.rows.get_mut(place) {
            row.remarks.extend(last);
        }
        self.said = Some(place);
    }

    fn note(&mut self, note: &Note) {
        match note {
            Note::Request { method, url, operation, authorized } => {
                let (origin, path) = split_url(url);
                let operation = clean(operation, 80);
                if self.operations.len() < MAX_TITLES && !self.operations.contains(&operation) {
                    self.operations.push(operation.clone());
                }
                let carries = if *authorized { "with the token" } else { "without a token" };
                let request = Message {
                    purpose: operation,
                    head: format!("{} {path} · {carries}", clean(method, 20)),
                    url: Some(format!("{origin}{path}")),
                    parameters: Vec::new(),
                    tone: Tone::Plain,
                };
                let (from, to) = (0, self.cast.mcp_server());
                self.requested = Some(self.push(What::Exchange { from, to, request, answer: None }));
            }
            Note::Response { status, www_authenticate } => {
                let Some(place) = self.requested.take() else { return };
                let values = www_authenticate.iter().take(4);
                let parameters = values.flat_map(|value| self.aliases.challenge(value)).collect();
                let told = Message {
                    purpose: String::new(),
                    head: status.to_string(),
                    url: None,
                    parameters,
                    tone: tone(*status),
                };
                if let Some(Row { what: What::Exchange { answer, .. }, .. }) = self.rows.get_mut(place) {
                    *answer = Some(told);
                }
                self.answered = Some(place);
                self.subject = Some(place);
            }
            _ => {}
        }
    }

    fn done(mut self, trace: &Trace) -> Flow {
        self.rows = together(self.rows);
        let left_out = self.rows.len().saturating_sub(MAX_ROWS);
        if left_out > 0 {
            let half = MAX_ROWS / 2;
            self.rows.drain(half..half.saturating_add(left_out));
            let what = What::Gap(format!("{left_out} rows are left out here"));
            let at = self.rows.get(half).map_or(0, |row| row.at);
            let row = Row { at, number: 0, what, remarks: Vec::new(), going: Going::default() };
            self.rows.insert(half, row);
        }
        let (origin, path) = split_url(trace.config().server_url());
        self.titles.dedup();
        let titles = self.titles.iter().take(MAX_TITLES).copied().collect::<Vec<_>>().join(", ");
        let titles = match (self.operations.as_slice(), titles.is_empty()) {
            _ if self.inspects => "Inspection".to_owned(),
            (_, false) => titles,
            ([], true) => "No login".to_owned(),
            ([one], true) => format!("Request: {one}"),
            (several, true) => format!("Requests: {}", several.join(", ")),
        };
        let scheme = origin.find("://").map_or(0, |at| at.saturating_add(3));
        let host = origin.get(scheme..).unwrap_or(&origin).to_owned();
        Flow {
            title: format!("{titles} · {host}{}", if path == "/" { "" } else { &path }),
            setting: self.cast.setting(trace.config()),
            lanes: self.cast.into_lanes(),
            rows: self.rows,
            left_out,
        }
    }
}

/// By the name that it gives the client: what the host said may be scrubbed.
fn is_inspection(trace: &Trace) -> bool {
    let config = serde_json::to_value(trace.config()).unwrap_or_default();
    config.pointer("/client/client_name").is_some_and(|name| name == inspect::CLIENT)
}

/// What happens again and again beside the conversation takes one row.
fn together(rows: Vec<Row>) -> Vec<Row> {
    let mut kept: Vec<(Row, usize, u64)> = Vec::new();
    for row in rows {
        let (aside, at) = (matches!(row.what, What::Aside { .. }) && row.remarks.is_empty(), row.at);
        match kept.last_mut() {
            Some((last, times, latest)) if aside && last.what == row.what && last.remarks.is_empty() => {
                (*times, *latest) = (times.saturating_add(1), at);
            }
            _ => kept.push((row, 1, at)),
        }
    }
    let rows = kept.into_iter().map(|(mut row, times, latest)| {
        if let (What::Aside { text, .. }, 2..) = (&mut row.what, times) {
            let over = match latest.saturating_sub(row.at) {
                0 => String::new(),
                seconds => format!(" over {}", span(seconds)),
            };
            *text = format!("{text} ({times} times{over})");
        }
        row
    });
    rows.collect()
}

/// How an answer with this status looks.
pub(super) fn tone(status: u16) -> Tone {
    match status {
        200..=299 => Tone::Good,
        300..=499 => Tone::Odd,
        _ => Tone::Bad,
    }
}

fn remark(entry: &mcp_auth::Entry) -> Remark {
    let verdict = match entry.verdict {
        mcp_auth::Verdict::Taken => Verdict::Taken,
        mcp_auth::Verdict::PassedOver => Verdict::PassedOver,
        mcp_auth::Verdict::Checked => Verdict::Checked,
        mcp_auth::Verdict::Deviation => Verdict::Deviation,
        mcp_auth::Verdict::Failed => Verdict::Failed,
        _ => Verdict::Decided,
    };
    let url = entry.url.as_deref().unwrap_or_default();
    let about = match entry.status {
        Some(status) => format!("{url} [{status}]"),
        None => url.to_owned(),
    };
    Remark {
        verdict,
        text: clean(&entry.note, 400),
        clause: clean(entry.clause.as_deref().unwrap_or_default(), 200),
        about: clean(&about, 260),
    }
}

/// A member of a value, as text.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
