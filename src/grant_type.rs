//! How tokens are obtained, and the keys that prove who asks.

use serde::{Deserialize, Serialize};

use crate::base::breach::{Breach, Kind};
use crate::base::guard::{Guard, Reach};
use crate::base::secret::Secret;
use crate::preregistered::{check_client_id, check_issuer, check_method};
use crate::wire::client::AuthMethod;
use crate::wire::client_key::ClientKey;
use crate::wire::jwk::PublicJwk;
use crate::wire::jws::Algorithm;
use crate::wire::token::SubjectTokenType;

/// How tokens are obtained.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GrantType {
    /// A person consents in a browser (RFC 6749 §4.1).
    #[default]
    AuthorizationCode,
    /// A person consents in a browser elsewhere (RFC 8628): for machines that have none.
    DeviceCode,
    /// Nobody: the client acts for itself (RFC 6749 §4.4; MCP client credentials).
    ClientCredentials,
    /// Nobody: the person has logged in at an identity provider, which decides (MCP enterprise-managed authorization).
    EnterpriseManaged(Box<IdentityProvider>),
    /// Nobody: a platform vouches for the workload (RFC 7523 §2.1; MCP workload identity).
    WorkloadIdentity,
}

impl GrantType {
    /// Whether a person must consent. Where none must, a token that has run out is obtained anew without a word.
    pub fn needs_person(&self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::DeviceCode)
    }

    /// Judges what is configured with it. `key` is the one with which the client authenticates.
    pub(crate) fn check(&self, key: Option<&ClientKey>) -> Result<(), Breach> {
        match self {
            Self::EnterpriseManaged(provider) => provider.check(key),
            Self::AuthorizationCode | Self::DeviceCode | Self::ClientCredentials | Self::WorkloadIdentity => {
                Ok(())
            }
        }
    }
}

/// The identity provider of an organisation. It is configured, never discovered: it is shown the person's identity
/// assertion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IdentityProvider {
    /// Its issuer: what the identity assertion grant must come from.
    pub issuer: String,
    /// Its token endpoint, where the identity assertion is exchanged (RFC 8693).
    pub token_endpoint: String,
    /// The client as it is registered there.
    pub client_id: String,
    /// The client secret.
    pub client_secret: Option<Secret>,
    /// How the client authenticates there. With [`AuthMethod::PrivateKeyJwt`] it signs with
    /// [`Config::client_key`](crate::Config::client_key) and the first of its algorithms, since nothing says which of
    /// them the identity provider takes.
    pub method: AuthMethod,
    /// What kind of identity assertion is exchanged.
    pub subject_token_type: SubjectTokenType,
}

impl IdentityProvider {
    /// An identity provider at which `client_id` is a public client, and which exchanges ID tokens.
    pub fn new(
        issuer: impl Into<String>,
        token_endpoint: impl Into<String>,
        client_id: impl Into<String>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            token_endpoint: token_endpoint.into(),
            client_id: client_id.into(),
            client_secret: None,
            method: AuthMethod::None,
            subject_token_type: SubjectTokenType::IdToken,
        }
    }

    /// The same, with a client secret that is shown by Basic, unless another method was named.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<Secret>) -> Self {
        self.client_secret = Some(secret.into());
        if self.method == AuthMethod::None {
            self.method = AuthMethod::ClientSecretBasic;
        }
        self
    }

    /// The same, with this client authentication method ([`Self::method`](#structfield.method)).
    #[must_use]
    pub fn method(mut self, method: AuthMethod) -> Self {
        self.method = method;
        self
    }

    /// The same, with this kind of identity assertion.
    #[must_use]
    pub fn exchanges(mut self, subject_token_type: SubjectTokenType) -> Self {
        self.subject_token_type = subject_token_type;
        self
    }

    fn check(&self, key: Option<&ClientKey>) -> Result<(), Breach> {
        check_issuer(&self.issuer)?;
        Guard::new(Reach::Any).check(&self.token_endpoint).map_err(|refused| {
            let expected = "the URL of the identity provider's token endpoint";
            Breach::new(Kind::Configuration, "RFC 6749 §3.2", expected, refused.to_string())
        })?;
        check_client_id(&self.client_id)?;
        check_method(self.method, self.client_secret.as_ref(), key, "the client at the identity provider")
    }
}

/// The key to which tokens are bound (DPoP, RFC 9449). The private half is with whoever answers
/// [`Action::Sign`](crate::Action::Sign).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProofKey {
    /// Its public half.
    pub public: PublicJwk,
    /// When tokens are bound to it.
    pub binds: Binds,
}

/// When tokens are bound to the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Binds {
    /// When the challenge or the resource's metadata asks for it.
    #[default]
    WhenAsked,
    /// Always. A server that does not bind tokens is refused.
    Always,
}

impl ProofKey {
    /// A key to which tokens are bound when the server asks for it.
    pub fn new(public: PublicJwk) -> Self {
        Self { public, binds: Binds::WhenAsked }
    }

    /// The same key, to which all tokens are bound.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.binds = Binds::Always;
        self
    }
}

/// That a token is bound to a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Binding {
    /// The thumbprint of the key (RFC 7638), by which it is known again.
    pub thumbprint: String,
    /// What proofs are signed with.
    pub algorithm: Algorithm,
}
