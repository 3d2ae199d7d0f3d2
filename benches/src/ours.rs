//! The machine at work, with every answer of the world ready beforehand: nothing is measured but the machine.

use http::{HeaderMap, Response, StatusCode};
use mcp_auth::trace::Recorder;
use mcp_auth::wire::dpop::Nonce;
use mcp_auth::wire::jws::SigningInput;
use mcp_auth::{
    Access, Action, Authorizer, Callback, Challenge, Config, Credential, Event, Outcome, ProofKey, Saving,
    Secret, Seed, Timestamp,
};
use serde_json::json;
use url::Url;

use crate::documents;

/// When everything happens.
pub const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// When the token of the login has run out.
pub const LATER: Timestamp = Timestamp::from_secs(1_800_000_000 + 4000);

/// The configuration of the measured client.
pub fn config() -> Config {
    Config::new(documents::SERVER, documents::NAME, documents::REDIRECT)
}

/// The seed of the measured client.
pub fn seed() -> Seed {
    Seed::new([7; 32])
}

/// What is done with each event and each action besides. Where a driver can record, this is an `Option`; nothing at all is what
/// that is held against where it is off.
pub trait Eye {
    /// The machine is told this.
    fn event(&mut self, event: &Event);
    /// The machine asks for this.
    fn action(&mut self, action: &Action);
}

impl Eye for () {
    fn event(&mut self, _: &Event) {}
    fn action(&mut self, _: &Action) {}
}

impl Eye for Option<Recorder> {
    fn event(&mut self, event: &Event) {
        if let Some(recorder) = self {
            recorder.event(NOW, event);
        }
    }

    fn action(&mut self, action: &Action) {
        if let Some(recorder) = self {
            recorder.action(action);
        }
    }
}

/// Everything that a login is told, in order.
pub struct Told<E = Option<Recorder>> {
    config: Option<Config>,
    refusal: HeaderMap,
    answers: std::vec::IntoIter<Response<Vec<u8>>>,
    callback: Callback,
    eye: E,
}

impl Told<()> {
    /// A login by registration that cannot be written down.
    pub fn bare() -> Self {
        Self::with(documents::answers(), ())
    }
}

impl Told {
    /// The same, where it could be written down.
    pub fn new() -> Self {
        Self::with(documents::answers(), None)
    }

    /// The same, and written down as it happens.
    pub fn recorded() -> Self {
        let mut bytes = 0_usize;
        let count = move |line: &str| bytes = bytes.saturating_add(std::hint::black_box(line).len());
        let recorder = Recorder::new(&config(), &seed(), count);
        Self::with(documents::answers(), Some(recorder))
    }
}

impl<E> Told<E> {
    fn with(answers: Vec<Response<Vec<u8>>>, eye: E) -> Self {
        let state = state_of(&config(), &answers);
        let callback = Callback::new(documents::callback(&state));
        // A configuration is judged once for all its clones, and that is part of a login.
        let config = Some(self::config());
        Self { config, refusal: documents::refusal(), answers: answers.into_iter(), callback, eye }
    }
}

impl Default for Told {
    fn default() -> Self {
        Self::new()
    }
}

/// The `state` of the login, which follows from the seed.
fn state_of(config: &Config, answers: &[Response<Vec<u8>>]) -> String {
    let mut auth = Authorizer::new(config.clone(), seed()).expect("a good configuration");
    auth.handle(NOW, Event::LogIn { scopes: Default::default() });
    let mut answers = answers.iter().cloned();
    loop {
        let event = match auth.poll() {
            Action::Load(load) => load.reply(None),
            Action::Send(send) => send.reply(answers.next().expect("an answer for each request")),
            Action::Open(open) => {
                let mut pairs = open.url().query_pairs();
                return pairs.find(|(name, _)| name == "state").expect("a state").1.into_owned();
            }
            other => panic!("{other:?}\n{}", auth.trail()),
        };
        auth.handle(NOW, event);
    }
}

/// A login, from the refusal of a request to a stored token, with all the requests that a driver would send.
pub fn login<E: Eye>(mut told: Told<E>) -> Authorizer {
    let Told { config, refusal, .. } = &mut told;
    let config = config.take().expect("it is used once");
    let mut auth = Authorizer::new(config, seed()).expect("a good configuration");
    let challenge = Challenge::of(StatusCode::UNAUTHORIZED, refusal, None, 0).expect("a challenge");
    let begin = Event::Challenged(challenge);
    told.eye.event(&begin);
    auth.handle(NOW, begin);
    loop {
        let action = auth.poll();
        told.eye.action(&action);
        let event = match action {
            Action::Load(load) => load.reply(None),
            Action::Send(send) => {
                std::hint::black_box(send.request());
                send.reply(told.answers.next().expect("an answer for each request"))
            }
            Action::Open(open) => {
                std::hint::black_box(open.url());
                continue;
            }
            Action::Wait(_) => Event::Called(told.callback.clone()),
            Action::Store(save) => save.reply(Saving::Kept),
            Action::Finish(Ok(Outcome::Authorized(_))) => return auth,
            other => panic!("{other:?}\n{}", auth.trail()),
        };
        told.eye.event(&event);
        auth.handle(NOW, event);
    }
}

/// The record that the login leaves in the store.
pub fn record() -> Credential {
    let mut told = Told::new();
    let mut auth = Authorizer::new(config(), seed()).expect("a good configuration");
    auth.handle(NOW, Event::LogIn { scopes: Default::default() });
    loop {
        let event = match auth.poll() {
            Action::Load(load) => load.reply(None),
            Action::Send(send) => send.reply(told.answers.next().expect("an answer for each request")),
            Action::Open(_) => continue,
            Action::Wait(_) => Event::Called(told.callback.clone()),
            Action::Store(save) => return save.credential().clone(),
            other => panic!("{other:?}\n{}", auth.trail()),
        };
        auth.handle(NOW, event);
    }
}

/// A machine that has found this record in its store, idle.
pub fn restored(config: Config, record: Credential, seed: Seed) -> Authorizer {
    let mut auth = Authorizer::new(config, seed).expect("a good configuration");
    auth.handle(NOW, Event::Restore);
    let Action::Load(load) = auth.poll() else { panic!("the store is read first") };
    auth.handle(NOW, load.reply(Some(record)));
    assert!(matches!(auth.poll(), Action::Finish(Ok(Outcome::Authorized(_)))), "{}", auth.trail());
    auth
}

/// An idle machine with a live token.
pub fn authorized() -> Authorizer {
    restored(config(), record(), seed())
}

/// What a renewal begins with.
pub struct Expired {
    pub auth: Authorizer,
    pub record: Credential,
    pub answer: Response<Vec<u8>>,
}

/// A machine whose token has run out.
pub fn expired() -> Expired {
    let answer = documents::answer(200, &documents::token());
    Expired { auth: authorized(), record: record(), answer }
}

/// A renewal: the record read and held, the refresh token spent, its successor stored, the record let go.
pub fn refresh(expired: Expired) -> Authorizer {
    let Expired { mut auth, record, answer } = expired;
    let (mut record, mut answer) = (Some(record), Some(answer));
    auth.handle(LATER, Event::Restore);
    loop {
        let event = match auth.poll() {
            Action::Load(load) if load.exclusive().is_some() => load.reply(record.take()),
            Action::Load(load) => load.reply(record.clone()),
            Action::Send(send) => {
                std::hint::black_box(send.request());
                send.reply(answer.take().expect("one request"))
            }
            Action::Store(save) => save.reply(Saving::Kept),
            Action::Release(_) => continue,
            Action::Finish(Ok(Outcome::Authorized(_))) => return auth,
            other => panic!("{other:?}\n{}", auth.trail()),
        };
        auth.handle(LATER, event);
    }
}

/// The hot path: what a request may carry. Whether it may carry a token.
pub fn access(auth: &Authorizer, url: &Url) -> bool {
    matches!(auth.access(url, NOW), Access::Ready(_))
}

/// A machine whose token is bound to a key, and which knows the resource's nonce.
pub fn bound() -> Authorizer {
    let jwk = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    });
    let public = serde_json::from_value(jwk).expect("a public key");
    let key = ProofKey::new(public);
    let mut record = serde_json::to_value(record()).expect("a record");
    record["binding"] = json!({
        "thumbprint": key.public.thumbprint(),
        "algorithm": key.public.algorithms()[0],
    });
    let record = serde_json::from_value(record).expect("a record");
    let mut auth = restored(config().proof_key(key), record, seed());
    let nonce = "eyJ7S_zG.eyJH0-Z.HX4w-7v";
    auth.handle(NOW, Event::Nonce(Nonce::try_from(nonce.to_owned()).expect("a nonce")));
    auth
}

/// What a request with a bound token takes: the token, what is to be signed, and the proof made of that and a signature
/// (which is another's work).
pub fn bound_request(auth: &mut Authorizer, url: &Url, signature: &[u8]) -> Secret {
    assert!(access(auth, url));
    let input: SigningInput = auth.prove(NOW, "POST", url).expect("the key").expect("a bound token");
    input.complete(signature).expect("a signature of the right length")
}

/// A step that does nothing.
pub fn idle_step(auth: &mut Authorizer) -> Action {
    auth.handle(NOW, Event::Tick);
    auth.poll()
}

/// A machine that waits for a person.
pub fn consenting() -> Authorizer {
    let mut auth = Authorizer::new(config(), seed()).expect("a good configuration");
    auth.handle(NOW, Event::LogIn { scopes: Default::default() });
    let mut answers = documents::answers().into_iter();
    loop {
        let event = match auth.poll() {
            Action::Load(load) => load.reply(None),
            Action::Send(send) => send.reply(answers.next().expect("an answer for each request")),
            Action::Open(_) => continue,
            Action::Wait(_) => return auth,
            other => panic!("{other:?}\n{}", auth.trail()),
        };
        auth.handle(NOW, event);
    }
}
