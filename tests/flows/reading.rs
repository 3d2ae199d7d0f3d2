//! What can be read in a trace: every text, in every spelling that can be undone, and the names of hosts and paths among them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::{byte_serialize, parse};

use crate::canary::LEAST;

/// Segments of paths that are the standards' own, and the place that a tenant's name takes in an issuer.
const STANDARD_SEGMENTS: [&str; 5] = [
    ".well-known",
    "oauth-authorization-server",
    "oauth-protected-resource",
    "openid-configuration",
    "{tenantid}",
];

/// Those of the endpoints of a server without metadata (MCP 2025-03-26), which the machine puts there by itself.
pub(crate) const DEFAULT_SEGMENTS: [&str; 2] = ["authorize", "register"];

pub(crate) fn decoded(text: &str) -> Option<String> {
    let text = text.trim_end_matches('=');
    let octets = URL_SAFE_NO_PAD.decode(text).or_else(|_| STANDARD.decode(pad(text))).ok()?;
    String::from_utf8(octets).ok()
}

fn pad(text: &str) -> String {
    format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4))
}

/// Every text in a trace, as it stands and in every spelling that can be undone.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) texts: BTreeSet<String>,
    /// Words for people.
    words: BTreeSet<String>,
}

impl Read {
    pub(crate) fn of(trace: &str) -> Self {
        let mut read = Self::default();
        for line in trace.lines() {
            read.texts.insert(line.to_owned());
            read.value("", &serde_json::from_str(line).unwrap());
        }
        read
    }

    /// All that is in this member.
    pub(crate) fn value(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) => {
                if ["error_description", "warning"].contains(&name) {
                    self.words.insert(text.clone());
                }
                self.text(text);
            }
            Value::Array(items) => items.iter().for_each(|item| self.value(name, item)),
            Value::Object(members) => {
                for (name, member) in members {
                    self.text(name);
                    self.value(name, member);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&mut self, text: &str) {
        if !self.texts.insert(text.to_owned()) {
            return;
        }
        if text.starts_with(['{', '[', '"'])
            && let Ok(value) = serde_json::from_str::<Value>(text)
        {
            self.value("", &value);
        }
        for (name, value) in parse(text.as_bytes()).filter(|_| text.contains(['%', '+'])) {
            self.text(&name);
            self.text(&value);
        }
        if text.contains('%') {
            // With a plus sign that means itself.
            let plus = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
            parse(plus.as_bytes()).for_each(|(whole, _)| self.text(&whole));
        }
        if text.contains('&') {
            let entities = [
                ("&lt;", "<"),
                ("&gt;", ">"),
                ("&quot;", "\""),
                ("&#39;", "'"),
                ("&#x27;", "'"),
                ("&amp;", "&"),
            ];
            let plain = entities.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
            self.text(&plain);
        }
        let is_base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/-_=".contains(letter);
        for run in text.split(|letter| !is_base64(letter)).filter(|run| run.len() >= 8) {
            // What stands before a `=` may be a name.
            let ends = run.trim_end_matches('=').rsplit('=').next().unwrap();
            for part in [run, ends] {
                if let Some(plain) = decoded(part).filter(|it| !it.chars().any(is_binary)) {
                    self.text(&plain);
                }
            }
        }
    }

    /// Whether this segment of a path follows a solidus, or stands among words for people.
    fn has_segment(&self, segment: &str) -> bool {
        let is_alone = |text: &str, at: usize| {
            let after = text[at + segment.len()..].chars().next();
            let before = text[..at].chars().next_back();
            !before.is_some_and(is_of_segment) && !after.is_some_and(is_of_segment)
        };
        let follows = |text: &String| {
            text.match_indices(segment).any(|(at, _)| text[..at].ends_with('/') && is_alone(text, at))
        };
        let said = |text: &String| text.match_indices(segment).any(|(at, _)| is_alone(text, at));
        self.texts.iter().any(follows) || self.words.iter().any(said)
    }
}

fn is_binary(letter: char) -> bool {
    letter.is_control() && !letter.is_whitespace()
}

fn is_of_segment(letter: char) -> bool {
    letter.is_alphanumeric() || "-_~.%".contains(letter)
}

/// The hosts and the segments of paths in a trace, in small letters those.
pub(crate) fn places(read: &Read) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut hosts, mut segments) = (BTreeSet::new(), BTreeSet::new());
    let ends = |letter: char| letter.is_whitespace() || "\"\\<>,;&'`)".contains(letter);
    for text in &read.texts {
        for scheme in ["https://", "http://"] {
            for (at, _) in text.match_indices(scheme) {
                let from = &text[at..];
                let url = &from[..from.find(ends).unwrap_or(from.len())];
                let Some(host) = Url::parse(url).ok().and_then(|url| url.host().map(|host| host.to_owned()))
                else {
                    continue;
                };
                match host {
                    url::Host::Domain(name) if name == "localhost" || name.ends_with(".localhost") => {
                        continue;
                    }
                    url::Host::Ipv4(address) if address.is_loopback() => continue,
                    url::Host::Ipv6(address) if address.is_loopback() => continue,
                    url::Host::Domain(name) => drop(hosts.insert(name)),
                    // The first half of these stays, and all of an IPv6 address.
                    url::Host::Ipv4(address) if address.octets()[2] != 0 => {
                        hosts.insert(address.to_string());
                    }
                    url::Host::Ipv4(_) | url::Host::Ipv6(_) => {}
                }
                let rest = url[scheme.len()..].split(['?', '#']).next().unwrap();
                let path = rest.split_once('/').map_or("", |(_, path)| path);
                let long = path.split('/').filter(|it| it.len() >= LEAST && !STANDARD_SEGMENTS.contains(it));
                segments.extend(long.map(|segment| segment.trim_end_matches(['.', ':']).to_owned()));
            }
        }
    }
    (hosts, segments)
}

/// What is left of names, where they are replaced.
pub(crate) fn names_left(
    (hosts, segments): &(BTreeSet<String>, BTreeSet<String>),
    read: &Read,
) -> Vec<String> {
    let lower: Vec<_> = read.texts.iter().map(|text| text.to_ascii_lowercase()).collect();
    let hosts = hosts.iter().filter(|host| lower.iter().any(|text| text.contains(host.as_str())));
    let by_default =
        read.texts.iter().any(|it| it.contains("default endpoints") || it.contains("\"legacy\":true"));
    let stays = |segment: &str| by_default && DEFAULT_SEGMENTS.contains(&segment);
    let segments = segments.iter().filter(|segment| read.has_segment(segment) && !stays(segment));
    hosts.map(|host| format!("host: {host}")).chain(segments.map(|it| format!("segment: {it}"))).collect()
}

/// The spellings of a text in which a server may quote it.
pub(crate) fn spellings(text: &str) -> Vec<String> {
    let form = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let octets = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    vec![
        text.to_owned(),
        format!("the token \u{201c}{text}\u{201d} is no good"),
        form(text),
        form(&form(text)),
        octets(text),
        format!("https://as.example/?quoted={}&x=y", form(text)),
        serde_json::json!({"quoted": [text]}).to_string(),
        html,
        format!("Basic {}", STANDARD.encode(format!("client:{}", form(text)))),
        URL_SAFE_NO_PAD.encode(text),
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(serde_json::json!({"quoted": text}).to_string())),
    ]
}
