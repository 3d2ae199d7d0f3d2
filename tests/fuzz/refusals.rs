//! What servers say that refuse: when to come back, and what it means that they do.

use http::StatusCode;
use mcp_auth::base::text::clean;
use mcp_auth::wire::json::Object;
use mcp_auth::wire::refusal::{Refusal, passes};
use mcp_auth::wire::retry_after::{self, MAX_WAIT};
use mcp_auth::wire::revocation;
use mcp_auth::wire::token::{TokenAnswer, TokenShape};
use mcp_auth::{Breach, Kind, Timestamp};
use serde_json::{Map, Value};

/// The first moment of the year 10000, which no date names.
const LATEST: u64 = 253_402_300_800;

/// Refusals: a line with a status and the value of `Retry-After`, and the body; or a text that is taken for both. A grant is
/// given up for what the standards call its end and for nothing else, and no wait is longer than an hour.
pub(crate) fn refusals(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let line = String::from_utf8_lossy(&data[..end]);
    let (status, value) = line.split_once(' ').unwrap_or((&line, ""));
    let (status, value, body) = match status.parse::<u16>() {
        Ok(status @ 100..=999) if end < data.len() => (status, value, &data[end + 1..]),
        _ => (400, text.as_ref(), data),
    };
    retry(value);
    date(data.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)) % LATEST);
    revoked(status, body);
    refused(status, body);
}

/// What is read is digits, or one of the three forms of the date that it is (RFC 9110 §5.6.7).
fn retry(value: &str) {
    let read = |now| retry_after::read(value, Timestamp::from_secs(now)).map(Timestamp::as_secs);
    let now = 1_800_000_000;
    let trimmed = value.trim();
    let digits = !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        let seconds = trimmed.parse::<u128>().unwrap_or(u128::MAX).min(u128::from(MAX_WAIT));
        assert_eq!(read(now).map(|at| u128::from(at - now)), Some(seconds), "{value}");
        return;
    }
    let Some(at) = read(now) else { return };
    assert!((now..=now + MAX_WAIT).contains(&at));
    // The date itself is where the wait is over at once for the first time.
    let (mut before, mut after) = (0, LATEST);
    while before < after {
        let between = before.midpoint(after);
        if read(between) == Some(between) { after = between } else { before = between + 1 }
    }
    let [preferred, obsolete, asctime] = forms(after);
    // A day of one digit may have a zero before it (RFC 9110 §5.6.7, date3). The parser takes any octet for the blank before the
    // time of the obsolete form, which does no harm.
    let padded = asctime.replacen("  ", " 0", 1);
    let named = |given: &str| {
        let (before, time) = (obsolete.get(..obsolete.len() - 13), obsolete.get(obsolete.len() - 12..));
        given.len() == obsolete.len()
            && given.get(..given.len() - 13) == before
            && given.get(given.len() - 12..) == time
    };
    let read = [&preferred, &asctime, &padded].into_iter().any(|form| form == trimmed) || named(trimmed);
    assert!(read, "{value} is read as {preferred}");
}

/// A date is read in each of its forms.
fn date(at: u64) {
    let [preferred, obsolete, asctime] = forms(at);
    for now in [at.saturating_sub(2 * MAX_WAIT), at.saturating_sub(7), at, at.saturating_add(9)] {
        let expected = Some(Timestamp::from_secs(at.clamp(now, now + MAX_WAIT)));
        // Two digits of a year stand for one of a hundred years.
        let read = [(&preferred, true), (&asctime, true), (&obsolete, at < 3_155_760_000)];
        for (form, _) in read.into_iter().filter(|(_, names)| *names) {
            assert_eq!(retry_after::read(form, Timestamp::from_secs(now)), expected, "{form} at {now}");
        }
    }
}

/// The date in the three forms of RFC 9110 §5.6.7: the preferred one, that of RFC 850, and that of asctime.
fn forms(at: u64) -> [String; 3] {
    const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, seconds) = (at / 86_400, at % 86_400);
    let name = DAYS[(days % 7) as usize];
    let leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let (mut year, mut day) = (1970, days);
    // Four hundred years are 146097 days.
    year += day / 146_097 * 400;
    day %= 146_097;
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let (day, month) = (day + 1, MONTHS[month]);
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let short = &name[..3];
    [
        format!("{short}, {day:02} {month} {year:04} {time} GMT"),
        format!("{name}, {day:02}-{month}-{:02} {time} GMT", year % 100),
        format!("{short} {month} {day:>2} {time} {year:04}"),
    ]
}

/// RFC 7009 §2.2: 200 and nothing else is success, whatever stands in it; the error is the one of the document.
fn revoked(status: u16, body: &[u8]) {
    let Err(breach) = revocation::judge(status, body) else {
        assert_eq!(status, 200);
        return;
    };
    assert_ne!(status, 200);
    let kind = if passing(status) { Kind::UnexpectedStatus } else { Kind::TokenEndpointError };
    assert_eq!(breach.kind, kind);
    let read = Object::read(body).ok().and_then(|_| member(body, "error"));
    assert_eq!(breach.error, read.as_deref().map(|error| clean(error, 100)));
    let got = match &read {
        Some(error) => {
            let described = member(body, "error_description").unwrap_or_default();
            format!("status {status}: {error} {described}").trim_end().to_owned()
        }
        None => format!("status {status} without an OAuth error"),
    };
    assert_eq!(breach.got, clean(&got, 300));
    plain(&breach);
}

/// A text of a JSON object that another reader has read; an empty one is none.
fn member(body: &[u8], name: &str) -> Option<String> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let object: Map<String, Value> = serde_json::from_slice(body).ok()?;
    object.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// RFC 6749 §5.2, §6: what a refusal leads to follows from its status and the error in it.
fn refused(status: u16, body: &[u8]) {
    let now = Timestamp::from_secs(1_800_000_000);
    assert_eq!(passes(status), passing(status), "{status}");
    let Err(breach) = TokenAnswer::read(status, None, body, now, TokenShape::default(), false) else {
        assert!(matches!(status, 200 | 201), "{status}");
        return;
    };
    plain(&breach);
    let error = breach.error.as_deref();
    if let Some(error) = error {
        let said = member(body, "error").or_else(|| {
            let form = String::from_utf8_lossy(body);
            let mut pairs = url::form_urlencoded::parse(form.trim().as_bytes());
            pairs.find(|(name, _)| name == "error").map(|(_, value)| value.into_owned())
        });
        assert_eq!(said.map(|said| clean(&said, 100)).as_deref(), Some(error));
    }
    let class = Refusal::of(StatusCode::from_u16(status).ok(), &breach);
    let (speaks, good) = (matches!(status, 200 | 201 | 400 | 401), (200..300).contains(&status));
    let passing_error = matches!(error, Some("temporarily_unavailable" | "server_error" | "slow_down"));
    assert_eq!(class == Refusal::Transient, passing(status) || passing_error, "{status}: {breach}");
    match class {
        Refusal::DeadGrant => assert!(error == Some("invalid_grant") || (error.is_some() && speaks)),
        Refusal::DeadClient => assert!(error == Some("invalid_client") || (error.is_none() && status == 401)),
        Refusal::EndpointGone => assert!(matches!(status, 404 | 410)),
        Refusal::Unknown => assert!(good && error.is_none()),
        Refusal::Transient | Refusal::Misconfigured => {}
        other => panic!("{other:?}"),
    }
    if error == Some("invalid_grant") && !passing(status) {
        assert_eq!(class, Refusal::DeadGrant);
    }
    // What nobody answered ends nothing.
    let unanswered = Refusal::of(None, &breach);
    assert!(matches!(unanswered, Refusal::Transient | Refusal::Unknown | Refusal::Misconfigured));
}

fn passing(status: u16) -> bool {
    status >= 500 || [408, 425, 429].contains(&status)
}

/// What a person will read moves no cursor, and is not endless.
fn plain(breach: &Breach) {
    let shown = breach.to_string();
    assert!(!shown.contains(char::is_control) && shown.chars().count() < 1000, "{shown:?}");
}
