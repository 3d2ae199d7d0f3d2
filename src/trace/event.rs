//! Events in a trace. The form is kept apart from the types that the machine works with, so that those may change.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::octets::{self, Fields, Octets};
use crate::base::scope::Scopes;
use crate::base::secret::Secret;
use crate::credential::Credential;
use crate::event::{self, Challenge, Event, Reply, RequestId, Response, Saving, SendFailure};
use crate::wire::callback::Callback;
use crate::wire::dpop::Nonce;

/// An event.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    Restore,
    LogIn { scopes: Scopes },
    Challenged(Box<Challenge>),
    Called(Callback),
    Replied { id: u64, answer: Box<Answer> },
    Tick,
    Cancelled,
    Abandoned,
    ClientDisowned,
    Nonce(Nonce),
    LogOut,
}

/// What answers an action.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Found(Option<Credential>),
    Leased(Option<Credential>),
    Busy,
    LoadFailed(String),
    Kept,
    Conflict(Option<Credential>),
    NotKept(String),
    Forgotten(bool),
    NotForgotten(String),
    Response {
        status: u16,
        fields: Fields,
        body: Octets,
    },
    NotSent(String),
    Interrupted(String),
    TimedOut,
    TooLarge,
    AddressRefused(String),
    Client {
        client_id: String,
        client_secret: Option<Secret>,
    },
    NoClient,
    Unasked(String),
    /// In base64url.
    Signed(String),
    NotSigned(String),
    Supplied(Secret),
    NotSupplied(String),
}

impl From<&Event> for Told {
    fn from(event: &Event) -> Self {
        match event {
            Event::Restore => Self::Restore,
            Event::LogIn { scopes } => Self::LogIn { scopes: scopes.clone() },
            Event::Challenged(challenge) => Self::Challenged(Box::new(challenge.clone())),
            Event::Called(callback) => Self::Called(callback.clone()),
            Event::Replied(Reply { id, answer }) => {
                Self::Replied { id: id.0, answer: Box::new(answer.into()) }
            }
            Event::Tick => Self::Tick,
            Event::Cancelled => Self::Cancelled,
            Event::Abandoned => Self::Abandoned,
            Event::ClientDisowned => Self::ClientDisowned,
            Event::Nonce(nonce) => Self::Nonce(nonce.clone()),
            Event::LogOut => Self::LogOut,
        }
    }
}

impl Told {
    /// The event; `None` where a response in it could be none.
    pub(super) fn into_event(self) -> Option<Event> {
        Some(match self {
            Self::Restore => Event::Restore,
            Self::LogIn { scopes } => Event::LogIn { scopes },
            Self::Challenged(challenge) => Event::Challenged(*challenge),
            Self::Called(callback) => Event::Called(callback),
            Self::Replied { id, answer } => {
                Event::Replied(Reply { id: RequestId(id), answer: answer.into_answer()? })
            }
            Self::Tick => Event::Tick,
            Self::Cancelled => Event::Cancelled,
            Self::Abandoned => Event::Abandoned,
            Self::ClientDisowned => Event::ClientDisowned,
            Self::Nonce(nonce) => Event::Nonce(nonce),
            Self::LogOut => Event::LogOut,
        })
    }
}

fn plain(found: &Option<Box<Credential>>) -> Option<Credential> {
    found.as_deref().cloned()
}

impl From<&event::Answer> for Answer {
    fn from(answer: &event::Answer) -> Self {
        match answer {
            event::Answer::Found(found) => Self::Found(plain(found)),
            event::Answer::Leased(found) => Self::Leased(plain(found)),
            event::Answer::Busy => Self::Busy,
            event::Answer::LoadFailed(why) => Self::LoadFailed(why.clone()),
            event::Answer::Saved(Saving::Kept) => Self::Kept,
            event::Answer::Saved(Saving::Conflict(found)) => Self::Conflict(plain(found)),
            event::Answer::Saved(Saving::Failed(why)) => Self::NotKept(why.clone()),
            event::Answer::Forgotten(Ok(gone)) => Self::Forgotten(*gone),
            event::Answer::Forgotten(Err(why)) => Self::NotForgotten(why.clone()),
            event::Answer::Response(response) => Self::Response {
                status: response.status.as_u16(),
                fields: octets::read(&response.fields),
                body: Octets::from(response.body.as_slice()),
            },
            event::Answer::SendFailed(failure) => failure.into(),
            event::Answer::Told(Some(told)) => {
                Self::Client { client_id: told.client_id.clone(), client_secret: told.client_secret.clone() }
            }
            event::Answer::Told(None) => Self::NoClient,
            event::Answer::Unasked(why) => Self::Unasked(why.clone()),
            event::Answer::Signed(Ok(signature)) => Self::Signed(URL_SAFE_NO_PAD.encode(signature)),
            event::Answer::Signed(Err(why)) => Self::NotSigned(why.clone()),
            event::Answer::Supplied(Ok(assertion)) => Self::Supplied(assertion.clone()),
            event::Answer::Supplied(Err(why)) => Self::NotSupplied(why.clone()),
        }
    }
}

impl From<&SendFailure> for Answer {
    fn from(failure: &SendFailure) -> Self {
        match failure {
            SendFailure::NotSent(why) => Self::NotSent(why.clone()),
            SendFailure::Interrupted(why) => Self::Interrupted(why.clone()),
            SendFailure::TimedOut => Self::TimedOut,
            SendFailure::TooLarge => Self::TooLarge,
            SendFailure::AddressRefused(why) => Self::AddressRefused(why.clone()),
        }
    }
}

impl Answer {
    fn into_answer(self) -> Option<event::Answer> {
        Some(match self {
            Self::Found(found) => event::Answer::Found(found.map(Box::new)),
            Self::Leased(found) => event::Answer::Leased(found.map(Box::new)),
            Self::Busy => event::Answer::Busy,
            Self::LoadFailed(why) => event::Answer::LoadFailed(why),
            Self::Kept => event::Answer::Saved(Saving::Kept),
            Self::Conflict(found) => event::Answer::Saved(Saving::Conflict(found.map(Box::new))),
            Self::NotKept(why) => event::Answer::Saved(Saving::Failed(why)),
            Self::Forgotten(gone) => event::Answer::Forgotten(Ok(gone)),
            Self::NotForgotten(why) => event::Answer::Forgotten(Err(why)),
            Self::Response { status, fields, body } => {
                let status = StatusCode::from_u16(status).ok()?;
                let response = Response { status, fields: octets::fields(&fields)?, body: body.bytes()? };
                event::Answer::Response(Box::new(response))
            }
            Self::NotSent(why) => event::Answer::SendFailed(SendFailure::NotSent(why)),
            Self::Interrupted(why) => event::Answer::SendFailed(SendFailure::Interrupted(why)),
            Self::TimedOut => event::Answer::SendFailed(SendFailure::TimedOut),
            Self::TooLarge => event::Answer::SendFailed(SendFailure::TooLarge),
            Self::AddressRefused(why) => event::Answer::SendFailed(SendFailure::AddressRefused(why)),
            Self::Client { client_id, client_secret } => {
                event::Answer::Told(Some(event::Told { client_id, client_secret }))
            }
            Self::NoClient => event::Answer::Told(None),
            Self::Unasked(why) => event::Answer::Unasked(why),
            Self::Signed(signature) => event::Answer::Signed(Ok(URL_SAFE_NO_PAD.decode(signature).ok()?)),
            Self::NotSigned(why) => event::Answer::Signed(Err(why)),
            Self::Supplied(assertion) => event::Answer::Supplied(Ok(assertion)),
            Self::NotSupplied(why) => event::Answer::Supplied(Err(why)),
        })
    }
}
