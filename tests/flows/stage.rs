//! Where flows are played: a machine, the testbed's servers, a store, a person and a clock, in memory and under the
//! watch, and a recorder that writes all of it down.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use http::{Request, Response, StatusCode, header};
use mcp_auth::trace::{Names, Recorder, Trace};
use mcp_auth::watch::Watch;
use mcp_auth::wire::dpop::Nonce;
use mcp_auth::wire::jwk::PublicJwk;
use mcp_auth::{
    Access, Action, Authorizer, Callback, Challenge, Config, Credential, Event, Failure, Generation, Key,
    Outcome, Saving, Scopes, Seed, SendFailure, Sign, Snapshot, Timestamp,
};
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Browsed, Dials, Origins, SigningKey, World};
use url::Url;

/// Where answers come back.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:3000/callback";
/// When every flow begins.
pub(crate) const START: u64 = 1_800_000_000;

/// The client's key, and the one that tokens are bound to.
pub(crate) static CLIENT_KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::numbered(11));
pub(crate) static PROOF_KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::numbered(12));

/// The public half of a key.
pub(crate) fn public(key: &SigningKey) -> PublicJwk {
    PublicJwk::read(key.public_jwk().to_string().as_bytes()).unwrap()
}

/// Signs as it should.
pub(crate) fn signed(sign: &Sign) -> Event {
    match sign.key() {
        mcp_auth::SigningKey::Proof => sign.reply(PROOF_KEY.sign(sign.message())),
        _ => sign.reply(CLIENT_KEY.sign(sign.message())),
    }
}

/// What a request meets before it reaches the testbed's servers: an answer of the flow's own, or nothing.
pub(crate) type Instead = Box<dyn FnMut(&Request<Vec<u8>>) -> Option<Response<Vec<u8>>>>;

/// What the person does with the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Person {
    /// Follows the page to its end.
    Consents,
    /// Closes the window.
    Ignores,
}

/// What the store does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Works,
    FailsToRead,
    FailsToWrite,
    Busy,
}

/// A machine, its watch, its recorder, and what is written down of it.
type Process = (Authorizer, Watch, Recorder, Arc<Mutex<String>>);

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) machine: Authorizer,
    pub(crate) watch: Watch,
    pub(crate) records: BTreeMap<Key, Credential>,
    pub(crate) store: Store,
    pub(crate) person: Person,
    /// Reaches the redirect URI before what the browser brings.
    pub(crate) before: Vec<String>,
    /// What becomes of what the browser brings.
    pub(crate) changed: Option<fn(String) -> String>,
    /// The client that the person names.
    pub(crate) told: Option<String>,
    /// What is asserted of the person or the workload.
    pub(crate) assertion: Option<String>,
    pub(crate) instead: Option<Instead>,
    pub(crate) now: u64,
    pub(crate) opened: Vec<Url>,
    config: Config,
    seed: u8,
    recorder: Recorder,
    text: Arc<Mutex<String>>,
}

impl Stage {
    /// Servers at hosts that are named after `name`.
    pub(crate) fn named(name: &str, dials: Dials, configure: impl FnOnce(Config, &World) -> Config) -> Self {
        let origins = Origins {
            server: format!("https://mcp.{name}.example"),
            authorization_servers: vec![
                format!("https://auth.{name}.example"),
                format!("https://auth2.{name}.example"),
            ],
            elsewhere: format!("https://login.{name}.example"),
            ..Origins::default()
        };
        Self::at(origins, dials, configure)
    }

    pub(crate) fn at(
        origins: Origins,
        dials: Dials,
        configure: impl FnOnce(Config, &World) -> Config,
    ) -> Self {
        let world = World::new(dials, origins);
        let config = configure(Config::new(world.server_url(), "Example client", REDIRECT), &world);
        let (machine, watch, recorder, text) = made(&config, 7);
        Self {
            world,
            machine,
            watch,
            records: BTreeMap::new(),
            store: Store::Works,
            person: Person::Consents,
            before: Vec::new(),
            changed: None,
            told: None,
            assertion: None,
            instead: None,
            now: START,
            opened: Vec::new(),
            config,
            seed: 7,
            recorder,
            text,
        }
    }

    /// With the dials alone, at the plain hosts.
    pub(crate) fn plain(dials: Dials) -> Self {
        Self::at(Origins::default(), dials, |config, _| config)
    }

    /// The same world and store, and a new process, whose run is what is written down.
    pub(crate) fn restart(&mut self) {
        self.restart_with(|config| config);
    }

    pub(crate) fn restart_with(&mut self, change: impl FnOnce(Config) -> Config) {
        self.leave();
        self.seed += 1;
        self.config = change(self.config.clone());
        (self.machine, self.watch, self.recorder, self.text) = made(&self.config, self.seed);
    }

    /// Another process does this meanwhile, with the same store. It is not written down.
    pub(crate) fn beside(&mut self, does: impl FnOnce(&mut Self)) {
        let other = made(&self.config, self.seed + 100);
        let own = self.become_process(other);
        does(self);
        self.leave();
        self.become_process(own);
    }

    /// What this process wrote down is not kept. It replays all the same, and so does what is left of it without its secrets.
    fn leave(&mut self) {
        let text = self.trace();
        let trace = Trace::read(&text).unwrap();
        assert_eq!(trace.to_string(), text);
        trace.replay().unwrap();
        for names in [Names::Kept, Names::Replaced] {
            let scrubbed = trace.scrub(names).unwrap();
            scrubbed.replay().unwrap();
            self.watch.shown("the scrubbed flow", &scrubbed.to_string());
        }
        self.holds();
    }

    fn become_process(&mut self, (machine, watch, recorder, text): Process) -> Process {
        (
            std::mem::replace(&mut self.machine, machine),
            std::mem::replace(&mut self.watch, watch),
            std::mem::replace(&mut self.recorder, recorder),
            std::mem::replace(&mut self.text, text),
        )
    }

    /// A new process takes up the login that waits.
    pub(crate) fn resume(&mut self) {
        self.leave();
        let snapshot = self.machine.snapshot().unwrap();
        // It is kept in between, as text.
        let snapshot: Snapshot = serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap();
        self.seed += 1;
        let seed = Seed::new([self.seed; 32]);
        let (text, sink) = sink();
        self.text = text;
        self.recorder = Recorder::resume(&self.config, &seed, &snapshot, sink);
        self.watch = Watch::resume(&self.config, &snapshot);
        self.machine = Authorizer::resume(self.config.clone(), seed, snapshot).unwrap();
    }

    /// Turns dials in the middle.
    pub(crate) fn dials(&mut self) -> &mut Dials {
        self.world.dials_mut()
    }

    /// The trace so far.
    pub(crate) fn trace(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_secs(self.now)
    }

    pub(crate) fn tell(&mut self, event: Event) {
        let now = self.time();
        self.watch.event(now, &event);
        self.recorder.event(now, &event);
        self.machine.handle(now, event);
        self.holds();
    }

    pub(crate) fn poll(&mut self) -> Action {
        let action = self.machine.poll();
        self.watch.action(&action);
        self.recorder.action(&action);
        self.holds();
        action
    }

    fn holds(&mut self) {
        self.watch.shown("the machine", &format!("{:?}", self.machine));
        self.watch.shown("the trail", &self.machine.trail().to_string());
        assert_eq!(self.watch.breaches(), [""; 0], "{}", self.machine.trail());
    }

    pub(crate) fn log_in(&mut self) -> &mut Self {
        self.run(Event::LogIn { scopes: Scopes::new() })
    }

    pub(crate) fn restore(&mut self) -> &mut Self {
        self.run(Event::Restore)
    }

    /// Begins an attempt and brings it to its end, and to the wait that follows.
    pub(crate) fn run(&mut self, begin: Event) -> &mut Self {
        self.tell(begin);
        let _ = self.ended();
        self
    }

    /// Brings what was begun to its end, and to the wait that follows.
    pub(crate) fn ended(&mut self) -> Result<Outcome, Box<Failure>> {
        let mut over = None;
        for _ in 0..300 {
            match self.poll() {
                Action::Finish(outcome) => over = Some(outcome),
                Action::Wait(_) if over.is_some() => return over.unwrap(),
                action => {
                    if let Some(event) = self.answer(action) {
                        self.tell(event);
                    }
                }
            }
        }
        panic!("there is no end to it\n{}", self.machine.trail());
    }

    /// What a request would be refused with that carried the present token.
    pub(crate) fn refused(&self) -> Event {
        let generation = self.machine.authorized().map(|it| it.generation);
        let fields = http::HeaderMap::new();
        Event::Challenged(Challenge::of(StatusCode::UNAUTHORIZED, &fields, generation, 0).unwrap())
    }

    /// Goes on until this is asked for, which is not answered.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Action) -> bool) -> Action {
        for _ in 0..300 {
            let action = self.poll();
            if wanted(&action) {
                return action;
            }
            if let Some(event) = self.answer(action) {
                self.tell(event);
            }
        }
        panic!("it is not asked for\n{}", self.machine.trail());
    }

    /// Does whatever can be done without waiting.
    pub(crate) fn settle(&mut self) {
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

    /// What the person's browser brings now.
    pub(crate) fn consent(&mut self) -> Event {
        let url = self.opened.last().unwrap().clone();
        match self.world.browse(self.now, url.as_str()) {
            Browsed::Callback(callback) => self.brings(callback),
            other => panic!("there is no way on: {other:?}"),
        }
    }

    fn brings(&self, callback: String) -> Event {
        Event::Called(Callback::new(match self.changed {
            Some(changed) => changed(callback),
            None => callback,
        }))
    }

    pub(crate) fn answer(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Load(load) => Some(match self.store {
                Store::FailsToRead => load.fail("the disk is gone"),
                Store::Busy if load.exclusive().is_some() => load.busy(),
                _ => load.reply(self.records.get(load.key()).cloned()),
            }),
            Action::Store(save) if self.store == Store::FailsToWrite => {
                Some(save.reply(Saving::Failed("the disk is full".to_owned())))
            }
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
            Action::Send(send) => {
                let request = send.request();
                let instead = self.instead.as_mut().and_then(|instead| instead(&request));
                Some(match instead.or_else(|| self.world.answer(self.now, request)) {
                    None => send.fail(SendFailure::Interrupted("the connection was closed".to_owned())),
                    Some(large) if large.body().len() > send.max_bytes() => send.fail(SendFailure::TooLarge),
                    Some(response) => send.reply(response),
                })
            }
            Action::Open(open) => {
                self.opened.push(open.url().clone());
                None
            }
            Action::Ask(ask) => Some(match &self.told {
                Some(id) => ask.reply(id, None),
                None => ask.decline(),
            }),
            Action::Sign(sign) => Some(signed(&sign)),
            Action::Supply(supply) => Some(match &self.assertion {
                Some(assertion) => supply.reply(assertion.clone()),
                None => supply.fail("there is none"),
            }),
            Action::Wait(until) => Some(self.wait(until)),
            Action::Show(_) | Action::Release(_) | Action::Renewed(_) | Action::Finish(_) => None,
        }
    }

    fn wait(&mut self, until: Option<Timestamp>) -> Event {
        let until = until.expect("an attempt that runs does not wait for ever");
        if !self.before.is_empty() {
            return Event::Called(Callback::new(self.before.remove(0)));
        }
        let open = self.opened.last().filter(|_| self.person == Person::Consents).cloned();
        if let Some(url) = open
            && let Browsed::Callback(callback) = self.world.browse(self.now, url.as_str())
        {
            return self.brings(callback);
        }
        self.now = until.as_secs();
        Event::Tick
    }

    /// What an adapter does with a request of its caller: attaches what there is, and mends a refusal, within bounds.
    pub(crate) fn call(&mut self, method: &str, tool: Option<&str>) -> &mut Self {
        let url = Url::parse(&self.world.server_url()).unwrap();
        let operation = tool.map_or(method.to_owned(), |name| format!("{method}:{name}"));
        let mut retries = 0;
        for _ in 0..5 {
            let (authorization, generation) = match self.machine.access(&url, self.time()) {
                Access::Ready(access) => {
                    self.watch.attached(&url, &self.machine.authorized().unwrap().resource);
                    (Some(access.value().clone()), Some(access.generation()))
                }
                Access::Anonymous => (None, None),
                Access::Refused => panic!("the server's own URL is refused"),
                Access::Wait => {
                    if !self.ends(Event::Restore) {
                        return self;
                    }
                    continue;
                }
            };
            let mut request = rpc(&url, method, tool);
            let authorized = authorization.is_some();
            if let Some(value) = authorization {
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
            if self.config.needs_signer() {
                self.recorder.prove(self.time(), "POST", &url);
            }
            if let Some(input) = self.machine.prove(self.time(), "POST", &url).unwrap() {
                let proof = input.complete(&PROOF_KEY.sign(input.as_bytes())).unwrap();
                request.headers_mut().insert("dpop", proof.expose().parse().unwrap());
            }
            self.watch.requested(request.method(), &url, request.headers());
            self.recorder.request(self.time(), "POST", &url, &operation, authorized);
            let response = self.world.handle(self.now, request);
            self.recorder.response(self.time(), response.status(), response.headers());
            let given = response.headers().get_all("dpop-nonce").iter().map(|value| value.as_bytes());
            if let Some(nonce) = Nonce::read(given).unwrap() {
                self.tell(Event::Nonce(nonce));
            }
            let challenge = Challenge::of(response.status(), response.headers(), generation, retries);
            let Some(challenge) = challenge else { return self };
            if challenge.wanted_nonce().is_some() {
                continue;
            }
            retries += u8::from(response.status() == StatusCode::UNAUTHORIZED);
            if !self.ends(Event::Challenged(challenge.operation(&operation))) {
                return self;
            }
        }
        self
    }

    /// Whether an attempt brings a token, or none is needed.
    fn ends(&mut self, begin: Event) -> bool {
        self.tell(begin);
        matches!(self.ended(), Ok(Outcome::Authorized(_) | Outcome::Anonymous))
    }
}

/// A machine, its watch and its recorder.
fn made(config: &Config, seed: u8) -> Process {
    let (text, sink) = sink();
    let recorder = Recorder::new(config, &Seed::new([seed; 32]), sink);
    let machine = Authorizer::new(config.clone(), Seed::new([seed; 32])).unwrap();
    (machine, Watch::new(config), recorder, text)
}

fn sink() -> (Arc<Mutex<String>>, impl FnMut(&str) + Send + 'static) {
    let text = Arc::new(Mutex::new(String::new()));
    let kept = text.clone();
    let sink = move |line: &str| {
        let mut text = kept.lock().unwrap();
        text.push_str(line);
        text.push('\n');
    };
    (text, sink)
}

/// What a store does with a record: it compares and swaps.
pub(crate) fn put(
    records: &mut BTreeMap<Key, Credential>,
    key: &Key,
    credential: &Credential,
    replaces: Option<Generation>,
) -> Saving {
    let there = records.get(key);
    if there.map(|there| there.generation) != replaces {
        return Saving::Conflict(there.cloned().map(Box::new));
    }
    records.insert(key.clone(), credential.clone());
    Saving::Kept
}

/// A JSON answer.
pub(crate) fn json(status: u16, body: &str) -> Response<Vec<u8>> {
    let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    answer.body(body.as_bytes().to_vec()).unwrap()
}

/// A JSON-RPC request of the stateless wire.
fn rpc(url: &Url, method: &str, name: Option<&str>) -> Request<Vec<u8>> {
    let params = name.map(|name| serde_json::json!({"name": name, "arguments": {}}));
    call::request(url.as_str(), Wire::Stateless, method, params.unwrap_or_default()).unwrap()
}
