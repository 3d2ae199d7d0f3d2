//! What is shared between drivers for the testbed's servers over sockets, and clients of them.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses what it needs")]

use std::future::Future;
use std::time::Duration;

use mcp_auth::{Config, Kind};
use mcp_auth_reqwest::{Builder, Client, Error};
use mcp_auth_testbed::Served;
use mcp_auth_testbed::call::{self, Wire};

#[path = "../../../host/tests/rig/replayed.rs"]
mod replayed;
#[path = "../../../host/tests/rig/visitors.rs"]
mod visitors;
#[path = "../../../host/tests/rig/watched.rs"]
mod watched;

pub use visitors::{Person, REDIRECT, config, count, jwk, key, now};
use watched::Watched;

/// A client under the watch, which is written down and replayed: the first breach of what must never happen ends the attempt,
/// and so the test.
pub fn builder(config: Config) -> Builder {
    let watch = Watched::new(&config);
    Client::builder(config).tap(watch).record(replayed::lines())
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
