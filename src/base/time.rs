//! Time as the machine sees it: whole seconds since the epoch, handed in by whoever drives it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01T00:00:00Z. All arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The latest moment that can be named.
    pub const MAX: Self = Self(u64::MAX);

    /// From seconds since the epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// As seconds since the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// This moment and `span` more. A part of a second counts as a whole one, so that a deadline never comes early.
    #[must_use]
    pub const fn after(self, span: Duration) -> Self {
        let part = if span.subsec_nanos() > 0 { 1 } else { 0 };
        Self(self.0.saturating_add(span.as_secs()).saturating_add(part))
    }

    /// This moment less `span`. Parts of a second are dropped.
    #[must_use]
    pub const fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.as_secs()))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::MAX.after(Duration::from_secs(9)), Timestamp::MAX);
        assert_eq!(Timestamp::from_secs(3).after(Duration::from_millis(1)), Timestamp::from_secs(4));
        assert_eq!(Timestamp::from_secs(3).before(Duration::from_secs(9)), Timestamp::from_secs(0));
        assert_eq!(Timestamp::from_secs(3).since(Timestamp::from_secs(9)), Duration::ZERO);
    }

    #[test]
    fn a_time_is_shown_in_seconds() {
        assert_eq!(Timestamp::from_secs(1_800_000_000).to_string(), "1800000000");
    }
}
