//! How an attempt ends when it does not succeed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::breach::{Breach, Kind};
use crate::base::time::Timestamp;
use crate::trail::Trail;

/// Why an attempt ended: what was broken, whether trying again can help, what to do, and the whole way there.
///
/// `Display` gives one line; `{:#}` adds the trail. Neither holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// What was broken, with its clause and evidence.
    pub breach: Breach,
    /// Every URL tried, what came back, and why it was passed over.
    pub trail: Trail,
    /// Before when trying again is in vain: the server asked for that time, or it is the machine's own patience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Retry {
    /// Later, with nothing changed: the network or the server failed for now.
    Later,
    /// Now, with the person: a new login may succeed.
    LogIn,
    /// Not before something is changed: the server, the configuration, or a policy.
    AfterChange,
}

impl Failure {
    /// A failure with the way that led there.
    pub fn new(breach: Breach, trail: Trail) -> Self {
        Self { breach, trail, retry_at: None }
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> Kind {
        self.breach.kind
    }

    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        retry(self.breach.kind)
    }

    /// What the reader can do about it.
    pub fn advice(&self) -> &'static str {
        advice(self.breach.kind)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.breach, self.advice())?;
        if f.alternate() {
            write!(f, "\n{}", self.trail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

fn retry(kind: Kind) -> Retry {
    match kind {
        Kind::Unreachable
        | Kind::TimedOut
        | Kind::UnexpectedStatus
        | Kind::OutcomeUnknown
        | Kind::NonceRequired
        | Kind::Unsupplied
        | Kind::SigningFailed
        | Kind::StoreFailed
        | Kind::StoreBusy => Retry::Later,
        Kind::StateMismatch
        | Kind::AccessDenied
        | Kind::ConsentTimedOut
        | Kind::TooManyLogins
        | Kind::Unasked
        | Kind::Cancelled
        | Kind::GrantRejected
        | Kind::ClientRejected
        | Kind::CallbackMalformed => Retry::LogIn,
        Kind::TooLarge
        | Kind::AddressRefused
        | Kind::UrlRefused
        | Kind::Redirected
        | Kind::NotFound
        | Kind::NotADocument
        | Kind::Malformed
        | Kind::ResourceMismatch
        | Kind::NoAuthorizationServer
        | Kind::IssuerMismatch
        | Kind::IssuerMissing
        | Kind::PkceUnsupported
        | Kind::Unsupported
        | Kind::FallbackRefused
        | Kind::ClientBoundElsewhere
        | Kind::NoClient
        | Kind::RegistrationRejected
        | Kind::RegistrationUnusable
        | Kind::AuthorizationFailed
        | Kind::TokenEndpointError
        | Kind::TokenType
        | Kind::AssertionUnusable
        | Kind::TokenRejected
        | Kind::InsufficientScope
        | Kind::Configuration => Retry::AfterChange,
    }
}

fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::Unreachable | Kind::TimedOut => "Check the network and the host name, then try again.",
        Kind::UnexpectedStatus => "The server is at fault; try again later.",
        Kind::OutcomeUnknown => {
            "Try again; if the server has taken the token already, a new login will be needed."
        }
        Kind::Unsupplied => "Check whoever supplies the assertion, then try again.",
        Kind::SigningFailed => "Check whoever holds the key, then try again.",
        Kind::StoreBusy => {
            "Another process is renewing this grant; try again, or end that process if it hangs."
        }
        Kind::StoreFailed => "Check the credential store, then try again.",
        Kind::TooLarge => "Ask the server's operator, or raise the limit in the policy.",
        Kind::AddressRefused => {
            "If the host is meant to be on a private network, allow that with the policy `reach`."
        }
        Kind::UrlRefused | Kind::Redirected => {
            "The server's operator must publish a URL that can be used as it is."
        }
        Kind::NotFound | Kind::NotADocument => {
            "The server publishes no metadata where it must be; check the server's URL."
        }
        Kind::Malformed => "The server's operator must correct the document.",
        Kind::ResourceMismatch => {
            "Use the server's URL as its metadata gives it, ask its operator to correct the metadata, or name the other resource as `resource_alias`."
        }
        Kind::NoAuthorizationServer => "The server's operator must name an authorization server.",
        Kind::IssuerMismatch => {
            "If the difference is known and harmless, allow it for this issuer with `issuer_match`, `metadata_issuer` or `issuer_aliases`."
        }
        Kind::IssuerMissing => {
            "Log in again; if it recurs, the authorization server promises an `iss` that it never sends."
        }
        Kind::PkceUnsupported => {
            "If the server is known to support S256, say so for this issuer with the policy `pkce`."
        }
        Kind::Unsupported => {
            "Either the server must offer what is expected, or this client be configured for what it does."
        }
        Kind::FallbackRefused => "Ask the server's operator to publish protected resource metadata.",
        Kind::ClientBoundElsewhere => "Configure a client that is registered with this authorization server.",
        Kind::NoClient => {
            "Register a client with the authorization server by hand and configure its identifier."
        }
        Kind::RegistrationRejected | Kind::RegistrationUnusable => {
            "Register a client by hand and configure its identifier, or ask the server's operator."
        }
        Kind::CallbackMalformed | Kind::StateMismatch => "Log in again, in a browser window of its own.",
        Kind::AccessDenied => "Log in again and allow the access.",
        Kind::AuthorizationFailed => {
            "The error comes from the authorization server; its words say what it misses."
        }
        Kind::TokenEndpointError => "The error comes from the token endpoint; its words say what it misses.",
        Kind::GrantRejected => "Log in again.",
        Kind::ClientRejected => {
            "The authorization server no longer knows this client; log in again to register anew."
        }
        Kind::TokenType => "The authorization server issues tokens that this client cannot use.",
        Kind::NonceRequired => "The server goes on asking for a nonce that it was given; tell its operator.",
        Kind::AssertionUnusable => {
            "Supply a fresh assertion that is issued for this authorization server and client."
        }
        Kind::TokenRejected => {
            "The MCP server and its authorization server disagree about the token; tell the server's operator."
        }
        Kind::InsufficientScope => "The account may lack the permission; ask whoever grants it.",
        Kind::ConsentTimedOut => "Log in again, and finish in the browser in time.",
        Kind::TooManyLogins => {
            "Log in again if you want to; a server that asks for it time and again is at fault, so tell its operator."
        }
        Kind::Unasked => {
            "Give the client a way to ask, with a browser or a screen for a code; or log in where there is one."
        }
        Kind::Cancelled => "Log in again when ready.",
        Kind::Configuration => "Correct the configuration.",
    }
}
