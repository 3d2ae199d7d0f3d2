//! Which pseudonym stands for which secret.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::form_urlencoded::{byte_serialize, parse};

use super::names::Places;
use super::octets::Octets;

/// The members, in records, documents and configurations, whose values are secret.
const SECRET: [&str; 14] = [
    "access_token",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "id_token",
    "nonce",
    "password",
    "refresh_token",
    "registration_access_token",
    "request_uri",
    "secret",
    "state",
    "user_code",
];

/// The members of an endpoint's answer whose values are read, or said, and are no secrets. Whatever else stands there is
/// taken for one.
const PLAIN: [&str; 25] = [
    "application_type",
    "client_id",
    "client_name",
    "client_uri",
    "error",
    "error_description",
    "error_uri",
    "expires_in",
    "grant_types",
    "interval",
    "issued_token_type",
    "issuer",
    "iss",
    "redirect_uris",
    "registration_client_uri",
    "resource",
    "response_types",
    "scope",
    "subject_type",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "token_type",
    "verification_uri",
    "verification_uri_complete",
    "verification_url",
];

/// The claims that a client holds an assertion against.
const CLAIMS: [&str; 7] = ["aud", "azp", "client_id", "iss", "resource", "scope", "typ"];

/// What stands in the place of what cannot be read, and so may hold anything.
pub(super) const SCRUBBED: &str = "(scrubbed)";

/// Below this a text could stand anywhere by chance; it is replaced where it is a whole value.
const LEAST: usize = 6;
/// As long as a code verifier must be (RFC 7636 §4.1), so that a pseudonym can stand for one.
const LENGTH: usize = 43;

/// The parameters of a request, in its query, its body and its fields.
fn parameters(action: &Value) -> Vec<(String, String)> {
    let url = action.pointer("/open/url").or_else(|| action.pointer("/send/url"));
    let query = url.and_then(Value::as_str).and_then(|url| url.split_once('?')).map(|(_, query)| query);
    let body = action.pointer("/send/body").and_then(Value::as_str);
    let texts = [query, body];
    let mut found: Vec<_> =
        texts.into_iter().flatten().flat_map(|text| parse(text.as_bytes()).into_owned()).collect();
    for field in action.pointer("/send/fields").and_then(Value::as_array).into_iter().flatten() {
        let part = |place| field.get(place).and_then(Value::as_str).unwrap_or_default();
        // Without the scheme, which a server may leave out when it quotes what stands there.
        let value = part(1).split_once(' ').map_or(part(1), |(_, credentials)| credentials);
        found.push((part(0).to_owned(), value.to_owned()));
    }
    found
}

/// What has been learnt so far: texts and their pseudonyms.
pub(super) struct Pseudonyms {
    /// Each text and what stands for it, in every spelling; the longest first.
    known: Vec<(String, String)>,
    counts: BTreeMap<String, u32>,
    generations: BTreeMap<u64, u64>,
    places: Option<Places>,
}

impl Pseudonyms {
    pub(super) fn new(places: bool) -> Self {
        let places = places.then(Places::default);
        Self { known: Vec::new(), counts: BTreeMap::new(), generations: BTreeMap::new(), places }
    }

    /// The pseudonym of a text.
    pub(super) fn learn(&mut self, sort: &str, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        if let Some((_, name)) = self.known.iter().find(|(known, _)| known == text) {
            return name.clone();
        }
        let name = match self.assertion(text) {
            Some(assertion) => assertion,
            None => self.next(sort),
        };
        self.stand_for(text, &name);
        name
    }

    fn next(&mut self, sort: &str) -> String {
        let count = self.counts.entry(sort.to_owned()).or_default();
        *count = count.saturating_add(1);
        match sort {
            // It is typed by a person, and so it is short.
            "user_code" => format!("CODE-{count}"),
            sort => format!("{:-<LENGTH$}", format!("{}-{count}-", sort.to_uppercase().replace('_', "-"))),
        }
    }

    fn stand_for(&mut self, text: &str, name: &str) {
        let form: String = byte_serialize(text.as_bytes()).collect();
        let percent = form.replace('+', "%20");
        let quoted = Value::from(text).to_string();
        let quoted = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
        for spelling in [text.to_owned(), form, percent, quoted] {
            if !self.known.iter().any(|(known, _)| *known == spelling) {
                self.known.push((spelling, name.to_owned()));
            }
        }
        self.known.sort_by_key(|(known, _)| std::cmp::Reverse(known.len()));
    }

    /// Learns what the first machine drew or made of a secret, and the second in its place. A server may quote it.
    pub(super) fn learn_drawn(&mut self, recorded: &Value, replayed: &Value) {
        for (before, now) in parameters(recorded).into_iter().zip(parameters(replayed)) {
            if before.0 == now.0 && before.1 != now.1 && before.1.len() >= LEAST {
                self.stand_for(&before.1, &now.1);
            }
        }
        let generation =
            |action: &Value| action.pointer("/store/credential/generation").and_then(Value::as_u64);
        if let Some((before, now)) = generation(recorded).zip(generation(replayed)) {
            self.generations.insert(before, now);
        }
    }

    /// Learns what stands in the query of a URL.
    pub(super) fn learn_query(&mut self, sort: &str, url: &str) {
        let query = url.split_once('?').map(|(_, query)| query.split('#').next().unwrap_or_default());
        for (_, value) in parse(query.unwrap_or_default().as_bytes()).into_owned() {
            self.learn(sort, &value);
        }
    }

    /// Learns every member of a value that is secret by its name.
    pub(super) fn learn_members(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    if let Some(text) = member.as_str().filter(|_| SECRET.contains(&name.as_str())) {
                        self.learn(name, text);
                    } else {
                        self.learn_members(member);
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn_members(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// The text with a pseudonym in the place of each secret that is known.
    pub(super) fn text(&self, text: &str) -> String {
        if let Some((_, name)) = self.known.iter().find(|(known, _)| known == text) {
            return name.clone();
        }
        let mut changed = text.to_owned();
        for (known, name) in self.known.iter().filter(|(known, _)| known.len() >= LEAST) {
            if changed.contains(known.as_str()) {
                changed = changed.replace(known.as_str(), name);
            }
        }
        match &self.places {
            Some(places) => places.text(&changed),
            None => changed,
        }
    }

    /// The same for every text in a value, and for the generations of records.
    pub(super) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(name, member)| {
                    let numbered = matches!(name.as_str(), "generation" | "refused" | "record" | "latest");
                    let generation = member.as_u64().filter(|_| numbered);
                    let generation = generation.and_then(|number| self.generations.get(&number));
                    let member = generation.map_or_else(|| self.value(member), |now| Value::from(*now));
                    (name, member)
                })
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    /// A signature of the same length that nobody made.
    pub(super) fn signature(&mut self, signature: &str) -> Option<String> {
        let length = URL_SAFE_NO_PAD.decode(signature).ok()?.len();
        let name = self.next("signature");
        let blocks = (0..length.div_ceil(32)).map(|block| Sha256::digest(format!("{name}{block}")));
        let bytes: Vec<u8> = blocks.flatten().take(length).collect();
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// An authorization response.
    pub(super) fn callback(&mut self, callback: &str) -> String {
        let (place, query) = callback.split_once('?').unwrap_or(("", callback));
        let query = query.split('#').next().unwrap_or_default();
        let mut changed = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in parse(query.as_bytes()).into_owned() {
            let value = match name.as_str() {
                "iss" | "error" | "error_uri" | "error_description" | "scope" => self.text(&value),
                other => self.learn(other, &value),
            };
            changed.append_pair(&name, &value);
        }
        format!("{}?{}", self.text(place), changed.finish())
    }

    /// The body of a response. One that may hold secrets and is no JSON is taken for one.
    pub(super) fn body(&mut self, body: &Octets, private: bool) -> Octets {
        let Octets::Text(text) = body else { return Octets::Text(SCRUBBED.to_owned()) };
        let parsed = serde_json::from_str::<Value>(text).ok();
        let changed = match (parsed, private) {
            (Some(value), true) => {
                self.learn_answer("text", &value);
                self.text(text)
            }
            (None, true) if text.is_empty() => String::new(),
            (None, true) => self.unread(text),
            (Some(_) | None, false) => self.text(text),
        };
        Octets::Text(changed)
    }

    /// What is no JSON may be a form, as some servers have it, or a page.
    fn unread(&mut self, text: &str) -> String {
        let form = !text.contains(['<', '{', '\n', ' ']) && text.contains('=');
        if !form {
            let page = text.trim_start().starts_with('<');
            return if page { format!("<html>{SCRUBBED}</html>") } else { SCRUBBED.to_owned() };
        }
        let mut changed = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in parse(text.as_bytes()).into_owned() {
            let plain = PLAIN.contains(&name.as_str());
            let value = if plain { self.text(&value) } else { self.learn(&name, &value) };
            changed.append_pair(&name, &value);
        }
        changed.finish()
    }

    fn learn_answer(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) if name == "verification_uri_complete" => self.learn_query(name, text),
            Value::String(text) if !PLAIN.contains(&name) => {
                self.learn(name, text);
            }
            Value::Object(members) => {
                members.iter().for_each(|(name, member)| self.learn_answer(name, member));
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn_answer(name, item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// A JWS with the claims that a client looks at, and pseudonyms for the rest; `None`: it is no JWS.
    fn assertion(&mut self, text: &str) -> Option<String> {
        let mut parts = text.split('.');
        let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let object = |part: &str| -> Option<Map<String, Value>> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let (header, claims) = (object(header)?, object(claims)?);
        let header = self.claims(header, &["alg", "typ"]);
        let claims = self.claims(claims, &CLAIMS);
        let signature = self.signature(signature)?;
        let part = |members: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(members).to_string());
        Some(format!("{}.{}.{signature}", part(header), part(claims)))
    }

    fn claims(&mut self, members: Map<String, Value>, kept: &[&str]) -> Map<String, Value> {
        let changed = members.into_iter().map(|(name, member)| {
            let member = match member {
                Value::Number(number) => Value::Number(number),
                kept_member if kept.contains(&name.as_str()) => self.value(kept_member),
                Value::String(text) => Value::String(self.learn(&name, &text)),
                // What is nested in an assertion is about the person.
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Value::Null,
            };
            (name, member)
        });
        changed.collect()
    }
}
