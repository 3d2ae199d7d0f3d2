//! What goes wrong at which request.

use http::header;

use crate::message::{self, Answer};
use crate::world::Dropped;

/// What a request is for. Requests are counted by it, and faults chosen by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A GET of protected resource metadata, found or not.
    ResourceMetadata,
    /// A GET of authorization server metadata, found or not.
    ServerMetadata,
    /// A client registration.
    Registration,
    /// An authorization request, in the browser.
    Authorize,
    /// A token request, by whichever grant. What is asked of a token endpoint that has moved counts too.
    Token,
    /// A token request with a code. It counts as [`Purpose::Token`] as well.
    CodeExchange,
    /// A token request with a refresh token. It counts as [`Purpose::Token`] as well.
    Refresh,
    /// A token request of a client for itself. It counts as [`Purpose::Token`] as well.
    ClientCredentials,
    /// A token request with an assertion: an ID-JAG, or the token of a workload. It counts as [`Purpose::Token`] as well.
    AssertionGrant,
    /// A token request with a device code. It counts as [`Purpose::Token`] as well.
    DevicePoll,
    /// A token exchange at the identity provider.
    TokenExchange,
    /// A device authorization request.
    DeviceAuthorization,
    /// A pushed authorization request.
    PushedAuthorization,
    /// A token revocation.
    Revoke,
    /// A request to the MCP endpoint.
    Mcp,
    /// Anything else: the consent form, the page for user codes, a path where nothing lives.
    Other,
}

/// One fault: what happens to the requests of a purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The purpose of the requests it is about.
    pub purpose: Purpose,
    /// Which of them, counted from 1 over the life of the world; 0 is every one.
    pub nth: u32,
    /// What happens.
    pub what: Trouble,
}

/// What may happen to a request instead of, or besides, its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Only this status and a short text. The request has no effect.
    Status(u16),
    /// This status with `Retry-After` in seconds. The request has no effect.
    RetryAfter(u16, u64),
    /// This status with `Retry-After` as a date (RFC 9110 §10.2.3), this many seconds from the request. The request has
    /// no effect.
    RetryAfterDate(u16, u64),
    /// This status with `Retry-After` as this text. The request has no effect.
    RetryAfterText(u16, String),
    /// 200 and a page of HTML, as a catch-all route gives. The request has no effect.
    Html,
    /// 200 and no body. The request has no effect.
    Empty,
    /// This status, content type and body. The request has no effect.
    Answer(u16, &'static str, Vec<u8>),
    /// 307 to this URL. The request has no effect.
    RedirectTo(String),
    /// The connection is closed before the request has any effect.
    Drop,
    /// The request takes effect and the connection is closed without an answer: its outcome is unknown to the client.
    DropAfter,
    /// The request takes effect and this status is answered instead: its outcome is unknown to the client.
    StatusAfter(u16),
    /// The right answer, of which the second half is missing.
    Truncated,
    /// The request takes effect, and the connection is closed halfway through the body of the right answer: its outcome
    /// is unknown to the client. In memory it is that half, with [`Dropped`] in its extensions.
    CutOff,
    /// The right answer, filled with spaces to this many bytes.
    Oversized(usize),
}

impl Trouble {
    /// Whether the request is to be carried out.
    pub(crate) fn takes_effect(&self) -> bool {
        matches!(
            self,
            Self::DropAfter | Self::StatusAfter(_) | Self::Truncated | Self::CutOff | Self::Oversized(_)
        )
    }

    /// What is answered, where `answer` is the right answer of a request that took effect. `None` closes the
    /// connection.
    pub(crate) fn spoil(&self, now: u64, answer: Option<Answer>) -> Option<Answer> {
        match self {
            Self::Drop | Self::DropAfter => None,
            Self::Status(status) | Self::StatusAfter(status) => {
                Some(message::text(*status, "This answer is a fault."))
            }
            Self::RetryAfter(status, seconds) => Some(later(*status, &seconds.to_string())),
            Self::RetryAfterDate(status, seconds) => {
                Some(later(*status, &http_date(now.saturating_add(*seconds))))
            }
            Self::RetryAfterText(status, text) => Some(later(*status, text)),
            Self::Html => {
                Some(message::html(200, "<!DOCTYPE html><title>Welcome</title><p>Welcome.".to_owned()))
            }
            Self::Empty => Some(message::body(200, "application/json", Vec::new())),
            Self::Answer(status, content_type, body) => {
                Some(message::body(*status, content_type, body.clone()))
            }
            Self::RedirectTo(url) => Some(message::redirect(307, url)),
            Self::Truncated => answer.map(halved),
            Self::CutOff => answer.filter(|answer| !answer.body().is_empty()).map(|mut answer| {
                let whole = answer.body().len().to_string();
                message::set(&mut answer, header::CONTENT_LENGTH, &whole);
                answer.extensions_mut().insert(Dropped);
                halved(answer)
            }),
            Self::Oversized(size) => answer.map(|mut answer| {
                let size = (*size).max(answer.body().len());
                answer.body_mut().resize(size, b' ');
                answer
            }),
        }
    }
}

fn halved(mut answer: Answer) -> Answer {
    let half = answer.body().len() / 2;
    answer.body_mut().truncate(half);
    answer
}

fn later(status: u16, when: &str) -> Answer {
    let mut answer = message::text(status, "Try again later.");
    message::set(&mut answer, header::RETRY_AFTER, when);
    answer
}

/// A time in seconds since 1970 as an IMF-fixdate (RFC 9110 §5.6.7).
fn http_date(seconds: u64) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [(&str, u64); 12] = [
        ("Jan", 31),
        ("Feb", 28),
        ("Mar", 31),
        ("Apr", 30),
        ("May", 31),
        ("Jun", 30),
        ("Jul", 31),
        ("Aug", 31),
        ("Sep", 30),
        ("Oct", 31),
        ("Nov", 30),
        ("Dec", 31),
    ];
    // The last second that has a year of four digits.
    let seconds = seconds.min(253_402_300_799);
    let (mut days, time) = (seconds / 86_400, seconds % 86_400);
    let weekday = WEEKDAYS.iter().cycle().nth((days % 7) as usize).copied().unwrap_or_default();
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = "Dec";
    for (name, length) in MONTHS {
        let length = length + u64::from(name == "Feb" && leap(year));
        if days < length {
            month = name;
            break;
        }
        days -= length;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{weekday}, {:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT", days + 1)
}

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn dates_by_the_calendar() {
        for (seconds, date) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(http_date(seconds), date);
        }
    }
}
