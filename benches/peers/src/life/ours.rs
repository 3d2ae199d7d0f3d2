//! Our machine, driven as a driver does it.

use std::collections::BTreeMap;

use http::StatusCode;
use mcp_auth::{
    Access, Action, Authorizer, Callback, Challenge, Config, Credential, Event, Failure, Generation, Key,
    Preregistered, Saving, Seed, Send, Timestamp,
};
use mcp_auth_benches::documents;
use mcp_auth_testbed::{Browsed, Dials, Origins, RegistrationScope, World};
use url::Url;

use super::{CLIENT, Count, DOCUMENT, Known, call, dials, seen};

const NOW: u64 = 1_800_000_000;
const READ: &str = "read_file";

struct Process {
    world: World,
    known: Known,
    auth: Authorizer,
    store: BTreeMap<Key, Credential>,
    now: u64,
    seed: u8,
    count: Count,
}

fn machine(world: &World, known: Known, seed: u8) -> Authorizer {
    let config = Config::new(world.server_url(), documents::NAME, documents::REDIRECT);
    let config = match known {
        Known::Registers => config,
        Known::Document => config.metadata_document(DOCUMENT),
        Known::Configured => config.preregistered(Preregistered::new(world.issuer(0), CLIENT)),
    };
    Authorizer::new(config, Seed::new([seed; 32])).expect("a good configuration")
}

impl Process {
    fn new(known: Known, turn: impl FnOnce(&mut Dials)) -> Self {
        let mut dials = dials(known);
        turn(&mut dials);
        let world = World::new(dials, Origins::default());
        let auth = machine(&world, known, 7);
        Self { world, known, auth, store: BTreeMap::new(), now: NOW, seed: 7, count: Count::default() }
    }

    /// Another process, with the same store.
    fn restart(&mut self) {
        self.seed += 1;
        self.auth = machine(&self.world, self.known, self.seed);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.now)
    }

    /// What a driver does with so many requests of its callers at once: attaches the token, and mends a refusal.
    fn requests(&mut self, many: usize, tool: &str) {
        let url = Url::parse(&self.world.server_url()).expect("a URL");
        for retries in 0..6 {
            let (token, generation) = match self.auth.access(&url, self.now()) {
                Access::Ready(token) => (Some(token.value().clone()), Some(token.generation())),
                Access::Anonymous => (None, None),
                Access::Wait => {
                    (0..many).for_each(|_| self.auth.handle(self.now(), Event::Restore));
                    self.drive().expect("a token");
                    continue;
                }
                Access::Refused => panic!("the server's own URL is refused"),
            };
            let request = call(&self.world, tool, token.as_ref());
            let answers = (0..many).map(|_| self.world.handle(self.now, request.clone()));
            let refusals: Vec<_> = answers.filter(|answer| !answer.status().is_success()).collect();
            if refusals.is_empty() {
                return;
            }
            for refusal in refusals {
                self.challenged(&refusal, generation, retries, tool);
            }
            self.drive().expect("a token");
        }
        panic!("the request is refused for ever\n{}", self.auth.trail());
    }

    fn challenged(
        &mut self,
        refusal: &http::Response<Vec<u8>>,
        refused: Option<Generation>,
        retries: u8,
        tool: &str,
    ) {
        let retries = if refusal.status() == StatusCode::UNAUTHORIZED { retries } else { 0 };
        let challenge = Challenge::of(refusal.status(), refusal.headers(), refused, retries);
        let challenge = challenge.expect("a challenge").operation(tool);
        self.auth.handle(self.now(), Event::Challenged(challenge));
    }

    /// To the end of all that was begun.
    fn drive(&mut self) -> Result<(), Box<Failure>> {
        let (mut sent, mut open): (Vec<Send>, Option<Url>) = (Vec::new(), None);
        let mut ended = false;
        for _ in 0..1000 {
            let event = match self.auth.poll() {
                Action::Load(load) => load.reply(self.store.get(load.key()).cloned()),
                Action::Store(save) => {
                    self.store.insert(save.key().clone(), save.credential().clone());
                    save.reply(Saving::Kept)
                }
                Action::Forget(forget) => {
                    self.store.remove(forget.key());
                    forget.reply(true)
                }
                // What else is to be sent before anything is answered goes with it.
                Action::Send(send) => {
                    sent.push(send);
                    continue;
                }
                Action::Open(it) => {
                    open = Some(it.url().clone());
                    continue;
                }
                Action::Finish(outcome) => {
                    outcome?;
                    ended = true;
                    continue;
                }
                Action::Release(_) | Action::Renewed(_) => continue,
                Action::Wait(_) if !sent.is_empty() => {
                    self.count.rounds += 1;
                    for send in sent.drain(..) {
                        self.count.exchanges += 1;
                        let answer = self.world.handle(self.now, send.request());
                        self.auth.handle(Timestamp::from_secs(self.now), send.reply(answer));
                    }
                    continue;
                }
                Action::Wait(_) => match open.take() {
                    None if ended => return Ok(()),
                    None => panic!("nothing is to be waited for\n{}", self.auth.trail()),
                    Some(url) => match self.world.browse(self.now, url.as_str()) {
                        Browsed::Callback(callback) => Event::Called(Callback::new(callback)),
                        other => panic!("there is no way on: {other:?}"),
                    },
                },
                other => panic!("{other:?}\n{}", self.auth.trail()),
            };
            self.auth.handle(self.now(), event);
        }
        panic!("there is no end to it\n{}", self.auth.trail());
    }

    /// What this cost, held against what the servers saw.
    fn cost(&mut self, work: impl FnOnce(&mut Self)) -> Count {
        let (before, seen_before) = (self.count, seen(&self.world));
        work(self);
        let cost = self.count - before;
        assert_eq!(cost.exchanges, seen(&self.world) - seen_before, "the servers count the same");
        cost
    }
}

pub(super) fn cold(known: Known, turn: impl FnOnce(&mut Dials)) -> Count {
    Process::new(known, turn).cost(|it| it.requests(1, READ))
}

fn logged_in() -> Process {
    let mut process = Process::new(Known::Registers, |_| ());
    process.requests(1, READ);
    process
}

pub(super) fn ended() -> Count {
    let mut process = logged_in();
    process.world.revoke_everything();
    process.now += 600;
    process.cost(|it| it.requests(1, READ))
}

pub(super) fn ended_restored() -> Count {
    let mut process = logged_in();
    process.world.revoke_everything();
    process.now += 600;
    process.restart();
    process.cost(|it| it.requests(1, READ))
}

pub(super) fn restored_live() -> Count {
    let mut process = logged_in();
    process.restart();
    process.cost(|it| it.requests(1, READ))
}

pub(super) fn restored_expired() -> Count {
    let mut process = logged_in();
    process.now += 4000;
    process.restart();
    process.cost(|it| it.requests(1, READ))
}

pub(super) fn expired(requests: usize) -> Count {
    let mut process = logged_in();
    process.now += 4000;
    process.cost(|it| it.requests(requests, READ))
}

pub(super) fn refused(requests: usize) -> Count {
    let mut process = logged_in();
    process.now += 600;
    process.world.expire_access_tokens();
    process.cost(|it| it.requests(requests, READ))
}

pub(super) fn stepped_up(known: Known, scope: RegistrationScope) -> Count {
    let mut process = Process::new(known, |dials| dials.registration_scope = scope);
    process.requests(1, READ);
    process.cost(|it| it.requests(1, "write_file"))
}
