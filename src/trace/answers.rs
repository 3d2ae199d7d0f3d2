//! The answers of endpoints without what they give away.
//!
//! An answer is taken apart and written anew, value by value, so that no spelling of the server's (`\/`, `\u002B`) keeps
//! anything; what cannot be taken apart is left out whole.

use serde_json::{Map, Value};
use url::form_urlencoded::parse;

use super::members::SECRET;
use super::octets::Octets;
use super::pseudonyms::{Pseudonyms, SCRUBBED, WORDS};
use crate::wire::json::Object;

/// The members whose values are read, or said, and are no secrets.
const PLAIN: [&str; 19] = [
    "application_type",
    "client_id",
    "client_name",
    "error",
    "error_description",
    "grant_types",
    "iss",
    "issued_token_type",
    "issuer",
    "redirect_uris",
    "response_types",
    "scope",
    "scopes",
    "token_endpoint_auth_method",
    "token_type",
    "verification_uri",
    "verification_uri_complete",
    "verification_url",
    "warning",
];

/// The members that tell a time or a number of seconds.
const NUMBERS: [&str; 6] =
    ["client_id_issued_at", "client_secret_expires_at", "expires", "expires_at", "expires_in", "interval"];

/// The members that hold such members.
const HOLDERS: [&str; 1] = ["authed_user"];

impl Pseudonyms {
    /// The body of a response. `private`: it may hold secrets.
    pub(super) fn body(&mut self, body: &Octets, private: bool) -> Octets {
        let Octets::Text(text) = body else { return Octets::Text(SCRUBBED.to_owned()) };
        let text = text.trim_start_matches('\u{feff}');
        let read = Object::read(text.as_bytes()).is_ok();
        let read = read.then(|| serde_json::from_str::<Value>(text).ok()).flatten();
        Octets::Text(match read {
            Some(value) if private => self.member("", value).to_string(),
            // It is public, but hosts may stand there in any spelling.
            Some(value) if self.replaces_names() => self.value(value).to_string(),
            None if private && !text.is_empty() => self.unread(text),
            // Pages quote the path that was asked for, and name hosts in scripts and styles.
            None if self.replaces_names() && !text.is_empty() => left_out(text),
            Some(_) | None => self.text(text),
        })
    }

    /// The place to which a private answer sends on.
    pub(super) fn location(&self, location: &str) -> String {
        let end = location.find(['?', '#', ';']).unwrap_or(location.len());
        self.text(location.get(..end).unwrap_or_default())
    }

    /// What is no JSON may be a form, as some servers have it, or a page.
    fn unread(&mut self, text: &str) -> String {
        let parameters: Vec<_> = parse(text.as_bytes()).into_owned().collect();
        let form = parameters.iter().any(|(name, _)| is_known(name));
        if text.trim_start().starts_with('<') || !form || text.contains(['{', '\n']) {
            return left_out(text);
        }
        let mut changed = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters {
            let value = self.member(&name, Value::String(value));
            let name = self.name(&name);
            changed.append_pair(&name, value.as_str().unwrap_or_default());
        }
        changed.finish()
    }

    fn name(&mut self, name: &str) -> String {
        if is_known(name) { name.to_owned() } else { self.alias("member", name) }
    }

    fn member(&mut self, name: &str, value: Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) => value,
            Value::Number(_) => {
                if NUMBERS.contains(&name) {
                    value
                } else {
                    Value::from(0)
                }
            }
            Value::String(text) => Value::String(self.said(name, &text)),
            Value::Array(items) => items.into_iter().map(|item| self.member(name, item)).collect(),
            Value::Object(members) => {
                let mut changed = Map::new();
                for (name, member) in members {
                    let member = self.member(&name, member);
                    changed.insert(self.name(&name), member);
                }
                Value::Object(changed)
            }
        }
    }

    fn said(&mut self, name: &str, text: &str) -> String {
        // What an answer calls a code or a state is mostly another: `invalid_grant`, or `active`. Those of the flow are known
        // from where they were drawn or came in.
        let of_flow = matches!(name, "code" | "state");
        if SECRET.contains(&name) && !of_flow {
            return self.learn(name, text);
        }
        if name.starts_with("verification_ur") {
            self.learn_query(name, text);
        }
        let number = NUMBERS.contains(&name) && text.trim().parse::<f64>().is_ok();
        if WORDS.contains(&name) {
            self.words(text)
        } else if PLAIN.contains(&name) || number {
            self.text(text)
        } else {
            self.alias(if of_flow { name } else { "text" }, text)
        }
    }
}

/// What stands in the place of a text of which nothing may be told but what it is taken for: a page, text, or JSON that is broken.
fn left_out(text: &str) -> String {
    match text.trim_start().chars().next() {
        None => String::new(),
        Some('<') => format!("<html>{SCRUBBED}</html>"),
        Some(first @ ('{' | '[' | '"')) => format!("{first}{SCRUBBED}"),
        Some(_) => SCRUBBED.to_owned(),
    }
}

fn is_known(name: &str) -> bool {
    [&PLAIN[..], &NUMBERS[..], &HOLDERS[..], &SECRET[..]].into_iter().flatten().any(|known| *known == name)
}
