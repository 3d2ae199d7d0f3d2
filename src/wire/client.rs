//! Who the client is to one authorization server, and what it says of itself (RFC 7591 §2, Client ID Metadata
//! Documents).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use crate::base::breach::{Breach, Kind};
use crate::base::guard::{self, Guard, Reach};
use crate::base::scope::Scopes;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::wire::client_key::ClientKey;
use crate::wire::jws::Algorithm;

const DOCUMENT: &str = "draft-ietf-oauth-client-id-metadata-document-00 §3";

/// How a client authenticates at the token endpoint (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthMethod {
    /// Not at all: a public client.
    None,
    /// Identifier and secret in the `Authorization` field (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Identifier and secret in the body.
    ClientSecretPost,
    /// An assertion that the client signs (RFC 7523 §2.2).
    PrivateKeyJwt,
}

impl AuthMethod {
    /// Its registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// The method with this registered name, if it is spoken here.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::None, Self::ClientSecretBasic, Self::ClientSecretPost, Self::PrivateKeyJwt]
            .into_iter()
            .find(|it| it.as_str() == name)
    }

    /// Whether it needs a client secret.
    pub const fn needs_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// How a client identifier was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// Configured by the caller.
    Preregistered,
    /// It is the URL of the client's metadata document.
    MetadataDocument,
    /// Registered by RFC 7591.
    Dynamic,
    /// Named by the person.
    Prompted,
}

/// A client of one authorization server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Client {
    /// The client identifier.
    pub id: String,
    /// The client secret.
    pub secret: Option<Secret>,
    /// How it authenticates.
    pub method: AuthMethod,
    /// What its assertions are signed with, where it authenticates with a key.
    #[serde(default)]
    pub algorithm: Option<Algorithm>,
    /// When the secret expires; `None`: never.
    pub secret_expires_at: Option<Timestamp>,
    /// The redirect URIs it is registered with; none: not known, any may do.
    pub redirect_uris: Vec<String>,
    /// When it was registered.
    pub registered_at: Option<Timestamp>,
    /// The scopes that it may ask for, where its registration named some (RFC 7591 §2).
    #[serde(default)]
    pub scopes: Option<Scopes>,
    /// How the identifier was come by.
    pub origin: Origin,
    /// The metadata document that the authorization server could not use, and in whose place this client was
    /// registered.
    #[serde(default)]
    pub instead_of: Option<String>,
}

impl Client {
    /// A public client with this identifier, of which nothing else is known.
    pub fn new(id: impl Into<String>, origin: Origin) -> Self {
        Self {
            id: id.into(),
            secret: None,
            method: AuthMethod::None,
            algorithm: None,
            secret_expires_at: None,
            redirect_uris: Vec::new(),
            registered_at: None,
            scopes: None,
            origin,
            instead_of: None,
        }
    }

    /// The method of a client for which nobody named one: none without a secret; with one, the first of Basic and
    /// post that the server lists. A server that lists nothing takes Basic (RFC 8414 §2).
    ///
    /// # Errors
    ///
    /// [`Kind::RegistrationUnusable`]: there is a secret, and the server lists neither.
    pub fn method_for(secret: bool, offered: Option<&[String]>) -> Result<AuthMethod, Breach> {
        if !secret {
            return Ok(AuthMethod::None);
        }
        let spoken = [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost];
        first_listed(&spoken, offered).map_err(|offered| {
            let expected = "client_secret_basic or client_secret_post";
            Breach::new(Kind::RegistrationUnusable, "RFC 8414 §2", expected, offered.join(", "))
        })
    }

    /// Whether its secret, if it has one, may be used at `now`.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.secret_expires_at.is_none_or(|expires_at| now < expires_at)
    }

    /// Whether it may ask for these scopes (RFC 7591 §2): a server may hold it to those it is registered for.
    pub fn may_ask(&self, scopes: &Scopes) -> bool {
        self.scopes.as_ref().is_none_or(|registered| scopes.is_subset(registered))
    }

    /// Refuses a server that lists how clients may authenticate, but not with a key (RFC 8414 §2).
    ///
    /// # Errors
    ///
    /// [`Kind::RegistrationUnusable`], with what it lists.
    pub fn check_key_method(offered: Option<&[String]>) -> Result<(), Breach> {
        let method = AuthMethod::PrivateKeyJwt;
        first_listed(&[method], offered).map(|_| ()).map_err(|offered| {
            Breach::new(Kind::RegistrationUnusable, "RFC 8414 §2", method.as_str(), offered.join(", "))
        })
    }

    /// Whether it can be used at `now` with this redirect URI.
    pub fn usable(&self, now: Timestamp, redirect_uri: &str) -> bool {
        self.is_fresh(now)
            && (self.redirect_uris.is_empty() || self.redirect_uris.iter().any(|uri| uri == redirect_uri))
    }
}

/// The method to ask for in a registration: the first of none, Basic and post that the server lists.
///
/// A server that lists nothing takes Basic (RFC 8414 §2). One that lists only methods that are not spoken here is
/// [`Kind::Unsupported`].
pub fn method_to_register(offered: Option<&[String]>) -> Result<AuthMethod, Breach> {
    let spoken = [AuthMethod::None, AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost];
    first_listed(&spoken, offered).map_err(|offered| {
        let expected = "none, client_secret_basic or client_secret_post";
        Breach::new(Kind::Unsupported, "RFC 8414 §2", expected, offered.join(", "))
    })
}

/// The first that the server lists, or else the list. Without one it is Basic; an empty one counts as absent, for it should
/// not be there (RFC 8414 §3.2).
fn first_listed<'a>(
    spoken: &[AuthMethod],
    offered: Option<&'a [String]>,
) -> Result<AuthMethod, &'a [String]> {
    let Some(offered) = offered.filter(|offered| !offered.is_empty()) else {
        return Ok(AuthMethod::ClientSecretBasic);
    };
    spoken.iter().copied().find(|method| offered.iter().any(|name| name == method.as_str())).ok_or(offered)
}

/// Whether a client is an application on the person's machine or a web site (OpenID Connect Registration §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ApplicationType {
    /// On the person's machine.
    Native,
    /// A web site.
    Web,
}

/// What a client says of itself, when it registers or in its metadata document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientMetadata {
    /// Its name, for a person.
    pub client_name: String,
    /// Its redirect URIs.
    pub redirect_uris: Vec<String>,
    /// The grant types that it will use; by default those of a person's consent in a browser.
    pub grant_types: Vec<String>,
    /// Native or web. MCP demands that it be said.
    pub application_type: ApplicationType,
    /// Its home page.
    pub client_uri: Option<String>,
    /// Its logo.
    pub logo_uri: Option<String>,
    /// Its terms of service.
    pub tos_uri: Option<String>,
    /// Its privacy policy.
    pub policy_uri: Option<String>,
    /// Whom to write to.
    pub contacts: Vec<String>,
    /// A name for the software that is the same for all its versions and instances.
    pub software_id: Option<String>,
    /// The version of the software.
    pub software_version: Option<String>,
}

impl ClientMetadata {
    /// A client with this name and redirect URI: native if the redirect URI leads to the machine itself, else web.
    pub fn new(client_name: impl Into<String>, redirect_uri: impl Into<String>) -> Self {
        let redirect_uri = redirect_uri.into();
        let local = Url::parse(&redirect_uri).is_ok_and(|url| guard::is_loopback_host(&url));
        Self {
            client_name: client_name.into(),
            redirect_uris: vec![redirect_uri],
            grant_types: ["authorization_code", "refresh_token"].map(str::to_owned).to_vec(),
            application_type: if local { ApplicationType::Native } else { ApplicationType::Web },
            client_uri: None,
            logo_uri: None,
            tos_uri: None,
            policy_uri: None,
            contacts: Vec::new(),
            software_id: None,
            software_version: None,
        }
    }

    /// The body of a registration request (RFC 7591 §3.1), JSON, with the software statement (§2.3) if there is one for the
    /// server. `scope` is left out when no scope is asked for.
    pub fn registration_body(
        &self,
        method: AuthMethod,
        scopes: &Scopes,
        statement: Option<&Secret>,
    ) -> Vec<u8> {
        let statement = statement.map(Secret::expose);
        let members = Members { software_statement: statement, ..self.members(method, Some(scopes)) };
        serde_json::to_vec(&members).unwrap_or_default()
    }

    /// The document to be hosted at `client_id`, its own URL (Client ID Metadata Documents §4): no secret of any kind.
    ///
    /// With a key the client authenticates by it, wherever a server takes that, and its public half is in the document
    /// (§4.1); without one it is a public client.
    ///
    /// # Errors
    ///
    /// [`Kind::Configuration`], if the URL can be no client identifier or the public half is missing.
    pub fn document(
        &self,
        client_id: &str,
        scopes: Option<&Scopes>,
        key: Option<&ClientKey>,
    ) -> Result<Value, Breach> {
        check_client_id_url(client_id)?;
        let method = if key.is_some() { AuthMethod::PrivateKeyJwt } else { AuthMethod::None };
        let jwks = key.map(|key| Ok(json!({ "keys": [key.jwk()?] }))).transpose()?;
        let members = Members { client_id: Some(client_id), jwks, ..self.members(method, scopes) };
        Ok(json!(members))
    }

    fn members<'a>(&'a self, method: AuthMethod, scopes: Option<&'a Scopes>) -> Members<'a> {
        let by_code = self.grant_types.iter().any(|grant_type| grant_type == "authorization_code");
        Members {
            application_type: self.application_type,
            client_id: None,
            client_name: &self.client_name,
            client_uri: self.client_uri.as_deref(),
            contacts: &self.contacts,
            grant_types: &self.grant_types,
            jwks: None,
            logo_uri: self.logo_uri.as_deref(),
            policy_uri: self.policy_uri.as_deref(),
            redirect_uris: &self.redirect_uris,
            response_types: if by_code { &["code"] } else { &[] },
            scope: scopes.map(Scopes::as_str).unwrap_or_default(),
            software_id: self.software_id.as_deref(),
            software_statement: None,
            software_version: self.software_version.as_deref(),
            token_endpoint_auth_method: method.as_str(),
            tos_uri: self.tos_uri.as_deref(),
        }
    }
}

/// A registration request or a metadata document, as it is written.
#[derive(Serialize)]
struct Members<'a> {
    application_type: ApplicationType,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    client_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    contacts: &'a [String],
    grant_types: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_uri: Option<&'a str>,
    redirect_uris: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    response_types: &'static [&'static str],
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_statement: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_version: Option<&'a str>,
    token_endpoint_auth_method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tos_uri: Option<&'a str>,
}

/// Whether a URL can be a client identifier (Client ID Metadata Documents §3): `https`, with a path, without user
/// info, fragment and dot segments.
///
/// # Errors
///
/// [`Kind::Configuration`], with what is wrong with it.
pub fn check_client_id_url(text: &str) -> Result<(), Breach> {
    let refuse = |got: String| {
        Breach::new(Kind::Configuration, DOCUMENT, "an https URL with a path, as a client identifier", got)
    };
    let endpoint = Guard::new(Reach::Any).check(text).map_err(|refused| refuse(refused.to_string()))?;
    let url = endpoint.url();
    if url.scheme() != "https" {
        return Err(refuse("one that is not https".to_owned()));
    }
    if url.path() == "/" {
        return Err(refuse("one without a path".to_owned()));
    }
    Ok(())
}
