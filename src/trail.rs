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

/// The entries of one attempt, oldest first, at most 200. What was too much is left out, but not how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trail(Vec<Entry>);

impl Trail {
    /// The entries, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// What happens again at once is not written again, and how it ended is always there.
    pub(crate) fn push(&mut self, entry: Entry) {
        if self.0.last().is_some_and(|last| Entry { at: last.at, ..entry.clone() } == *last) {
            return;
        }
        if self.0.len() < MAX_ENTRIES {
            self.0.push(entry);
        } else if let Some(last) = self.0.last_mut().filter(|_| entry.verdict == Verdict::Failed) {
            *last = entry;
        }
    }

    pub(crate) fn note(
        &mut self,
        at: Timestamp,
        verdict: Verdict,
        note: impl Into<Cow<'static, str>>,
        clause: &'static str,
    ) {
        let note = match note.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text),
            Cow::Owned(text) => Cow::Owned(text::clean(&text, 400)),
        };
        self.push(Entry { at, verdict, url: None, status: None, note, clause: Some(Cow::Borrowed(clause)) });
    }

    pub(crate) fn breach(
        &mut self,
        at: Timestamp,
        verdict: Verdict,
        url: Option<String>,
        status: Option<u16>,
        breach: &Breach,
    ) {
        let note = format!("{}: expected {}, got {}", breach.kind, breach.expected, breach.got);
        self.push(Entry { at, verdict, url, status, note: note.into(), clause: Some(breach.clause.clone()) });
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
    fn what_happens_again_at_once_is_there_once() {
        let mut trail = Trail::default();
        for note in ["a", "a", "b", "a"] {
            trail.push(entry(note, Verdict::Decided));
        }
        assert_eq!(trail.entries().len(), 3);
    }
}
