//! Pseudonyms in the places of secrets.
//!
//! Nothing is looked for by its shape. The trace runs through a second machine, side by side with what is recorded: what
//! came from outside (tokens, codes, secrets, assertions) is replaced before that machine is told of it, with another seed,
//! so that everything that follows from both (`state`, code challenge, proofs) follows anew; and what the first machine drew
//! and the world gave back is replaced by what the second one drew in its place.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::event::{Answer, Told};
use super::members::SECRET;
use super::octets::{self, Octets};
use super::pseudonyms::{Pseudonyms, SCRUBBED};
use super::replay::Divergence;
use super::{Header, Line, Proof, Trace, action};
use crate::base::seed::Seed;
use crate::base::time::Timestamp;
use crate::event::Challenge;
use crate::wire::callback::Callback;
use crate::wire::dpop::Nonce;
use crate::wire::jws::SigningInput;

/// What the second machine draws from. It is no secret: what follows from it is in scrubbed traces only.
const SEED: [u8; 32] = *b"mcp-auth: a seed that hides none";
/// How many seeds are tried. What is drawn also says how long the machine backs off, and the recorded events must come at
/// times that suit that.
const SEEDS: u8 = 16;

/// What becomes of names that are no secrets: hosts and paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// They stay. A server whose URL is itself a secret needs [`Replaced`](Self::Replaced).
    #[default]
    Kept,
    /// Hosts and the segments of paths become pseudonyms too, the same one for the same name. The machine itself and what
    /// the standards name (`.well-known`) stay, and so do IPv6 addresses and the first half of other addresses, which
    /// decide whether they may be reached. A server that compares them to something else than each other may be
    /// taken for another then, and the trace cannot be scrubbed so.
    Replaced,
}

impl Trace {
    /// The same run with a pseudonym in the place of each secret. It replays.
    ///
    /// # Errors
    ///
    /// [`Divergence::Differs`]: the machine does something else when it is told of pseudonyms. This is not the trace of this
    /// machine, or somewhere a secret was compared to a name. [`Divergence::Unscrubbable`] and [`Divergence::Unmade`]: a
    /// configured secret is a word of the protocol (`none`) or the name of something (an issuer); or no machine can be made
    /// of the header at all.
    /// [`Divergence::Unreadable`]: a line holds no event, or no URL. [`Divergence::Laborious`]: it is made so that the search
    /// has no end. Nothing is left out to make it work: what cannot be scrubbed whole is not scrubbed.
    ///
    /// # What stays
    ///
    /// No text that names a server, a scope, a client identifier or an error is changed (but see [`Names::Replaced`]), and a
    /// secret that somebody quotes in part, in base64 or in other letters is not found: look at what is left before it is shown
    /// to others. `vectors/FORMAT.md` says all of it.
    pub fn scrub(&self, names: Names) -> Result<Self, Divergence> {
        let before = Before { people: self.people(names), claims: self.claims()? };
        let mut first = None;
        let seeds = (0..SEEDS).map(|attempt| {
            let mut seed = SEED;
            seed.last_mut().into_iter().for_each(|last| *last = last.wrapping_add(attempt));
            Seed::new(seed)
        });
        // What is scrubbed already has the seed that suits it.
        let own = seeds.clone().filter(|seed| *seed == self.header.seed);
        for seed in own.chain(seeds) {
            match self.scrubbed(names, &seed, &before) {
                Ok(trace) => return Ok(trace),
                Err(divergence @ Divergence::Differs { .. }) => first = first.or(Some(divergence)),
                Err(other) => return Err(other),
            }
        }
        Err(first.unwrap_or(Divergence::Unscrubbable))
    }

    fn scrubbed(&self, names: Names, seed: &Seed, before: &Before) -> Result<Self, Divergence> {
        let mut known = Pseudonyms::new(&self.header.config, names == Names::Replaced);
        // Twice, since a text may stand somewhere before it is known for a secret.
        let first = self.pass(&mut known, seed, before);
        let scrubbed = first.and_then(|_| self.pass(&mut known, seed, before));
        match scrubbed {
            // What was not looked through is left out, which alone may be the fault.
            Err(Divergence::Unreadable { line } | Divergence::Differs { line, .. })
                if known.is_exhausted() =>
            {
                Err(Divergence::Laborious { line })
            }
            scrubbed => scrubbed,
        }
    }

    fn claims(&self) -> Result<BTreeMap<usize, String>, Divergence> {
        let mut found = BTreeMap::new();
        if self.lines.iter().any(|line| matches!(line, Line::Prove { .. })) {
            self.run(|place, _, proof| found.extend(proof.map(|proof| (place, claims(&proof)))))?;
        }
        Ok(found)
    }

    /// The names of people. One that stands in what everybody may read (the configuration, a URL that was asked, metadata) is
    /// none, or no secret; it stays readable there, unless names are replaced.
    fn people(&self, names: Names) -> Vec<Person> {
        let config = &self.header.config;
        let contacts = config.client().contacts.iter().map(|contact| ("contact", contact.clone()));
        let people = config.key().account.map(|it| ("account", it)).into_iter().chain(contacts);
        let mut people: Vec<Person> = people.collect();
        if names == Names::Kept && !people.is_empty() {
            let public = self.public();
            people.retain(|(_, person)| !public.iter().any(|text| text.contains(person)));
        }
        people
    }

    fn public(&self) -> Vec<String> {
        let (mut found, mut purposes) = (Vec::new(), Purposes::default());
        if let Ok(config) = serde_json::to_value(&self.header.config) {
            texts("config", &config, &mut found);
        }
        for line in &self.lines {
            match line {
                Line::Action { action } => {
                    purposes.learn(action);
                    let asked = ["/send/url", "/open/url"].iter().filter_map(|place| action.pointer(place));
                    asked.for_each(|url| texts("url", url, &mut found));
                }
                Line::Event { event: Told::Replied { id, answer }, .. } if !purposes.is_private(*id) => {
                    if let Answer::Response { body: Octets::Text(body), .. } = &**answer
                        && let Ok(document) = serde_json::from_str(body)
                    {
                        texts("body", &document, &mut found);
                    }
                }
                Line::Event { .. } | Line::Prove { .. } | Line::Note { .. } | Line::Unknown { .. } => {}
            }
        }
        found
    }

    fn pass(&self, known: &mut Pseudonyms, seed: &Seed, before: &Before) -> Result<Self, Divergence> {
        let unreadable = |place: usize| Divergence::Unreadable { line: self.number(Some(place)) };
        let header = scrubbed_header(&self.header, &before.people, seed, known);
        if known.is_exhausted() {
            return Err(Divergence::Laborious { line: self.number(None) });
        }
        let header = header.ok_or(Divergence::Unscrubbable)?;
        let mut machine = header.machine().map_err(Divergence::Unmade)?;
        let (mut purposes, mut times) = (Purposes::default(), Times::default());
        let mut lines = Vec::new();
        for (place, line) in self.lines.iter().enumerate() {
            lines.push(match line {
                Line::Event { at, event } => {
                    let at = times.moved(*at);
                    let event = scrubbed(event, &purposes, known).ok_or_else(|| unreadable(place))?;
                    let told = event.clone().into_event().ok_or_else(|| unreadable(place))?;
                    machine.handle(at, told);
                    Line::Event { at, event }
                }
                Line::Prove { at, prove } => {
                    known.learn_query("query", &prove.url);
                    let (at, method) = (times.moved(*at), known.text(&prove.method));
                    let url = known.text(&prove.url);
                    let parsed = Url::parse(&url).map_err(|_| unreadable(place))?;
                    let proof = machine.prove(at, &method, &parsed).ok().flatten();
                    if let Some((recorded, now)) = before.claims.get(&place).zip(proof) {
                        known.learn_claims(recorded, &claims(&now));
                    }
                    Line::Prove { at, prove: Proof { method, url } }
                }
                Line::Action { action: recorded } => {
                    let replayed = action::written(&machine.poll());
                    if action::name(recorded) != action::name(&replayed) {
                        let (recorded, replayed) = (Box::new(recorded.clone()), Box::new(replayed));
                        let line = self.number(Some(place));
                        return Err(Divergence::Differs { line, recorded, replayed });
                    }
                    purposes.learn(&replayed);
                    times.learn(recorded, &replayed);
                    known.learn_drawn(recorded, &replayed);
                    Line::Action { action: replayed }
                }
                Line::Note { at, note } => {
                    let note = serde_json::to_value(note).ok().map(|note| known.note(note));
                    let note = note.and_then(|note| serde_json::from_value(note).ok());
                    Line::Note { at: times.moved(*at), note: note.ok_or_else(|| unreadable(place))? }
                }
                // What it holds is not known, and so neither is what is secret in it.
                Line::Unknown { .. } => continue,
            });
            if known.is_exhausted() {
                return Err(Divergence::Laborious { line: self.number(Some(place)) });
            }
        }
        Ok(Self::of(header, lines))
    }
}

/// The claims of what is to be signed, in base64url.
fn claims(proof: &SigningInput) -> String {
    let text = String::from_utf8_lossy(proof.as_bytes());
    text.split_once('.').map_or(String::new(), |(_, claims)| claims.to_owned())
}

/// What is looked up once, whichever seed suits.
struct Before {
    people: Vec<Person>,
    /// The claims that the recorded machine had the host sign for its own requests, by the place of the line: they are not
    /// written down, and the server that got them may quote them.
    claims: BTreeMap<usize, String>,
}

/// What a person is called, and what as.
type Person = (&'static str, String);

/// The texts in a value, without queries, but for secrets and what is about people.
fn texts(name: &str, value: &Value, found: &mut Vec<String>) {
    let is_private = SECRET.contains(&name) || ["account", "contacts", "extra"].contains(&name);
    match value {
        Value::String(text) if !is_private => {
            found.push(text.split('?').next().unwrap_or_default().to_owned());
        }
        Value::Array(items) => items.iter().for_each(|item| texts(name, item, found)),
        Value::Object(members) => members.iter().for_each(|(name, member)| texts(name, member, found)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How much later things happen in the second run than in the first: it may back off for longer.
#[derive(Default)]
struct Times {
    later: Duration,
}

impl Times {
    fn moved(&self, at: Timestamp) -> Timestamp {
        at.after(self.later)
    }

    fn learn(&mut self, recorded: &Value, replayed: &Value) {
        for place in ["/wait", "/finish/failure/retry_at", "/renewed/failure/retry_at"] {
            let at = |action: &Value| action.pointer(place).and_then(Value::as_u64).map(Timestamp::from_secs);
            if let Some((before, now)) = at(recorded).zip(at(replayed)) {
                self.later = self.later.max(now.since(before));
            }
        }
    }
}

/// What each request that waits for an answer is for.
#[derive(Default)]
struct Purposes(BTreeMap<u64, String>);

impl Purposes {
    fn learn(&mut self, action: &Value) {
        if let Some(send) = action.get("send")
            && let Some(id) = send.get("id").and_then(Value::as_u64)
            && let Some(purpose) = send.get("purpose").and_then(Value::as_str)
        {
            self.0.insert(id, purpose.to_owned());
        }
    }

    /// Whether the answer to it may hold secrets: that of every endpoint but the places of metadata.
    fn is_private(&self, id: u64) -> bool {
        !matches!(self.0.get(&id).map(String::as_str), Some("resource_metadata" | "server_metadata"))
    }
}

fn scrubbed_header(
    header: &Header,
    people: &[Person],
    seed: &Seed,
    known: &mut Pseudonyms,
) -> Option<Header> {
    let config = &header.config;
    let tokens = config.registration_tokens().iter().map(|(_, token)| ("initial_access_token", token));
    let statements = config.software_statements().iter().map(|(_, text)| ("software_statement", text));
    for (sort, secret) in tokens.chain(statements) {
        known.learn(sort, secret.expose());
    }
    known.learn_query("query", config.server_url());
    for (sort, text) in people {
        known.learn(sort, text);
    }
    let mut value = serde_json::to_value(header).ok()?;
    known.learn_members(&value);
    // Hosts are known before anything speaks of them.
    let _ = known.value(value.clone());
    for (_, policy) in value.pointer_mut("/config/issuers").and_then(pairs).into_iter().flatten() {
        for (name, extra) in policy.get_mut("extra").and_then(pairs).into_iter().flatten() {
            let hint = !EXTRA.contains(&name.as_str().unwrap_or_default());
            if let Some(text) = extra.as_str().filter(|_| hint) {
                *extra = Value::from(known.learn("extra", text));
            }
        }
    }
    let changed: Header = serde_json::from_value(known.value(value)).ok()?;
    Some(Header { seed: seed.clone(), ..changed })
}

/// The parameters of authorization requests that say nothing of the person.
const EXTRA: [&str; 10] = [
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

/// The pairs of a list.
fn pairs(list: &mut Value) -> Option<impl Iterator<Item = (Value, &mut Value)>> {
    let items = list.as_array_mut()?;
    Some(items.iter_mut().filter_map(|item| {
        let (name, value) = item.as_array_mut()?.split_first_mut()?;
        Some((name.clone(), value.first_mut()?))
    }))
}

fn scrubbed(event: &Told, purposes: &Purposes, known: &mut Pseudonyms) -> Option<Told> {
    Some(match event {
        Told::Replied { id, answer } => {
            let answer = scrubbed_answer(answer, purposes.is_private(*id), known)?;
            Told::Replied { id: *id, answer: Box::new(answer) }
        }
        Told::Called(callback) => Told::Called(Callback::new(known.callback(callback))),
        Told::Nonce(nonce) => Told::Nonce(known_nonce(nonce, known)?),
        Told::Challenged(challenge) => {
            if let Some(nonce) = &challenge.nonce {
                known.learn("nonce", nonce.as_str());
            }
            let operation = known.operation(&challenge.operation);
            let changed = known.value(serde_json::to_value(challenge).ok()?);
            let challenge: Challenge = serde_json::from_value(changed).ok()?;
            Told::Challenged(Box::new(Challenge { operation, ..challenge }))
        }
        Told::LogIn { scopes } => {
            let changed = known.value(serde_json::to_value(scopes).ok()?);
            Told::LogIn { scopes: serde_json::from_value(changed).ok()? }
        }
        Told::Restore
        | Told::Tick
        | Told::Cancelled
        | Told::Abandoned
        | Told::ClientDisowned
        | Told::LogOut => event.clone(),
    })
}

fn known_nonce(nonce: &Nonce, known: &mut Pseudonyms) -> Option<Nonce> {
    let name = known.learn("nonce", nonce.as_str());
    Nonce::read([name.as_bytes()]).ok().flatten()
}

fn scrubbed_answer(answer: &Answer, private: bool, known: &mut Pseudonyms) -> Option<Answer> {
    Some(match answer {
        Answer::Response { status, fields, body } => {
            let mut changed = Vec::new();
            // Other programs that write traces may have more, and other letters.
            for (name, value) in fields.iter().filter(|(name, _)| octets::is_read(name)) {
                let name = name.to_ascii_lowercase();
                let value = match value {
                    Octets::Text(text) if name == "dpop-nonce" => known.learn("nonce", text),
                    Octets::Text(text) if name == "location" && private => known.location(text),
                    Octets::Text(text) if name == "content-type" => known.media_type(text),
                    // Of an endpoint's answer the machine does not read it.
                    Octets::Text(_) if name == "www-authenticate" && private => continue,
                    Octets::Text(text) => known.text(text),
                    Octets::Other { .. } => SCRUBBED.to_owned(),
                };
                changed.push((name, Octets::Text(value)));
            }
            let body = known.body(body, private);
            Answer::Response { status: *status, fields: changed, body }
        }
        Answer::Client { client_id, client_secret } => {
            let secret = client_secret.as_ref().map(|secret| known.learn("client_secret", secret.expose()));
            Answer::Client { client_id: known.text(client_id), client_secret: secret.map(Into::into) }
        }
        Answer::Signed(signature) => Answer::Signed(known.signature(signature)?),
        Answer::Supplied(assertion) => Answer::Supplied(known.learn("assertion", assertion.expose()).into()),
        // The host's own words.
        Answer::LoadFailed(why) => Answer::LoadFailed(host_words(why, known)),
        Answer::NotKept(why) => Answer::NotKept(host_words(why, known)),
        Answer::NotForgotten(why) => Answer::NotForgotten(host_words(why, known)),
        Answer::NotSent(why) => Answer::NotSent(host_words(why, known)),
        Answer::Interrupted(why) => Answer::Interrupted(host_words(why, known)),
        Answer::AddressRefused(why) => Answer::AddressRefused(host_words(why, known)),
        Answer::Unasked(why) => Answer::Unasked(host_words(why, known)),
        Answer::NotSigned(why) => Answer::NotSigned(host_words(why, known)),
        Answer::NotSupplied(why) => Answer::NotSupplied(host_words(why, known)),
        Answer::Found(_) | Answer::Leased(_) | Answer::Conflict(_) => {
            let value = serde_json::to_value(answer).ok()?;
            known.learn_members(&value);
            serde_json::from_value(known.value(value)).ok()?
        }
        Answer::Busy
        | Answer::Kept
        | Answer::Forgotten(_)
        | Answer::TimedOut
        | Answer::TooLarge
        | Answer::NoClient => answer.clone(),
    })
}

/// What stands where the host said why something failed: its words may hold names of files and hosts.
const WHY: &str = "(the host's words are scrubbed)";
/// What the command line says where it is the host, and nothing in it is of the run: why an inspection does no more.
const OWN_WORDS: [&str; 1] = ["an inspection registers nothing, asks for no token and asks nobody"];

fn host_words(why: &str, known: &Pseudonyms) -> String {
    if OWN_WORDS.contains(&why) { known.text(why) } else { WHY.to_owned() }
}
