//! What was asked of whom and what came of it, for tests to look at.

use http::HeaderValue;
use serde_json::Value;

use crate::fault::Purpose;
use crate::message::{Answer, Asked, Parameters};
use crate::place::{Place, Role};
use crate::token::{DEVICE_CODE, JWT_BEARER};

/// One request, and how it was answered.
///
/// It holds what was sent as it was sent, secrets too: it is for tests to look at.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Who was asked.
    pub role: Role,
    /// What for. [`Purpose::Token`] for every token request; [`Exchange::is_for`] tells them apart.
    pub purpose: Purpose,
    /// The method.
    pub method: String,
    /// The origin, in lower case.
    pub origin: String,
    /// The path, without the query.
    pub path: String,
    /// The parameters of the query and of a form body, in order.
    pub parameters: Vec<(String, String)>,
    /// The `Authorization` header, if it was sent.
    pub authorization: Option<String>,
    /// The `DPoP` headers that were sent: one proof, if the client keeps to RFC 9449 §4.3.
    pub proofs: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
    /// The status of the answer; 0 if the connection was closed without one.
    pub status: u16,
    /// The live tokens that the request revoked, refresh tokens first: by asking for it (RFC 7009), or by showing a
    /// token or a code that ends its grant. A refresh token that was exchanged for another is not among them.
    pub revoked: Vec<String>,
}

impl Exchange {
    pub(crate) fn of(place: &Place, request: &Asked) -> Self {
        let mut parameters = Parameters::of_query(request).0;
        parameters.extend(Parameters::of_form(request).unwrap_or_default().0);
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let authorization = request.headers().get("authorization");
        Self {
            role: place.role,
            purpose: place.purpose,
            method: request.method().to_string(),
            origin: place.origin.clone(),
            path: place.path.clone(),
            parameters,
            authorization: authorization.map(text),
            proofs: request.headers().get_all("dpop").iter().map(text).collect(),
            body: request.body().clone(),
            status: 0,
            revoked: Vec::new(),
        }
    }

    /// The first parameter of this name, in the query or the form.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether it counts as a request of this purpose. A token request counts as [`Purpose::Token`], and as
    /// [`Purpose::CodeExchange`], [`Purpose::Refresh`], [`Purpose::ClientCredentials`], [`Purpose::AssertionGrant`] or
    /// [`Purpose::DevicePoll`] by its grant.
    pub fn is_for(&self, purpose: Purpose) -> bool {
        self.purpose == purpose || self.grant() == Some(purpose)
    }

    /// Every purpose that it counts for.
    pub(crate) fn purposes(&self) -> impl Iterator<Item = Purpose> {
        std::iter::once(self.purpose).chain(self.grant())
    }

    fn grant(&self) -> Option<Purpose> {
        match (self.purpose, self.parameter("grant_type")?) {
            (Purpose::Token, "authorization_code") => Some(Purpose::CodeExchange),
            (Purpose::Token, "refresh_token") => Some(Purpose::Refresh),
            (Purpose::Token, "client_credentials") => Some(Purpose::ClientCredentials),
            (Purpose::Token, JWT_BEARER) => Some(Purpose::AssertionGrant),
            (Purpose::Token, DEVICE_CODE) => Some(Purpose::DevicePoll),
            _ => None,
        }
    }
}

/// One use of a refresh token at a token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// The authorization server, counted from 0.
    pub authorization_server: usize,
    /// When, in seconds.
    pub at: u64,
    /// The refresh token, byte for byte as it was sent.
    pub token: String,
    /// What the server made of it.
    pub fate: Fate,
    /// Whether the client got the server's own answer, and all of it. If not, it cannot know what the server made of the
    /// token.
    pub answered: bool,
}

impl Refresh {
    /// Whether new tokens were issued for it.
    pub fn accepted(&self) -> bool {
        matches!(self.fate, Fate::Accepted { .. })
    }
}

/// What a server made of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: a fault kept the request from it, or it went to where the token endpoint no longer is.
    Unseen,
    /// It refused the request with this error, for the token or for another reason; empty if there was no error to read.
    Refused(String),
    /// It issued new tokens.
    Accepted {
        /// The refresh token to use next. The same one where there is no rotation.
        next: String,
    },
}

/// What a request did to an authorization server, besides what its answer says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effect {
    /// The refresh token to use next, where one was accepted.
    pub(crate) successor: Option<String>,
    /// The live tokens that were revoked.
    pub(crate) revoked: Vec<String>,
}

impl Effect {
    /// What became of a refresh token whose request was answered with this.
    pub(crate) fn fate(self, answer: Option<&Answer>) -> Fate {
        match (self.successor, answer) {
            (Some(next), _) => Fate::Accepted { next },
            (None, None) => Fate::Unseen,
            (None, Some(answer)) => {
                let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
                let error = body.get("error").and_then(Value::as_str).unwrap_or_default();
                Fate::Refused(error.to_owned())
            }
        }
    }
}
