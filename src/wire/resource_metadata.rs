//! Protected resource metadata (RFC 9728): where it may be, what it says, and whether it speaks of this resource.

use serde::{Deserialize, Serialize};
use url::Url;

use super::json::Object;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{self, Endpoint};
use crate::base::scope::Scopes;

const CLAUSE: &str = "RFC 9728 §2";
/// The most authorization servers that are read from one document.
pub const MAX_SERVERS: usize = 16;

/// Where a candidate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The `resource_metadata` parameter of a challenge (RFC 9728 §5.1).
    Advertised,
    /// The well-known string inserted before the server's path (RFC 9728 §3.1).
    PathForm,
    /// The well-known string at the root.
    RootForm,
}

/// A URL that may give the metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The URL.
    pub url: String,
    /// Where it comes from.
    pub source: Source,
}

/// The distinct candidates in order: what the challenge advertises, then the path form, then the root form (MCP,
/// protected resource metadata discovery requirements). A server without a path has no path form.
///
/// The server's query takes no part: a resource identifier has none as a rule (RFC 8707 §2), and what is asked at
/// the well-known place is the resource's document, not a request's.
pub fn candidates(server: &Url, advertised: &[String]) -> Vec<Candidate> {
    const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
    let base = super::server_metadata::origin(server);
    let path = server.path().trim_end_matches('/');
    let given = advertised.iter().map(|url| (url.clone(), Source::Advertised));
    let by_path = (!path.is_empty()).then(|| (format!("{base}{WELL_KNOWN}{path}"), Source::PathForm));
    let by_root = (format!("{base}{WELL_KNOWN}"), Source::RootForm);
    let mut candidates = Vec::<Candidate>::new();
    for (url, source) in given.chain(by_path).chain([by_root]) {
        if !candidates.iter().any(|known| known.url == url) {
            candidates.push(Candidate { url, source });
        }
    }
    candidates
}

/// A protected resource by its metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceMetadata {
    /// The resource identifier, byte for byte.
    pub resource: String,
    /// The issuers of its authorization servers, distinct and in order.
    pub authorization_servers: Vec<String>,
    /// The scopes it names. `None` where it says nothing.
    pub scopes_supported: Option<Scopes>,
    /// Its name, for a person.
    pub resource_name: Option<String>,
    /// Whether it accepts DPoP-bound tokens only (RFC 9728 §2).
    pub dpop_bound_access_tokens_required: bool,
}

impl ResourceMetadata {
    /// Reads a document.
    ///
    /// JSON with neither `resource` nor `authorization_servers` is no such document ([`Kind::NotADocument`]).
    /// `resource` must be there. No authorization server is [`Kind::NoAuthorizationServer`], because MCP demands at
    /// least one.
    pub fn read(body: &[u8]) -> Result<Self, Breach> {
        let object = Object::read(body)?;
        if object.get("resource").is_none() && object.get("authorization_servers").is_none() {
            let expected = "protected resource metadata";
            return Err(Breach::new(Kind::NotADocument, CLAUSE, expected, "JSON without any of its members"));
        }
        let resource = object.required("resource", CLAUSE)?.to_owned();
        let mut authorization_servers = Vec::new();
        for issuer in object.texts("authorization_servers", CLAUSE)?.unwrap_or_default() {
            if !authorization_servers.contains(&issuer) && authorization_servers.len() < MAX_SERVERS {
                authorization_servers.push(issuer);
            }
        }
        if authorization_servers.is_empty() {
            let clause = "MCP, authorization server location";
            let expected = "at least one authorization server";
            return Err(Breach::new(Kind::NoAuthorizationServer, clause, expected, "none"));
        }
        Ok(Self {
            resource,
            authorization_servers,
            scopes_supported: super::scopes_supported(&object, CLAUSE)?,
            resource_name: object.text("resource_name", CLAUSE).ok().flatten().map(str::to_owned),
            dpop_bound_access_tokens_required: object
                .flag("dpop_bound_access_tokens_required", CLAUSE)?
                .unwrap_or_default(),
        })
    }
}

/// Whether a resource identifier covers the MCP server's URL: the same origin, and the same path or a parent of it
/// on a segment boundary. A query must be the server's own.
///
/// An identifier with user info, a fragment, dot segments, or characters outside a URL covers nothing. The string
/// itself is never rewritten: only its reading is compared.
pub fn covers(resource: &str, server: &Url) -> bool {
    let Ok(read) = guard::identifier(resource) else { return false };
    let query = read.query().is_none() || read.query() == server.query();
    query && contains(&read, server)
}

/// Whether `url` is `resource` or below it: the same origin, and the same path or one below it on a segment
/// boundary. A slash at the end of the resource's path makes no difference.
pub fn contains(resource: &Url, url: &Url) -> bool {
    let base = resource.path().trim_end_matches('/');
    let below = url.path().strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    below && guard::same_origin(resource, url)
}

/// The same as [`covers`], with both values as evidence.
pub fn check_resource(resource: &str, server: &Url) -> Result<(), Breach> {
    if covers(resource, server) {
        return Ok(());
    }
    let expected = format!("a resource that covers {}", guard::without_query(server.as_str()));
    let got = guard::without_query(resource);
    Err(Breach::new(Kind::ResourceMismatch, "RFC 9728 §3.3", expected, got))
}

/// The identifier of a server for which no metadata speaks: its URL as given, without query, and without the lone
/// slash of an empty path (MCP, canonical server URI).
pub fn canonical(server: &Endpoint) -> String {
    let text = server.as_given().split('?').next().unwrap_or_default();
    let shown = if server.url().path() == "/" { text.strip_suffix('/').unwrap_or(text) } else { text };
    shown.to_owned()
}
