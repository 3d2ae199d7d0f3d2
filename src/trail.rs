//! What an attempt did, in the order in which it did it: every URL tried, what came back, what was checked, and
//! why one thing was taken and another passed over.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::breach::Breach;
use crate::base::text;
use crate::base::time::Timestamp;

/// The most entries that are kept of one attempt.
pub(crate) const MAX_ENTRIES: usize = 200;
/// How many of them are the first; the others are the last.
const MAX_FIRST: usize = 100;
/// The longest note, in characters.
const MAX_NOTE: usize = 300;
/// The longest URL and clause, in characters.
const MAX_PLACE: usize = 200;
/// How much of what was expected, and of what came, goes into the note about a breach.
const MAX_HALF: usize = 105;
/// Stands for the entries that were too many.
const LEFT_OUT: &str = "entries are left out here";

/// What an entry says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// A document or an answer was taken.
    Taken,
    /// A document or an answer was passed over; another may follow.
    PassedOver,
    /// A rule was checked and holds.
    Checked,
    /// One way was chosen among several.
    Decided,
    /// A named policy allowed what the standard does not.
    Deviation,
    /// What ended the attempt.
    Failed,
}

/// One line of the trail. It holds no secret, and no query of any URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub verdict: Verdict,
    /// The URL it is about, without its query.
    pub url: Option<String>,
    /// The status of the answer it is about.
    pub status: Option<u16>,
    /// In words.
    pub note: Cow<'static, str>,
    /// The clause that was followed or broken.
    pub clause: Option<Cow<'static, str>>,
}

impl Entry {
    /// Whether it says the same, whenever that was.
    fn says_the_same_as(&self, other: &Self) -> bool {
        let Self { at: _, verdict, url, status, note, clause } = self;
        let same = (*verdict, *status) == (other.verdict, other.status);
        same && *url == other.url && *note == other.note && *clause == other.clause
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Taken => "taken",
            Verdict::PassedOver => "passed over",
            Verdict::Checked => "checked",
            Verdict::Decided => "decided",
            Verdict::Deviation => "deviation",
            Verdict::Failed => "failed",
        };
        write!(f, "{verdict}")?;
        if let Some(url) = &self.url {
            write!(f, " {url}")?;
        }
        if let Some(status) = self.status {
            write!(f, " [{status}]")?;
        }
        write!(f, ": {}", self.note)?;
        match &self.clause {
            Some(clause) => write!(f, " ({clause})"),
            None => Ok(()),
        }
    }
}

/// The entries of one attempt, oldest first, at most 200. What is too much is left out of the middle: how it began and
/// what led to its end stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trail(Vec<Entry>);

impl Trail {
    /// The entries, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// What happens again at once is not written again. Whatever comes from elsewhere is cleaned and cut here, where
    /// every entry passes: it may be read on a terminal, and a line of it must not pass for one of ours.
    pub(crate) fn push(&mut self, entry: Entry) {
        let entry = Entry {
            note: cleaned(entry.note, MAX_NOTE),
            url: entry.url.map(|url| text::cleaned(url, MAX_PLACE)),
            clause: entry.clause.map(|clause| cleaned(clause, MAX_PLACE)),
            ..entry
        };
        if self.0.last().is_some_and(|last| entry.says_the_same_as(last)) {
            return;
        }
        if self.0.len() >= MAX_ENTRIES {
            self.0.remove(MAX_FIRST.saturating_add(1));
            if let Some(first) = self.0.get_mut(MAX_FIRST).filter(|first| first.note != LEFT_OUT) {
                let (verdict, note) = (Verdict::PassedOver, Cow::Borrowed(LEFT_OUT));
                *first = Entry { at: first.at, verdict, url: None, status: None, note, clause: None };
            }
        }
        self.0.push(entry);
    }

    /// No more is written for a while.
    pub(crate) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    pub(crate) fn note(
        &mut self,
        at: Timestamp,
        verdict: Verdict,
        note: impl Into<Cow<'static, str>>,
        clause: &'static str,
    ) {
        let (note, clause) = (note.into(), Some(Cow::Borrowed(clause)));
        self.push(Entry { at, verdict, url: None, status: None, note, clause });
    }

    pub(crate) fn breach(
        &mut self,
        at: Timestamp,
        verdict: Verdict,
        url: Option<String>,
        status: Option<u16>,
        breach: &Breach,
    ) {
        let [expected, got] = [&breach.expected, &breach.got].map(|text| text::clean(text, MAX_HALF));
        let note = format!("{}: expected {expected}, got {got}", breach.kind);
        self.push(Entry { at, verdict, url, status, note: note.into(), clause: Some(breach.clause.clone()) });
    }
}

/// What was written in this crate is clean.
fn cleaned(text: Cow<'static, str>, max: usize) -> Cow<'static, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text),
        Cow::Owned(text) => Cow::Owned(text::cleaned(text, max)),
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.0 {
            writeln!(f, "  {entry}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::breach::Kind;

    fn entry(note: &str, verdict: Verdict) -> Entry {
        let at = Timestamp::default();
        Entry { at, verdict, url: None, status: None, note: note.to_owned().into(), clause: None }
    }

    #[test]
    fn a_full_trail_still_says_how_it_ended() {
        let mut trail = Trail::default();
        for count in 0..300 {
            trail.push(entry(&count.to_string(), Verdict::PassedOver));
        }
        trail.push(entry("the end", Verdict::Failed));
        assert_eq!(trail.entries().len(), MAX_ENTRIES);
        assert_eq!(trail.entries().last().unwrap().note, "the end");
    }

    #[test]
    fn a_trail_that_has_ended_takes_no_more_than_it_says() {
        let mut trail = Trail::default();
        for count in 0..5 {
            trail.push(entry(&count.to_string(), Verdict::Checked));
        }
        assert!(trail.0.capacity() > 5);
        trail.shrink();
        assert_eq!(trail.0.capacity(), 5);
    }

    #[test]
    fn how_it_began_and_what_led_to_its_end_stay() {
        let mut trail = Trail::default();
        for count in 0..1000 {
            trail.push(entry(&count.to_string(), Verdict::PassedOver));
        }
        let notes: Vec<_> = trail.entries().iter().map(|entry| entry.note.as_ref()).collect();
        assert_eq!((notes[0], notes[99], notes[100], notes[101]), ("0", "99", LEFT_OUT, "901"));
        assert_eq!((notes.len(), notes[199]), (MAX_ENTRIES, "999"));
    }

    #[test]
    fn nothing_passes_for_a_line_of_ours() {
        let mut trail = Trail::default();
        let hostile = format!("a\u{1b}[2J\n  checked: all is well{}", "x".repeat(10_000));
        let breach = Breach::new(Kind::Malformed, "RFC 0", hostile.repeat(2), hostile.repeat(2));
        trail.breach(Timestamp::default(), Verdict::Failed, Some(hostile.clone()), None, &breach);
        let clause = Some(Cow::Owned(hostile.clone()));
        trail.push(Entry { url: Some(hostile.clone()), clause, ..entry(&hostile, Verdict::Taken) });
        let shown = trail.to_string();
        assert_eq!((shown.lines().count(), shown.contains('\u{1b}')), (2, false));
        for entry in trail.entries() {
            assert!(entry.note.chars().count() <= MAX_NOTE + 1 && entry.to_string().chars().count() < 900);
            // Both halves of a breach are there.
            assert!(entry.verdict == Verdict::Taken || entry.note.contains(", got a"), "{entry}");
        }
    }

    #[test]
    fn what_happens_again_at_once_is_there_once() {
        let mut trail = Trail::default();
        for note in ["a", "a", "b", "a"] {
            trail.push(entry(note, Verdict::Decided));
        }
        assert_eq!(trail.entries().len(), 3);
    }
}
