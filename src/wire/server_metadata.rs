//! Authorization server metadata (RFC 8414, OpenID Connect Discovery 1.0): where it may be, whether it is the
//! issuer's own, and whether it can be used.

use serde::{Deserialize, Serialize};
use url::Url;

use super::json::Object;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::Guard;
use crate::base::scope::Scopes;

const CLAUSE: &str = "RFC 8414 §2";
const PKCE: &str = "MCP, authorization code protection";

/// How a candidate's URL is built from the issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `/.well-known/oauth-authorization-server` inserted before the path (RFC 8414 §3.1).
    OAuth,
    /// `/.well-known/openid-configuration` inserted before the path (RFC 8414 §5).
    OpenIdInserted,
    /// `/.well-known/openid-configuration` appended to the path (OpenID Connect Discovery §4).
    OpenIdAppended,
}

/// A URL that may give the metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The URL.
    pub url: String,
    /// How it is built.
    pub form: Form,
}

/// The candidates for an issuer in the order of MCP: three for an issuer with a path, two for one without. A slash
/// at the end of the path takes no part (RFC 8414 §3.1). An issuer that does not pass the guard, or has a query,
/// has none.
pub fn candidates(issuer: &str, guard: &Guard) -> Result<Vec<Candidate>, Breach> {
    let refuse =
        |got: String| Breach::new(Kind::UrlRefused, CLAUSE, "an issuer that is a bare https URL", got);
    let endpoint = guard.check(issuer).map_err(|refused| refuse(refused.to_string()))?;
    if endpoint.url().query().is_some() {
        return Err(refuse("one with a query".to_owned()));
    }
    let base = origin(endpoint.url());
    let path = endpoint.url().path().trim_end_matches('/');
    let candidate = |form, url| Candidate { url, form };
    let mut candidates = vec![
        candidate(Form::OAuth, format!("{base}/.well-known/oauth-authorization-server{path}")),
        candidate(Form::OpenIdInserted, format!("{base}/.well-known/openid-configuration{path}")),
    ];
    if !path.is_empty() {
        candidates
            .push(candidate(Form::OpenIdAppended, format!("{base}{path}/.well-known/openid-configuration")));
    }
    Ok(candidates)
}

/// How an issuer is compared to the one expected (RFC 8414 §3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuerMatch {
    /// Byte for byte.
    #[default]
    Exact,
    /// Byte for byte, but for the lone slash of an empty path: `https://as.example` and `https://as.example/` are
    /// taken for one.
    IgnoreLoneSlash,
}

impl IssuerMatch {
    /// Whether `got` is taken for `expected`.
    pub fn same(self, expected: &str, got: &str) -> bool {
        expected == got
            || (self == Self::IgnoreLoneSlash && without_lone_slash(expected) == without_lone_slash(got))
    }
}

/// The issuer less the slash that is its whole path.
fn without_lone_slash(issuer: &str) -> &str {
    let authority = issuer.split_once("://").map_or("", |(_, rest)| rest);
    match authority.strip_suffix('/') {
        Some(host) if !host.contains(['/', '?', '#']) => issuer.strip_suffix('/').unwrap_or(issuer),
        _ => issuer,
    }
}

/// Whether PKCE support must be advertised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// `code_challenge_methods_supported` must list S256.
    #[default]
    Required,
    /// An absent list is taken to hold S256. One that is there without it is refused all the same.
    AssumeS256,
}

/// An authorization server by its metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerMetadata {
    /// The issuer identifier, byte for byte.
    pub issuer: String,
    /// Where the person is sent.
    pub authorization_endpoint: Option<String>,
    /// Where grants are exchanged.
    pub token_endpoint: Option<String>,
    /// Where clients are registered (RFC 7591).
    pub registration_endpoint: Option<String>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_endpoint: Option<String>,
    /// The scopes it lists.
    pub scopes_supported: Option<Scopes>,
    /// The response types it lists.
    pub response_types_supported: Option<Vec<String>>,
    /// The grant types it lists.
    pub grant_types_supported: Option<Vec<String>>,
    /// The client authentication methods it lists for its token endpoint.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// The code challenge methods it lists.
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether its authorization responses carry `iss` (RFC 9207 §3).
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether a client's metadata document can be its identifier.
    pub client_id_metadata_document_supported: bool,
}

impl ServerMetadata {
    /// Reads a document, and holds it against the issuer from which its URL was built (RFC 8414 §3.3).
    ///
    /// JSON with neither an issuer nor an endpoint is no such document ([`Kind::NotADocument`]). What decides where
    /// secrets go is read strictly; lists that only inform count as absent when they are ill-typed.
    pub fn read(body: &[u8], expected_issuer: &str, rule: IssuerMatch) -> Result<Self, Breach> {
        let object = Object::read(body)?;
        let members = ["issuer", "authorization_endpoint", "token_endpoint"];
        if members.iter().all(|name| object.get(name).is_none()) {
            let expected = "authorization server metadata";
            return Err(Breach::new(Kind::NotADocument, CLAUSE, expected, "JSON without any of its members"));
        }
        let issuer = object.required("issuer", CLAUSE)?.to_owned();
        if !rule.same(expected_issuer, &issuer) {
            return Err(Breach::new(Kind::IssuerMismatch, "RFC 8414 §3.3", expected_issuer, issuer));
        }
        let endpoint = |name| Ok::<_, Breach>(object.text(name, CLAUSE)?.map(str::to_owned));
        let list = |name| object.texts(name, CLAUSE).ok().flatten();
        Ok(Self {
            issuer,
            authorization_endpoint: endpoint("authorization_endpoint")?,
            token_endpoint: endpoint("token_endpoint")?,
            registration_endpoint: endpoint("registration_endpoint")?,
            revocation_endpoint: endpoint("revocation_endpoint")?,
            scopes_supported: super::scopes_supported(&object, CLAUSE).unwrap_or_default(),
            response_types_supported: list("response_types_supported"),
            grant_types_supported: list("grant_types_supported"),
            token_endpoint_auth_methods_supported: list("token_endpoint_auth_methods_supported"),
            code_challenge_methods_supported: object.texts("code_challenge_methods_supported", CLAUSE)?,
            authorization_response_iss_parameter_supported: promises_iss(&object)?,
            client_id_metadata_document_supported: object
                .flag("client_id_metadata_document_supported", CLAUSE)
                .ok()
                .flatten()
                .unwrap_or_default(),
        })
    }

    /// Whether the authorization code grant can be used here: both endpoints are there, every endpoint that is
    /// named passes the guard, neither `code` nor `authorization_code` is excluded, and PKCE with S256 is
    /// advertised.
    pub fn check(&self, guard: &Guard, pkce: Pkce) -> Result<(), Breach> {
        for (name, url) in [
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
        ] {
            if url.is_none() {
                return Err(Breach::new(Kind::Unsupported, CLAUSE, format!("a member {name:?}"), "none"));
            }
        }
        let named = [
            &self.authorization_endpoint,
            &self.token_endpoint,
            &self.registration_endpoint,
            &self.revocation_endpoint,
        ];
        for url in named.into_iter().flatten() {
            guard.check(url).map_err(|refused| {
                Breach::new(Kind::UrlRefused, CLAUSE, "endpoints that may be used", refused.to_string())
            })?;
        }
        for (name, list, wanted) in [
            ("response_types_supported", &self.response_types_supported, "code"),
            ("grant_types_supported", &self.grant_types_supported, "authorization_code"),
        ] {
            if let Some(list) = list.as_ref().filter(|list| !list.iter().any(|it| it == wanted)) {
                let expected = format!("{wanted:?} in {name:?}");
                return Err(Breach::new(Kind::Unsupported, CLAUSE, expected, list.join(" ")));
            }
        }
        match &self.code_challenge_methods_supported {
            Some(methods) if methods.iter().any(|method| method == "S256") => Ok(()),
            None if pkce == Pkce::AssumeS256 => Ok(()),
            None => Err(Breach::new(Kind::PkceUnsupported, PKCE, "code_challenge_methods_supported", "none")),
            Some(methods) => Err(Breach::new(Kind::PkceUnsupported, PKCE, "S256", methods.join(" "))),
        }
    }

    /// The endpoints of MCP 2025-03-26 for a server without any metadata: `/authorize`, `/token` and `/register` at
    /// its origin. That revision demands PKCE, so S256 counts as advertised.
    pub fn legacy(server: &Url) -> Self {
        let issuer = origin(server);
        let endpoint = |path: &str| Some(format!("{issuer}{path}"));
        Self {
            authorization_endpoint: endpoint("/authorize"),
            token_endpoint: endpoint("/token"),
            registration_endpoint: endpoint("/register"),
            revocation_endpoint: None,
            scopes_supported: None,
            response_types_supported: None,
            grant_types_supported: None,
            token_endpoint_auth_methods_supported: None,
            code_challenge_methods_supported: Some(vec!["S256".to_owned()]),
            authorization_response_iss_parameter_supported: false,
            client_id_metadata_document_supported: false,
            issuer,
        }
    }
}

/// The text "true" counts as a promise too: a server that writes it so means it, and taking the promise is the
/// strict side.
fn promises_iss(object: &Object) -> Result<bool, Breach> {
    const NAME: &str = "authorization_response_iss_parameter_supported";
    match object.get(NAME).and_then(|value| value.as_str()) {
        Some(text) => Ok(text.eq_ignore_ascii_case("true")),
        None => Ok(object.flag(NAME, "RFC 9207 §3")?.unwrap_or_default()),
    }
}

/// The origin of a URL without a slash at its end; a default port is not written.
pub fn origin(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}
