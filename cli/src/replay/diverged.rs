//! Where the machine did something else than the trace says: both sides, and nothing secret of either.

use std::fmt::Write as _;

use mcp_auth::base::text::clean;
use mcp_auth::trace::{Divergence, Names};
use serde_json::Value;

use super::values::{Aliases, split_url};

/// The most differences that are named.
const MAX_NAMED: usize = 12;

/// Where it is, in a line. It is said of the trace that was read, so that where names are to be replaced, none stands here.
pub(super) fn place(divergence: &Divergence, names: Names) -> String {
    match divergence {
        Divergence::Unmade(breach) if names == Names::Replaced => {
            format!("the machine cannot be made: {} ({})", breach.kind, breach.clause)
        }
        _ => divergence.to_string(),
    }
}

/// The divergence in several lines; both sides of it, unless names are to be replaced.
pub(super) fn told(divergence: &Divergence, names: Names) -> String {
    let mut told = format!("it does not replay. {}", clean(&place(divergence, names), 400));
    let Divergence::Differs { recorded, replayed, .. } = divergence else { return told };
    let mut found = Vec::new();
    differences("", recorded, replayed, &mut found);
    let mut aliases = Aliases::default();
    for (place, before, now) in found.iter().take(MAX_NAMED) {
        let name = place.rsplit('/').next().unwrap_or_default();
        let place = clean(place, 120);
        // Writing to a text cannot fail.
        let _ = write!(told, "\n  {place}");
        if names == Names::Replaced {
            continue;
        }
        for (side, value) in [("the trace says", before), ("the machine now", now)] {
            let shown = value.map_or("nothing".to_owned(), |value| shown(&mut aliases, name, value));
            let _ = write!(told, "\n    {side:<15} {shown}");
        }
    }
    if found.len() > MAX_NAMED {
        let _ = write!(told, "\n  and {} more", found.len().saturating_sub(MAX_NAMED));
    }
    told.push_str(
        "\nEither this program is of another version than the one that recorded it, or the file was changed, or the machine \
        is at fault.",
    );
    told
}

type Found<'a> = Vec<(String, Option<&'a Value>, Option<&'a Value>)>;

/// Every place where two values differ, as far down as both go.
fn differences<'a>(place: &str, recorded: &'a Value, replayed: &'a Value, found: &mut Found<'a>) {
    if recorded == replayed || found.len() > 1000 {
        return;
    }
    match (recorded, replayed) {
        (Value::Object(a), Value::Object(b)) if place.matches('/').count() < 16 => {
            let only = b.keys().filter(|name| !a.contains_key(*name));
            for name in a.keys().chain(only) {
                let place = format!("{place}/{name}");
                match (a.get(name), b.get(name)) {
                    (Some(a), Some(b)) => differences(&place, a, b, found),
                    (a, b) => found.push((place, a, b)),
                }
            }
        }
        _ => found.push((place.to_owned(), Some(recorded), Some(replayed))),
    }
}

fn shown(aliases: &mut Aliases, name: &str, value: &Value) -> String {
    match value {
        Value::String(url) if matches!(name, "url" | "verification_uri" | "verification_uri_complete") => {
            let (origin, path) = split_url(url);
            let query = aliases.form(url.split_once('?').map_or("", |(_, query)| query));
            let query: Vec<_> = query.iter().map(|it| format!("{}={}", it.name, it.value)).collect();
            let query = if query.is_empty() { String::new() } else { format!(" with {}", query.join(" ")) };
            format!("{origin}{path}{query}")
        }
        Value::String(form) if name == "body" && !form.is_empty() => {
            let read = if form.starts_with('{') { aliases.members(form) } else { aliases.form(form) };
            let read: Vec<_> = read.iter().map(|it| format!("{}={}", it.name, it.value)).collect();
            read.join(" ")
        }
        Value::String(text)
            if matches!(
                name,
                "method"
                    | "purpose"
                    | "expected"
                    | "got"
                    | "note"
                    | "kind"
                    | "algorithm"
                    | "reach"
                    | "clause"
                    | "verdict"
            ) =>
        {
            clean(text, 120)
        }
        Value::String(text) => aliases.parameter(name, text).value,
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(members) => {
            let names: Vec<_> = members.keys().take(12).map(|name| clean(name, 40)).collect();
            format!("an object with {}", names.join(", "))
        }
    }
}
