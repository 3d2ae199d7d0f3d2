//! One machine, the testbed's servers, a store and a person, in memory and in virtual time, written down.

#[path = "../../../adapters/host/tests/rig/replayed.rs"]
mod replayed;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::{Request, Response, StatusCode, header};
use mcp_auth::trace::Recorder;
use mcp_auth::wire::dpop::Nonce;
use mcp_auth::{
    Access, Action, Authorizer, Callback, Challenge, Config, Credential, Event, Failure, Key, Outcome,
    Saving, Scopes, Seed, SendFailure, Timestamp,
};
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Browsed, Dials, Origins, SigningKey, World};
use url::Url;

pub(crate) const REDIRECT: &str = "http://127.0.0.1:3000/callback";
/// A day in January 2027, at eight in the morning.
const BEGIN: u64 = 1_800_000_000;

pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) now: u64,
    pub(crate) proof_key: SigningKey,
    auth: Authorizer,
    recorder: Recorder,
    text: Arc<Mutex<String>>,
    store: BTreeMap<Key, Credential>,
    opened: Option<Url>,
    configure: fn(Config) -> Config,
}

fn recorded(config: &Config, seed: &Seed) -> (Recorder, Arc<Mutex<String>>) {
    let text = Arc::new(Mutex::new(String::new()));
    let (kept, mut replayed) = (text.clone(), replayed::lines());
    let recorder = Recorder::new(config, seed, move |line| {
        replayed(line);
        let mut text = kept.lock().unwrap();
        text.push_str(line);
        text.push('\n');
    });
    (recorder, text)
}

impl Rig {
    pub(crate) fn new(dials: Dials, configure: fn(Config) -> Config) -> Self {
        let world = World::new(dials, Origins::default());
        let config = configure(Config::new(world.server_url(), "Example client", REDIRECT));
        let seed = Seed::new([7; 32]);
        let (recorder, text) = recorded(&config, &seed);
        Self {
            world,
            now: BEGIN,
            proof_key: SigningKey::numbered(12),
            auth: Authorizer::new(config, seed).unwrap(),
            recorder,
            text,
            store: BTreeMap::new(),
            opened: None,
            configure,
        }
    }

    /// Another process, with the same store. What the one before did is not in its trace.
    pub(crate) fn restart(&mut self) {
        let config = (self.configure)(Config::new(self.world.server_url(), "Example client", REDIRECT));
        let seed = Seed::new([8; 32]);
        (self.recorder, self.text) = recorded(&config, &seed);
        self.auth = Authorizer::new(config, seed).unwrap();
    }

    /// What was written down.
    pub(crate) fn trace(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    pub(crate) fn tell(&mut self, event: Event) {
        let now = Timestamp::from_secs(self.now);
        self.recorder.event(now, &event);
        self.auth.handle(now, event);
    }

    fn poll(&mut self) -> Action {
        let action = self.auth.poll();
        self.recorder.action(&action);
        action
    }

    pub(crate) fn log_in(&mut self) -> Result<Outcome, Box<Failure>> {
        self.run(Event::LogIn { scopes: Scopes::new() })
    }

    /// Drives one attempt to its end.
    pub(crate) fn run(&mut self, begin: Event) -> Result<Outcome, Box<Failure>> {
        self.tell(begin);
        for _ in 0..400 {
            let action = self.poll();
            if let Action::Finish(outcome) = action {
                self.poll();
                return outcome;
            }
            if let Some(event) = self.answer(action) {
                self.tell(event);
            }
        }
        panic!("the attempt does not end\n{}", self.auth.trail());
    }

    /// Everything up to the point where only a person can go on.
    pub(crate) fn until_the_person(&mut self, begin: Event) {
        self.tell(begin);
        loop {
            match self.poll() {
                Action::Wait(_) => return,
                action => {
                    if let Some(event) = self.answer(action) {
                        self.tell(event);
                    }
                }
            }
        }
    }

    /// Goes on from there.
    pub(crate) fn finish(&mut self) -> Result<Outcome, Box<Failure>> {
        let event = self.consent(None);
        self.run(event)
    }

    fn consent(&mut self, until: Option<Timestamp>) -> Event {
        let Some(url) = self.opened.take() else {
            self.now = until.expect("an attempt that runs does not wait for ever").as_secs();
            return Event::Tick;
        };
        self.now += 9;
        match self.world.browse(self.now, url.as_str()) {
            Browsed::Callback(callback) => Event::Called(Callback::new(callback)),
            Browsed::Page { .. } => {
                self.now = until.unwrap().as_secs();
                Event::Tick
            }
        }
    }

    fn answer(&mut self, action: Action) -> Option<Event> {
        Some(match action {
            Action::Load(load) => load.reply(self.store.get(load.key()).cloned()),
            Action::Store(save) => {
                let there = self.store.get(save.key());
                if there.map(|there| there.generation) != save.replaces() {
                    return Some(save.reply(Saving::Conflict(there.cloned().map(Box::new))));
                }
                self.store.insert(save.key().clone(), save.credential().clone());
                save.reply(Saving::Kept)
            }
            Action::Forget(forget) => {
                self.store.remove(forget.key());
                forget.reply(true)
            }
            Action::Send(send) => match self.world.answer(self.now, send.request()) {
                None => send.fail(SendFailure::Interrupted("the connection was closed".to_owned())),
                Some(response) => send.reply(response),
            },
            Action::Open(open) => {
                self.opened = Some(open.url().clone());
                return None;
            }
            Action::Ask(ask) => ask.decline(),
            Action::Sign(sign) => sign.reply(self.proof_key.sign(sign.message())),
            Action::Supply(supply) => supply.fail("there is none"),
            Action::Wait(until) => self.consent(until),
            Action::Release(_) | Action::Renewed(_) | Action::Show(_) | Action::Finish(_) => return None,
        })
    }

    /// A request of the host: what there is goes with it, and a refusal is mended.
    pub(crate) fn call(&mut self, method: &str, name: Option<&str>) -> Result<(), Box<Failure>> {
        let url = Url::parse(&self.world.server_url()).unwrap();
        let operation = name.map_or(method.to_owned(), |name| format!("{method}:{name}"));
        let mut retries = 0;
        for _ in 0..6 {
            let now = Timestamp::from_secs(self.now);
            let (authorization, generation) = match self.auth.access(&url, now) {
                Access::Ready(ready) => (Some(ready.value().clone()), Some(ready.generation())),
                Access::Anonymous => (None, None),
                Access::Refused => panic!("the server's own URL is refused"),
                Access::Wait => {
                    self.run(Event::Restore)?;
                    continue;
                }
            };
            let mut request = rpc(&url, method, name);
            let carries = authorization.is_some();
            let bound = authorization.as_ref().is_some_and(|value| value.as_bytes().starts_with(b"DPoP"));
            if let Some(value) = authorization {
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
            if bound {
                self.recorder.prove(now, "POST", &url);
                let input = self.auth.prove(now, "POST", &url).unwrap().unwrap();
                let signature = self.proof_key.sign(input.as_bytes());
                let proof = input.complete(&signature).unwrap();
                request.headers_mut().insert("dpop", proof.expose().parse().unwrap());
            }
            self.recorder.request(now, "POST", &url, &operation, carries);
            let response: Response<Vec<u8>> = self.world.handle(self.now, request);
            self.recorder.response(now, response.status(), response.headers());
            let given = response.headers().get_all("dpop-nonce").iter().map(|value| value.as_bytes());
            if let Some(nonce) = Nonce::read(given).unwrap().filter(|_| carries) {
                self.tell(Event::Nonce(nonce));
            }
            let challenge = Challenge::of(response.status(), response.headers(), generation, retries);
            let Some(challenge) = challenge.map(|challenge| challenge.operation(&operation)) else {
                return Ok(());
            };
            if challenge.wanted_nonce().is_some() {
                continue;
            }
            retries += u8::from(response.status() == StatusCode::UNAUTHORIZED);
            self.run(Event::Challenged(challenge))?;
        }
        panic!("the request is refused for ever\n{}", self.auth.trail());
    }
}

/// A JSON-RPC request of the stateless wire.
fn rpc(url: &Url, method: &str, name: Option<&str>) -> Request<Vec<u8>> {
    let params = name.map(|name| serde_json::json!({"name": name, "arguments": {}}));
    call::request(url.as_str(), Wire::Stateless, method, params.unwrap_or_default()).unwrap()
}
