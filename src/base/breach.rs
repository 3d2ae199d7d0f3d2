//! What was broken: one vocabulary for everything that a document, an answer or a callback can do wrong.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::text;

/// What kind of rule was broken, or what kept the machine from going on. The serialised name is stable and may be
/// matched on, logged and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// No answer came: no name, no connection, or a connection cut off.
    Unreachable,
    /// No answer came in time.
    TimedOut,
    /// The answer was larger than the request allowed.
    TooLarge,
    /// The host resolved to an address that the request does not allow.
    AddressRefused,
    /// A URL did not pass the guard.
    UrlRefused,
    /// The answer was a redirect that is not followed.
    Redirected,
    /// The status says that there is no such document (4xx).
    NotFound,
    /// The server failed (5xx) or answered with a status that has no meaning here.
    UnexpectedStatus,
    /// A good status, but the body plainly is something else: empty, HTML, or JSON of another kind.
    NotADocument,
    /// A document of the right kind that breaks its format: a missing, doubled or ill-typed member.
    Malformed,
    /// Resource metadata that describes another resource.
    ResourceMismatch,
    /// Resource metadata that names no authorization server.
    NoAuthorizationServer,
    /// An issuer that is not the one expected.
    IssuerMismatch,
    /// The authorization response lacks the `iss` that the server metadata promised.
    IssuerMissing,
    /// The server metadata does not advertise PKCE with S256.
    PkceUnsupported,
    /// The server metadata does not offer what the grant needs.
    Unsupported,
    /// Only the 2025-03-26 fallbacks are left, and they may not be used here.
    FallbackRefused,
    /// The client's credentials belong to another authorization server.
    ClientBoundElsewhere,
    /// There is no way left to obtain a client identifier.
    NoClient,
    /// The authorization server refused to register the client.
    RegistrationRejected,
    /// The registration cannot be used: a method that is not spoken, a secret missing or expired.
    RegistrationUnusable,
    /// An authorization response with doubled or missing parameters.
    CallbackMalformed,
    /// An authorization response that answers another request: its `state` is foreign.
    StateMismatch,
    /// The person, or the server on the person's behalf, said no (`access_denied`).
    AccessDenied,
    /// The authorization server answered the authorization request with an error.
    AuthorizationFailed,
    /// The token endpoint answered with an OAuth error other than those below.
    TokenEndpointError,
    /// The token endpoint does not accept the grant (`invalid_grant`): the code or the refresh token is dead.
    GrantRejected,
    /// The token endpoint does not accept the client (`invalid_client`).
    ClientRejected,
    /// A refresh token was sent, and what became of it is not known: no answer came, or none that can be read.
    OutcomeUnknown,
    /// The token answer has another type than was asked for.
    TokenType,
    /// The server wants a nonce of its own in the proof of possession (`use_dpop_nonce`).
    NonceRequired,
    /// An assertion cannot be used: it is no signed JWT, has expired, or was issued for another server or client.
    AssertionUnusable,
    /// Nobody supplied the assertion.
    Unsupplied,
    /// What had to be signed was not.
    SigningFailed,
    /// The resource refuses a token that was issued for it just now.
    TokenRejected,
    /// The resource goes on asking for more scope than it is given.
    InsufficientScope,
    /// The person did not answer in time.
    ConsentTimedOut,
    /// The servers ask for more logins than a person is to be shown ([`Policy::logins_per_hour`](crate::Policy::logins_per_hour)).
    TooManyLogins,
    /// The person could not be asked: no browser, or nobody who listens for the answer.
    Unasked,
    /// The attempt was called off.
    Cancelled,
    /// The store could not be read or written.
    StoreFailed,
    /// Another process holds the record, and does not let go of it.
    StoreBusy,
    /// A value handed in by the caller cannot be used.
    Configuration,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "no answer came",
            Self::TimedOut => "no answer came in time",
            Self::TooLarge => "the answer is too large",
            Self::AddressRefused => "the host resolves to an address that may not be reached",
            Self::UrlRefused => "a URL may not be used",
            Self::Redirected => "a redirect is not followed",
            Self::NotFound => "there is no such document",
            Self::UnexpectedStatus => "the server failed",
            Self::NotADocument => "the answer is something else",
            Self::Malformed => "the answer breaks its format",
            Self::ResourceMismatch => "the metadata describes another resource",
            Self::NoAuthorizationServer => "the metadata names no authorization server",
            Self::IssuerMismatch => "the issuer is another one",
            Self::IssuerMissing => "the response does not say who issued it",
            Self::PkceUnsupported => "the authorization server does not advertise PKCE with S256",
            Self::Unsupported => "the authorization server does not offer what is needed",
            Self::FallbackRefused => "only a legacy fallback is left, and it may not be used",
            Self::ClientBoundElsewhere => "the client's credentials belong to another authorization server",
            Self::NoClient => "there is no client identifier",
            Self::RegistrationRejected => "the authorization server did not register the client",
            Self::RegistrationUnusable => "the registration cannot be used",
            Self::CallbackMalformed => "the authorization response breaks its format",
            Self::StateMismatch => "the authorization response answers another request",
            Self::AccessDenied => "access was denied",
            Self::AuthorizationFailed => "the authorization server answered with an error",
            Self::TokenEndpointError => "the token endpoint answered with an error",
            Self::GrantRejected => "the token endpoint does not accept the grant",
            Self::ClientRejected => "the token endpoint does not accept the client",
            Self::OutcomeUnknown => "it is not known what became of the refresh token",
            Self::TokenType => "the token is of a type that was not asked for",
            Self::NonceRequired => "the server wants its nonce in the proof of possession",
            Self::AssertionUnusable => "the assertion cannot be used",
            Self::Unsupplied => "there is no assertion",
            Self::SigningFailed => "there is no signature",
            Self::TokenRejected => "the resource refuses a token that was just issued for it",
            Self::InsufficientScope => "the resource asks for more scope than it can be given",
            Self::ConsentTimedOut => "the person did not answer in time",
            Self::TooManyLogins => "more logins are demanded than a person is to be shown",
            Self::Unasked => "the person could not be asked",
            Self::Cancelled => "the attempt was called off",
            Self::StoreFailed => "the credential store failed",
            Self::StoreBusy => "somebody else holds the stored credential",
            Self::Configuration => "the configuration cannot be used",
        })
    }
}

/// A rule that was broken: which, by what, and the clause that says so. Never holds a secret: what came from
/// elsewhere is cleaned and cut when the breach is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Breach {
    /// The kind of rule.
    pub kind: Kind,
    /// The clause, such as `RFC 9207 §2.4`.
    pub clause: Cow<'static, str>,
    /// What should have been there.
    pub expected: String,
    /// What was there.
    pub got: String,
    /// The error code that the server answered with, such as `invalid_scope` (RFC 6749 §4.1.2.1, §5.2), once it may be
    /// trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Breach {
    /// States a breach. `expected` and `got` are cleaned and cut to 300 characters.
    pub fn new(kind: Kind, clause: &'static str, expected: impl AsRef<str>, got: impl AsRef<str>) -> Self {
        Self {
            kind,
            clause: Cow::Borrowed(clause),
            expected: text::clean(expected.as_ref(), 300),
            got: text::clean(got.as_ref(), 300),
            error: None,
        }
    }

    /// The same, with the error code that the server answered with. It is cleaned and cut to 100 characters.
    #[must_use]
    pub fn with_error(mut self, error: &str) -> Self {
        self.error = Some(text::clean(error, 100));
        self
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {} ({})", self.kind, self.expected, self.got, self.clause)
    }
}

impl std::error::Error for Breach {}
