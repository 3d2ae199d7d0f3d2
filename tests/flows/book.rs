//! What the world said in a recorded flow, to be said again when the machine asks again; and a run that is carried on
//! from anywhere in the flow.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Response;
use mcp_auth::trace::{Entry, Trace};
use mcp_auth::watch::Watch;
use mcp_auth::{
    Action, Authorizer, Callback, Credential, Event, Key, Outcome, Scopes, Send, SendFailure, Timestamp,
};
use serde_json::Value;
use url::Url;

use crate::stage::{put, signed};

/// How many actions may follow an event before the machine waits.
const MOST_ACTIONS: usize = 64;
/// How many events an attempt may take to end.
const MOST_EVENTS: usize = 400;

/// What a request was answered with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Canned {
    Response { status: u16, fields: Vec<(String, Vec<u8>)>, body: Vec<u8> },
    Failed(SendFailure),
}

impl Canned {
    /// From its form in a trace.
    pub(crate) fn read(answer: &Value) -> Option<Self> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        if let Some(response) = answer.get("response") {
            let fields = response["fields"].as_array()?.iter();
            let fields = fields.map(|field| Some((field[0].as_str()?.to_owned(), octets(&field[1])?)));
            let status = response["status"].as_u64()?.try_into().ok()?;
            return Some(Self::Response {
                status,
                fields: fields.collect::<Option<_>>()?,
                body: octets(&response["body"])?,
            });
        }
        let failure = text("not_sent").map(SendFailure::NotSent);
        let failure = failure.or_else(|| text("interrupted").map(SendFailure::Interrupted));
        let plain = match answer.as_str() {
            Some("timed_out") => Some(SendFailure::TimedOut),
            Some("too_large") => Some(SendFailure::TooLarge),
            _ => None,
        };
        failure.or(plain).map(Self::Failed)
    }

    pub(crate) fn event(&self, send: &Send) -> Event {
        match self {
            Self::Failed(failure) => send.fail(failure.clone()),
            Self::Response { status, fields, body } => {
                let mut response = Response::builder().status(*status);
                for (name, value) in fields {
                    response = response.header(name, value.as_slice());
                }
                send.reply(response.body(body.clone()).unwrap())
            }
        }
    }

    /// The same with other tokens: a server does not give the same one twice.
    fn renewed(&self, count: usize) -> Self {
        let Self::Response { status, fields, body } = self else { return self.clone() };
        let Ok(mut document) = serde_json::from_slice::<Value>(body) else { return self.clone() };
        for name in ["access_token", "refresh_token"] {
            if let Some(Value::String(token)) = document.get_mut(name) {
                token.push_str(&format!("-{count}"));
            }
        }
        Self::Response { status: *status, fields: fields.clone(), body: document.to_string().into_bytes() }
    }
}

fn octets(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        other => URL_SAFE_NO_PAD.decode(other["base64"].as_str()?).ok(),
    }
}

/// What a request is for, and where it goes.
type Place = (String, String);

fn place(send: &Send) -> Place {
    (format!("{:?}", send.purpose()), send.uri().to_string())
}

/// One flow, taken apart.
pub(crate) struct Book {
    pub(crate) trace: Trace,
    answers: BTreeMap<Place, Vec<Canned>>,
    callback: Option<String>,
    assertion: Option<String>,
    client: Option<String>,
}

impl Book {
    pub(crate) fn of(trace: Trace) -> Self {
        let mut book =
            Self { trace, answers: BTreeMap::new(), callback: None, assertion: None, client: None };
        let (mut sent, mut machine) = (BTreeMap::<u64, Place>::new(), book.trace.machine().unwrap());
        let trace = book.trace.clone();
        let mut events = trace.events();
        for entry in trace.entries() {
            match entry {
                Entry::Event { event, .. } => {
                    let (at, told) = events.next().unwrap();
                    machine.handle(at, told);
                    if let Some(callback) = event["called"].as_str().filter(|it| it.contains("state=")) {
                        book.callback = Some(callback.to_owned());
                    }
                    let answer = &event["replied"]["answer"];
                    if let Some(assertion) = answer["supplied"].as_str() {
                        book.assertion = Some(assertion.to_owned());
                    }
                    if let Some(client) = answer["client"]["client_id"].as_str() {
                        book.client = Some(client.to_owned());
                    }
                    let place = event["replied"]["id"].as_u64().and_then(|id| sent.remove(&id));
                    if let Some((place, canned)) = place.zip(Canned::read(answer)) {
                        book.answers.entry(place).or_default().push(canned);
                    }
                }
                Entry::Action(action) => {
                    if let Action::Send(send) = machine.poll() {
                        sent.insert(action["send"]["id"].as_u64().unwrap(), place(&send));
                    }
                }
                Entry::Prove { at, method, url } => {
                    let _ = machine.prove(at, method, &url.parse().unwrap());
                }
                _ => {}
            }
        }
        book
    }

    /// Whether it has all that a login takes.
    pub(crate) fn has_discovery(&self) -> bool {
        self.answers.keys().any(|(purpose, _)| purpose == "ServerMetadata")
    }

    /// Every answer, and what it is an answer to.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (&Place, &Canned)> {
        self.answers.iter().flat_map(|(place, all)| all.iter().map(move |canned| (place, canned)))
    }
}

/// A run, wherever it is.
#[derive(Clone)]
pub(crate) struct Run<'a> {
    book: &'a Book,
    pub(crate) machine: Authorizer,
    pub(crate) watch: Watch,
    records: BTreeMap<Key, Credential>,
    /// What the store was asked to keep, by the number of the request.
    offered: BTreeMap<u64, (Key, Credential)>,
    /// What was asked for and has no answer, by its number.
    pub(crate) asked: BTreeMap<u64, Action>,
    /// What was put before the person last.
    pub(crate) shown: Option<Action>,
    used: BTreeMap<Place, usize>,
    pub(crate) now: Timestamp,
    /// The `state` of the request that is before the person, while it has no answer.
    open: Option<String>,
    pushed: Option<String>,
    callbacks: usize,
    running: bool,
    /// How attempts ended: with a token or without need of one, or with a failure.
    pub(crate) ends: Vec<Result<&'static str, String>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(book: &'a Book) -> Self {
        let config = book.trace.config();
        let watch = book.trace.snapshot().map(|it| Watch::resume(config, it));
        Self {
            book,
            machine: book.trace.machine().unwrap(),
            watch: watch.unwrap_or_else(|| Watch::new(config)),
            records: BTreeMap::new(),
            offered: BTreeMap::new(),
            asked: BTreeMap::new(),
            shown: None,
            used: BTreeMap::new(),
            now: Timestamp::default(),
            open: book.trace.snapshot().map(|it| it.state().to_owned()),
            pushed: None,
            callbacks: 0,
            running: book.trace.snapshot().is_some(),
            ends: Vec::new(),
        }
    }

    pub(crate) fn tell(&mut self, event: Event) {
        if matches!(event, Event::Restore | Event::LogIn { .. } | Event::Challenged(_) | Event::LogOut) {
            self.running = true;
        }
        self.watch.event(self.now, &event);
        self.machine.handle(self.now, event);
        self.watch.shown("the machine", &format!("{:?}", self.machine));
    }

    pub(crate) fn poll(&mut self) -> Action {
        let action = self.machine.poll();
        self.watch.action(&action);
        match &action {
            Action::Send(send) if send.purpose() == mcp_auth::Purpose::PushedAuthorization => {
                let form = String::from_utf8_lossy(send.request().body()).into_owned();
                let mut pairs = url::form_urlencoded::parse(form.as_bytes());
                self.pushed = pairs.find(|(name, _)| name == "state").map(|(_, value)| value.into_owned());
            }
            Action::Open(open) => {
                let state = open.url().query_pairs().find(|(name, _)| name == "state");
                self.open = state.map(|(_, value)| value.into_owned()).or_else(|| self.pushed.clone());
            }
            Action::Finish(outcome) => {
                self.running = false;
                self.open = None;
                self.ends.push(match outcome {
                    Ok(Outcome::Authorized(_)) => Ok("authorized"),
                    Ok(Outcome::Anonymous) => Ok("anonymous"),
                    Ok(Outcome::LoggedOut(_)) => Ok("logged out"),
                    Err(failure) => {
                        assert!(!failure.breach.clause.is_empty() && !failure.to_string().is_empty());
                        Err(format!("{:?}", failure.kind()))
                    }
                });
            }
            _ => {}
        }
        action
    }

    /// One line of the flow. Whatever the store has is kept in mind.
    pub(crate) fn follow(&mut self, entry: &Entry<'_>, told: Option<(Timestamp, Event)>) {
        match entry {
            Entry::Event { event, .. } => {
                let (at, told) = told.unwrap();
                self.now = at;
                self.learn(event);
                self.tell(told);
            }
            Entry::Action(action) => {
                let asked = self.poll();
                let members = action.as_object().and_then(|it| it.values().next());
                let id = members.and_then(|it| it["id"].as_u64());
                if let (Action::Store(save), Some(id)) = (&asked, id) {
                    self.offered.insert(id, (save.key().clone(), save.credential().clone()));
                }
                if matches!(asked, Action::Open(_)) {
                    self.shown = Some(asked.clone());
                }
                self.asked.extend(id.map(|id| (id, asked)));
            }
            Entry::Prove { at, method, url } => {
                let _ = self.machine.prove(*at, method, &url.parse::<Url>().unwrap());
            }
            _ => {}
        }
    }

    /// The world has said what it had to say to this request, though it does not arrive as it was said.
    pub(crate) fn is_said(&mut self, send: &Send) {
        *self.used.entry(place(send)).or_default() += 1;
    }

    fn learn(&mut self, event: &Value) {
        let Some(id) = event["replied"]["id"].as_u64() else {
            self.open = self.open.take().filter(|_| event.get("called").is_none());
            return;
        };
        if let Some(Action::Send(send)) = self.asked.remove(&id) {
            self.is_said(&send);
        }
        let answer = &event["replied"]["answer"];
        if answer == "kept" {
            self.records.extend(self.offered.remove(&id));
        }
        for name in ["found", "leased"] {
            if let Ok(found) = serde_json::from_value::<Credential>(answer[name].clone()) {
                self.records.insert(self.book.trace.config().key(), found);
            }
        }
        if answer["forgotten"] == true {
            self.records.clear();
        }
    }

    /// Answers whatever is asked for at once, to the next wait.
    pub(crate) fn settle(&mut self) -> Option<Timestamp> {
        for _ in 0..MOST_EVENTS {
            let mut waits = None;
            for count in 0.. {
                assert!(count < MOST_ACTIONS, "poll does not end in a wait");
                match self.poll() {
                    Action::Wait(until) => {
                        waits = Some(until);
                        break;
                    }
                    action => {
                        if let Some(event) = self.answer(action) {
                            self.tell(event);
                            break;
                        }
                    }
                }
            }
            if let Some(until) = waits {
                return until;
            }
        }
        panic!("there is no end to it\n{}", self.machine.trail());
    }

    /// Whether an attempt was begun whose end nobody was told yet.
    pub(crate) fn runs(&self) -> bool {
        self.running || self.machine.is_running()
    }

    /// Until when the machine waits, which it may not do for ever while an attempt runs.
    fn waits(&mut self) -> Option<Timestamp> {
        let until = self.settle();
        let hangs = until.is_none() && self.runs();
        assert!(!hangs, "an attempt runs, and the machine waits for nothing\n{}", self.machine.trail());
        until
    }

    /// Lets time pass until then. The machine is told of it whenever it wants to be, and nothing else is.
    pub(crate) fn pass(&mut self, due: Timestamp) {
        for _ in 0..MOST_EVENTS {
            let until = self.waits().map_or(due, |until| until.clamp(self.now, due.max(self.now)));
            let over = until >= due;
            self.now = until;
            self.tell(Event::Tick);
            if over {
                return;
            }
        }
        panic!("it asks for the time again and again\n{}", self.machine.trail());
    }

    /// Goes on with what the world has to say, until no attempt runs.
    pub(crate) fn go_on(&mut self) {
        for _ in 0..MOST_EVENTS {
            let until = self.waits();
            let Some(until) = until.filter(|_| self.runs()) else { return };
            let callback = self.book.callback.clone().zip(self.open.take());
            match callback {
                Some((callback, state)) => {
                    self.callbacks += 1;
                    let callback = answering(&callback, &state, self.callbacks);
                    self.tell(Event::Called(Callback::new(callback)));
                }
                None => {
                    self.now = until.max(self.now);
                    self.tell(Event::Tick);
                }
            }
        }
        panic!("the attempt does not end\n{}", self.machine.trail());
    }

    /// A person asks for a login, long after.
    pub(crate) fn log_in(&mut self) -> Result<&'static str, String> {
        self.now = Timestamp::from_secs(self.now.as_secs() + 7200);
        self.ends.clear();
        self.tell(Event::LogIn { scopes: Scopes::new() });
        self.go_on();
        assert_eq!(self.ends.len(), 1, "a login ends once\n{}", self.machine.trail());
        self.ends.remove(0)
    }

    fn answer(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Load(load) => Some(load.reply(self.records.get(load.key()).cloned())),
            Action::Store(save) => {
                Some(save.reply(put(&mut self.records, save.key(), save.credential(), save.replaces())))
            }
            Action::Forget(forget) => {
                let there = self.records.get(forget.key()).map(|there| there.generation);
                if there == Some(forget.generation()) {
                    self.records.remove(forget.key());
                }
                Some(forget.reply(there.is_none_or(|there| there == forget.generation())))
            }
            Action::Send(send) => Some(self.say(&send)),
            Action::Ask(ask) => Some(match &self.book.client {
                Some(client) => ask.reply(client, None),
                None => ask.decline(),
            }),
            Action::Sign(sign) => Some(signed(&sign)),
            Action::Supply(supply) => Some(match &self.book.assertion {
                Some(assertion) => supply.reply(assertion.clone()),
                None => supply.fail("there is none"),
            }),
            Action::Open(_)
            | Action::Show(_)
            | Action::Release(_)
            | Action::Renewed(_)
            | Action::Wait(_)
            | Action::Finish(_) => None,
        }
    }

    /// What the flow has as the next answer to this request, or its last; what it does not have fails.
    fn say(&mut self, send: &Send) -> Event {
        let place = place(send);
        let used = self.used.entry(place.clone()).or_default();
        let count = *used;
        *used += 1;
        match self.book.answers.get(&place).map(|all| (all.get(count), all.last())) {
            Some((Some(next), _)) => next.event(send),
            Some((None, Some(last))) => last.renewed(count).event(send),
            _ if *send.method() == http::Method::GET => {
                send.reply(Response::builder().status(404).body("There is nothing here.".to_owned()).unwrap())
            }
            _ => send.fail(SendFailure::NotSent("there is nobody".to_owned())),
        }
    }
}

/// The recorded callback as the answer to another request, with another code.
fn answering(callback: &str, state: &str, count: usize) -> String {
    let Ok(mut url) = Url::parse(callback) else { return callback.to_owned() };
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    url.query_pairs_mut().clear().extend_pairs(pairs.iter().map(|(name, value)| match name.as_str() {
        "state" => (name, state.to_owned()),
        "code" => (name, format!("{value}-{count}")),
        _ => (name, value.clone()),
    }));
    url.into()
}
