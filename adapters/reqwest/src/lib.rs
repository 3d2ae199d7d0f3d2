//! An authorized HTTP client for one MCP server: [`mcp_auth`] driven by reqwest and tokio.
//!
//! [`Client::send`] takes the caller's own MCP request and gives the server's answer. In between it attaches the
//! token, and where the request is refused it logs in, renews or steps up, and sends it again, within bounds. Any
//! number of tasks may share a client: however many of their requests are refused, there is one attempt, and all
//! wait for it.
//!
//! # What turns the crank
//!
//! A running attempt belongs to a task of its own; callers wait for its outcome. So a caller that is dropped, at
//! any point, takes nothing with it: the attempt goes on, its tokens are kept, and whoever comes next finds them.
//! No lock is held across a request or a wait.
//!
//! # What it enforces
//!
//! Redirects are never followed: the machine decides about those of metadata, and the caller about those of its own
//! requests, which must not take the token elsewhere. Every answer is read up to its limit and until its deadline.
//! Host names of authorization exchanges are resolved here, and addresses that the request may not reach are
//! dropped before anything connects.
#![forbid(unsafe_code)]

mod client;
mod consent;
mod drive;
mod error;
mod observe;
mod store;
mod transport;

pub use client::{Builder, Client};
pub use consent::{Answers, BoxFuture, Consent};
pub use error::Error;
pub use observe::{Observed, Tap};
pub use store::{MemoryStore, Store};
