//! The client side of Model Context Protocol (MCP) authorization as a sans-IO state machine.
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
mod outcome;
pub mod policy;
mod snapshot;
mod step;
mod trail;
pub mod watch;
pub mod wire;

pub use action::{Action, Ask, Load, Open, Purpose, Save, Send};
pub use authorizer::Authorizer;
pub use base::breach::{Breach, Kind};
pub use base::guard::{Endpoint, Guard, Reach, UrlRefused};
pub use base::scope::Scopes;
pub use base::secret::Secret;
pub use base::seed::Seed;
pub use base::time::Timestamp;
pub use config::{Config, Preregistered};
pub use credential::{AuthorizationServer, Credential, Generation, Key, VERSION};
pub use event::{Challenge, Event, Reply, RequestId, Saving, SendFailure};
pub use failure::{Failure, Retry};
pub use outcome::{Access, Authorization, Authorized, Outcome, TokenSource};
pub use policy::{IssuerPolicy, Legacy, Policy, ResourceIndicator, ScopeFallback, ScopeRule, ServerChoice};
pub use snapshot::Snapshot;
pub use trail::{Entry, Trail, Verdict};
pub use wire::callback::Callback;
pub use wire::client::{AuthMethod, Client, ClientMetadata};
