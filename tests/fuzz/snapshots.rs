//! Logins that wait for their callback, written down, with something changed in them, and taken up by another machine.

use std::sync::LazyLock;

use http::{Response, header};
use mcp_auth::trace::Trace;
use mcp_auth::watch::Watch;
use mcp_auth::wire::form;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{
    Action, Authorizer, Callback, Config, Event, Kind, Outcome, Purpose, Saving, Scopes, Seed, SendFailure,
    Sign, Snapshot, Timestamp,
};
use serde_json::Value;
use url::Url;

use super::edits::{Choices, edit};
use super::recorded::recording::Recording;
use super::recorded::{FLOWS, MAX_EDITS, is_replayed, pool};

/// The code of every good answer.
const CODE: &str = "the-code-of-the-answer";
/// Where a person's consent and client secret stand in a snapshot, beside its `state`.
const SECRETS: [&str; 3] = ["/consent/state", "/consent/code_verifier", "/consent/terms/client/secret"];

/// A login that waited for a person in a recorded flow.
struct Login {
    flow: usize,
    config: Config,
    snapshot: Value,
}

/// Every login of the recorded flows that waited, at each point where it was another.
static LOGINS: LazyLock<Vec<Login>> = LazyLock::new(|| {
    let mut found: Vec<Login> = Vec::new();
    for (flow, lines) in FLOWS.iter().enumerate() {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let trace = Trace::read(&text).unwrap();
        let mut waiting: Vec<Snapshot> = Vec::new();
        trace
            .follow(|_, machine| {
                waiting.extend(
                    machine
                        .snapshot()
                        .filter(|it| waiting.last().is_none_or(|last| last.state() != it.state())),
                );
            })
            .unwrap();
        found.extend(waiting.iter().map(|snapshot| Login {
            flow,
            config: trace.config().clone(),
            snapshot: serde_json::to_value(snapshot).unwrap(),
        }));
    }
    found
});

/// The snapshots as texts: the seeds.
pub(crate) fn seeds() -> Vec<String> {
    LOGINS.iter().map(|login| login.snapshot.to_string()).collect()
}

/// Snapshots: one that is taken up is written as it was read, waits for its own `state` alone, and sends its code to its own
/// token endpoint alone; what is refused is no secret's business. One that nobody changed ends in a token.
pub(crate) fn snapshots(data: &[u8]) {
    if data.first() == Some(&b'{') {
        let Ok(snapshot) = serde_json::from_slice::<Value>(data) else { return };
        let state = snapshot.pointer(SECRETS[0]);
        let known = |login: &&Login| login.snapshot.pointer(SECRETS[0]) == state;
        let login = LOGINS.iter().find(known).unwrap_or(&LOGINS[0]);
        return taken_up(login, &snapshot, &mut Choices::new(&[]), is_replayed(data));
    }
    let mut choices = Choices::new(data);
    let login = &LOGINS[choices.below(LOGINS.len())];
    let mut snapshot = login.snapshot.clone();
    let edits = usize::from(choices.byte()) % MAX_EDITS / 8;
    if edits > 0 {
        let pool = pool(login.flow);
        (0..edits).for_each(|_| edit(&mut snapshot, &mut choices, &pool));
    }
    taken_up(login, &snapshot, &mut choices, is_replayed(data));
}

fn taken_up(login: &Login, written: &Value, choices: &mut Choices<'_>, replayed: bool) {
    let Ok(snapshot) = serde_json::from_value::<Snapshot>(written.clone()) else {
        assert!(*written != login.snapshot);
        return;
    };
    let text = serde_json::to_string(&snapshot).unwrap();
    let again: Snapshot = serde_json::from_str(&text).unwrap();
    assert!(again == snapshot, "it is written as another");
    let written = serde_json::to_value(&snapshot).unwrap();
    let secrets = secrets(&written);
    quotes_none(&secrets, &format!("{snapshot:?}"));
    let untouched = written == login.snapshot;
    let seed = Seed::new([9; 32]);
    let recording = replayed.then(|| Recording::resume(&login.config, &seed, &snapshot));
    let machine = match Authorizer::resume(login.config.clone(), seed, snapshot.clone()) {
        Ok(machine) => machine,
        Err(breach) => {
            assert_eq!(breach.kind, Kind::Configuration);
            quotes_none(&secrets, &breach.to_string());
            // What is signed goes to endpoints that this machine has read of, or to the issuer's own origin.
            let elsewhere = login.config.needs_signer() && breach.got.contains("nor are its endpoints");
            assert!(!untouched || elsewhere, "{breach}");
            return;
        }
    };
    let kept = serde_json::to_value(machine.snapshot().unwrap()).unwrap();
    assert_eq!(comparable(kept), comparable(written.clone()));
    assert!(machine.is_consenting() && machine.is_running() && machine.authorized().is_none());
    // What stands in a snapshot is no secret of an answer that is still to come.
    if text.contains(CODE) {
        return;
    }
    let right = untouched && !choices.are_left();
    let now = written["taken_at"].as_u64().unwrap();
    let watch = Watch::resume(&login.config, &snapshot);
    let mut taken = Taken { machine, watch, recording, written, now, choices, tokens: 0, called: false };
    taken.run();
    assert!(!right || taken.tokens == 1, "no token\n{}", taken.machine.trail());
    let _ = taken.recording.map(|recording| recording.replays());
}

/// The secrets that stand nowhere else in the snapshot, and are long enough to be known.
fn secrets(written: &Value) -> Vec<String> {
    let mut rest = written.clone();
    let mut found = Vec::new();
    for place in SECRETS {
        if let Some(Value::String(secret)) = rest.pointer_mut(place).map(Value::take) {
            found.push(secret);
        }
    }
    let rest = rest.to_string();
    found.retain(|secret| secret.len() >= 8 && !rest.contains(secret.as_str()));
    found
}

fn quotes_none(secrets: &[String], text: &str) {
    assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())), "a secret is shown");
}

/// A snapshot without what the configuration has the last word about, and without a generation that may be no measure.
fn comparable(mut written: Value) -> Value {
    written["consent"]["terms"]["client"].take();
    written["latest"].take();
    written
}

/// A login that was taken up, and what it is told.
struct Taken<'c, 'd> {
    machine: Authorizer,
    watch: Watch,
    recording: Option<Recording>,
    written: Value,
    now: u64,
    choices: &'c mut Choices<'d>,
    tokens: usize,
    /// Whether the right answer has come, in time.
    called: bool,
}

impl Taken<'_, '_> {
    fn run(&mut self) {
        for _ in 0..6 {
            let event = self.choose();
            self.tell(event);
            self.settle();
            if !self.choices.are_left() {
                break;
            }
        }
        self.tell(Event::Cancelled);
        // It may have to wait for a store that was busy.
        while let Some(until) = self.settle() {
            assert!(self.machine.is_running() && until.as_secs() > self.now, "{}", self.machine.trail());
            self.now = until.as_secs();
            self.tell(Event::Tick);
        }
        assert!(!self.machine.is_running(), "{}", self.machine.trail());
    }

    fn text(&self, place: &str) -> &str {
        self.written.pointer(place).and_then(Value::as_str).unwrap_or_default()
    }

    fn callback(&self, state: &str, pairs: &[(&str, &str)]) -> Event {
        let all = [("state", state)].into_iter().chain(pairs.iter().copied());
        Event::Called(Callback::new(format!("{}?{}", self.text("/redirect_uri"), form::encode(all))))
    }

    fn choose(&mut self) -> Event {
        let state = self.text("/consent/state").to_owned();
        let issuer = self.text("/consent/terms/server/issuer").to_owned();
        let deadline = self.written["deadline"].as_u64().unwrap();
        let waits = self.machine.is_consenting();
        let first = waits && self.machine.snapshot().is_some_and(|it| it.state() == state);
        match self.choices.byte() % 16 {
            0..=3 => {
                self.called |= first && self.now < deadline;
                self.callback(&state, &[("code", CODE), ("iss", &issuer)])
            }
            4 => {
                let foreign = self.callback("another-state", &[("code", CODE), ("iss", &issuer)]);
                let before = format!("{:?}", self.machine);
                self.tell(foreign);
                // It is for somebody else, whatever it says. How long a later login waits is not in the snapshot.
                if first || !waits {
                    assert_eq!(waits && self.now < deadline, waits && self.machine.is_consenting());
                    assert!(self.now >= deadline || format!("{:?}", self.machine) == before);
                }
                Event::Tick
            }
            5 => self.callback(&state, &[("code", "a-code-of-another"), ("iss", "https://evil.example")]),
            6 => self.callback(&state, &[("error", "access_denied"), ("iss", &issuer)]),
            7 => {
                self.now = self.now.max(deadline);
                Event::Tick
            }
            8 => Event::Cancelled,
            9 => Event::Abandoned,
            10 => Event::LogIn { scopes: Scopes::new() },
            11 => Event::Restore,
            12 => Event::LogOut,
            13 => Event::ClientDisowned,
            14 => {
                self.now = self.now.saturating_add(u64::from(self.choices.byte()));
                Event::Tick
            }
            _ => self.callback(&state, &[("code", CODE), ("code", CODE)]),
        }
    }

    fn tell(&mut self, event: Event) {
        self.watch.event(Timestamp::from_secs(self.now), &event);
        if let Some(recording) = &mut self.recording {
            recording.recorder.event(Timestamp::from_secs(self.now), &event);
        }
        self.machine.handle(Timestamp::from_secs(self.now), event);
        let deadline = self.written["deadline"].as_u64().unwrap();
        let own = self.machine.snapshot().is_some_and(|it| it.state() == self.text("/consent/state"));
        assert!(!(own && self.now >= deadline), "it waits beyond its deadline");
        self.check();
    }

    fn check(&mut self) {
        self.watch.text("the machine", &format!("{:?}", self.machine));
        if !self.machine.is_running() {
            self.watch.text("the trail", &self.machine.trail().to_string());
        }
        assert!(self.watch.breaches().is_empty(), "{:?}\n{}", self.watch.breaches(), self.machine.trail());
    }

    /// Answers until the machine waits; says until when.
    fn settle(&mut self) -> Option<Timestamp> {
        for _ in 0..80 {
            let action = self.machine.poll();
            self.watch.action(&action);
            if let Some(recording) = &mut self.recording {
                recording.recorder.action(&action);
            }
            self.check();
            if let Action::Wait(until) = action {
                return until;
            }
            if let Some(event) = self.answer(action) {
                self.tell(event);
            }
        }
        panic!("it does not come to rest\n{}", self.machine.trail());
    }

    fn answer(&mut self, action: Action) -> Option<Event> {
        let choice = self.choices.byte();
        Some(match action {
            Action::Send(send) => {
                let request = send.request();
                let form: Vec<_> = url::form_urlencoded::parse(request.body()).into_owned().collect();
                if form.iter().any(|(name, value)| name == "code" && value == CODE) {
                    let endpoint = Url::parse(self.text("/consent/terms/server/token_endpoint")).unwrap();
                    assert_eq!(request.uri().to_string(), endpoint.as_str());
                    assert!(self.called && send.purpose() == Purpose::Token);
                    let verifier = self.text("/consent/code_verifier");
                    assert!(form.iter().any(|(name, value)| name == "code_verifier" && value == verifier));
                }
                match choice {
                    200 => send.fail(SendFailure::TimedOut),
                    201 => send.fail(SendFailure::Interrupted("cut off".to_owned())),
                    202 => send.fail(SendFailure::NotSent("closed".to_owned())),
                    203 => {
                        self.now = self.now.saturating_add(60);
                        Event::Tick
                    }
                    204 => send.reply(response(400, r#"{"error":"invalid_grant"}"#)),
                    205 => send.reply(response(401, r#"{"error":"invalid_client"}"#)),
                    206 => send.reply(response(302, "")),
                    207 => send.reply(response(503, "later")),
                    208..=215 => {
                        send.reply(response(200, r#"{"access_token":"from-nobody","token_type":"mac"}"#))
                    }
                    _ if matches!(send.purpose(), Purpose::Token | Purpose::Refresh) => {
                        send.reply(response(200, &self.token()))
                    }
                    _ => send.reply(response(404, "")),
                }
            }
            Action::Load(load) => match choice {
                200 => load.fail("the disk is gone"),
                201 => load.busy(),
                _ => load.reply(None),
            },
            Action::Store(save) => match choice {
                200 => save.reply(Saving::Failed("the disk is full".to_owned())),
                201 => save.reply(Saving::Conflict(None)),
                _ => save.reply(Saving::Kept),
            },
            Action::Forget(forget) => forget.reply(choice != 200),
            Action::Ask(ask) => ask.decline(),
            Action::Show(show) => show.fail("there is no screen"),
            Action::Sign(sign) if choice == 200 => sign.fail("the key is gone"),
            Action::Sign(sign) => sign.reply(signature(&sign)),
            Action::Supply(supply) => supply.fail("there is none"),
            Action::Finish(outcome) => {
                self.tokens += usize::from(matches!(outcome, Ok(Outcome::Authorized(_))));
                return None;
            }
            _ => return None,
        })
    }

    /// A good answer, of the type that the login asked for.
    fn token(&self) -> String {
        let bound = self.written.pointer("/consent/terms/binding").is_some_and(|binding| !binding.is_null());
        let kind = if bound { "DPoP" } else { "Bearer" };
        let number = self.tokens;
        format!(
            "{{\"access_token\":\"access-of-the-answer-{number}\",\"token_type\":\"{kind}\",\
             \"refresh_token\":\"refresh-of-the-answer-{number}\",\"expires_in\":3600}}"
        )
    }
}

fn response(status: u16, body: &str) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::LOCATION, "https://evil.example/elsewhere")
        .body(body.as_bytes().to_vec())
        .unwrap()
}

/// A signature as long as it must be. Nobody verifies it here.
fn signature(sign: &Sign) -> Vec<u8> {
    let long = matches!(sign.algorithm(), Algorithm::Rs256 | Algorithm::Ps256);
    vec![7; if long { 256 } else { 64 }]
}
