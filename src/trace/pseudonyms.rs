//! Which pseudonym stands for which secret.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use url::Url;
use url::form_urlencoded::{byte_serialize, parse};

use super::members::SECRET;
use super::names::Places;
use super::sought::{LEAST, Sought};
use crate::base::guard::without_query;
use crate::base::spelling::jws_parts;
use crate::config::Config;
use crate::wire::callback::Callback;
use crate::wire::device::MAX_USER_CODE;
use crate::wire::dpop::MAX_NONCE;
use crate::wire::pushed::MAX_REQUEST_URI;
use crate::wire::token::MAX_TOKEN;

/// The members that are said to people.
pub(super) const WORDS: [&str; 2] = ["error_description", "warning"];

/// The members of records, configurations and notes that are one of a few words, and these words. They stay even where a
/// secret is called so; whatever else has such a name is a text like any other.
const CHOICES: [(&str, &[&str]); 3] = [
    ("algorithm", &["ES256", "PS256", "RS256", "EdDSA", "Ed25519"]),
    (
        "method",
        &["none", "client_secret_basic", "client_secret_post", "private_key_jwt", "GET", "POST", "DELETE"],
    ),
    ("origin", &["preregistered", "metadata_document", "dynamic", "prompted"]),
];

/// Whether it is a choice of the protocol's.
fn is_choice(name: &str, member: &Value) -> bool {
    let is =
        |(of, words): &(&str, &[&str])| *of == name && member.as_str().is_some_and(|it| words.contains(&it));
    CHOICES.iter().any(is)
}

/// The parameters and fields of requests that are drawn, or made of what is drawn or secret, each with its place: the query of
/// an endpoint may have one that is called as a field is.
const DRAWN: [(Place, &str); 8] = [
    (Place::Query, "code_challenge"),
    (Place::Query, "state"),
    (Place::Body, "client_assertion"),
    (Place::Body, "code_challenge"),
    (Place::Body, "code_verifier"),
    (Place::Body, "state"),
    (Place::Field, "authorization"),
    (Place::Field, "dpop"),
];

/// Where in a request something stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Query,
    Body,
    Field,
}

/// What stands in the place of what cannot be read, and so may hold anything.
pub(super) const SCRUBBED: &str = "(scrubbed)";

/// As long as a code verifier must be (RFC 7636 §4.1), so that a pseudonym can stand for one.
const LENGTH: usize = 43;

/// A pseudonym that is as fit to be what it is called as the text is for which it stands: too long where that is, and with a
/// letter that no token, or no nonce, may have where that has one. How long it was it does not tell, and which letter only of a
/// space and a tab.
fn as_fit(mut name: String, sort: &str, text: &str) -> String {
    let (limit, text) = match sort {
        "nonce" => (MAX_NONCE, text.trim()),
        "request_uri" => (MAX_REQUEST_URI, text),
        "user_code" => (MAX_USER_CODE, text.trim()),
        _ => (MAX_TOKEN, text),
    };
    if text.len() > limit {
        name.extend(std::iter::repeat_n('-', limit.saturating_add(1).saturating_sub(name.len())));
    }
    let foreign = text.chars().find_map(|letter| match letter {
        '\t' => Some('\t'),
        letter if letter.is_control() => Some('\u{1}'),
        letter if !letter.is_ascii() => Some('\u{e9}'),
        _ => None,
    });
    let odd = |letters: &[char], one| text.contains(letters).then_some(one);
    if let Some(letter) = foreign.or_else(|| odd(&[' '], ' ')).or_else(|| odd(&['"', '\\'], '"')) {
        // Within, for what stands around a text may be trimmed.
        name.insert(name.len().saturating_sub(1), letter);
    }
    name
}

/// What a request carries: its place, its name and its value.
fn parameters(action: &Value) -> Vec<(Place, String, String)> {
    let url = action.pointer("/open/url").and_then(Value::as_str);
    let query = url.and_then(|url| url.split_once('?')).map(|(_, query)| query);
    let body = action.pointer("/send/body").and_then(Value::as_str);
    let texts = [(Place::Query, query), (Place::Body, body)];
    let mut found = Vec::new();
    for (place, text) in texts {
        let pairs = parse(text.unwrap_or_default().as_bytes()).into_owned();
        found.extend(pairs.map(|(name, value)| (place, name, value)));
    }
    for field in action.pointer("/send/fields").and_then(Value::as_array).into_iter().flatten() {
        let part = |place| field.get(place).and_then(Value::as_str).unwrap_or_default();
        // Without the scheme, which a server may leave out when it quotes what stands there.
        let value = part(1).split_once(' ').map_or(part(1), |(_, credentials)| credentials);
        found.push((Place::Field, part(0).to_owned(), value.to_owned()));
    }
    found
}

fn path(url: &str) -> String {
    Url::parse(url).map_or(String::new(), |url| url.path().to_owned())
}

/// What has been learnt so far: texts and their pseudonyms.
pub(super) struct Pseudonyms {
    /// What stands for a secret that is a whole value.
    whole: BTreeMap<String, String>,
    /// What stands for the other values of private answers, where they stand: they may be names that mean something elsewhere.
    aliases: BTreeMap<String, String>,
    /// The secrets, which are looked for in all texts.
    within: Sought,
    /// The other values, which are looked for in texts that are for people only.
    quoted: Sought,
    /// Each `state` that the first machine waited for.
    states: BTreeSet<String>,
    counts: BTreeMap<String, u32>,
    generations: BTreeMap<u64, u64>,
    places: Option<Places>,
    /// Where answers are seen to arrive, or at its path.
    redirect: String,
}

impl Pseudonyms {
    /// `places`: hosts and paths are replaced too.
    pub(super) fn new(config: &Config, places: bool) -> Self {
        Self {
            redirect: config.redirect_url().to_owned(),
            whole: BTreeMap::new(),
            aliases: BTreeMap::new(),
            within: Sought::default(),
            quoted: Sought::default(),
            states: BTreeSet::new(),
            counts: BTreeMap::new(),
            generations: BTreeMap::new(),
            places: places.then(Places::default),
        }
    }

    /// The pseudonym of a secret. It is replaced within other texts too from now on.
    pub(super) fn learn(&mut self, sort: &str, text: &str) -> String {
        if sort == "state" {
            self.states.insert(text.to_owned());
        }
        let name = self.alias(sort, text);
        if !text.is_empty() {
            self.stand_for(text, &name);
        }
        if sort == "user_code" {
            // Signs between its letters need not be told (RFC 8628 §6.1).
            let letters: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
            self.within.add(&letters, &name);
        }
        name
    }

    /// The pseudonym of a text that is a value of a private answer, and no secret by its name.
    pub(super) fn alias(&mut self, sort: &str, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        if let Some(name) = self.whole.get(text).or_else(|| self.aliases.get(text)) {
            return name.clone();
        }
        let name = self.assertion(text).unwrap_or_else(|| as_fit(self.next(sort), sort, text));
        self.aliases.insert(text.to_owned(), name.clone());
        self.quoted.add(text, &name);
        name
    }

    /// Whether hosts and paths are replaced.
    pub(super) fn replaces_names(&self) -> bool {
        self.places.is_some()
    }

    /// Whether a search was given up: what was learnt and read is made to be laborious.
    pub(super) fn is_exhausted(&self) -> bool {
        let places = self.places.as_ref().is_some_and(Places::is_exhausted);
        places || self.within.is_exhausted() || self.quoted.is_exhausted()
    }

    /// A new pseudonym: the sort of what it stands for and a number, as long as the shortest verifier, but for what is short
    /// where it stands.
    pub(super) fn next(&mut self, sort: &str) -> String {
        let count = self.counts.entry(sort.to_owned()).or_default();
        *count = count.saturating_add(1);
        match sort {
            // It is typed by a person, and so it is short.
            "user_code" => format!("USER-CODE-{count}"),
            "member" | "parameter" => format!("{sort}-{count}"),
            sort => format!("{:-<LENGTH$}", format!("{}-{count}-", sort.to_uppercase().replace('_', "-"))),
        }
    }

    fn stand_for(&mut self, text: &str, name: &str) {
        self.whole.insert(text.to_owned(), name.to_owned());
        self.within.add(text, name);
        if text.trim() != text {
            // Whoever reads it may leave out what stands around it.
            self.within.add(text.trim(), name.trim());
        }
        // A server that quotes what is signed may leave out a part of it. The header alone is no secret.
        if let Some([header, claims, signature]) = jws_parts(text.trim()) {
            let message = name.rsplit_once('.').map_or(name, |(message, _)| message);
            let [_, its_claims, its_signature] = jws_parts(name).unwrap_or([name; 3]);
            self.within.add(&format!("{header}.{claims}"), message);
            self.within.add(claims, its_claims);
            self.within.add(signature, its_signature);
        }
    }

    /// Learns what the first machine had signed for a request of the host's own, and the second in its place: the claims, for
    /// the header is no secret, and the signature is the host's.
    pub(super) fn learn_claims(&mut self, recorded: &str, replayed: &str) {
        self.within.add(recorded, replayed);
    }

    /// Learns what the first machine drew or made of a secret, and the second in its place. A server may quote it.
    pub(super) fn learn_drawn(&mut self, recorded: &Value, replayed: &Value) {
        for ((place, name, before), now) in parameters(recorded).into_iter().zip(parameters(replayed)) {
            let (same_place, same_name, now) = now;
            // What is scrubbed already is drawn the same, and stands for itself.
            let stands = before != now || DRAWN.contains(&(place, name.as_str()));
            if place == same_place && name == same_name && stands && before.len() >= LEAST {
                self.stand_for(&before, &now);
            }
            if name == "state" {
                self.states.insert(before);
            }
        }
        let generation =
            |action: &Value| action.pointer("/store/credential/generation").and_then(Value::as_u64);
        if let Some((before, now)) = generation(recorded).zip(generation(replayed)) {
            self.generations.insert(before, now);
        }
    }

    /// Learns what stands in the query of a URL. What is too short to be looked for is looked for with what stands before it.
    pub(super) fn learn_query(&mut self, sort: &str, url: &str) {
        let query = url.split_once('?').map(|(_, query)| query.split('#').next().unwrap_or_default());
        let mut mark = '?';
        for pair in query.unwrap_or_default().split('&') {
            for (_, value) in parse(pair.as_bytes()).into_owned() {
                let alias = self.learn(sort, &value);
                if let Some((name, _)) = pair.split_once('=').filter(|_| value.len() < LEAST) {
                    let (found, named) = (format!("{mark}{pair}"), format!("{mark}{name}={alias}"));
                    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                    self.within.add_as_it_is(encoded(&found), &encoded(&named));
                    self.within.add_as_it_is(found, &named);
                }
            }
            mark = '&';
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
        if let Some(name) = self.whole.get(text) {
            return name.clone();
        }
        let changed = self.within.replaced(text);
        match &self.places {
            Some(places) => places.text(&changed),
            None => changed,
        }
    }

    /// A media type, of which a half may be called as a segment is.
    pub(super) fn media_type(&self, text: &str) -> String {
        match &self.places {
            Some(_) => self.within.replaced(text.split(';').next().unwrap_or_default()),
            None => self.text(text),
        }
    }

    /// The same of a text that is for people only: nothing is compared to it, so what private answers brought is replaced too.
    pub(super) fn words(&self, text: &str) -> String {
        let changed = self.text(&self.quoted.replaced(text));
        match &self.places {
            Some(places) => places.words(&changed),
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
                    // In a document a member may be called as a place is.
                    let place = self.replaces_names() && name.contains(['.', '/']);
                    let name = if place { self.text(&name) } else { name };
                    if is_choice(&name, &member) {
                        return (name, member);
                    }
                    if let Some(text) = member.as_str().filter(|_| WORDS.contains(&name.as_str())) {
                        let text = self.words(text);
                        return (name, Value::from(text));
                    }
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

    /// What the host calls what it does. Where names are replaced, it may be one.
    pub(super) fn operation(&mut self, text: &str) -> String {
        if self.replaces_names() { self.alias("member", text) } else { self.words(text) }
    }

    /// What the host did beside. Where names are replaced, so is its own name for what it did.
    pub(super) fn note(&mut self, mut note: Value) -> Value {
        let names = self.replaces_names();
        if let Some(operation) = note.pointer_mut("/request/operation") {
            *operation = Value::from(self.operation(operation.as_str().unwrap_or_default()));
        }
        if let Some(url) = note.pointer_mut("/request/url") {
            *url = Value::from(without_query(url.as_str().unwrap_or_default()));
        }
        if let Some(Value::Array(values)) = note.pointer_mut("/response/www_authenticate") {
            for value in values {
                let said = value.as_str().filter(|_| !names).map_or(SCRUBBED.to_owned(), |it| self.words(it));
                *value = Value::from(said);
            }
        }
        self.value(note)
    }

    /// An authorization response. One that nobody waited for tells nothing but that.
    pub(super) fn callback(&mut self, callback: &Callback) -> String {
        let (query, callback) = (callback.query(), callback.expose());
        let parameters: Vec<_> = parse(query.as_bytes()).into_owned().collect();
        let mut states = parameters.iter().filter(|(name, _)| name == "state").map(|(_, state)| state);
        if !states.next().is_some_and(|state| self.states.contains(state)) || states.next().is_some() {
            return "?state=FOREIGN".to_owned();
        }
        let mut changed = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters {
            let (name, value) = match name.as_str() {
                "error_description" => (name, self.words(&value)),
                "iss" | "error" | "scope" => (name, self.text(&value)),
                "code" | "state" => (name.clone(), self.learn(&name, &value)),
                _ => (self.alias("parameter", &name), self.alias("text", &value)),
            };
            changed.append_pair(&name, &value);
        }
        let before = callback.split_once('?').filter(|(_, after)| after.starts_with(query));
        // What is no place of an answer is a parameter, as the machine reads it.
        let Some((place, _)) = before else { return changed.finish() };
        let arrives = self.text(&self.redirect);
        let place = match place {
            it if it == self.redirect => arrives,
            it if it == path(&self.redirect) => path(&arrives),
            _ => String::new(),
        };
        format!("{place}?{}", changed.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::{LENGTH, as_fit};
    use crate::wire::dpop::Nonce;

    #[test]
    fn a_pseudonym_is_as_fit_as_what_it_stands_for() {
        let long = "x".repeat(2049);
        for text in
            ["plain", "a\"b", "a\\b", "a b", " a ", "a\tb", "\ta\t", "a\u{1}b", "aéb", &long[1..], &long]
        {
            let name = as_fit(format!("{:-<LENGTH$}", "NONCE-1-"), "nonce", text);
            let fit = |text: &str| Nonce::read([text.as_bytes()]).is_ok();
            assert_eq!(fit(&name), fit(text), "{text:?}: {name:?}");
            assert_eq!(as_fit(format!("{:-<LENGTH$}", "NONCE-1-"), "nonce", &name), name);
        }
        // Too long for a code that is typed, and not for a token.
        assert_eq!(as_fit("USER-CODE-1".to_owned(), "user_code", &long[..65]).len(), 65);
        assert_eq!(as_fit("USER-CODE-1".to_owned(), "user_code", " WDJB-MJHT "), "USER-CODE-1");
        assert_eq!(as_fit("TEXT-1".to_owned(), "text", &long), "TEXT-1");
        // The same for a reference to a pushed request.
        assert_eq!(as_fit("REQUEST-URI-1".to_owned(), "request_uri", &long).len(), 2049);
        assert_eq!(as_fit("REQUEST-URI-1".to_owned(), "request_uri", &long[1..]), "REQUEST-URI-1");
    }
}
