//! An authorized HTTP client for Model Context Protocol (MCP) servers without an async runtime: the machine of
//! [`mcp_auth`], driven by ureq and threads.
//!
//! [`Client::send`] takes your own request to the MCP server. It attaches the token, and when the server refuses,
//! it renews the grant or logs in, and sends the request again:
//!
//! ```no_run
//! use mcp_auth_ureq::http::Request;
//! use mcp_auth_ureq::mcp_auth::Config;
//! use mcp_auth_ureq::{Client, Consent};
//!
//! # use mcp_auth_ureq::{Answers, BoxFuture, mcp_auth::{Callback, Timestamp}, url::Url};
//! # struct Browser;
//! # impl Consent for Browser { fn open(&self, _: Url, _: Timestamp) -> Box<dyn Answers> { Box::new(Self) } }
//! # impl Answers for Browser {
//! #     fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> { Box::pin(std::future::pending()) }
//! # }
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
//! let client = Client::builder(config).consent(Browser).build()?;
//! let response = client.send(Request::post("https://mcp.example/mcp").body("{}")?)?;
//! # Ok(())
//! # }
//! ```
//!
//! [`mcp_auth`], [`ureq`], [`http`] and [`url`] are given out again, because their types stand in the signatures here:
//! whoever names them as `mcp_auth_ureq::ureq` and so on has no versions to match. A program that wants features of
//! ureq beyond those used here (`gzip`, `json`, `socks-proxy`) depends on it as well, at the same version.
//!
//! # Futures without a runtime
//!
//! [`Consent::client`], [`Answers::next`] and [`Assertions::supply`] give futures, so that one implementation serves
//! every driver. Here each is waited for by a thread of its own, so it may simply block and be ready at once:
//! `Box::pin(async { … })` around blocking code will do. It is told that nobody waits any more by being dropped, and what
//! blocks is not told: its thread stays until it returns, and the attempt does not wait for it longer than a second.
//!
//! # What may be relied on
//!
//! - **One attempt.** However many requests are refused at once, there is one renewal or one login, and its outcome
//!   is for all of them.
//! - **A thread that ends loses nothing.** The attempt belongs to a thread of its own. It goes on when its callers are
//!   gone, and the tokens are kept. After it no thread is left, unless the host's own code does not return.
//! - **So many threads.** One cranks the attempt; beside it there is one for each exchange, at most two at a time, and
//!   one for each call into the host's own code: the store, the person, the assertions. Of the latter there are at most
//!   32, however many do not return, and at most 32 that sign.
//! - **No lock is held** across a request, a wait, or a call into the host's code (but see [`Tap`]). Only requests that
//!   lacked a server's nonce (RFC 9449 §9) go one after another when they are sent again, and none waits for another
//!   longer than a second.
//! - **A token goes to its resource only.** A URL elsewhere is [`Error::OutsideResource`], and nothing is sent. No
//!   redirect is followed: the 3xx is given back.
//! - **Authorization exchanges keep to the machine's limits**: bytes, deadline, and the addresses that a name may
//!   resolve to. They use neither proxy nor kept-alive connection unless [`Builder::trust_proxy`] allows the former.
//! - **No secret is shown** in an error, a line of `log` (target `mcp_auth`), or an [`Observed`]. ureq's own log
//!   keeps to that at the level `debug`. At `trace` it shows whatever is on the wire, and nothing here can take that out:
//!   keep the targets `ureq` and `ureq_proto` at `debug`. An attempt that begins while they are not warns of it.
//!
//! # TLS
//!
//! rustls with ring. Which certificates are trusted is what the operating system says, by
//! `rustls-platform-verifier`: the roots that a company or a person has added count, as everybody expects of a program
//! that logs them in. Where the system has no roots at all, no TLS server is trusted; [`Builder::http`] is the way to
//! bring others.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod attempt;
mod builder;
mod call;
mod client;
mod connect;
mod crank;
mod error;
mod exchange;
mod listen;
mod payload;
mod permits;
mod signing;

pub use builder::Builder;
pub use client::Client;
pub use error::Error;
pub use mcp_auth_host::{
    Answers, Assertions, BoxFuture, Consent, DeviceCode, Keys, Lease, MemoryStore, Observed, Shown, Store,
    Tap, WantedAssertion,
};
pub use payload::Payload;
pub use {http, mcp_auth, ureq, url};
