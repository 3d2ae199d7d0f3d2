//! How an attempt ends when it does not fail, and what requests may carry afterwards.

use std::fmt;

use http::HeaderValue;
use serde::{Deserialize, Serialize};

use crate::base::breach::Breach;
use crate::base::guard::Shown;
use crate::base::scope::Scopes;
use crate::base::time::Timestamp;
use crate::credential::{Credential, Generation};

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There is a token that serves now.
    Authorized(Box<Authorized>),
    /// There is none, and none could be had without a person. Send the request without a token and see.
    Anonymous,
    /// The tokens are given up.
    LoggedOut(Box<LoggedOut>),
}

/// What a logout has done. Nothing of the grant is left in this machine in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LoggedOut {
    /// The refresh token at the authorization server (RFC 7009). With it, most servers end the access tokens too.
    pub refresh_token: Ended,
    /// The access token at the authorization server.
    pub access_token: Ended,
    /// The record in the store.
    pub record: Ended,
}

impl LoggedOut {
    /// Whether nothing was left undone.
    pub fn is_complete(&self) -> bool {
        [&self.refresh_token, &self.access_token, &self.record].iter().all(|it| !matches!(it, Ended::Not(_)))
    }
}

/// Whether something came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ended {
    /// It did.
    Ended,
    /// There was none.
    Absent,
    /// It did not, and this is why.
    Not(Breach),
}

/// The grant that serves now. It holds no secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Authorized {
    /// Which token.
    pub generation: Generation,
    /// How it was come by.
    pub source: TokenSource,
    /// Who issued it.
    pub issuer: String,
    /// What it is for.
    pub resource: String,
    /// The client to which it was issued.
    pub client_id: String,
    /// The scopes that were asked for.
    pub asked: Scopes,
    /// The scopes that were granted.
    pub granted: Scopes,
    /// When it expires, where that is known.
    pub expires_at: Option<Timestamp>,
    /// Whether the authorization server was found by the fallbacks of MCP 2025-03-26.
    pub legacy: bool,
    /// Whether the token is bound to a key (RFC 9449).
    pub bound: bool,
    /// Why the store did not keep it. The token serves all the same, in this machine alone.
    pub unsaved: Option<String>,
}

impl fmt::Debug for Authorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorized")
            .field("generation", &self.generation)
            .field("source", &self.source)
            .field("issuer", &self.issuer)
            .field("resource", &Shown(&self.resource))
            .field("client_id", &self.client_id)
            .field("asked", &self.asked)
            .field("granted", &self.granted)
            .field("expires_at", &self.expires_at)
            .field("legacy", &self.legacy)
            .field("bound", &self.bound)
            .field("unsaved", &self.unsaved)
            .finish()
    }
}

/// How a token was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenSource {
    /// It stood in the store, or was there already.
    Kept,
    /// By the record alone, without discovery: with a refresh token or, where no person is needed, with the same grant
    /// again.
    Refreshed,
    /// By a person's consent.
    LoggedIn,
    /// By a grant that needs nobody's consent, after discovery.
    Granted,
}

impl Authorized {
    pub(crate) fn of(credential: &Credential, source: TokenSource, unsaved: Option<String>) -> Self {
        Self {
            generation: credential.generation,
            source,
            issuer: credential.authorization_server.issuer.clone(),
            resource: credential.resource.to_string(),
            client_id: credential.client.id.clone(),
            asked: credential.asked.clone(),
            granted: credential.granted.clone(),
            expires_at: credential.expires_at,
            legacy: credential.authorization_server.legacy,
            bound: credential.binding.is_some(),
            unsaved,
        }
    }
}

/// What a request may carry right now.
#[derive(Clone, Copy, Debug)]
pub enum Access<'a> {
    /// This token.
    Ready(Authorization<'a>),
    /// Nothing: no grant is known. Send the request as it is; a refusal says what is wanted.
    Anonymous,
    /// Not yet: the store has not been read, the token has run out, or an attempt is under way. Hand in
    /// [`Event::Restore`](crate::Event::Restore) and wait for the attempt to finish.
    Wait,
    /// No token, ever: the URL is not within the resource.
    Refused,
}

/// A token ready to be attached.
#[derive(Clone, Copy, Debug)]
pub struct Authorization<'a> {
    pub(crate) value: &'a HeaderValue,
    pub(crate) generation: Generation,
    pub(crate) bound: bool,
}

impl<'a> Authorization<'a> {
    /// The value of the `Authorization` header field, marked sensitive.
    pub fn value(&self) -> &'a HeaderValue {
        self.value
    }

    /// Whether the token is bound to a key, so that each request needs a proof
    /// ([`Authorizer::prove`](crate::Authorizer::prove)).
    pub fn is_bound(&self) -> bool {
        self.bound
    }

    /// Which token it is: to be handed back if the request is refused.
    pub fn generation(&self) -> Generation {
        self.generation
    }
}
