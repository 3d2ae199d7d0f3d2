//! What a caller may choose: how far to go, how long to wait, and every named deviation from the standards.
//!
//! The defaults are what MCP 2026-07-28 says. A deviation that a real authorization server needs is a field of
//! [`IssuerPolicy`] and holds for that issuer alone.

pub mod presets;
mod scopes;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::guard::Reach;
use crate::wire::client::AuthMethod;
use crate::wire::server_metadata::{IssuerMatch, Pkce};
use crate::wire::token::TokenShape;

pub use scopes::{IssuerScopes, ScopeFallback, ScopeRule, ScopeSources};

/// Choices that hold for the whole machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Policy {
    /// Which addresses other hosts than the MCP server's may be at. `None`: public ones, and the machine itself
    /// where the MCP server runs there.
    pub reach: Option<Reach>,
    /// Whether the fallbacks of MCP 2025-03-26 may be used when a server has no metadata at all.
    pub legacy: Legacy,
    /// Which of the authorization servers that the resource metadata names is used.
    pub authorization_server: ServerChoice,
    /// Another identifier, byte for byte, under which resource metadata may describe this MCP server (RFC 9728 §3.3): for
    /// a server that has moved, or stands behind a proxy, and still calls itself what it was called. The token is asked
    /// for and used as one for the server's own URL; what goes out as `resource` instead is
    /// [`IssuerPolicy::resource`]'s to say. Whoever is named so shares its tokens with this server, so let both be run by
    /// one operator.
    pub resource_alias: Option<String>,
    /// Whether every authorization response must carry `iss` (RFC 9207), promised or not. Without it nothing shows that a
    /// code is from the server to whose token endpoint it goes: metadata of a hostile issuer may name the authorization
    /// endpoint of an honest one (RFC 9700 §4.4). It holds for all issuers, because the hostile one is none that a caller
    /// has heard of. Default no, as in MCP's table.
    pub require_iss: bool,
    /// How long one exchange may take, at most an hour. Default 15 seconds.
    pub exchange_time: Duration,
    /// How long a person may take to consent. Default 10 minutes.
    pub consent_time: Duration,
    /// How long before its expiry an access token stops being used; at most a tenth of its lifetime. Default
    /// 30 seconds.
    pub expiry_margin: Duration,
    /// How long the machine stays quiet after a login that a person saw has failed: until then, a refused request
    /// ends with the same failure and no browser opens. [`Event::LogIn`](crate::Event::LogIn) ends it. Default
    /// 60 seconds.
    pub quiet_time: Duration,
    /// How many logins a person may be shown within an hour, step-ups among them, before one of them asks for it with
    /// [`Event::LogIn`](crate::Event::LogIn), which begins the count anew. Whatever servers do, they open no more
    /// browsers. Default 10.
    pub logins_per_hour: u8,
    /// How often one operation may lead to a step-up that brings a grant, and yet not what was demanded. Default 2.
    pub step_ups: u8,
    /// The largest metadata document, in bytes; at most 16 MiB. Default 256 KiB.
    pub metadata_bytes: usize,
    /// The largest answer of a token or registration endpoint, in bytes; at most 16 MiB. Default 64 KiB.
    pub answer_bytes: usize,
    /// Whether a person can be asked for a client identifier when no other way is left.
    pub ask_for_client: bool,
    /// Whether nobody is there to be asked. What needs a person then ends at once with
    /// [`Kind::Unasked`](crate::Kind::Unasked), and nothing is sent on the way: no metadata is read and no client
    /// registered for a login that cannot come to its end. Renewals, and grants that need no person, go on as ever.
    /// Default no.
    pub unattended: bool,
}

impl Policy {
    /// The default, and what `change` makes of it.
    #[must_use]
    pub fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut it = Self::default();
        change(&mut it);
        it
    }

    /// Whether a response must carry `iss`, given whether its issuer's metadata promises that.
    pub fn demands_iss(&self, promised: bool) -> bool {
        promised || self.require_iss
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            reach: None,
            legacy: Legacy::Allowed,
            authorization_server: ServerChoice::InOrder,
            resource_alias: None,
            require_iss: false,
            exchange_time: Duration::from_secs(15),
            consent_time: Duration::from_secs(600),
            expiry_margin: Duration::from_secs(30),
            quiet_time: Duration::from_secs(60),
            logins_per_hour: 10,
            step_ups: 2,
            metadata_bytes: 256 << 10,
            answer_bytes: 64 << 10,
            ask_for_client: false,
            unattended: false,
        }
    }
}

/// Whether the fallbacks of MCP 2025-03-26 may be used: metadata on the MCP server's own origin, then
/// `/authorize`, `/token` and `/register` there. Even where allowed they are used only after every candidate for
/// resource metadata was a clean miss, and never with a configured client secret; where those endpoints are guessed, with
/// no secret at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Legacy {
    /// They may be used; the outcome says so.
    Allowed,
    /// A server without resource metadata is a failure.
    Refused,
}

/// Which authorization server is used (RFC 9728 §7.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServerChoice {
    /// Each that the resource metadata names, in turn, until one has usable metadata.
    InOrder,
    /// The one with this issuer. Resource metadata that does not name it is a failure; where there is no resource
    /// metadata at all, it is used as configured.
    Pinned(String),
}

/// Deviations that one authorization server needs. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct IssuerPolicy {
    /// How the issuer in the metadata is compared to the one that named it (RFC 8414 §3.3).
    pub issuer_match: IssuerMatch,
    /// The issuer that the metadata names in the place of the one that the resource metadata names, and no other then
    /// (RFC 8414 §3.3). Whoever has it is trusted as this issuer is.
    pub metadata_issuer: Option<String>,
    /// Other values of `iss` that are taken for this issuer in an authorization response (RFC 9207 §2.4). In one of them
    /// `{tenantid}` stands for any tenant: a UUID, in lower case and with hyphens.
    pub issuer_aliases: Vec<String>,
    /// Whether PKCE support must be advertised (MCP 2026-07-28, authorization code protection).
    pub pkce: Pkce,
    /// What is sent as `resource` (RFC 8707).
    pub resource: ResourceIndicator,
    /// Scopes that this server must be asked for, or must not.
    pub scopes: IssuerScopes,
    /// Whether `scope` goes with a refresh token (RFC 6749 §6).
    pub refresh_scope: RefreshScope,
    /// Parameters added to the authorization request. None may be one that the request has already.
    pub extra: Vec<(String, String)>,
    /// The client authentication method of clients that have a secret, whatever the metadata lists and the server
    /// registers. What a configured client says of itself comes first
    /// ([`Preregistered::method`](crate::Preregistered::method)).
    pub auth_method: Option<AuthMethod>,
    /// How token answers are read.
    pub token_shape: TokenShape,
    /// Audiences of a workload's JWT that are taken for this server (RFC 7523 §3), besides its issuer and its token
    /// endpoint.
    pub assertion_audiences: Vec<String>,
    /// Whether authorization requests are pushed ahead (RFC 9126) wherever the server has an endpoint for it. Where the
    /// server requires it they are in any case.
    pub push: bool,
}

impl IssuerPolicy {
    /// The default, and what `change` makes of it.
    #[must_use]
    pub fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut it = Self::default();
        change(&mut it);
        it
    }

    /// The issuer that metadata must name, where the resource metadata names `named`.
    pub fn expected_issuer<'a>(&'a self, named: &'a str) -> &'a str {
        self.metadata_issuer.as_deref().unwrap_or(named)
    }

    /// Whether metadata that names the issuer `got` is that of the issuer `named`.
    pub fn takes_issuer(&self, named: &str, got: &str) -> bool {
        self.issuer_match.same(self.expected_issuer(named), got)
    }
}

/// Whether `scope` goes with a refresh token. Without it the server grants what it granted before (RFC 6749 §6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefreshScope {
    /// It is left out.
    #[default]
    Omit,
    /// The scopes that were granted last, for a server that does not know by itself which resource a refresh is for.
    Granted,
}

/// What is sent as `resource` in authorization and token requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResourceIndicator {
    /// The identifier that the resource metadata gives, byte for byte.
    #[default]
    Send,
    /// This text instead.
    Override(String),
    /// Nothing.
    Omit,
}
