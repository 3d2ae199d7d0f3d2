//! Authorization server metadata (RFC 8414, OpenID Connect Discovery 1.0): where it may be, whose it is, what it
//! offers.

mod places;

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

pub(crate) use self::places::forms;
pub use self::places::{Candidate, Form, candidates, origin};

use super::json::Object;
use super::metadata;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{self, Endpoint, Guard};
use crate::base::scope::Scopes;

const CLAUSE: &str = "RFC 8414 §2";
const PUSHED: &str = "RFC 9126 §5";
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The profile of JWT grants that takes an ID-JAG (draft-ietf-oauth-identity-assertion-authz-grant §7.2).
pub const ID_JAG_PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

/// The members of which one at least makes a JSON object this kind of document.
const TELLING: [&str; 5] =
    ["issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint"];

/// When two issuers are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IssuerMatch {
    /// When they are byte for byte the same (RFC 8414 §3.3).
    #[default]
    Exact,
    /// As above, but the lone slash of an empty path may be there or not: `https://as.example/` is
    /// `https://as.example`. The slash after a path still counts.
    IgnoreLoneSlash,
}

impl IssuerMatch {
    /// Whether the two are the same issuer. Both are compared as text; neither is parsed as a URL.
    pub fn same(self, expected: &str, got: &str) -> bool {
        match self {
            Self::Exact => expected == got,
            Self::IgnoreLoneSlash => without_lone_slash(expected) == without_lone_slash(got),
        }
    }
}

fn without_lone_slash(issuer: &str) -> &str {
    let authority = issuer.split_once("://").and_then(|(_, rest)| rest.strip_suffix('/'));
    match authority {
        Some(authority) if !authority.contains(['/', '?', '#']) => metadata::without_slash(issuer),
        Some(_) | None => issuer,
    }
}

/// What to make of a server that does not say that it supports PKCE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pkce {
    /// It is refused (MCP 2026-07-28, authorization code protection).
    #[default]
    Required,
    /// An absent list is taken to mean `S256`, for servers known to support it silently. A list that is there, but
    /// without `S256`, is refused all the same.
    AssumeS256,
}

/// What an authorization server says of itself. The serialised form is this crate's own, not the wire's, and only written:
/// what comes in is judged by [`Self::read`].
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerMetadata {
    /// The issuer, byte for byte as the document has it: what `iss` is compared with (RFC 9207 §2.4).
    pub issuer: String,
    /// Where the person is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// Where codes and refresh tokens become access tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// Where clients register themselves (RFC 7591).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// Where authorization requests are pushed (RFC 9126).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_authorization_request_endpoint: Option<String>,
    /// Where devices without a browser begin (RFC 8628).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<String>,
    /// The scopes that the server knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes_supported: Option<Scopes>,
    /// The response types that the server knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_types_supported: Option<Vec<String>>,
    /// The grant types that the server knows; absent means `authorization_code` and `implicit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_types_supported: Option<Vec<String>>,
    /// How clients may authenticate at the token endpoint; absent means `client_secret_basic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// The algorithms of client assertions that the server takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    /// The profiles of JWT grants that the server takes, such as [`ID_JAG_PROFILE`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_grant_profiles_supported: Option<Vec<String>>,
    /// The algorithms of proofs of possession that the server takes; absent: it binds no tokens (RFC 9449 §5.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// The PKCE methods that the server knows (RFC 7636).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether authorization responses carry `iss` (RFC 9207 §3).
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether a client may name itself by the URL of its metadata document.
    pub client_id_metadata_document_supported: bool,
    /// Whether the server takes authorization requests only if they are pushed (RFC 9126 §5).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_pushed_authorization_requests: bool,
}

/// Its issuer, its endpoints without their queries, and its flags.
impl fmt::Debug for ServerMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ServerMetadata");
        shown.field("issuer", &self.issuer);
        for (name, url) in self.endpoints() {
            shown.field(name, &url.map(guard::Shown));
        }
        for (name, flag) in [
            (
                "authorization_response_iss_parameter_supported",
                self.authorization_response_iss_parameter_supported,
            ),
            ("client_id_metadata_document_supported", self.client_id_metadata_document_supported),
            ("require_pushed_authorization_requests", self.require_pushed_authorization_requests),
        ] {
            shown.field(name, &flag);
        }
        shown.finish_non_exhaustive()
    }
}

/// The endpoints of an authorization server that are used first, as the guard has let them pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// Where the person is sent.
    pub authorization: Option<Endpoint>,
    /// Where codes and refresh tokens become access tokens.
    pub token: Option<Endpoint>,
    /// Where clients register themselves.
    pub registration: Option<Endpoint>,
}

impl ServerMetadata {
    /// Reads a document and holds it against the issuer that its URL was built from (RFC 8414 §3.3).
    ///
    /// Members that decide about security must be well typed: the issuer, the endpoints, the PKCE methods, the
    /// algorithms of proofs, the promise of `iss`, the demand for pushed requests. The others count as absent when they
    /// are not.
    ///
    /// # Errors
    ///
    /// [`Kind::NotADocument`]: no JSON object, or one with neither an issuer nor an endpoint. [`Kind::Malformed`]: no
    /// issuer, or an ill-typed member. [`Kind::IssuerMismatch`]: the document of another issuer.
    pub fn read(body: &[u8], expected_issuer: &str, rule: IssuerMatch) -> Result<Self, Breach> {
        let object = Object::read(body)?;
        if TELLING.iter().all(|name| object.get(name).is_none()) {
            let expected = "authorization server metadata";
            return Err(Breach::new(Kind::NotADocument, "RFC 8414 §3.2", expected, "another JSON object"));
        }
        let issuer = object.required("issuer", CLAUSE)?;
        if !rule.same(expected_issuer, issuer) {
            return Err(Breach::new(Kind::IssuerMismatch, "RFC 8414 §3.3", expected_issuer, issuer));
        }
        let url = |name| object.text(name, CLAUSE).map(|url| url.map(str::to_owned));
        let list = |name| object.owned_texts(name, CLAUSE).unwrap_or_default();
        Ok(Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: url("authorization_endpoint")?,
            token_endpoint: url("token_endpoint")?,
            registration_endpoint: url("registration_endpoint")?,
            revocation_endpoint: url("revocation_endpoint")?,
            pushed_authorization_request_endpoint: url("pushed_authorization_request_endpoint")?,
            device_authorization_endpoint: url("device_authorization_endpoint")?,
            scopes_supported: object
                .texts("scopes_supported", CLAUSE)
                .unwrap_or_default()
                .map(Scopes::listed),
            response_types_supported: list("response_types_supported"),
            grant_types_supported: list("grant_types_supported"),
            token_endpoint_auth_methods_supported: list("token_endpoint_auth_methods_supported"),
            token_endpoint_auth_signing_alg_values_supported: list(
                "token_endpoint_auth_signing_alg_values_supported",
            ),
            authorization_grant_profiles_supported: list("authorization_grant_profiles_supported"),
            dpop_signing_alg_values_supported: object
                .owned_texts("dpop_signing_alg_values_supported", "RFC 9449 §5.1")?,
            code_challenge_methods_supported: object
                .owned_texts("code_challenge_methods_supported", CLAUSE)?,
            authorization_response_iss_parameter_supported: metadata::obligation(
                &object,
                "authorization_response_iss_parameter_supported",
                "RFC 9207 §3",
            )?,
            client_id_metadata_document_supported: object
                .flag("client_id_metadata_document_supported", CLAUSE)
                .unwrap_or_default()
                .unwrap_or(false),
            require_pushed_authorization_requests: metadata::obligation(
                &object,
                "require_pushed_authorization_requests",
                PUSHED,
            )?,
        })
    }

    /// Whether the authorization code grant can be used with this server, and each endpoint it names may be: the
    /// endpoints.
    ///
    /// # Errors
    ///
    /// [`Kind::UrlRefused`]: an endpoint does not pass the guard, even one that may not be needed, because metadata
    /// that names such a URL is not trusted. [`Kind::Unsupported`]: an endpoint is missing, or the response type or
    /// the grant type is excluded. [`Kind::PkceUnsupported`]: `S256` is not advertised.
    pub fn check(&self, guard: &Guard, pkce: Pkce) -> Result<Endpoints, Breach> {
        let endpoints = self.check_endpoints(guard)?;
        if self.authorization_endpoint.is_none() {
            return Err(unsupported("an \"authorization_endpoint\"", "none"));
        }
        if self.token_endpoint.is_none() {
            return Err(unsupported("a \"token_endpoint\"", "none"));
        }
        if self.require_pushed_authorization_requests && self.pushed_authorization_request_endpoint.is_none()
        {
            let expected = "a \"pushed_authorization_request_endpoint\", as pushed requests are required";
            return Err(Breach::new(Kind::Unsupported, PUSHED, expected, "none"));
        }
        offers(self.response_types_supported.as_deref(), "code")?;
        offers(self.grant_types_supported.as_deref(), "authorization_code")?;
        self.check_pkce(pkce)?;
        Ok(endpoints)
    }

    /// Whether a grant that needs no browser can be used with this server, by its grant type
    /// ([`Grant::grant_type`](super::token::Grant::grant_type)), and each endpoint it names may be.
    ///
    /// # Errors
    ///
    /// As with [`Self::check`].
    pub fn check_grant(&self, guard: &Guard, grant_type: &str) -> Result<Endpoints, Breach> {
        let endpoints = self.check_endpoints(guard)?;
        if self.token_endpoint.is_none() {
            return Err(unsupported("a \"token_endpoint\"", "none"));
        }
        if grant_type == DEVICE_CODE && self.device_authorization_endpoint.is_none() {
            let expected = "a \"device_authorization_endpoint\"";
            return Err(Breach::new(Kind::Unsupported, "RFC 8628 §4", expected, "none"));
        }
        offers(self.grant_types_supported.as_deref(), grant_type)?;
        Ok(endpoints)
    }

    /// Refuses a server that lists profiles of JWT grants without the ID-JAG. One that lists none may take it.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsupported`], with what it lists.
    pub fn check_id_jag(&self) -> Result<(), Breach> {
        offers(self.authorization_grant_profiles_supported.as_deref(), ID_JAG_PROFILE)
    }

    fn check_endpoints(&self, guard: &Guard) -> Result<Endpoints, Breach> {
        let [authorization, token, registration, others @ ..] = self.endpoints();
        let judge = |(name, url): (&str, Option<&str>)| url.map(|url| passed(name, url, guard)).transpose();
        let endpoints = Endpoints {
            authorization: judge(authorization)?,
            token: judge(token)?,
            registration: judge(registration)?,
        };
        others.into_iter().try_for_each(|other| judge(other).map(|_| ()))?;
        Ok(endpoints)
    }

    fn endpoints(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("authorization_endpoint", self.authorization_endpoint.as_deref()),
            ("token_endpoint", self.token_endpoint.as_deref()),
            ("registration_endpoint", self.registration_endpoint.as_deref()),
            ("revocation_endpoint", self.revocation_endpoint.as_deref()),
            ("pushed_authorization_request_endpoint", self.pushed_authorization_request_endpoint.as_deref()),
            ("device_authorization_endpoint", self.device_authorization_endpoint.as_deref()),
        ]
    }

    fn check_pkce(&self, pkce: Pkce) -> Result<(), Breach> {
        let got = match (&self.code_challenge_methods_supported, pkce) {
            (None, Pkce::AssumeS256) => return Ok(()),
            (None, Pkce::Required) => "none".to_owned(),
            (Some(methods), _) if methods.iter().any(|method| method == "S256") => return Ok(()),
            (Some(methods), _) => format!("{methods:?}"),
        };
        Err(Breach::new(
            Kind::PkceUnsupported,
            "MCP 2026-07-28, authorization code protection",
            "\"S256\" in \"code_challenge_methods_supported\"",
            got,
        ))
    }

    /// What MCP 2025-03-26 (fallbacks for servers without metadata discovery) has a client assume: the endpoints
    /// `/authorize`, `/token` and `/register` on the origin of the MCP server. That revision requires PKCE, so `S256`
    /// is taken to be supported. About client authentication it says nothing, and nobody has said that the endpoints
    /// belong together, so clients are taken to be public.
    pub fn legacy(server: &Url) -> Self {
        let issuer = origin(server);
        let endpoint = |path| Some(format!("{issuer}{path}"));
        Self {
            authorization_endpoint: endpoint("/authorize"),
            token_endpoint: endpoint("/token"),
            registration_endpoint: endpoint("/register"),
            revocation_endpoint: None,
            pushed_authorization_request_endpoint: None,
            device_authorization_endpoint: None,
            scopes_supported: None,
            response_types_supported: None,
            grant_types_supported: None,
            token_endpoint_auth_methods_supported: Some(vec!["none".to_owned()]),
            token_endpoint_auth_signing_alg_values_supported: None,
            authorization_grant_profiles_supported: None,
            dpop_signing_alg_values_supported: None,
            code_challenge_methods_supported: Some(vec!["S256".to_owned()]),
            authorization_response_iss_parameter_supported: false,
            client_id_metadata_document_supported: false,
            require_pushed_authorization_requests: false,
            issuer,
        }
    }
}

fn passed(name: &str, url: &str, guard: &Guard) -> Result<Endpoint, Breach> {
    guard.check(url).map_err(|refused| {
        Breach::new(
            Kind::UrlRefused,
            CLAUSE,
            format!("a URL that may be used in {name:?}"),
            refused.to_string(),
        )
    })
}

/// An absent list excludes nothing; an empty one counts as absent, for it should not be there (RFC 8414 §3.2).
fn offers(listed: Option<&[String]>, wanted: &str) -> Result<(), Breach> {
    match listed {
        None | Some([]) => Ok(()),
        Some(listed) if listed.iter().any(|entry| entry == wanted) => Ok(()),
        Some(listed) => Err(unsupported(&format!("{wanted:?}"), &format!("{listed:?}"))),
    }
}

fn unsupported(expected: &str, got: &str) -> Breach {
    Breach::new(Kind::Unsupported, CLAUSE, expected, got)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::guard::Reach;

    #[test]
    fn a_mismatch_carries_both_issuers() {
        let body = br#"{"issuer":"https://as.example/b"}"#;
        let breach = ServerMetadata::read(body, "https://as.example/a", IssuerMatch::Exact).unwrap_err();
        assert_eq!(breach.expected, "https://as.example/a");
        assert_eq!(breach.got, "https://as.example/b");
        assert_eq!(breach.clause, "RFC 8414 §3.3");
    }

    #[test]
    fn a_refused_endpoint_is_named() {
        let server = Url::parse("https://a.example/mcp").unwrap();
        let mut metadata = ServerMetadata::legacy(&server);
        metadata.revocation_endpoint = Some("https://10.0.0.1/revoke?token=s3cret".to_owned());
        let breach = metadata.check(&Guard::new(Reach::Public), Pkce::Required).unwrap_err();
        assert!(breach.expected.contains("revocation_endpoint"), "{breach}");
        assert!(breach.got.contains("https://10.0.0.1/revoke"), "{breach}");
        assert!(!breach.got.contains("s3cret"), "{breach}");
        let shown = format!("{metadata:?}");
        let start = "ServerMetadata { issuer: \"https://a.example\", authorization_endpoint: Some(\"https://a.example/authorize\")";
        assert!(shown.starts_with(start), "{shown}");
        assert!(shown.contains("revocation_endpoint: Some(\"https://10.0.0.1/revoke\")"), "{shown}");
    }
}
