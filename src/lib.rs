//! The client side of Model Context Protocol (MCP) authorization as a sans-IO state machine.
//!
//! An MCP server answers 401. Between that answer and an accepted request lie protected resource metadata
//! (RFC 9728), authorization server metadata (RFC 8414, OpenID Connect Discovery), client registration (configured,
//! by metadata document, or RFC 7591), a person with a browser (OAuth 2.1 with PKCE), the check of who answered
//! (RFC 9207), and a token bound to its resource (RFC 8707). [`Authorizer`] is that protocol and nothing else: a
//! value that is told what happened ([`Event`]) and says what to do ([`Action`]). It does no I/O, reads no clock,
//! starts no thread, and never panics. The same configuration, seed and events give the same actions, byte for
//! byte.
//!
//! # The loop
//!
//! This is the whole integration. Everything with a network, a disk or a person in it is on your side.
//!
//! ```
//! use mcp_auth::{Action, Authorizer, Authorized, Event, Failure, Outcome, Saving, Timestamp};
//! # use mcp_auth::{Callback, Credential, Generation, Key, SendFailure};
//! # struct Http; impl Http { fn execute(&self, _: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, SendFailure> { Err(SendFailure::TimedOut) } }
//! # struct Store; impl Store {
//! #   fn get(&self, _: &Key) -> Option<Credential> { None }
//! #   fn put(&self, _: &Key, _: &Credential, _: Option<Generation>) -> Saving { Saving::Kept }
//! #   fn forget(&self, _: &Key, _: Generation) -> bool { true }
//! # }
//! # struct Browser; impl Browser {
//! #   fn open(&self, _: &url::Url) {}
//! #   fn callback(&self, _: Option<Timestamp>) -> Option<Callback> { None }
//! # }
//!
//! fn attempt(
//!     auth: &mut Authorizer,
//!     begin: Event,
//!     (http, store, browser, now): (&Http, &Store, &Browser, impl Fn() -> Timestamp),
//! ) -> Result<Outcome, Box<Failure>> {
//!     auth.handle(now(), begin);
//!     loop {
//!         let event = match auth.poll() {
//!             Action::Load(load) => load.reply(store.get(load.key())),
//!             Action::Store(save) => save.reply(store.put(save.key(), save.credential(), save.replaces())),
//!             Action::Forget(forget) => forget.reply(store.forget(forget.key(), forget.generation())),
//!             Action::Send(send) => match http.execute(send.request()) {
//!                 Ok(response) => send.reply(response),
//!                 Err(failure) => send.fail(failure),
//!             },
//!             Action::Open(open) => {
//!                 browser.open(open.url());
//!                 continue;
//!             }
//!             Action::Ask(ask) => ask.decline(),
//!             Action::Show(show) => show.fail("there is no screen"),
//!             Action::Sign(sign) => sign.fail("there is no key"),
//!             Action::Supply(supply) => supply.fail("nobody vouches for anybody"),
//!             Action::Wait(until) => browser.callback(until).map_or(Event::Tick, Event::Called),
//!             Action::Release(_) | Action::Renewed(_) => continue,
//!             Action::Finish(outcome) => return outcome,
//!         };
//!         auth.handle(now(), event);
//!     }
//! }
//! # let config = mcp_auth::Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
//! # let mut auth = Authorizer::new(config, mcp_auth::Seed::new([7; 32])).unwrap();
//! # let clock = std::cell::Cell::new(0);
//! # let now = || { clock.set(clock.get() + 60); Timestamp::from_secs(clock.get()) };
//! # let failure = attempt(&mut auth, Event::LogIn { scopes: Default::default() }, (&Http, &Store, &Browser, now)).unwrap_err();
//! # assert_eq!(failure.kind(), mcp_auth::Kind::TimedOut);
//! ```
//!
//! An attempt begins with [`Event::Challenged`] (the server refused a request), [`Event::LogIn`], [`Event::Restore`] or
//! [`Event::LogOut`], and ends with one [`Action::Finish`]. After that, [`Authorizer::access`] gives the header
//! field for each request, without I/O, lock or allocation.
//!
//! # What a driver must do
//!
//! - Follow no redirect: the machine decides about each one.
//! - Keep to each request's byte limit, deadline and reach ([`Send`]). The reach is judged on the address that the
//!   name resolves to, when connecting.
//! - Hand a URL to a browser as an argument, never through a shell.
//! - Keep a record that an exclusive [`Load`] took from every other process until [`Release`]. A store of one process
//!   has nothing to do.
//! - Say of a refusal which token the request carried, and how often it was refused before ([`Challenge::of`]), and
//!   send the request again a limited number of times.
//! - Where there is a key: answer [`Action::Sign`]; ask [`Authorizer::prove`] before each request with a bound token; and hand
//!   in as [`Event::Nonce`] the nonce that comes with any answer of the MCP server.
//! - Where the grant wants it: answer [`Action::Supply`] with what the identity provider or the platform asserts, and put the
//!   code of [`Action::Show`] before the person as it stands. `Show` has no answer but that it cannot be shown.
//! - Call `poll` after every `handle` until it gives [`Action::Wait`]; call `handle` with [`Event::Tick`] when the
//!   wait is over. **Whoever gets `Wait` has done everything.**
//!
//! # States
//!
//! ```text
//!  Restore, LogIn, Challenged                                        LogOut
//!     │                                                                 │
//!     ▼       a live record                                             ▼
//!  restoring ───────────────────────────────────────────► Finish    revoking, forgetting ─► Finish
//!     │   │
//!     │   └──► holding the record ─► refreshing ─► saving ─► Release, Finish
//!     │                                  │ dead: the record is buried or forgotten
//!     ▼                                  ▼
//!  finding the resource's metadata ─► finding the server's ─┐
//!     each candidate in turn            each issuer, form   │
//!                                                           ▼
//!                  registering / asking ◄──── which client? │
//!                          │                       │ known  │
//!                          ▼                       ▼
//!                       consenting ◄───────────────┘           beside it, as often as need be:
//!                          │ state, iss, error, code           restoring ─► refreshing ─► saving ─► Renewed
//!                          ▼
//!                       exchanging ─► saving ─► Finish
//! ```
//!
//! What each refusal of a refresh token leads to is told in `docs/renewal.md`.
//!
//! Where the client is settled, [`GrantType`] says what comes next, in the place of consenting and exchanging; all but the
//! device flow come back to it from the record alone, when a token ends:
//!
//! ```text
//!  device code:            asking for codes ─► Show, polling ────────────┐
//!  client credentials:     granting ─────────────────────────────────────┤
//!  enterprise-managed:     Supply ─► asking the identity provider ─► granting ─► saving ─► Finish
//!  workload identity:      Supply ─► granting ───────────────────────────┘
//! ```
//!
//! Whatever is posted to an endpoint that knows its clients may have to be signed first: an assertion of the client, a proof
//! of possession ([`Action::Sign`]).
//!
//! # Scope
//!
//! MCP 2025-11-25 and 2026-07-28, and the fallbacks of 2025-03-26 where a server has no metadata at all: the
//! authorization code grant with PKCE, pushed authorization requests (RFC 9126), refresh tokens, step-up, logout; device
//! authorization (RFC 8628); and the extensions: client credentials, enterprise-managed authorization, workload identity,
//! DPoP. Strict by default; what a real server needs beyond that is a named value of [`IssuerPolicy`], for that issuer
//! alone.
//!
//! Out of scope: the server's side, private keys, token introspection and the contents of access tokens, and everything with a
//! network, a disk or a person in it.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::wildcard_enum_match_arm
    )
)]

mod action;
mod authorizer;
pub mod base;
mod config;
mod credential;
mod event;
mod failure;
mod grant;
pub mod grant_type;
mod outcome;
pub mod policy;
mod preregistered;
mod snapshot;
mod step;
mod step_ups;
pub mod trace;
mod trail;
pub mod watch;
pub mod wire;

pub use action::{
    Action, Ask, AssertionKind, Forget, Load, Open, Purpose, Release, Save, Send, Show, Sign, SigningKey,
    Supply,
};
pub use authorizer::Authorizer;
pub use base::breach::{Breach, Kind};
pub use base::guard::{Endpoint, Guard, Reach, UrlRefused};
pub use base::scope::Scopes;
pub use base::secret::Secret;
pub use base::seed::Seed;
pub use base::time::Timestamp;
pub use config::Config;
pub use credential::{AuthorizationServer, Credential, Generation, Key, VERSION};
pub use event::{Challenge, Event, Reply, RequestId, Saving, SendFailure};
pub use failure::{Failure, Retry};
pub use grant_type::{Binding, Binds, GrantType, IdentityProvider, ProofKey};
pub use outcome::{Access, Authorization, Authorized, Ended, LoggedOut, Outcome, TokenSource};
pub use policy::presets::Preset;
pub use policy::{
    IssuerPolicy, IssuerScopes, Legacy, Policy, RefreshScope, ResourceIndicator, ScopeFallback, ScopeRule,
    ServerChoice,
};
pub use preregistered::Preregistered;
pub use snapshot::Snapshot;
pub use trail::{Entry, Trail, Verdict};
pub use wire::callback::Callback;
pub use wire::client::{AuthMethod, Client, ClientMetadata};
pub use wire::client_key::ClientKey;
