//! A whole run in memory: the machine, the testbed's servers, a store, a person and a clock, under the watch.
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::{Request, Response, StatusCode, header};
use mcp_auth::watch::Watch;
use mcp_auth::wire::dpop::Nonce;
use mcp_auth::wire::jwk::PublicJwk;
use mcp_auth::wire::jws::SigningInput;
use mcp_auth::{
    Access, Action, Authorized, Authorizer, Breach, Callback, Challenge, Config, Credential, Event, Failure,
    Generation, Key, Outcome, Saving, Scopes, Secret, Seed, SendFailure, Snapshot, Timestamp,
};
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Browsed, Dials, Origins, Purpose, SigningKey, World};
use url::Url;

mod recording;
use recording::Recording;

/// Where answers come back in all tests.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:3000/callback";

/// What the person does when the browser opens.
#[derive(Clone, Debug, Default)]
pub(crate) enum Person {
    /// Follows the page to its end.
    #[default]
    Consents,
    /// Closes the window.
    Ignores,
    /// Something else than the browser's own answer reaches the redirect URI first.
    Preceded(Vec<String>),
    /// This reaches the redirect URI instead.
    Answers(String),
}

/// How the store behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StoreMood {
    #[default]
    Works,
    FailsToRead,
    FailsToWrite,
}

/// The client's key, and the one that tokens are bound to.
pub(crate) static CLIENT_KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::numbered(11));
pub(crate) static PROOF_KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::numbered(12));

/// Signs as it should.
pub(crate) fn signer() -> Option<Signer> {
    Some(Box::new(|sign| match sign.key() {
        mcp_auth::SigningKey::Proof => sign.reply(PROOF_KEY.sign(sign.message())),
        _ => sign.reply(CLIENT_KEY.sign(sign.message())),
    }))
}

/// The public half of a key.
pub(crate) fn public(key: &SigningKey) -> PublicJwk {
    PublicJwk::read(key.public_jwk().to_string().as_bytes()).unwrap()
}

/// Answers what is to be signed.
pub(crate) type Signer = Box<dyn Fn(&mcp_auth::Sign) -> Event>;

/// What a request meets before it reaches the testbed's servers: an answer of the test's own, or nothing.
pub(crate) type Instead = Box<dyn FnMut(&Request<Vec<u8>>) -> Option<Response<Vec<u8>>>>;

pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) auth: Authorizer,
    pub(crate) watch: Watch,
    pub(crate) store: BTreeMap<Key, Credential>,
    pub(crate) mood: StoreMood,
    pub(crate) person: Person,
    pub(crate) told: Option<(String, Option<Secret>)>,
    /// Whoever holds the keys.
    pub(crate) signer: Option<Signer>,
    /// What is asserted of the person or the workload, the next one last.
    pub(crate) assertions: Vec<String>,
    /// The codes that the person was shown, and where they are to be typed.
    pub(crate) shown: Vec<(String, Url)>,
    pub(crate) instead: Option<Instead>,
    pub(crate) now: u64,
    pub(crate) opened: Vec<Url>,
    pub(crate) finished: usize,
    /// How renewals beside a login ended.
    pub(crate) renewed: Vec<Result<Outcome, Box<Failure>>>,
    seed: u8,
    recording: Recording,
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.recording.check(&mut self.watch);
        }
    }
}

impl Rig {
    pub(crate) fn new(dials: Dials) -> Self {
        Self::with(dials, |config| config)
    }

    pub(crate) fn with(dials: Dials, configure: impl FnOnce(Config) -> Config) -> Self {
        Self::among(Origins::default(), dials, configure)
    }

    /// The same, with servers at other places.
    pub(crate) fn among(origins: Origins, dials: Dials, configure: impl FnOnce(Config) -> Config) -> Self {
        let world = World::new(dials, origins);
        let config = configure(Config::new(world.server_url(), "Rig", REDIRECT));
        let watch = Watch::new(&config);
        let recording = Recording::new(&config, &Seed::new([7; 32]));
        let auth = Authorizer::new(config, Seed::new([7; 32])).unwrap();
        Self {
            world,
            auth,
            watch,
            store: BTreeMap::new(),
            mood: StoreMood::default(),
            person: Person::default(),
            told: None,
            signer: None,
            assertions: Vec::new(),
            shown: Vec::new(),
            instead: None,
            now: 1_800_000_000,
            opened: Vec::new(),
            finished: 0,
            renewed: Vec::new(),
            seed: 7,
            recording,
        }
    }

    /// The same world and store, but a new process: another machine that has nothing in memory.
    pub(crate) fn restart(&mut self, configure: impl FnOnce(Config) -> Config) {
        self.restart_with(configure(Config::new(self.world.server_url(), "Rig", REDIRECT)));
    }

    /// The same, with answers coming back elsewhere.
    pub(crate) fn restart_at(&mut self, redirect_uri: &str) {
        self.restart_with(Config::new(self.world.server_url(), "Rig", redirect_uri));
    }

    /// The same, with this configuration.
    pub(crate) fn restart_with(&mut self, config: Config) {
        self.seed += 1;
        self.recording.check(&mut self.watch);
        self.recording = Recording::new(&config, &Seed::new([self.seed; 32]));
        self.watch = Watch::new(&config);
        self.auth = Authorizer::new(config, Seed::new([self.seed; 32])).unwrap();
    }

    /// A new process takes up a login that waits.
    pub(crate) fn resume(&mut self, configure: impl FnOnce(Config) -> Config, snapshot: Snapshot) {
        let config = configure(Config::new(self.world.server_url(), "Rig", REDIRECT));
        self.seed += 1;
        self.recording.check(&mut self.watch);
        self.recording = Recording::resume(&config, &Seed::new([self.seed; 32]), &snapshot);
        self.watch = Watch::resume(&config, &snapshot);
        self.auth = Authorizer::resume(config, Seed::new([self.seed; 32]), snapshot).unwrap();
    }

    /// The trace of this process so far.
    pub(crate) fn trace(&self) -> String {
        self.recording.text()
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.now)
    }

    /// Tells the machine, under the watch.
    pub(crate) fn tell(&mut self, event: Event) {
        self.watch.event(Timestamp::from_secs(self.now), &event);
        self.recording.recorder.event(Timestamp::from_secs(self.now), &event);
        self.auth.handle(Timestamp::from_secs(self.now), event);
        self.watch.shown("the machine", &format!("{:?}", self.auth));
        self.watch.shown("the trail", &self.auth.trail().to_string());
        assert_eq!(self.watch.breaches(), [""; 0], "{}", self.auth.trail());
    }

    /// Asks the machine, under the watch.
    pub(crate) fn poll(&mut self) -> Action {
        let action = self.auth.poll();
        self.watch.action(&action);
        self.recording.recorder.action(&action);
        self.watch.shown("the machine", &format!("{:?}", self.auth));
        assert_eq!(self.watch.breaches(), [""; 0], "{}", self.auth.trail());
        action
    }

    /// What is to be signed for a request of the host.
    pub(crate) fn prove(&mut self, method: &str, url: &Url) -> Result<Option<SigningInput>, Breach> {
        self.recording.recorder.prove(self.now(), method, url);
        self.auth.prove(self.now(), method, url)
    }

    /// Drives one attempt to its end.
    pub(crate) fn run(&mut self, begin: Event) -> Result<Outcome, Box<Failure>> {
        self.tell(begin);
        self.drive()
    }

    pub(crate) fn drive(&mut self) -> Result<Outcome, Box<Failure>> {
        for _ in 0..200 {
            let action = self.poll();
            if let Action::Finish(outcome) = action {
                self.finished += 1;
                return outcome;
            }
            if let Some(event) = self.answer(action) {
                self.tell(event);
            }
        }
        panic!("the attempt does not end\n{}", self.auth.trail());
    }

    /// Goes on until the machine asks for this.
    pub(crate) fn until(&mut self, is_it: impl Fn(&Action) -> bool) -> Action {
        for _ in 0..200 {
            match self.poll() {
                action if is_it(&action) => return action,
                Action::Release(_) => {}
                action => {
                    let event = self.answer(action).unwrap();
                    self.tell(event);
                }
            }
        }
        panic!("it is not asked for\n{}", self.auth.trail());
    }

    /// Does whatever can be done without waiting; gives the outcomes of the attempts that ended.
    pub(crate) fn settle(&mut self) -> Vec<Result<Outcome, Box<Failure>>> {
        let mut ended = Vec::new();
        for _ in 0..200 {
            match self.poll() {
                Action::Wait(_) => return ended,
                Action::Finish(outcome) => ended.push(outcome),
                action => {
                    if let Some(event) = self.answer(action) {
                        self.tell(event);
                    }
                }
            }
        }
        panic!("there is no end to it\n{}", self.auth.trail());
    }

    /// The person consents to what the browser shows.
    pub(crate) fn consent(&mut self) -> Event {
        let url = self.opened.last().expect("a browser is open").clone();
        match self.world.browse(self.now, url.as_str()) {
            Browsed::Callback(callback) => Event::Called(Callback::new(callback)),
            other => panic!("there is no way on: {other:?}"),
        }
    }

    /// What the world says to one action.
    pub(crate) fn answer(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Load(load) => Some(match self.mood {
                StoreMood::FailsToRead => load.fail("the disk is gone"),
                StoreMood::Works | StoreMood::FailsToWrite => load.reply(self.store.get(load.key()).cloned()),
            }),
            Action::Store(save) => {
                Some(save.reply(self.save(save.key(), save.credential(), save.replaces())))
            }
            Action::Forget(forget) if self.mood == StoreMood::FailsToWrite => {
                Some(forget.fail("the disk is full"))
            }
            Action::Forget(forget) => {
                let there = self.store.get(forget.key()).map(|there| there.generation);
                if there == Some(forget.generation()) {
                    self.store.remove(forget.key());
                }
                Some(forget.reply(there.is_none_or(|there| there == forget.generation())))
            }
            Action::Release(_) => None,
            Action::Renewed(outcome) => {
                self.renewed.push(outcome);
                None
            }
            Action::Send(send) => Some(match self.exchange(send.request()) {
                None => send.fail(SendFailure::Interrupted("the connection was closed".to_owned())),
                Some(large) if large.body().len() > send.max_bytes() => send.fail(SendFailure::TooLarge),
                Some(response) => send.reply(response),
            }),
            Action::Open(open) => {
                self.opened.push(open.url().clone());
                None
            }
            Action::Ask(ask) => Some(match self.told.take() {
                Some((id, secret)) => ask.reply(id, secret),
                None => ask.decline(),
            }),
            Action::Show(show) => {
                self.shown.push((show.user_code().to_owned(), show.verification_uri().clone()));
                None
            }
            Action::Sign(sign) => Some(match &self.signer {
                Some(signer) => signer(&sign),
                None => sign.fail("there is no key"),
            }),
            Action::Supply(supply) => Some(match self.assertions.pop() {
                Some(assertion) => supply.reply(assertion),
                None => supply.fail("there is none"),
            }),
            Action::Wait(until) => Some(self.wait(until)),
            Action::Finish(_) => None,
        }
    }

    fn exchange(&mut self, request: Request<Vec<u8>>) -> Option<Response<Vec<u8>>> {
        let instead = self.instead.as_mut().and_then(|instead| instead(&request));
        instead.or_else(|| self.world.answer(self.now, request))
    }

    fn save(&mut self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving {
        if self.mood == StoreMood::FailsToWrite {
            return Saving::Failed("the disk is full".to_owned());
        }
        let there = self.store.get(key);
        if there.map(|there| there.generation) != replaces {
            return Saving::Conflict(there.cloned().map(Box::new));
        }
        self.store.insert(key.clone(), credential.clone());
        Saving::Kept
    }

    fn wait(&mut self, until: Option<Timestamp>) -> Event {
        let until = until.expect("an attempt that runs does not wait for ever");
        match std::mem::take(&mut self.person) {
            Person::Consents => {
                let url = self.opened.last().expect("there is a wait, so a browser is open").clone();
                match self.world.browse(self.now, url.as_str()) {
                    Browsed::Callback(callback) => Event::Called(Callback::new(callback)),
                    _ => {
                        self.now = until.as_secs();
                        Event::Tick
                    }
                }
            }
            Person::Ignores => {
                self.now = until.as_secs();
                Event::Tick
            }
            Person::Preceded(mut answers) => {
                let first = answers.remove(0);
                self.person = if answers.is_empty() { Person::Consents } else { Person::Preceded(answers) };
                Event::Called(Callback::new(first))
            }
            Person::Answers(callback) => Event::Called(Callback::new(callback)),
        }
    }

    /// What an adapter does with a request of its caller: attaches what there is, and mends a refusal, within
    /// bounds.
    pub(crate) fn call(
        &mut self,
        method: &str,
        name: Option<&str>,
    ) -> Result<Response<Vec<u8>>, Box<Failure>> {
        let url = Url::parse(&self.world.server_url()).unwrap();
        let operation = name.map_or(method.to_owned(), |name| format!("{method}:{name}"));
        let mut retries = 0;
        for _ in 0..6 {
            let (authorization, generation) = match self.auth.access(&url, self.now()) {
                Access::Ready(authorization) => {
                    self.watch.attached(&url, &self.auth.authorized().unwrap().resource);
                    (Some(authorization.value().clone()), Some(authorization.generation()))
                }
                Access::Anonymous => (None, None),
                Access::Refused => panic!("the server's own URL is refused"),
                Access::Wait => {
                    self.run(Event::Restore)?;
                    continue;
                }
            };
            let mut request = rpc(&url, method, name);
            if let Some(value) = authorization {
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
            if let Some(input) = self.prove("POST", &url).unwrap() {
                let signature = PROOF_KEY.sign(input.as_bytes());
                let proof = input.complete(&signature).unwrap();
                request.headers_mut().insert("dpop", proof.expose().parse().unwrap());
            }
            self.watch.requested(request.method(), &url, request.headers());
            assert_eq!(self.watch.breaches(), [""; 0], "{}", self.auth.trail());
            let response = self.world.handle(self.now, request);
            let given = response.headers().get_all("dpop-nonce").iter().map(|value| value.as_bytes());
            if let Some(nonce) = Nonce::read(given).unwrap() {
                self.tell(Event::Nonce(nonce));
            }
            let Some(challenge) = Challenge::of(response.status(), response.headers(), generation, retries)
            else {
                return Ok(response);
            };
            let challenge = challenge.operation(&operation);
            if response.status() == StatusCode::UNAUTHORIZED {
                retries += 1;
            }
            self.run(Event::Challenged(challenge))?;
        }
        panic!("the request is refused for ever\n{}", self.auth.trail());
    }

    pub(crate) fn log_in(&mut self) -> Result<Authorized, Box<Failure>> {
        self.run(Event::LogIn { scopes: Scopes::new() }).map(authorized)
    }

    /// How many exchanges of this kind the servers have seen.
    pub(crate) fn count(&self, purpose: Purpose) -> usize {
        self.world.exchanges().iter().filter(|exchange| exchange.is_for(purpose)).count()
    }

    /// A query parameter of the last authorization request.
    pub(crate) fn asked(&self, name: &str) -> Option<String> {
        let url = self.opened.last()?;
        url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }
}

/// Answers what goes to a URL that begins so with what is made of the request's body.
pub(crate) fn at(place: &str, answer: impl Fn(&str) -> (u16, String) + 'static) -> Instead {
    let place = place.to_owned();
    Box::new(move |request| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        request.uri().to_string().starts_with(&place).then(|| json(answer(&body)))
    })
}

/// A JSON answer.
pub(crate) fn json((status, body): (u16, String)) -> Response<Vec<u8>> {
    let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    answer.body(body.into_bytes()).unwrap()
}

/// A request to servers with these dials is answered in the end.
pub(crate) fn works(dials: Dials) -> Rig {
    let mut rig = Rig::new(dials);
    let answered = rig.call("tools/list", None).unwrap_or_else(|failure| panic!("{failure:#}"));
    assert_eq!(answered.status(), StatusCode::OK);
    rig
}

pub(crate) fn authorized(outcome: Outcome) -> Authorized {
    match outcome {
        Outcome::Authorized(authorized) => *authorized,
        other => panic!("no token was obtained: {other:?}"),
    }
}

/// A JSON-RPC request of the stateless wire.
fn rpc(url: &Url, method: &str, name: Option<&str>) -> Request<Vec<u8>> {
    let params = name.map(|name| serde_json::json!({"name": name, "arguments": {}}));
    call::request(url.as_str(), Wire::Stateless, method, params.unwrap_or_default()).unwrap()
}
