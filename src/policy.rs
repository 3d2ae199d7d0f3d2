//! What a caller may choose: how far to go, how long to wait, and every named deviation from the standards.
//!
//! The defaults are what MCP 2026-07-28 says. A deviation that a real authorization server needs is a field of
//! [`IssuerPolicy`] and holds for that issuer alone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::guard::Reach;
use crate::base::scope::Scopes;
use crate::wire::client::AuthMethod;
use crate::wire::server_metadata::{IssuerMatch, Pkce};
use crate::wire::token::TokenShape;

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
    /// Whether every authorization response must carry `iss` (RFC 9207), promised or not. Without it nothing shows that a
    /// code is from the server to whose token endpoint it goes: metadata of a hostile issuer may name the authorization
    /// endpoint of an honest one (RFC 9700 §4.4). It holds for all issuers, because the hostile one is none that a caller
    /// has heard of. Default no, as in MCP's table.
    pub require_iss: bool,
    /// How long one exchange may take. Default 15 seconds.
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
    /// The largest metadata document, in bytes. Default 256 KiB.
    pub metadata_bytes: usize,
    /// The largest answer of a token or registration endpoint, in bytes. Default 64 KiB.
    pub answer_bytes: usize,
    /// Whether a person can be asked for a client identifier when no other way is left.
    pub ask_for_client: bool,
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
    /// Other values of `iss` that are taken for this issuer in an authorization response (RFC 9207 §2.4).
    pub issuer_aliases: Vec<String>,
    /// Whether PKCE support must be advertised (MCP 2026-07-28, authorization code protection).
    pub pkce: Pkce,
    /// What is sent as `resource` (RFC 8707).
    pub resource: ResourceIndicator,
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

/// Which scopes are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ScopeRule {
    /// Exactly these, whatever the server says. A step-up adds what it is challenged for, and what was asked before; but
    /// not where nobody is asked for consent ([`GrantType`](crate::GrantType)), for there this is the only bound.
    pub only: Option<Scopes>,
    /// These besides what the server says.
    pub also: Scopes,
    /// Never these.
    pub never: Scopes,
    /// Whether the caller wants to stay logged in: adds `offline_access` where the authorization server lists it.
    pub stay_logged_in: bool,
    /// What is asked for when neither the challenge nor the resource metadata names scopes.
    pub fallback: ScopeFallback,
}

impl ScopeRule {
    /// The default, and what `change` makes of it.
    #[must_use]
    pub fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut it = Self::default();
        change(&mut it);
        it
    }
}

/// What is asked for when neither the challenge nor the resource metadata names scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScopeFallback {
    /// Nothing: `scope` is left out (MCP 2026-07-28, scope selection strategy).
    #[default]
    Omit,
    /// The scopes that the authorization server's metadata lists, or else these.
    ServerMetadata(Scopes),
}

/// What is known when scopes are chosen.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ScopeSources<'a> {
    /// The `scope` of the challenge.
    pub challenged: Option<&'a Scopes>,
    /// `scopes_supported` of the protected resource metadata.
    pub resource: Option<&'a Scopes>,
    /// `scopes_supported` of the authorization server metadata.
    pub server: Option<&'a Scopes>,
    /// What was asked for before, from the same authorization server.
    pub asked: Option<&'a Scopes>,
    /// What the caller wants this time besides.
    pub wanted: Option<&'a Scopes>,
    /// Whether this is a step-up: the challenge came for a grant that lacks what it names.
    pub step_up: bool,
    /// Whether nobody is asked for consent, so that the server alone would decide what is asked for.
    pub nobody: bool,
}

impl ScopeRule {
    /// The scopes to ask for: the challenge's, else the resource metadata's, else the fallback, each with what was
    /// asked before (MCP 2026-07-28, scope selection strategy and step-up authorization flow), and what the caller
    /// wants besides.
    pub fn select(&self, sources: ScopeSources<'_>) -> Scopes {
        let none = Scopes::new();
        let (asked, wanted) = (sources.asked.unwrap_or(&none), sources.wanted.unwrap_or(&none));
        let chosen = match &self.only {
            Some(only) if sources.step_up && !sources.nobody => {
                only.union(asked).and(sources.challenged.unwrap_or(&none))
            }
            Some(only) => only.clone(),
            None if asked.is_empty() => self.named(sources).and(&self.also).and(&self.offline(sources)),
            None => asked.union(&self.named(sources)).and(&self.also).and(&self.offline(sources)),
        };
        let chosen = chosen.and(wanted);
        if self.never.is_empty() { chosen } else { chosen.without(&self.never) }
    }

    fn named(&self, sources: ScopeSources<'_>) -> Scopes {
        let fallback = || match &self.fallback {
            ScopeFallback::Omit => Scopes::new(),
            ScopeFallback::ServerMetadata(defaults) => {
                let listed = sources.server.map(without_offline);
                listed.filter(|listed| !listed.is_empty()).unwrap_or_else(|| defaults.clone())
            }
        };
        // What a resource supports says nothing about whether the caller wants to stay logged in (MCP 2026-07-28, refresh
        // tokens); a challenge that names the scope does.
        let resource = || sources.resource.map(without_offline);
        sources.challenged.cloned().or_else(resource).unwrap_or_else(fallback)
    }

    fn offline(&self, sources: ScopeSources<'_>) -> Scopes {
        let listed = sources.server.is_some_and(|listed| listed.contains(OFFLINE_ACCESS));
        if self.stay_logged_in && listed { offline_access() } else { Scopes::new() }
    }
}

const OFFLINE_ACCESS: &str = "offline_access";

fn without_offline(listed: &Scopes) -> Scopes {
    listed.without(&offline_access())
}

fn offline_access() -> Scopes {
    Scopes::from_tokens([OFFLINE_ACCESS]).unwrap_or_default()
}
