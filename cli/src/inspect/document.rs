//! What is judged of both kinds of metadata document alike: where they are, how they are sent, and their form.

use std::time::Duration;

use mcp_auth::Kind;
use mcp_auth::wire::json::Object;
use mcp_auth::wire::refusal::passes;
use serde_json::{Map, Value};

use super::catalogue::Rule;
use super::evidence::{Answer, Place};
use super::report::{Section, Verdict};

/// More bytes, or more time, than a metadata document should take.
const LARGE: usize = 64 << 10;
const SLOW: Duration = Duration::from_secs(3);

/// The checks by which a kind of document is judged.
pub(crate) struct Rules {
    pub(crate) miss: &'static Rule,
    pub(crate) status: &'static Rule,
    pub(crate) content_type: &'static Rule,
    pub(crate) json: &'static Rule,
    pub(crate) types: &'static Rule,
    pub(crate) empty: &'static Rule,
    pub(crate) signed: &'static Rule,
    pub(crate) size: &'static Rule,
    pub(crate) caching: &'static Rule,
    pub(crate) cors: &'static Rule,
    /// The lists that mean something when they are empty.
    pub(crate) may_be_empty: &'static [&'static str],
    /// The members that make an object this kind of document.
    pub(crate) telling: &'static [&'static str],
    /// The members with a type of their own.
    pub(crate) members: &'static [(&'static str, Type)],
}

/// The type of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Texts,
    Flag,
}

/// What is at a place.
pub(crate) enum Found {
    /// A document of the kind, well formed.
    Document(Map<String, Value>),
    /// Something that is meant to be one, and is broken.
    Broken(String),
    /// Nothing of the kind, and what there is.
    Miss(String),
}

/// What is at a place, by its body.
pub(crate) fn found(place: &Place, rules: &Rules) -> Found {
    let Some((_, answer)) = place.body() else {
        let why = place.refused.clone().or(place.last().map(|exchange| exchange.shown()));
        return Found::Miss(why.unwrap_or_else(|| "not asked".to_owned()));
    };
    // The core's reader sees to doubled members and limits; what passes is read once more for all that is in it.
    match Object::read(&answer.body) {
        Err(breach) if breach.kind == Kind::NotADocument => Found::Miss(format!("200 and {}", breach.got)),
        Err(breach) => Found::Broken(format!("{}; expected {}", breach.got, breach.expected)),
        Ok(_) => {
            match serde_json::from_slice(answer.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&answer.body)) {
                Ok(Value::Object(members)) if rules.telling.iter().any(|it| has(&members, it)) => {
                    Found::Document(members)
                }
                Ok(_) => Found::Miss("200 and another JSON object".to_owned()),
                Err(_) => Found::Broken("JSON that cannot be read".to_owned()),
            }
        }
    }
}

/// The documents of the kind, and where each is.
pub(crate) fn documents<'a>(places: &'a [Place], rules: &Rules) -> Vec<(&'a Place, Map<String, Value>)> {
    let document = |place: &'a Place| match found(place, rules) {
        Found::Document(members) => Some((place, members)),
        Found::Broken(_) | Found::Miss(_) => None,
    };
    places.iter().filter_map(document).collect()
}

/// What there is instead, at each place without a document.
pub(crate) fn lacking<'a>(places: impl IntoIterator<Item = &'a Place>, rules: &Rules) -> Vec<String> {
    let lacks = |place: &Place| match found(place, rules) {
        Found::Miss(what) | Found::Broken(what) => Some(format!("{what} at {}", shown(&place.url))),
        Found::Document(_) => None,
    };
    places.into_iter().filter_map(lacks).collect()
}

/// Whether a member is there with a value.
pub(crate) fn has(members: &Map<String, Value>, name: &str) -> bool {
    members.get(name).is_some_and(|value| !value.is_null())
}

/// A text that is not empty.
pub(crate) fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// The texts of a list.
pub(crate) fn texts<'a>(members: &'a Map<String, Value>, name: &str) -> Option<Vec<&'a str>> {
    Some(members.get(name)?.as_array()?.iter().filter_map(Value::as_str).collect())
}

/// The places where something is meant to be a document, and cannot be read.
pub(crate) fn broken(section: &mut Section, places: &[Place], rules: &Rules) {
    for place in places {
        if let Found::Broken(what) = found(place, rules) {
            section.wrong(rules.json, format!("{what}, at {}", shown(&place.url)));
        }
    }
}

/// The places where there is no document, beside one that has it, and what stands there instead.
pub(crate) fn misses(section: &mut Section, places: &[Place], rules: &Rules) {
    let mut odd = Vec::new();
    let mut wrong = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let Found::Miss(what) = found(place, rules) else { continue };
        let told = format!("{what} at {}", shown(&place.url));
        let later = places.iter().skip(index + 1).any(|it| matches!(found(it, rules), Found::Document(_)));
        match place.last().and_then(|exchange| exchange.status()) {
            Some(404 | 410) => {}
            Some(200 | 400..=499) => odd.push(told),
            // Clients take it for a failure, and may not look further.
            Some(_) | None if later => wrong.push(told),
            Some(_) | None if place.refused.is_none() => odd.push(told),
            Some(_) | None => {}
        }
    }
    if wrong.is_empty() {
        section.faults(rules.miss, Verdict::Odd, &odd, "they do");
    } else {
        wrong.extend(odd);
        section.wrong(rules.miss, wrong.join("; "));
    }
}

/// Whether there plainly is no document. Anything else may be a fault or an attack, and opens no way to a fallback.
/// `is_one` says whether a body is meant to be one.
pub(crate) fn is_clean_miss(place: &Place, is_one: impl Fn(&[u8]) -> bool) -> bool {
    match place.last().and_then(|exchange| exchange.answer()) {
        Some(answer) if answer.status == 200 => !is_one(&answer.body),
        Some(answer) => (400..500).contains(&answer.status) && !passes(answer.status),
        None => false,
    }
}

/// How a document is sent, and its form.
pub(crate) fn form(section: &mut Section, place: &Place, members: &Map<String, Value>, rules: &Rules) {
    let Some((url, answer)) = place.body() else { return };
    if place.hops.len() > 1 {
        section.odd(rules.status, format!("{} redirects, to {}", place.hops.len() - 1, shown(url)));
    } else {
        section.ok(rules.status, "200");
    }
    content_type(section, answer, rules);
    section.ok(rules.json, format!("{} members", members.len()));
    types(section, members, rules);
    if members.contains_key("signed_metadata") {
        section.note(rules.signed, "signed_metadata is there; it was not verified");
    }
    let took: Duration = place.hops.iter().map(|hop| hop.took).sum();
    let size = format!("{} bytes in {} ms", answer.body.len(), took.as_millis());
    if answer.body.len() > LARGE || took > SLOW {
        section.odd(rules.size, size);
    } else {
        section.ok(rules.size, size);
    }
    match answer.field("cache-control") {
        Some(caching) if caching.contains("max-age") => section.ok(rules.caching, caching),
        Some(caching) => section.note(rules.caching, caching),
        None => section.note(rules.caching, "no Cache-Control"),
    }
    match answer.field("access-control-allow-origin") {
        Some(origin) => section.ok(rules.cors, origin),
        None => section.note(rules.cors, "no Access-Control-Allow-Origin"),
    }
}

fn content_type(section: &mut Section, answer: &Answer, rules: &Rules) {
    let given = answer.field("content-type");
    let essence = given.as_deref().and_then(|given| given.split(';').next()).unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        section.ok(rules.content_type, essence);
    } else {
        section.wrong(rules.content_type, given.as_deref().unwrap_or("no Content-Type"));
    }
}

fn types(section: &mut Section, members: &Map<String, Value>, rules: &Rules) {
    let fits = |value: &Value, kind: Type| match kind {
        Type::Text => value.is_string(),
        Type::Flag => value.is_boolean(),
        Type::Texts => value.as_array().is_some_and(|list| list.iter().all(|entry| entry.is_string())),
    };
    let name = |kind: Type| match kind {
        Type::Text => "text",
        Type::Texts => "a list of texts",
        Type::Flag => "true or false",
    };
    let typed = rules.members.iter().filter_map(|(member, kind)| Some((member, kind, members.get(*member)?)));
    let bad: Vec<_> = typed
        .filter(|(_, kind, value)| !value.is_null() && !fits(value, **kind))
        .map(|(member, kind, _)| format!("{member} is not {}", name(*kind)))
        .collect();
    section.faults(rules.types, Verdict::Wrong, &bad, "they have");
    let lists = members.iter().filter(|(_, value)| value.as_array().is_some_and(Vec::is_empty));
    let lists = lists.filter(|(member, _)| !rules.may_be_empty.contains(&member.as_str()));
    let lists: Vec<_> = lists.map(|(member, _)| format!("{member} is an empty list")).collect();
    let blanks = members.iter().filter(|(_, value)| value.is_null() || value.as_str() == Some(""));
    let blanks: Vec<_> = blanks.map(|(member, _)| format!("{member} is empty")).collect();
    // A list without elements is forbidden; null and "" are only of no use.
    let verdict = if lists.is_empty() { Verdict::Odd } else { Verdict::Wrong };
    section.faults(rules.empty, verdict, &[lists, blanks].concat(), "it is");
}

/// Where two documents that should be one differ.
pub(crate) fn differences(a: &Map<String, Value>, b: &Map<String, Value>, telling: &[&str]) -> Vec<String> {
    telling.iter().filter(|name| a.get(**name) != b.get(**name)).map(|name| (*name).to_owned()).collect()
}

/// A URL without its query, fit to be shown.
pub(crate) fn shown(url: &str) -> String {
    mcp_auth::base::guard::without_query(url)
}
