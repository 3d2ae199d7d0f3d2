//! What a refresh that did not succeed means (RFC 6749 §5.2, §6): the one place where answers are sorted by what
//! follows from them.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::base::breach::{Breach, Kind};

/// What became of a refresh, by its consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// It passes by itself: the network, a 5xx, a 429. The token is kept, and tried again later.
    Transient,
    /// The request may have been acted upon, but what came of it cannot be read. The token is sent once more at once;
    /// a server that detects reuse may revoke the grant for that.
    Unknown,
    /// The grant is dead: a person must log in again.
    DeadGrant,
    /// The client is dead, and its tokens with it: register anew.
    DeadClient,
    /// The token endpoint is not there any more: its issuer is asked again where it is.
    EndpointGone,
    /// Something that neither time nor a person mends by itself: nothing is changed, and the failure says what is wrong.
    Misconfigured,
}

impl Refusal {
    /// Sorts a refusal: the status of the answer, if one came, and what was wrong with it.
    ///
    /// Servers say in many words that a refresh token is dead (`invalid_grant`, but also `invalid_request`,
    /// `unauthorized_client`, `bad_refresh_token`). So any OAuth error that comes with 200, 201, 400 or 401 counts as
    /// that, but for those that plainly mean something else.
    pub fn of(status: Option<StatusCode>, breach: &Breach) -> Self {
        let Some(status) = status else { return unanswered(breach.kind) };
        if passes(status.as_u16()) {
            return Self::Transient;
        }
        if let Some(error) = &breach.error {
            return coded(status, error);
        }
        match status.as_u16() {
            401 => Self::DeadClient,
            404 | 410 => Self::EndpointGone,
            // A good answer of a wrong type is understood. Any other cannot be read, and whoever gave it has acted.
            200..=299 if breach.kind != Kind::TokenType => Self::Unknown,
            _ => Self::Misconfigured,
        }
    }
}

/// No answer came, or none that was read to its end.
fn unanswered(kind: Kind) -> Refusal {
    if matches!(kind, Kind::AddressRefused | Kind::UrlRefused | Kind::Configuration) {
        Refusal::Misconfigured
    } else if matches!(kind, Kind::OutcomeUnknown | Kind::TimedOut | Kind::TooLarge) {
        Refusal::Unknown
    } else {
        Refusal::Transient
    }
}

/// Whether what a status says passes by itself: the server failed, or wants to be left alone for a while.
pub fn passes(status: u16) -> bool {
    status >= 500 || matches!(status, 408 | 425 | 429)
}

/// The same of an error code (RFC 6749 §4.1.2.1, RFC 8628 §3.5).
pub(super) fn is_passing(error: &str) -> bool {
    matches!(error, "temporarily_unavailable" | "server_error" | "slow_down")
}

fn coded(status: StatusCode, error: &str) -> Refusal {
    match error {
        "invalid_grant" => Refusal::DeadGrant,
        "invalid_client" => Refusal::DeadClient,
        _ if is_passing(error) => Refusal::Transient,
        "invalid_scope"
        | "invalid_target"
        | "unsupported_grant_type"
        | "use_dpop_nonce"
        | "invalid_dpop_proof" => Refusal::Misconfigured,
        _ if matches!(status.as_u16(), 200 | 201 | 400 | 401) => Refusal::DeadGrant,
        // Frameworks put the words of the status there ("Not Found"), where there is no token endpoint to speak.
        _ if matches!(status.as_u16(), 404 | 410) => Refusal::EndpointGone,
        _ => Refusal::Misconfigured,
    }
}
