//! What a host offers to the machine of [`mcp_auth`], and what every driver of it shares, whatever the runtime and the
//! HTTP library.
//!
//! A program that only wants an authorized client takes one of the drivers (`mcp-auth-reqwest`, `mcp-auth-ureq`,
//! `mcp-auth-rmcp`), which give out from here what their users meet: how a person is asked ([`Consent`], [`Answers`]), who
//! signs ([`Keys`]), who vouches ([`Assertions`]), where credentials are kept ([`Store`]), and what may be watched
//! ([`Observed`], [`Tap`]). A library that implements one of these depends on this crate and serves all drivers.
//!
//! A driver is made of a [`Host`], somebody who sends requests within their limits ([`reach`]), and a crank: a task or a
//! thread of its own that carries out the machine's actions until there is nothing to wait for.
//!
//! - [`Host::hand_in`] begins an attempt, or joins the one that runs; whoever called waits at the [`Desk`].
//! - [`Host::poll`] gives the crank the next action; `Host::{read, write, forget, open, show, …}` carry most of them out.
//! - [`Errand`] is one request of the caller's: what follows from each answer.
//!
//! No lock is held across a wait, or across a call into the host's code other than its [`Tap`] and the sink of its trace
//! ([`Parts::record`]).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod bearing;
mod clock;
mod desk;
mod errand;
mod host;
mod observe;
mod offers;
mod parts;
pub mod reach;
mod work;

pub use bearing::Bearing;
pub use desk::{Awaited, Desk, Done, Ended, Ticket};
pub use errand::{Errand, Next};
pub use host::{Carried, Host, Permit, Refused, Token};
pub use mcp_auth_store::{Lease, MemoryStore, Store};
pub use observe::{Observed, Observer, Tap};
pub use offers::{Answers, Assertions, BoxFuture, Consent, DeviceCode, Keys, Shown, WantedAssertion};
pub use parts::Parts;
pub use work::{Read, put_away, unpanicked};
