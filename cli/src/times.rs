//! Times as a person reads them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mcp_auth::Timestamp;

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_secs(since.as_secs())
}

/// `in 59m 30s (2026-11-28T05:20:00Z)`, or `3h ago (…)`.
pub(crate) fn both(at: Timestamp) -> String {
    let now = now();
    let relative = if at > now {
        format!("in {}", short(at.since(now)))
    } else {
        format!("{} ago", short(now.since(at)))
    };
    format!("{relative} ({})", absolute(at))
}

/// By RFC 3339, in UTC.
pub(crate) fn absolute(at: Timestamp) -> String {
    // A year that no calendar writes with four digits is as good as never.
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(at.as_secs().min(253_402_300_799)));
    humantime::format_rfc3339_seconds(at.unwrap_or(UNIX_EPOCH)).to_string()
}

/// The two largest parts: nobody reads seconds beside days.
fn short(span: Duration) -> String {
    let secs = span.as_secs();
    let span = match secs {
        0..3_600 => secs,
        3_600..86_400 => secs / 60 * 60,
        _ => secs / 3_600 * 3_600,
    };
    humantime::format_duration(Duration::from_secs(span)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short_and_never_panic() {
        assert_eq!(short(Duration::from_secs(59 * 60 + 30)), "59m 30s");
        assert_eq!(short(Duration::from_secs(3_661)), "1h 1m");
        assert_eq!(short(Duration::from_secs(90_061)), "1day 1h");
        assert_eq!(absolute(Timestamp::from_secs(1_795_852_800)), "2026-11-28T08:00:00Z");
        assert_eq!(absolute(Timestamp::from_secs(u64::MAX)), "9999-12-31T23:59:59Z");
        assert!(both(Timestamp::from_secs(0)).contains(" ago (1970-01-01T00:00:00Z)"));
    }
}
