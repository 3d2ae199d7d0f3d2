//! What a store keeps: one record for one MCP server and account, enough to go on without any discovery.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::base::guard::{self, Shown};
use crate::base::scope::Scopes;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::grant_type::Binding;
use crate::wire::client::Client;

/// The version of [`Credential`] that this crate writes and reads.
pub const VERSION: u32 = 1;

/// How far the clocks of processes that share a record may differ.
const SKEW: Duration = Duration::from_secs(60);

/// What a record is kept under: the MCP server as the caller names it, and the caller's name for the account. The
/// authorization server and the client are not known before discovery; the record names both, and is never used
/// with others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The MCP server's URL as given.
    pub server: String,
    /// The caller's name for the account.
    pub account: Option<String>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("server", &Shown(&self.server)).field("account", &self.account).finish()
    }
}

/// Which state of a record this is. Every write raises it, so it also names one access token. It is the time of the
/// write in seconds times 65536 or, if that is more, the one before, and a little more by chance: two machines that
/// write at the same time give two numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// From a number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// As a number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The least generation of a record that is written now.
    pub(crate) const fn at(now: Timestamp) -> Self {
        Self(now.as_secs().saturating_mul(1 << 16))
    }

    /// Whether it can be raised for as long as anybody will want to.
    pub(crate) const fn is_sound(self) -> bool {
        self.0 <= u64::MAX / 2
    }

    #[must_use]
    pub(crate) const fn next(self, chance: u64) -> Self {
        Self(self.0.saturating_add(chance).saturating_add(1))
    }
}

/// An authorization server as far as a grant needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuthorizationServer {
    /// Its issuer, byte for byte as its metadata gives it.
    pub issuer: String,
    /// The issuer as it was named by the resource metadata, under which policies for it are kept.
    pub named: String,
    /// Where the person is sent.
    pub authorization_endpoint: String,
    /// Where codes and refresh tokens are exchanged.
    pub token_endpoint: String,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_endpoint: Option<String>,
    /// Where authorization requests are pushed (RFC 9126), if they are.
    #[serde(default)]
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Where a device without a browser begins (RFC 8628).
    #[serde(default)]
    pub device_authorization_endpoint: Option<String>,
    /// Whether its authorization responses must carry `iss` (RFC 9207 §3).
    pub iss_parameter_supported: bool,
    /// Whether it was found by the fallbacks of MCP 2025-03-26.
    pub legacy: bool,
}

impl AuthorizationServer {
    /// Whether all its endpoints are on the origin of its issuer: who speaks there speaks for it in any case.
    pub(crate) fn is_at_home(&self) -> bool {
        let Ok(issuer) = Url::parse(&self.issuer) else { return false };
        let others = [
            &self.revocation_endpoint,
            &self.pushed_authorization_request_endpoint,
            &self.device_authorization_endpoint,
        ];
        // A server without a page for persons has none.
        let page = Some(&self.authorization_endpoint).filter(|url| !url.is_empty());
        let mut endpoints = others.into_iter().flatten().chain(page).chain([&self.token_endpoint]);
        endpoints.all(|url| Url::parse(url).is_ok_and(|url| guard::same_origin(&url, &issuer)))
    }
}

/// A grant: tokens, whose they are, where they came from and what they are for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Credential {
    /// The version of this record's form, [`VERSION`].
    pub version: u32,
    /// Which state of the record this is.
    pub generation: Generation,
    /// The MCP server's URL as the caller gave it.
    pub server: Arc<str>,
    /// The resource identifier (RFC 9728 §2): the token goes there and nowhere else.
    pub resource: Arc<str>,
    /// Where the resource's metadata was found; `None` where there was none.
    #[serde(default)]
    pub resource_metadata: Option<Arc<str>>,
    /// The authorization server that issued the tokens.
    pub authorization_server: Arc<AuthorizationServer>,
    /// The client to which they were issued.
    pub client: Client,
    /// The scopes that were asked for.
    pub asked: Scopes,
    /// The scopes that were granted.
    pub granted: Scopes,
    /// The access token.
    pub access_token: Secret,
    /// The refresh token.
    pub refresh_token: Option<Secret>,
    /// The key that the tokens are bound to (RFC 9449); `None`: they are Bearer tokens.
    #[serde(default)]
    pub binding: Option<Binding>,
    /// When the tokens were obtained.
    pub obtained_at: Timestamp,
    /// When the access token expires, where the server said so.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("version", &self.version)
            .field("generation", &self.generation)
            .field("server", &Shown(&self.server))
            .field("resource", &Shown(&self.resource))
            .field("resource_metadata", &self.resource_metadata.as_deref().map(Shown))
            .field("authorization_server", &self.authorization_server)
            .field("client", &self.client)
            .field("asked", &self.asked)
            .field("granted", &self.granted)
            .field("access_token", &self.access_token)
            .field("refresh_token", &self.refresh_token)
            .field("binding", &self.binding)
            .field("obtained_at", &self.obtained_at)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

impl Credential {
    /// Whether the access token may still be used at `now` with no thought of renewal: till `margin` before its expiry,
    /// or a tenth of its lifetime before, whichever is less. A token whose expiry is unknown is used until it is
    /// refused. One that was obtained in the future tells of a clock that was set back; when it expires is anybody's
    /// guess, so it is renewed.
    pub fn is_live(&self, now: Timestamp, margin: Duration) -> bool {
        let Some(expires_at) = self.expires_at else { return true };
        let tenth = expires_at.since(self.obtained_at).checked_div(10).unwrap_or_default();
        now.after(SKEW) >= self.obtained_at && now < expires_at.before(margin.min(tenth))
    }

    /// Whether the access token has not expired at `now`, by its own word.
    pub fn is_unexpired(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_home(page: &str, token: &str) -> bool {
        let text = format!(
            r#"{{"issuer":"https://as.example/t","named":"https://as.example/t","authorization_endpoint":"{page}",
                "token_endpoint":"{token}","iss_parameter_supported":true,"legacy":false}}"#
        );
        serde_json::from_str::<AuthorizationServer>(&text).unwrap().is_at_home()
    }

    #[test]
    fn a_server_is_at_home_with_all_that_it_has() {
        assert!(at_home("https://as.example/authorize", "https://as.example/token"));
        assert!(at_home("", "https://as.example/token"), "without a page for persons");
        assert!(!at_home("https://evil.example/authorize", "https://as.example/token"));
        assert!(!at_home("https://as.example/authorize", "https://evil.example/token"));
        assert!(!at_home("", "https://evil.example/token"));
        assert!(!at_home("https://as.example/authorize", ""));
    }
}
