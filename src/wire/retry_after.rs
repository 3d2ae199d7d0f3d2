//! `Retry-After`: how long a server wants to be left alone (RFC 9110 §10.2.3).

use std::time::{Duration, UNIX_EPOCH};

use crate::base::time::Timestamp;

/// The longest wait that is believed: an hour, in seconds. A server that asks for more is asked again then.
pub const MAX_WAIT: u64 = 3600;

/// When the server may be asked again: a number of seconds, or a date in any of the three forms of RFC 9110 §5.6.7.
/// What is neither says nothing. At most [`MAX_WAIT`] from `now`.
pub fn read(value: &str, now: Timestamp) -> Option<Timestamp> {
    let value = value.trim();
    let latest = now.after(Duration::from_secs(MAX_WAIT));
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // What does not fit into a number is too long in any case.
        let seconds = value.parse().unwrap_or(MAX_WAIT).min(MAX_WAIT);
        return Some(now.after(Duration::from_secs(seconds)));
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_secs(date.as_secs()).clamp(now, latest))
}
