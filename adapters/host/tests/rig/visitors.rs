//! A key, and a person who consents, for the testbed's servers over sockets.
#![allow(dead_code, unreachable_pub, reason = "each test file uses what it needs")]

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{Callback, Config, Timestamp};
use mcp_auth_host::{Answers, BoxFuture, Consent};
use mcp_auth_jose::{Key, Signer};
use mcp_auth_testbed::{Browsed, Purpose, Served, World};
use serde_json::Value;
use url::Url;

pub const REDIRECT: &str = "http://127.0.0.1:3000/callback";

pub fn config(served: &Served) -> Config {
    Config::new(served.server_url(), "Testbed visitor", REDIRECT)
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
