//! Clients that were registered with an authorization server by other means.

use serde::{Deserialize, Serialize};

use crate::base::breach::{Breach, Kind};
use crate::base::guard::{Guard, Reach};
use crate::base::secret::Secret;
use crate::base::text::is_vschar;
use crate::grant_type::GrantType;
use crate::wire::client::AuthMethod;
use crate::wire::client_key::ClientKey;

/// A client that was registered with an authorization server by other means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Preregistered {
    /// The issuer it is registered with. `None` binds it to the first authorization server to which it sends a code, its
    /// secret or what it signs, and until a logout, as long as this machine lives or the store keeps the record of that, to no
    /// other. Say the issuer where it is known: otherwise the MCP server decides who it is. A client with a secret must say it, and so
    /// must one that signs ([`Config::client_key`](crate::Config::client_key)) or whose grant needs no person, unless
    /// [`trusting_the_server_to_name_the_issuer`](Self::trusting_the_server_to_name_the_issuer).
    pub issuer: Option<String>,
    /// The client identifier.
    pub client_id: String,
    /// The client secret. It wants an [`issuer`](Self::issuer).
    pub client_secret: Option<Secret>,
    /// The client authentication method; `None` takes the best that the server lists.
    pub method: Option<AuthMethod>,
    /// Whether the MCP server says who is shown the secret and what the client signs
    /// ([`trusting_the_server_to_name_the_issuer`](Self::trusting_the_server_to_name_the_issuer)).
    #[serde(default)]
    pub server_names_issuer: bool,
}

impl Preregistered {
    /// A public client of the authorization server `issuer`.
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), ..Self::unbound(client_id) }
    }

    /// A public client that is bound to the first authorization server to which it sends a code ([`Self::issuer`]).
    pub fn unbound(client_id: impl Into<String>) -> Self {
        Self {
            issuer: None,
            client_id: client_id.into(),
            client_secret: None,
            method: None,
            server_names_issuer: false,
        }
    }

    /// The same client, which authenticates in this way whatever the server lists.
    #[must_use]
    pub fn method(mut self, method: AuthMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// The same client with a secret. One that is [`unbound`](Self::unbound) cannot have any, but by
    /// [`trusting_the_server_to_name_the_issuer`](Self::trusting_the_server_to_name_the_issuer).
    #[must_use]
    pub fn secret(mut self, secret: impl Into<Secret>) -> Self {
        self.client_secret = Some(secret.into());
        self
    }

    /// The same client, though it is [`unbound`](Self::unbound) and may have a secret, a key or a grant that needs no
    /// person: the MCP server says who is shown the secret, what the key signs and what is asserted. Whatever
    /// authorization server it names first gets them, so whoever runs the MCP server, or has broken into it, can have
    /// them. MCP asks for the opposite, that credentials are bound to the issuer they came from; this is for a client that
    /// is good for nothing but this one server, from somebody who cannot say whose it is.
    #[must_use]
    pub fn trusting_the_server_to_name_the_issuer(mut self) -> Self {
        self.server_names_issuer = true;
        self
    }
}

impl Preregistered {
    /// Judges it beside the grant and the key that it is used with.
    pub(crate) fn check(&self, grant: &GrantType, key: Option<&ClientKey>) -> Result<(), Breach> {
        self.issuer.as_deref().map_or(Ok(()), check_issuer)?;
        let signs = key.is_some() && self.method.is_none_or(|method| method == AuthMethod::PrivateKeyJwt);
        let shown = match (&self.client_secret, signs, grant.needs_person()) {
            (Some(_), ..) => Some("a secret and no issuer"),
            (None, true, _) => Some("a key and no issuer"),
            (None, false, false) => Some("a grant that needs no person and no issuer"),
            (None, false, true) => None,
        };
        if let Some(got) = shown.filter(|_| self.issuer.is_none() && !self.server_names_issuer) {
            // Otherwise whoever the MCP server names would be shown it, or what is signed with it.
            let expected = "the issuer to which the client belongs (`Preregistered::new`)";
            let clause = "MCP 2026-07-28, authorization server binding";
            return Err(Breach::new(Kind::Configuration, clause, expected, got));
        }
        let secret = self.client_secret.as_ref();
        self.method.map_or(Ok(()), |method| check_method(method, secret, key, "a configured client"))?;
        let is_public = self.method == Some(AuthMethod::None) || (self.client_secret.is_none() && !signs);
        if *grant == GrantType::ClientCredentials && is_public {
            return Err(not_alone());
        }
        check_client_id(&self.client_id)
    }
}

/// Refuses a method for which `whose` lacks the secret or the key.
pub(crate) fn check_method(
    method: AuthMethod,
    secret: Option<&Secret>,
    key: Option<&ClientKey>,
    whose: &str,
) -> Result<(), Breach> {
    let name = method.as_str();
    let (clause, expected) = if method.needs_secret() && secret.is_none() {
        ("RFC 6749 §2.3", format!("a client secret for {name} of {whose}"))
    } else if method == AuthMethod::PrivateKeyJwt && key.is_none() {
        ("RFC 7523 §2.2", format!("a key of the client (`Config::client_key`) for {name} of {whose}"))
    } else {
        return Ok(());
    };
    Err(Breach::new(Kind::Configuration, clause, expected, "none"))
}

/// A public client does not act for itself.
pub(crate) fn not_alone() -> Breach {
    let expected = "a client with a secret or a key, for client credentials";
    Breach::new(Kind::Configuration, "RFC 6749 §4.4", expected, "a public client")
}

pub(crate) fn check_client_id(text: &str) -> Result<(), Breach> {
    if is_client_id(text) {
        return Ok(());
    }
    let expected = "a client identifier of printable ASCII characters";
    Err(Breach::new(Kind::Configuration, "RFC 6749 appendix A.1", expected, "something else"))
}

/// Whether the text can be a client identifier (RFC 6749 appendix A.1).
pub(crate) fn is_client_id(text: &str) -> bool {
    !text.is_empty() && is_vschar(text)
}

pub(crate) fn check_issuer(issuer: &str) -> Result<(), Breach> {
    let judged = Guard::new(Reach::Any).check(issuer);
    judged.map(|_| ()).map_err(|refused| {
        Breach::new(Kind::Configuration, "RFC 8414 §2", "an issuer, which is a URL", refused.to_string())
    })
}
