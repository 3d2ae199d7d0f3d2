//! The town that is shared between drivers, and clients of it.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses what it needs")]

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use http::Request;
use mcp_auth::Config;
use mcp_auth_ureq::{Builder, Client, Consent};

#[path = "../../../host/tests/rig/port.rs"]
mod port;
#[path = "../served/mod.rs"]
mod served;
#[path = "../../../host/tests/rig/town.rs"]
mod town;

pub use port::OnePort;
pub use served::builder;
pub use town::{Asked, Person, REDIRECT, Reply, Town};

/// What the thread gives, within reason.
pub fn joined<T>(thread: thread::JoinHandle<T>) -> T {
    until("a thread ends", || thread.is_finished());
    thread.join().unwrap()
}

/// Waits until it is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: this takes too long");
        thread::sleep(Duration::from_millis(1));
    }
}

impl Town {
    /// A client of this town, with a person who consents.
    pub fn builder(self: &Arc<Self>) -> Builder {
        self.builder_for(Person::new(self))
    }

    /// A client of this town, with this person.
    pub fn builder_for(self: &Arc<Self>, person: impl Consent) -> Builder {
        self.builder_with(self.config(), person)
    }

    pub fn builder_with(self: &Arc<Self>, config: Config, person: impl Consent) -> Builder {
        builder(config).consent(person)
    }

    pub fn request(&self, path: &str) -> Request<()> {
        Request::get(format!("{}{path}", self.origin)).body(()).unwrap()
    }

    /// A request that needs `scope`.
    pub fn scoped(&self, scope: &str) -> Request<()> {
        let mut request = self.request("/mcp");
        request.headers_mut().insert("x-scope", scope.parse().unwrap());
        request
    }
}
