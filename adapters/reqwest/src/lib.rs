//! An authorized HTTP client for Model Context Protocol (MCP) servers: the machine of [`mcp_auth`], driven by reqwest
//! and tokio.
//!
//! [`Client::send`] takes your own request to the MCP server. It attaches the token, and when the server refuses,
//! it renews the grant or logs in, and sends the request again:
//!
//! ```no_run
//! use mcp_auth_reqwest::mcp_auth::Config;
//! use mcp_auth_reqwest::reqwest::{Method, Request};
//! use mcp_auth_reqwest::{Client, Consent};
//!
//! # use mcp_auth_reqwest::{Answers, BoxFuture, mcp_auth::{Callback, Timestamp}, reqwest::Url};
//! # struct Browser;
//! # impl Consent for Browser { fn open(&self, _: Url, _: Timestamp) -> Box<dyn Answers> { Box::new(Self) } }
//! # impl Answers for Browser {
//! #     fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> { Box::pin(std::future::pending()) }
//! # }
//! # async fn example() -> Result<(), mcp_auth_reqwest::Error> {
//! let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
//! let client = Client::builder(config).consent(Browser).build()?;
//! # let url = "https://mcp.example/mcp".parse().unwrap();
//! let response = client.send(Request::new(Method::POST, url)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`mcp_auth`] and [`reqwest`] are given out again, because their types stand in the signatures here: whoever names
//! them as `mcp_auth_reqwest::mcp_auth` and `mcp_auth_reqwest::reqwest` has no versions to match. Types of the crates
//! `http` and `url` come by way of reqwest (`reqwest::Method`, `reqwest::header`, `reqwest::Url`). A program that wants
//! features of reqwest beyond those used here (`json`, `stream`) depends on it as well, at the same version.
//!
//! # What may be relied on
//!
//! - **One attempt.** However many requests are refused at once, there is one renewal or one login, and its outcome
//!   is for all of them.
//! - **A dropped future loses nothing.** The attempt belongs to a task of its own. It goes on when its callers have
//!   given up, and the tokens are kept. If the runtime goes, the next caller, on whatever runtime, begins anew.
//! - **No lock is held** across a request, a wait, or a call into the host's code (but see [`Tap`] and
//!   [`Builder::record`]). Only requests that lacked a server's nonce (RFC 9449 §9) go one after another when they are
//!   sent again, and none waits for another longer than a second.
//! - **A token goes to its resource only.** A URL elsewhere is [`Error::OutsideResource`], and nothing is sent. No
//!   redirect is followed: the 3xx is given back.
//! - **Authorization exchanges keep to the machine's limits**: bytes, deadline, and the addresses that a name may
//!   resolve to. They use neither proxy nor kept-alive connection unless [`Builder::trust_proxy`] allows the former.
//! - **No secret is shown** in an error, an event of [`tracing`] (target `mcp_auth`), or an [`Observed`].
//!
//! # TLS
//!
//! rustls with ring. Which certificates are trusted is what the operating system says, by
//! `rustls-platform-verifier`: reqwest links it in any case, so it adds nothing, and the roots that a company or a
//! person has added count, as everybody expects of a program that logs them in. Where the system has no roots at
//! all, no TLS server is trusted; [`Builder::http`] is the way to bring others.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod attempt;
mod builder;
mod client;
mod drive;
mod error;
mod exchange;
mod exchanger;
mod resolve;
mod signing;

pub use builder::Builder;
pub use client::Client;
pub use error::Error;
pub use exchanger::Exchanger;
pub use mcp_auth_host::{
    Answers, Assertions, Bearing, BoxFuture, Consent, DeviceCode, Keys, Lease, MemoryStore, Observed, Shown,
    Store, Tap, WantedAssertion,
};
pub use {mcp_auth, reqwest};
