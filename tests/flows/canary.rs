//! Nothing of a secret is left in a scrubbed flow, by a search that shares nothing with what scrubs, nor with the watch.
//!
//! Every text that `vectors/FORMAT.md` ("To scrub") says is replaced is collected from the recorded lines by its place alone. Then
//! what is scrubbed is read in every spelling that a reader could undo (percent-encoding, forms, JSON, base64, HTML, one within the
//! other), and none of the texts may stand there.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp_auth::trace::{Names, Trace};
use serde_json::Value;
use url::form_urlencoded::parse;

use crate::reading::{DEFAULT_SEGMENTS, Read, decoded, names_left, places, spellings};
use crate::{files, folder};

/// Shorter texts are replaced only where they are a whole value.
pub(crate) const LEAST: usize = 6;

/// How a person may type a user code.
const TYPED: &str = "user code without its hyphen";

/// A body that is left out whole.
const UNREAD: &str = "body that cannot be read";

/// Members that hold secrets, in records, configurations, snapshots, requests and answers of endpoints.
const MEMBERS: [&str; 12] = [
    "access_token",
    "client_secret",
    "code_verifier",
    "device_code",
    "id_token",
    "nonce",
    "password",
    "refresh_token",
    "registration_access_token",
    "request_uri",
    "secret",
    "user_code",
];

/// Parameters of requests that hold more of them.
const PARAMETERS: [&str; 10] = [
    "assertion",
    "client_assertion",
    "code",
    "code_challenge",
    "id_token_hint",
    "login_hint",
    "software_statement",
    "state",
    "subject_token",
    "token",
];

/// Parameters that are added to authorization requests and say nothing of the person.
const HARMLESS: [&str; 10] = [
    "access_type",
    "approval_prompt",
    "audience",
    "claims_locales",
    "display",
    "include_granted_scopes",
    "max_age",
    "prompt",
    "token_access_type",
    "ui_locales",
];

/// Parameters of a callback that stay.
const PUBLIC: [&str; 4] = ["iss", "error", "error_description", "scope"];

/// The texts that may be left nowhere, and where each stood first.
#[derive(Default)]
struct Secrets(BTreeMap<String, &'static str>);

impl Secrets {
    /// Of all recorded lines.
    fn of(trace: &str, names: Names) -> Self {
        let lines: Vec<Value> = trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut secrets = Self::default();
        secrets.header(&lines[0]);
        // What each request was for, by its number.
        let mut purposes = BTreeMap::new();
        let mut public = vec![without_people(&lines[0]["config"])];
        for line in &lines[1..] {
            if let Some(action) = line.get("action") {
                secrets.action(action);
                if let Some(id) = action["send"]["id"].as_u64() {
                    purposes.insert(id, action["send"]["purpose"].as_str().unwrap().to_owned());
                }
                for url in [&action["send"]["url"], &action["open"]["url"]] {
                    public.extend(url.as_str().map(|url| url.split('?').next().unwrap().to_owned()));
                }
            }
            if let Some(url) = line["prove"]["url"].as_str() {
                secrets.query("query of a proof", url, |_| true);
            }
            let event = &line["event"];
            if let Some(callback) = event["called"].as_str() {
                let query = callback.split_once('?').map_or(callback, |(_, query)| query);
                secrets.pairs("callback", query, |name| !PUBLIC.contains(&name));
            }
            secrets.add("nonce", &event["nonce"]);
            secrets.add("nonce", &event["challenged"]["nonce"]);
            let replied = &event["replied"];
            let purpose = replied["id"].as_u64().and_then(|id| purposes.get(&id));
            let is_metadata = purpose.is_some_and(|it| it.ends_with("_metadata"));
            secrets.answer(&replied["answer"], is_metadata);
            if is_metadata {
                public.extend(replied["answer"]["response"]["body"].as_str().map(str::to_owned));
            }
        }
        // What is answered where metadata was looked for is read by everybody.
        secrets
            .0
            .retain(|text, place| *place != UNREAD || !public.iter().any(|it| it.contains(text.as_str())));
        let config = &lines[0]["config"];
        let contacts = config["client"]["contacts"].as_array().into_iter().flatten();
        for person in contacts.chain([&config["account"]]).filter_map(Value::as_str) {
            if names == Names::Replaced || !public.iter().any(|text| text.contains(person)) {
                secrets.text("person", person);
            }
        }
        secrets
    }

    fn text(&mut self, place: &'static str, text: &str) {
        if text.chars().count() < LEAST {
            return;
        }
        self.0.entry(text.to_owned()).or_insert(place);
        // What is signed may also be told without its signature, and in parts. Its header is told to everybody.
        let parts: Vec<_> = text.split('.').collect();
        if let [header, claims, signature] = parts[..]
            && decoded(header).is_some_and(|header| header.starts_with('{'))
        {
            self.0.entry(format!("{header}.{claims}")).or_insert(place);
            for part in [claims, signature].into_iter().filter(|part| part.len() >= LEAST) {
                self.0.entry(part.to_owned()).or_insert(place);
            }
        }
    }

    fn add(&mut self, place: &'static str, value: &Value) {
        match value {
            Value::String(text) => self.text(place, text),
            Value::Array(items) => items.iter().for_each(|item| self.add(place, item)),
            _ => {}
        }
    }

    /// The members of these names, however deep.
    fn members(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                // What became of each token, in words of ours.
                for (name, member) in members.iter().filter(|(name, _)| *name != "logged_out") {
                    if let Some(place) = MEMBERS.into_iter().find(|it| it == name) {
                        self.add(place, member);
                    }
                    if let Some(code) = member.as_str().filter(|_| name == "user_code") {
                        self.text(TYPED, &code.replace('-', ""));
                    }
                    if let Some(uri) = member.as_str().filter(|_| name.starts_with("verification_ur")) {
                        self.query("query of a verification URI", uri, |_| true);
                    }
                    self.members(member);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.members(item)),
            _ => {}
        }
    }

    fn pairs(&mut self, place: &'static str, form: &str, is_secret: impl Fn(&str) -> bool) {
        for (name, value) in parse(form.as_bytes()).filter(|(name, _)| is_secret(name)) {
            let known = MEMBERS.into_iter().chain(PARAMETERS).find(|it| *it == name);
            self.text(known.unwrap_or(place), &value);
        }
    }

    fn query(&mut self, place: &'static str, url: &str, is_secret: impl Fn(&str) -> bool) {
        let query = url.split('#').next().unwrap().split_once('?');
        self.pairs(place, query.map_or("", |(_, query)| query), is_secret);
    }

    fn header(&mut self, header: &Value) {
        self.add("seed", &header["seed"]);
        let config = &header["config"];
        self.members(config);
        for name in ["initial_access_tokens", "software_statements"] {
            for pair in config[name].as_array().into_iter().flatten() {
                self.add("token for registration", &pair[1]);
            }
        }
        self.query("query of the server", config["server"].as_str().unwrap(), |_| true);
        for issuer in config["issuers"].as_array().into_iter().flatten() {
            for pair in issuer[1]["extra"].as_array().into_iter().flatten() {
                if !HARMLESS.contains(&pair[0].as_str().unwrap()) {
                    self.add("added parameter", &pair[1]);
                }
            }
        }
        self.members(&header["snapshot"]);
        self.add("state", &header["snapshot"]["consent"]["state"]);
    }

    fn action(&mut self, action: &Value) {
        self.members(action);
        let is_secret = |name: &str| MEMBERS.contains(&name) || PARAMETERS.contains(&name);
        for url in [&action["send"]["url"], &action["open"]["url"]] {
            self.query("query", url.as_str().unwrap_or_default(), is_secret);
        }
        if let Some(body) = action["send"]["body"].as_str() {
            match serde_json::from_str::<Value>(body) {
                Ok(document) => {
                    self.members(&document);
                    self.add("software_statement", &document["software_statement"]);
                }
                Err(_) => self.pairs("form", body, is_secret),
            }
        }
        for field in action["send"]["fields"].as_array().into_iter().flatten() {
            let value = field[1].as_str().unwrap_or_default();
            match field[0].as_str() {
                Some("authorization") => self.authorization(value),
                Some("dpop") => self.text("proof", value),
                _ => {}
            }
        }
        if let Some(message) = action["sign"]["message"].as_str() {
            self.text("what is signed", message);
            self.text("what is signed", message.split_once('.').map_or("", |(_, claims)| claims));
        }
    }

    fn authorization(&mut self, value: &str) {
        let (scheme, credentials) = value.split_once(' ').unwrap();
        if !scheme.eq_ignore_ascii_case("basic") {
            return self.text("authorization", credentials);
        }
        let pair = String::from_utf8(STANDARD.decode(credentials).unwrap()).unwrap();
        let (_, secret) = pair.split_once(':').unwrap();
        if !secret.is_empty() {
            self.text("authorization", credentials);
            self.text("authorization", secret);
            // It is encoded as a form before it is put there (RFC 6749 §2.3.1).
            self.pairs("authorization", &format!("client_secret={secret}"), |_| true);
        }
    }

    fn answer(&mut self, answer: &Value, is_metadata: bool) {
        for name in ["found", "leased", "conflict", "client"] {
            self.members(&answer[name]);
        }
        self.add("signature", &answer["signed"]);
        self.add("assertion", &answer["supplied"]);
        let words = ["load_failed", "not_kept", "not_forgotten", "not_sent", "interrupted"];
        let more = ["address_refused", "unasked", "not_signed", "not_supplied"];
        for name in words.into_iter().chain(more) {
            self.add("words of the host", &answer[name]);
        }
        let response = &answer["response"];
        for field in response["fields"].as_array().into_iter().flatten() {
            match (field[0].as_str().unwrap(), field[1].as_str()) {
                ("dpop-nonce", Some(nonce)) => self.text("nonce", nonce),
                ("location", Some(location)) if !is_metadata => {
                    self.query("query of a location", location, |_| true);
                }
                ("www-authenticate", Some(challenge)) if !is_metadata => {
                    self.text("challenge of an endpoint", challenge);
                }
                _ => {}
            }
        }
        let Some(body) = response["body"].as_str().filter(|_| !is_metadata) else { return };
        match serde_json::from_str::<Value>(body) {
            Ok(document) => self.members(&document),
            Err(_) if parse(body.as_bytes()).any(|(name, _)| MEMBERS.contains(&&*name)) => {
                self.pairs("form", body, |name| MEMBERS.contains(&name));
            }
            Err(_) => self.text(UNREAD, body.trim()),
        }
    }

    /// Those that are left, and where they stood.
    fn left(&self, read: &Read) -> Vec<String> {
        let stands = |text: &str| read.texts.iter().any(|it| it.contains(text));
        let left = self.0.iter().filter(|(text, _)| stands(text));
        left.map(|(text, place)| format!("{place}: {text}")).collect()
    }
}

/// A configuration without what is said of people.
fn without_people(config: &Value) -> String {
    let mut config = config.clone();
    config["account"] = Value::Null;
    config["client"]["contacts"] = Value::Null;
    config.to_string()
}

/// Members of endpoints' answers that say nothing secret (RFC 6749 §5, RFC 7591 §3.2, RFC 8628 §3.2, RFC 8693 §2.2), and those that some
/// servers have in their place.
const SAID: [&str; 25] = [
    "application_type",
    "client_id",
    "client_id_issued_at",
    "client_name",
    "client_secret_expires_at",
    "error",
    "error_description",
    "expires",
    "expires_at",
    "expires_in",
    "grant_types",
    "interval",
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

/// The texts of endpoints' answers that are replaced where they stand, by the place of the line: whatever else is there.
fn said_otherwise(trace: &str) -> BTreeMap<usize, Vec<String>> {
    let (mut purposes, mut found) = (BTreeMap::new(), BTreeMap::new());
    for (place, line) in trace.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let send = &line["action"]["send"];
        if let Some(id) = send["id"].as_u64() {
            purposes.insert(id, send["purpose"].as_str().unwrap().ends_with("_metadata"));
        }
        let replied = &line["event"]["replied"];
        let is_endpoint = replied["id"].as_u64().and_then(|id| purposes.get(&id)) == Some(&false);
        let body = replied["answer"]["response"]["body"].as_str().filter(|_| is_endpoint);
        if let Some(document) = body.and_then(|body| serde_json::from_str::<Value>(body).ok()) {
            let mut texts = Vec::new();
            otherwise("", &document, &mut texts);
            found.insert(place, texts);
        }
    }
    found
}

fn otherwise(name: &str, value: &Value, found: &mut Vec<String>) {
    let mut long = |text: &str| found.extend((text.chars().count() >= LEAST).then(|| text.to_owned()));
    match value {
        Value::String(text) if !SAID.contains(&name) => long(text),
        Value::Array(items) => items.iter().for_each(|item| otherwise(name, item, found)),
        Value::Object(members) => {
            for (name, member) in members {
                // `authed_user` is one server's own, and read (`TokenShape`).
                let is_known = ["authed_user", "code", "state"].contains(&name.as_str());
                if !is_known && !SAID.contains(&name.as_str()) && !MEMBERS.contains(&name.as_str()) {
                    found.push(name.clone());
                }
                otherwise(name, member, found);
            }
        }
        _ => {}
    }
}

#[test]
fn nothing_else_that_an_endpoint_says_stands_where_it_stood() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for name in files() {
        let text = recorded(&name);
        let scrubbed = Trace::read(&text).unwrap().scrub(Names::Kept).unwrap().to_string();
        let lines: Vec<_> = scrubbed.lines().collect();
        assert_eq!(lines.len(), text.lines().count(), "{name}");
        for (place, texts) in said_otherwise(&text) {
            let line: Value = serde_json::from_str(lines[place]).unwrap();
            let mut read = Read::default();
            read.value("", &line["event"]["replied"]["answer"]["response"]["body"]);
            count += texts.len();
            let left = texts.into_iter().filter(|text| read.texts.contains(text));
            wrong.extend(left.map(|left| format!("{name}, line {}: {left}", place + 1)));
        }
    }
    println!("{count} texts");
    assert!(count > 100);
    assert!(wrong.is_empty(), "{} are left\n{}", wrong.len(), wrong.join("\n"));
}

fn recorded(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}.jsonl"))).unwrap()
}

#[test]
fn nothing_of_any_secret_is_left_in_any_flow() {
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::<&str, usize>::new());
    let (mut hosts, mut segments) = (0, 0);
    for name in files() {
        let text = recorded(&name);
        let trace = Trace::read(&text).unwrap();
        let original = Read::of(&text);
        let named = places(&original);
        (hosts, segments) = (hosts + named.0.len(), segments + named.1.len());
        for names in [Names::Kept, Names::Replaced] {
            let secrets = Secrets::of(&text, names);
            // The search finds whatever is there.
            let there = secrets.0.values().filter(|place| **place != TYPED).count();
            assert_eq!(secrets.left(&original).len(), there, "{name}");
            let read = Read::of(&trace.scrub(names).unwrap().to_string());
            let mut left = secrets.left(&read);
            if names == Names::Replaced {
                left.extend(names_left(&named, &read));
            } else {
                secrets.0.values().for_each(|place| *counts.entry(place).or_default() += 1);
            }
            wrong.extend(left.into_iter().map(|left| format!("{name}, {names:?}: {left}")));
        }
    }
    for (place, count) in &counts {
        println!("{place}: {count}");
    }
    println!("{hosts} hosts, {segments} segments of paths");
    assert!(wrong.is_empty(), "{} are left\n{}", wrong.len(), wrong.join("\n"));
}

/// A canary that sings: the search finds each secret of each flow in every spelling, in what is scrubbed otherwise, and each name.
#[test]
fn what_is_planted_is_found() {
    let line = |text: &str| serde_json::json!({"at": 1, "note": {"quoted": text}}).to_string();
    let (mut planted, mut names) = (0, 0);
    for (number, name) in files().into_iter().enumerate() {
        let text = recorded(&name);
        let secrets = Secrets::of(&text, Names::Replaced);
        for (secret, place) in &secrets.0 {
            for spelled in spellings(secret) {
                let left = secrets.left(&Read::of(&line(&spelled)));
                assert!(left.contains(&format!("{place}: {secret}")), "{name}: {place} as {spelled}");
                planted += 1;
            }
        }
        if number % 40 > 0 {
            continue;
        }
        let named = places(&Read::of(&text));
        let scrubbed = Trace::read(&text).unwrap().scrub(Names::Replaced).unwrap().to_string();
        let left = |plant: &str| {
            let read = Read::of(&format!("{scrubbed}{}\n", line(plant)));
            let mut left = secrets.left(&read);
            left.extend(names_left(&named, &read));
            left
        };
        let (secret, place) = secrets.0.last_key_value().unwrap();
        assert!(left(&spellings(secret)[2]).contains(&format!("{place}: {secret}")), "{name}");
        // Some flows end before any name is told, and one ends at this machine.
        if let Some(host) = named.0.last() {
            let found = left(&format!("https://{}/x", host.to_ascii_uppercase()));
            assert!(found.contains(&format!("host: {host}")), "{name}: {found:?}");
            names += 1;
        }
        if let Some(segment) = named.1.iter().find(|it| !DEFAULT_SEGMENTS.contains(&it.as_str())) {
            let found = left(&format!("see%2F{segment}%3Fx"));
            assert!(found.contains(&format!("segment: {segment}")), "{name}: {found:?}");
            names += 1;
        }
        assert_eq!(left("nothing of it"), [""; 0], "{name}");
    }
    println!("{planted} secrets and {names} names were planted, and found");
    assert!(planted > 5000 && names > 4);
}

/// No flow has an account. One that is nobody's secret stays with the names, and goes with them.
#[test]
fn an_account_is_left_nowhere_but_where_everybody_reads_it() {
    for name in ["login", "refresh", "step-up", "device", "enterprise"] {
        for (account, is_public) in [("Ada Lovelace & co@home", false), ("mcp.example", true)] {
            let account_of = |text: &str| serde_json::to_string(text).unwrap();
            let text =
                recorded(name).replace("\"account\":null", &format!("\"account\":{}", account_of(account)));
            let trace = Trace::read(&text).unwrap();
            trace.replay().unwrap();
            for names in [Names::Kept, Names::Replaced] {
                let secrets = Secrets::of(&text, names);
                let sought = secrets.0.get(account) == Some(&"person");
                assert_eq!(sought, !is_public || names == Names::Replaced, "{name}, {names:?}");
                let scrubbed = trace.scrub(names).unwrap();
                scrubbed.replay().unwrap();
                assert_eq!(secrets.left(&Read::of(&scrubbed.to_string())), [""; 0], "{name}, {names:?}");
            }
        }
    }
}
