//! The secrets that a run has come to know, where each may go, and a search for them in places where none may be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Watch;
use crate::base::secret::Secret;
use crate::base::spelling::spellings;
use crate::credential::AuthorizationServer;

/// What kind of secret it is; says what may carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// To the resource only; no action of the machine carries it.
    AccessToken,
    /// In the body of a token request.
    RefreshToken,
    /// In the body of a token request, once.
    Code,
    /// In the body of a token request.
    CodeVerifier,
    /// In the body or the `Authorization` field of a token request.
    ClientSecret,
    /// In the `Authorization` field of a registration request.
    InitialAccessToken,
    /// In the body of a registration request.
    SoftwareStatement,
    /// In the body of a token request: a grant that somebody else signed.
    Assertion,
    /// In the body of any request that says which client it is from: what the client's key signs.
    ClientAssertion,
    /// In the `DPoP` field of the request that it names: what the key signs that tokens are bound to.
    Proof,
    /// In the body of a request to the identity provider.
    IdentityAssertion,
    /// In the body of a token request, again and again.
    DeviceCode,
    /// Before the person.
    UserCode,
    /// In the URL that is opened, or in the request that is pushed ahead.
    State,
    /// Nowhere: the machine has no use for it.
    IdToken,
}

#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) sort: Sort,
    spellings: Vec<String>,
    /// Where it belongs. A server may give the same text twice, and two servers the same.
    pub(super) homes: Vec<Home>,
}

impl Known {
    /// The secret as it is.
    pub(super) fn text(&self) -> &str {
        self.spellings.first().map(String::as_str).unwrap_or_default()
    }
}

/// Where a secret belongs, or a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Home {
    Endpoint(String),
    Issuer(String),
    /// The caller bound it to no issuer.
    Anywhere,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Secrets(Vec<Known>);

impl Secrets {
    /// Learns a secret. One of fewer than eight characters could stand anywhere by chance and is left out.
    pub(super) fn learn(&mut self, sort: Sort, text: &str, home: Home) {
        if text.len() < 8 {
            return;
        }
        let same = |known: &&mut Known| known.sort == sort && known.text() == text;
        if let Some(known) = self.0.iter_mut().find(same) {
            known.homes.push(home);
            return;
        }
        self.0.push(Known { sort, spellings: spellings(text), homes: vec![home] });
    }

    /// The secrets that stand in `text`.
    pub(super) fn in_text(&self, text: &str) -> Vec<&Known> {
        let stands = |known: &&Known| known.spellings.iter().any(|spelling| text.contains(spelling.as_str()));
        self.0.iter().filter(stands).collect()
    }

    /// The same for the value of an `Authorization` field, whose Basic credentials are decoded first.
    pub(super) fn in_authorization(&self, value: &str) -> Vec<&Known> {
        let decoded = value.strip_prefix("Basic ").and_then(|basic| STANDARD.decode(basic).ok());
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        self.in_text(decoded.as_deref().unwrap_or(value))
    }
}

impl Watch {
    /// A record's client secret belongs to the endpoint that the record names. The issuer may move that; the client stays
    /// its own. A configured secret that the record does not hold has no business there.
    pub(super) fn client_secret(&mut self, server: &AuthorizationServer, secret: Option<&Secret>) {
        let homes = [Home::Issuer(server.issuer.clone()), Home::Endpoint(server.token_endpoint.clone())];
        for home in homes {
            let secret = secret.map(Secret::expose).unwrap_or_default();
            self.secrets.learn(Sort::ClientSecret, secret, home);
        }
    }
}
