//! The testbed's servers over sockets, a key, and a person who consents.
#![allow(dead_code, unreachable_pub, reason = "each test file uses what it needs")]

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mcp_auth::watch::Watch;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{Action, Callback, Config, Event, Kind, Timestamp};
use mcp_auth_jose::{Key, Signer};
use mcp_auth_reqwest::{Answers, BoxFuture, Builder, Client, Consent, Error, Tap};
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Browsed, Purpose, Served, World};
use serde_json::Value;
use url::Url;

pub const REDIRECT: &str = "http://127.0.0.1:3000/callback";

pub fn config(served: &Served) -> Config {
    Config::new(served.server_url(), "Testbed visitor", REDIRECT)
}

/// A client under the watch: the first breach of what must never happen ends the attempt, and so the test.
pub fn builder(config: Config) -> Builder {
    let watch = Watched(Watch::new(&config));
    Client::builder(config).tap(watch)
}

struct Watched(Watch);

impl Tap for Watched {
    fn event(&mut self, now: Timestamp, event: &Event) {
        self.0.event(now, event);
    }

    fn action(&mut self, action: &Action) {
        self.0.action(action);
        assert_eq!(self.0.breaches(), [""; 0]);
    }
}

pub fn request(served: &Served, tool: &str) -> reqwest::Request {
    call::tool(&served.server_url(), Wire::Stateless, tool, "a text").unwrap().try_into().unwrap()
}

pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("this takes too long")
}

/// The status of a call of `echo`.
pub async fn echo(client: &Client, served: &Served) -> u16 {
    let answer = soon(client.send_as("echo", request(served, "echo"))).await;
    answer.unwrap_or_else(|error| panic!("{error:#}\n{}", client.trail())).status().as_u16()
}

/// Why a call of `echo` is not answered.
pub async fn refused(client: &Client, served: &Served) -> Kind {
    kind(&soon(client.send(request(served, "echo"))).await.unwrap_err())
}

pub fn kind(error: &Error) -> Kind {
    match error {
        Error::Failure(failure) => failure.kind(),
        Error::Configuration(breach) => breach.kind,
        other => panic!("{other:?}"),
    }
}

pub fn count(served: &Served, purpose: Purpose) -> usize {
    served.world().count(purpose)
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A key in memory.
pub fn key(algorithm: Algorithm) -> Arc<Key> {
    Arc::new(Key::generate(algorithm).unwrap().0.with_key_id("the-key"))
}

/// Its public half, by its name.
pub fn jwk(key: &Key) -> Value {
    let mut jwk = serde_json::to_value(key.public()).unwrap();
    jwk["kid"] = key.key_id().into();
    jwk
}

/// Somebody who does whatever the testbed's dial says.
#[derive(Clone)]
pub struct Person(pub Arc<Mutex<World>>);

impl Consent for Person {
    fn open(&self, url: Url, _: Timestamp) -> Box<dyn Answers> {
        Box::new(Visit { person: self.clone(), url })
    }
}

struct Visit {
    person: Person,
    url: Url,
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        let browsed = self.person.0.lock().unwrap().browse(now(), self.url.as_str());
        Box::pin(std::future::ready(match browsed {
            Browsed::Callback(url) => Ok(Callback::new(url)),
            Browsed::Page { text, .. } => Err(text),
        }))
    }
}
