//! What happened in the world, as the machine is told it.

use std::fmt;

use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::base::scope::Scopes;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::credential::{Credential, Generation};
use crate::wire::callback::Callback;
use crate::wire::challenge::{self, Demand};
use crate::wire::dpop::Nonce;
use crate::wire::retry_after;

/// What happened. A wrong, doubled or late event is ignored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Read the store, and renew what is found there if need be. No person is asked.
    Restore,
    /// Obtain a token that serves now, with a person if need be.
    LogIn {
        /// Scopes that are wanted besides those that the server names. Where the present token lacks one of them, a
        /// person is asked.
        scopes: Scopes,
    },
    /// The MCP server refused a request.
    Challenged(Challenge),
    /// An authorization response reached the redirect URI.
    Called(Callback),
    /// An answer to an action; made by the action itself.
    Replied(Reply),
    /// Time has passed.
    Tick,
    /// The host calls the running attempt off. If a person had been asked, no other is for a while
    /// ([`Policy::quiet_time`](crate::Policy::quiet_time)). A logout is not called off.
    Cancelled,
    /// Whoever drove the machine is gone with all that was under way, and nobody has called it off. What runs ends as if
    /// it had never begun; tokens that were obtained and not yet stored stay in use.
    Abandoned,
    /// The host found out that the authorization server does not know the client any more: the person saw its error
    /// page, which sends nobody back (RFC 6749 §4.1.2.1). A login that waits for that person begins again at once
    /// with another client, the next way of registering or a new registration; one that begins later does so too.
    ClientDisowned,
    /// The MCP server gave a nonce for the proofs of requests to come, with whatever answer (RFC 9449 §8.2).
    Nonce(Nonce),
    /// Revoke the tokens (RFC 7009) and forget the record. An attempt that runs becomes this one, once a token that it has asked
    /// for without a person, or to replace another, has come; that is revoked too.
    LogOut,
}

/// A refusal by the MCP server: 401, or 403 with `insufficient_scope`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    pub(crate) demand: Demand,
    pub(crate) step_up: bool,
    pub(crate) refused: Option<Generation>,
    pub(crate) operation: String,
    pub(crate) retries: u8,
    /// The nonce that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<Nonce>,
}

impl Challenge {
    /// Reads a response. `None` when it is no refusal that authorization can mend: another status than 401, or a
    /// 403 without `insufficient_scope` (RFC 6750 §3.1). Only status and header fields count; a 401 without any
    /// `WWW-Authenticate` is a challenge too.
    ///
    /// `refused` is the token that the request carried
    /// ([`Authorization::generation`](crate::Authorization::generation)), if it carried one. `retries` is how often
    /// this very request was refused with 401 before: 0 the first time. Both bound what a refusal leads to: without
    /// them a server that refuses every token is asked for ever.
    pub fn of(
        status: StatusCode,
        fields: &HeaderMap,
        refused: Option<Generation>,
        retries: u8,
    ) -> Option<Self> {
        if status != StatusCode::UNAUTHORIZED && status != StatusCode::FORBIDDEN {
            return None;
        }
        let values = fields.get_all(header::WWW_AUTHENTICATE);
        let demand = Demand::of(&challenge::read(values.iter().map(|value| value.as_bytes())));
        let step_up = demand.insufficient_scope();
        (status == StatusCode::UNAUTHORIZED || step_up).then(|| Self {
            demand,
            step_up: step_up && status == StatusCode::FORBIDDEN,
            refused,
            operation: String::new(),
            retries,
            nonce: nonce(fields),
        })
    }

    /// The caller's name for what was refused, such as `tools/call:write_file`. Step-ups in vain are counted for each;
    /// requests without a name share one count.
    #[must_use]
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = operation.into();
        self
    }

    /// The nonce that the server wants in the proof of the same request, sent again (RFC 9449 §9). Where it is all that
    /// is wanted nothing is wrong with the token: hand it in as [`Event::Nonce`], and send the request again once.
    pub fn wanted_nonce(&self) -> Option<&Nonce> {
        self.nonce.as_ref().filter(|_| self.demand.dpop_nonce && !self.step_up)
    }

    /// What the challenge asks for.
    pub fn demand(&self) -> &Demand {
        &self.demand
    }
}

/// The nonce in the fields of a response, if there is one that can be used.
pub(crate) fn nonce(fields: &HeaderMap) -> Option<Nonce> {
    let values = fields.get_all("dpop-nonce");
    Nonce::read(values.iter().map(|value| value.as_bytes())).ok().flatten()
}

/// Names one request of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(crate) u64);

/// An answer to an action.
#[derive(Clone)]
pub struct Reply {
    pub(crate) id: RequestId,
    pub(crate) answer: Answer,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.answer {
            Answer::Found(Some(_)) | Answer::Leased(Some(_)) => "a credential",
            Answer::Found(None) | Answer::Leased(None) => "no credential",
            Answer::Busy => "somebody else holds the record",
            Answer::Forgotten(_) => "a store's answer",
            Answer::LoadFailed(_) => "the store failed",
            Answer::Saved(_) => "a store's answer",
            Answer::Response(_) => "a response",
            Answer::SendFailed(_) => "no response",
            Answer::Told(_) => "a person's answer",
            Answer::Unasked(_) => "no person",
            Answer::Signed(_) => "a signature",
            Answer::Supplied(_) => "an assertion",
        };
        f.debug_struct("Reply").field("id", &self.id.0).field("answer", &what).finish()
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Found(Option<Box<Credential>>),
    /// The same, and the record is held.
    Leased(Option<Box<Credential>>),
    Busy,
    LoadFailed(String),
    Saved(Saving),
    Forgotten(Result<bool, String>),
    Response(Box<Response>),
    SendFailed(SendFailure),
    Told(Option<Told>),
    Unasked(String),
    Signed(Result<Vec<u8>, String>),
    Supplied(Result<Secret, String>),
}

/// A response as far as the machine reads it.
#[derive(Clone)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// What its body is said to be.
    pub(crate) fn content_type(&self) -> Option<&str> {
        self.fields.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
    }

    /// Before when the server does not want to be asked again, if it says so.
    pub(crate) fn retry_at(&self, now: Timestamp) -> Option<Timestamp> {
        let value = self.fields.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok())?;
        retry_after::read(value, now)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("bytes", &self.body.len()).finish()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<Secret>,
}

/// What a store says to a write.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Saving {
    /// The record is kept.
    Kept,
    /// Another record stands there than the one to be replaced. Nothing was written.
    Conflict(Option<Box<Credential>>),
    /// The store failed. The text goes into the outcome and must hold no secret.
    Failed(String),
}

/// Why no answer came to a request. The texts go into failures and must hold no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendFailure {
    /// The request was not sent: no address, no connection, no TLS.
    NotSent(String),
    /// The request may have arrived, but no complete answer came.
    Interrupted(String),
    /// The deadline passed.
    TimedOut,
    /// The answer was larger than allowed.
    TooLarge,
    /// The host resolved only to addresses that are not allowed.
    AddressRefused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_shows_how_long_it_is_and_no_more() {
        let (status, body) = (StatusCode::OK, b"a secret".to_vec());
        let response = Response { status, fields: HeaderMap::new(), body };
        assert_eq!(format!("{response:?}"), "Response { status: 200, bytes: 8 }");
    }
}
