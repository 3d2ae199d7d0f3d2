//! How things end, in words.

use mcp_auth::base::text::clean;
use mcp_auth::{Failure, Outcome};
use serde_json::Value;

use super::flow::{Message, Tone};
use super::values::{span, split_url};

/// What stands where no answer came.
pub(super) fn silence(head: &str, why: &str) -> Message {
    let head = if why.is_empty() { head.to_owned() } else { format!("{head}: {why}") };
    Message { purpose: String::new(), head, url: None, parameters: Vec::new(), tone: Tone::Bad }
}

/// What the host answered, and how that is.
pub(super) fn reply(name: &str, value: &Value, now: u64, why: &str) -> (String, Tone) {
    match name {
        "found" | "leased" if value.is_null() => ("nothing is kept".to_owned(), Tone::Plain),
        "found" | "leased" => {
            let server = value.pointer("/authorization_server/issuer").and_then(Value::as_str).unwrap_or("?");
            let expires = value.get("expires_at").and_then(Value::as_u64);
            let life = match expires {
                Some(at) if at > now => format!(", good for {}", span(at.saturating_sub(now))),
                Some(_) => ", expired".to_owned(),
                None => String::new(),
            };
            let lives = expires.is_none_or(|at| at > now);
            (format!("tokens of {}{life}", clean(server, 100)), if lives { Tone::Good } else { Tone::Plain })
        }
        "kept" => ("kept".to_owned(), Tone::Good),
        "conflict" => ("another record stands there".to_owned(), Tone::Odd),
        "busy" => ("another process holds the record".to_owned(), Tone::Odd),
        "forgotten" if *value == Value::Bool(false) => ("another record stands there".to_owned(), Tone::Odd),
        "forgotten" => ("gone".to_owned(), Tone::Good),
        "signed" => ("signed".to_owned(), Tone::Good),
        "supplied" => ("supplied".to_owned(), Tone::Good),
        "client" => ("the person names a client".to_owned(), Tone::Good),
        "no_client" => ("the person names none".to_owned(), Tone::Odd),
        _ => (format!("failed. {why}"), Tone::Bad),
    }
}

/// A failure: its title, its lines.
pub(super) fn failed(failure: &Failure, now: u64) -> (String, Vec<String>, Tone) {
    let breach = &failure.breach;
    let mut lines = vec![
        format!("expected {}", breach.expected),
        format!("got {}", breach.got),
        format!("{} · {}", breach.clause, failure.advice()),
    ];
    if let Some(at) = failure.retry_at {
        lines.push(format!("not to be tried again for {}", span(at.as_secs().saturating_sub(now))));
    }
    (format!("Failed: {}", breach.kind), lines, Tone::Bad)
}

/// An end that is none: its title, its lines.
pub(super) fn ended(outcome: &Outcome, now: u64) -> (String, Vec<String>, Tone) {
    match outcome {
        Outcome::Authorized(done) => {
            let life = done.expires_at.map_or(String::new(), |at| {
                format!(" · good for {}", span(at.as_secs().saturating_sub(now)))
            });
            let kind = if done.bound { "bound to a key" } else { "a Bearer token" };
            let granted = done.granted.to_string();
            let granted = if granted.is_empty() { "no scope by name".to_owned() } else { granted };
            let mut lines = vec![
                format!("{granted} for {}", split_url(&done.resource).0 + &split_url(&done.resource).1),
                format!("by {} · {kind}{life}", done.issuer),
            ];
            if done.legacy {
                lines.push("found by the fallbacks of MCP 2025-03-26".to_owned());
            }
            if let Some(why) = &done.unsaved {
                lines.push(format!("not stored: {why}"));
            }
            ("Authorized".to_owned(), lines, Tone::Good)
        }
        Outcome::Anonymous => {
            ("No token".to_owned(), vec!["none could be had without a person".to_owned()], Tone::Odd)
        }
        Outcome::LoggedOut(done) if done.is_complete() => ("Logged out".to_owned(), Vec::new(), Tone::Good),
        Outcome::LoggedOut(_) => (
            "Logged out, but not everywhere".to_owned(),
            vec!["the trail says what was left".to_owned()],
            Tone::Odd,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_stays_is_not_said_to_be_gone() {
        assert_eq!(reply("forgotten", &true.into(), 0, ""), ("gone".to_owned(), Tone::Good));
        assert_eq!(reply("forgotten", &false.into(), 0, "").1, Tone::Odd);
    }
}
