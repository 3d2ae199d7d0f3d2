//! What is shared between drivers for the testbed's servers over sockets, and clients of them.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses what it needs")]

use std::ops::Deref;
use std::thread;
use std::time::{Duration, Instant};

use http::Request;
use mcp_auth::{Config, Kind};
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Dials, Served};
use mcp_auth_ureq::{Builder, Client, Error};

#[path = "../../../host/tests/rig/replayed.rs"]
mod replayed;
#[path = "../../../host/tests/rig/visitors.rs"]
mod visitors;
#[path = "../../../host/tests/rig/watched.rs"]
mod watched;

pub use visitors::{Person, REDIRECT, config, count, jwk, key, now};
use watched::Watched;

/// The testbed's servers, and the runtime that they alone need.
pub struct Serving {
    served: Served,
    _runtime: tokio::runtime::Runtime,
}

impl Deref for Serving {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.served
    }
}

pub fn serve(dials: Dials) -> Serving {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let served = runtime.block_on(mcp_auth_testbed::serve(dials)).unwrap();
    Serving { served, _runtime: runtime }
}

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

/// A client under the watch, which is written down and replayed: the first breach of what must never happen ends the attempt,
/// and so the test.
pub fn builder(config: Config) -> Builder {
    let watch = Watched::new(&config);
    Client::builder(config).tap(watch).record(replayed::lines())
}

pub fn request(served: &Served, tool: &str) -> Request<Vec<u8>> {
    call::tool(&served.server_url(), Wire::Stateless, tool, "a text").unwrap()
}

/// The status of a call of `echo`.
pub fn echo(client: &Client, served: &Served) -> u16 {
    let answer = client.send_as("echo", request(served, "echo"));
    answer.unwrap_or_else(|error| panic!("{error:#}\n{}", client.trail())).status().as_u16()
}

/// Why a call of `echo` is not answered.
pub fn refused(client: &Client, served: &Served) -> Kind {
    kind(&client.send(request(served, "echo")).unwrap_err())
}

pub fn kind(error: &Error) -> Kind {
    match error {
        Error::Failure(failure) => failure.kind(),
        Error::Configuration(breach) => breach.kind,
        other => panic!("{other:?}"),
    }
}
