//! An MCP server and authorization servers with dials, to test clients of MCP authorization.
//!
//! The servers are pure functions: a request and its time go in, a response comes out. A whole login runs in memory
//! in microseconds, and the same requests at the same times give the same answers byte for byte. With the feature
//! `serve` (on by default) the same servers answer over HTTP on loopback.
//!
//! [`Dials::default`](dials::Dials) is a compliant pair by MCP 2026-07-28: a resource that validates tokens and says
//! what it needs, and an authorization server that verifies clients, redirect URIs, code challenges, resources and
//! scopes, so that a client that leaves something out fails. Every way in which servers deviate is a field of
//! [`Dials`]; every way in which a network does is a [`Fault`].
//!
//! The extensions of MCP authorization are dials that are off: client credentials, an enterprise with an identity
//! provider, workloads, proofs of possession, devices without a browser, pushed authorization requests. Signatures are
//! verified, and a [`SigningKey`] makes some.
//!
//! [`World::exchanges`] is what was asked, [`World::refreshes`] what became of each refresh token that was used, and
//! [`World::live_refresh_tokens`] those that are left: a client that loses one, or uses one twice, shows there.
//!
//! ```
//! use mcp_auth_testbed::call::{self, Wire};
//! use mcp_auth_testbed::{Dials, Iss, Origins, Purpose, World};
//!
//! let mut world = World::new(Dials { iss: Iss::Wrong, ..Dials::default() }, Origins::default());
//! let request = call::tool(&world.server_url(), Wire::Stateless, "echo", "hello")?;
//! let answer = world.handle(1_000, request);
//! assert_eq!(answer.status(), 401);
//! assert_eq!(world.count(Purpose::Mcp), 1);
//! # Ok::<(), http::Error>(())
//! ```
//!
//! It is for tests: tokens can be guessed, and nothing is kept secret. Do not put it on a network.

#![allow(clippy::result_large_err, reason = "a refusal is the answer itself")]

mod advertised;
mod assertion_grant;
mod authentication;
mod authorization_server;
mod authorize;
pub mod call;
mod client;
mod consent;
mod device;
pub mod dials;
mod documents;
mod dpop;
mod escapes;
mod exchange;
mod extension_dials;
mod fault;
mod identity_provider;
mod jwt;
mod key;
mod mcp;
mod message;
mod person;
mod place;
mod pushed;
mod refresh;
mod registration;
mod resource_dials;
mod revocation;
mod rpc;
#[cfg(feature = "serve")]
mod serve;
mod server_dials;
mod token;
mod world;

pub use dials::*;
pub use exchange::{Exchange, Fate, Refresh};
pub use fault::{Fault, Purpose, Trouble};
pub use key::SigningKey;
pub use person::Browsed;
pub use place::Role;
#[cfg(feature = "serve")]
pub use serve::{Served, serve};
pub use world::{Dropped, Origins, World};
