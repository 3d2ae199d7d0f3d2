//! Protected resource metadata (RFC 9728): where it may be, what it says, and which server it speaks for.

mod disguise;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use self::disguise::{climbs, hides};
use super::json::Object;
use super::{metadata, server_metadata};
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{self, Endpoint, Guard, Reach};
use crate::base::scope::Scopes;

/// The most authorization servers of one document that are kept.
pub const MAX_SERVERS: usize = 16;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// How the URL of a metadata document was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A challenge named it (RFC 9728 §5.1).
    Advertised,
    /// The well-known location for the path of the server.
    PathForm,
    /// The well-known location for the whole origin of the server.
    RootForm,
}

/// A URL where the metadata of a server may be. It has not passed the guard.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The URL. An advertised one stands as it was given.
    pub url: String,
    /// How it was come by.
    pub source: Source,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = guard::Shown(&self.url);
        f.debug_struct("Candidate").field("url", &url).field("source", &self.source).finish()
    }
}

/// Where the metadata of `server` may be, each URL once: what challenges advertised, in their order, then the
/// path form, then the root form (MCP 2026-07-28, authorization server discovery). A server at the root has no
/// path form.
///
/// The path form carries no query. RFC 9728 §3.1 keeps the query of a *resource identifier*, but what is known
/// here is the URL of a server, whose query may be for this client only (`?api_key=`, `?oauth=initialize`); MCP
/// places the document at the path of the endpoint. A server that tells resources apart by query advertises
/// its URL. A terminating slash of the path is removed, as the same section demands.
pub fn candidates(server: &Url, advertised: &[String]) -> Vec<Candidate> {
    let root = server_metadata::origin(server) + WELL_KNOWN;
    let path = metadata::without_slash(server.path());
    let path_form = (!path.is_empty()).then(|| ([&root, path].concat(), Source::PathForm));
    let mut found = Vec::<Candidate>::new();
    let named = advertised.iter().map(|url| (url.clone(), Source::Advertised));
    for (url, source) in named.chain(path_form).chain([(root, Source::RootForm)]) {
        if !found.iter().any(|known| known.url == url) {
            found.push(Candidate { url, source });
        }
    }
    found
}

/// What a protected resource says of itself. The serialised form is this crate's own, not the wire's, and only written: what
/// comes in is judged by [`Self::read`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ResourceMetadata {
    /// The resource identifier, byte for byte. It is not trusted before [`check_resource`].
    pub resource: String,
    /// The issuers of the authorization servers, byte for byte, each once; at least one and at most 16.
    pub authorization_servers: Vec<String>,
    /// The scopes that the resource knows. An empty list is kept apart from none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes_supported: Option<Scopes>,
    /// A name to be shown to a person. It is the resource's own claim, and not cleaned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    /// Whether the resource accepts sender-constrained tokens only (RFC 9449).
    pub dpop_bound_access_tokens_required: bool,
}

impl ResourceMetadata {
    /// Reads a document (RFC 9728 §3.2).
    ///
    /// # Errors
    ///
    /// [`Kind::NotADocument`]: no JSON object, or one with neither `resource` nor `authorization_servers`.
    /// [`Kind::Malformed`]: no `resource`, or an ill-typed member. [`Kind::NoAuthorizationServer`]: no authorization
    /// server is named. An ill-typed `resource_name` only counts as absent.
    pub fn read(body: &[u8]) -> Result<Self, Breach> {
        const CLAUSE: &str = "RFC 9728 §2";
        let object = Object::read(body)?;
        if ["resource", "authorization_servers"].iter().all(|name| object.get(name).is_none()) {
            let expected = "protected resource metadata";
            return Err(Breach::new(Kind::NotADocument, "RFC 9728 §3.2", expected, "another JSON object"));
        }
        let resource = object.required("resource", CLAUSE)?.to_owned();
        let mut authorization_servers = Vec::new();
        for server in object.texts("authorization_servers", CLAUSE)?.into_iter().flatten() {
            if authorization_servers.len() < MAX_SERVERS
                && !authorization_servers.iter().any(|known| known == server)
            {
                authorization_servers.push(server.to_owned());
            }
        }
        if authorization_servers.is_empty() {
            return Err(Breach::new(
                Kind::NoAuthorizationServer,
                "MCP 2026-07-28, authorization server location",
                "at least one entry in \"authorization_servers\"",
                "none",
            ));
        }
        Ok(Self {
            resource,
            authorization_servers,
            scopes_supported: object.texts("scopes_supported", CLAUSE)?.map(Scopes::listed),
            resource_name: object.text("resource_name", CLAUSE).unwrap_or_default().map(str::to_owned),
            dpop_bound_access_tokens_required: metadata::obligation(
                &object,
                "dpop_bound_access_tokens_required",
                CLAUSE,
            )?,
        })
    }
}

/// Whether the resource identifier covers the URL of the MCP server: the same scheme, host and port, a path that is
/// equal or a parent by whole segments, and a query that is absent or equal ([`within`]).
///
/// RFC 9728 §3.3 asks for equality with the URL of the request or with what the well-known URL was built from;
/// a document found in root form speaks for the origin, and a server's endpoint may be one of many below its
/// resource, so a parent is accepted. The paths are compared as text. `/api/` covers `/api/x`, but not
/// `/api`: these are two identifiers (RFC 3986 §6.2.3), and the shorter does not lie below the longer. The empty
/// path and `/` are one.
///
/// An identifier that the guard would not let pass for its form (a fragment, user info, dot segments, characters
/// outside RFC 3986), or that hides a dot or backslash in an escape, covers nothing.
pub fn covers(resource: &str, server: &Url) -> bool {
    fit(resource, server).is_ok()
}

/// The resource identifier as a URL, if it covers the URL of the MCP server; borrowed, where it is that itself.
pub(crate) fn covering<'a>(resource: &str, server: &'a Endpoint) -> Option<Cow<'a, Url>> {
    if is_own(resource, server) {
        return Some(Cow::Borrowed(server.url()));
    }
    fit(resource, server.url()).ok().map(Cow::Owned)
}

/// Whether the resource is the MCP server's own URL, as text. That has passed the guard, so nothing else than what
/// escapes may hide is left to be judged.
pub(crate) fn is_own(resource: &str, server: &Endpoint) -> bool {
    resource == server.as_given() && !hides(server.url().path())
}

/// Refuses metadata for another resource than the MCP server (RFC 9728 §3.3), by the rule of [`covers`].
///
/// # Errors
///
/// [`Kind::ResourceMismatch`] with both URLs. Queries are not shown, as that of the server may hold a key.
pub fn check_resource(resource: &str, server: &Url) -> Result<(), Breach> {
    fitting(resource, server).map(|_| ())
}

fn fitting(resource: &str, server: &Url) -> Result<Url, Breach> {
    fit(resource, server).map_err(|got| {
        let expected = format!("a resource that covers {}", guard::without_query(server.as_str()));
        Breach::new(Kind::ResourceMismatch, "RFC 9728 §3.3", expected, got)
    })
}

/// Refuses metadata that was found where it may not speak for the MCP server (RFC 9728 §3.3).
///
/// A document on the server's own origin may name a parent, by the rule of [`covers`]: whoever writes there could answer
/// for the server as well. A document elsewhere, which a challenge named, must name the server's own URL; otherwise a
/// tenant of a shared origin could have tokens made out for all of it. `document` is where it was found.
///
/// # Errors
///
/// [`Kind::ResourceMismatch`] with both URLs, and no queries.
pub fn check_place(resource: &str, server: &Url, document: &str) -> Result<(), Breach> {
    let named = fitting(resource, server)?;
    // It covers the server, so the origin is the same.
    let same = named.path() == server.path();
    let at_home = || Url::parse(document).is_ok_and(|document| guard::same_origin(&document, server));
    if same || at_home() {
        return Ok(());
    }
    let (own, place) = (guard::without_query(server.as_str()), guard::without_query(document));
    let expected = format!("the resource {own} itself, as the document is elsewhere, at {place}");
    Err(Breach::new(Kind::ResourceMismatch, "RFC 9728 §3.3", expected, guard::without_query(resource)))
}

/// Says, if the resource does not fit the server, what it is instead.
fn fit(resource: &str, server: &Url) -> Result<Url, String> {
    // Addresses are no matter here: nothing is sent to a resource identifier but what is sent to the server anyway.
    let named = Guard::new(Reach::Any).check(resource).map_err(|refused| refused.to_string())?;
    let shown = || guard::without_query(resource);
    let url = named.url();
    if hides(url.path()) {
        return Err(format!("{}, with an escaped dot or backslash in its path", shown()));
    }
    if within(url, server) {
        Ok(named.into_url())
    } else if url.query().is_some() && url.query() != server.query() {
        Err(format!("{}, with another query", shown()))
    } else {
        Err(shown())
    }
}

/// Whether `url` is the resource or lies below it, and so may carry its token: the same scheme, host and port, a path
/// that is equal or below by whole segments, and the resource's query, if it has one.
///
/// A path that climbs out of the resource once a server decodes it (`/mcp/..%2fadmin`, `/mcp/..;/admin`) is not
/// within. Allocates nothing.
pub fn within(resource: &Url, url: &Url) -> bool {
    let parent = resource.path();
    let below =
        |rest: &str| (rest.is_empty() || parent.ends_with('/') || rest.starts_with('/')) && !climbs(rest);
    guard::same_origin(resource, url)
        && url.path().strip_prefix(parent).is_some_and(below)
        && resource.query().is_none_or(|query| url.query() == Some(query))
}

/// The canonical URI of a server for which no metadata speaks (MCP 2026-07-28, canonical server URI): its URL as
/// given, without query and fragment, and without the lone slash of an empty path.
pub fn canonical(server: &Endpoint) -> String {
    let bare = server.as_given().split(['?', '#']).next().unwrap_or_default();
    let kept = if server.url().path() == "/" { metadata::without_slash(bare) } else { bare };
    kept.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::guard::{Guard, Reach};

    fn read(servers: &str, scopes: &str) -> ResourceMetadata {
        let members = format!("\"authorization_servers\":[{servers}],\"scopes_supported\":[{scopes}]");
        let body = format!("{{\"resource\":\"https://a.example\",{members}}}");
        ResourceMetadata::read(body.as_bytes()).unwrap()
    }

    fn numbered(prefix: &str, count: usize) -> String {
        (0..count).map(|n| format!("\"{prefix}{n}\"")).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn lists_are_bounded() {
        let scopes = format!("{0},{0},{1}", numbered("s", 200), numbered("t", 200));
        let metadata = read(&numbered("https://as.example/", 40), &scopes);
        assert_eq!(metadata.authorization_servers.len(), MAX_SERVERS);
        assert_eq!(metadata.authorization_servers.last().unwrap(), "https://as.example/15");
        assert_eq!(metadata.scopes_supported.as_ref().map(Scopes::len), Some(256));
    }

    /// What escapes may hide is judged, though it be the server's own URL, letter for letter.
    #[test]
    fn a_url_that_hides_something_is_not_its_own_resource() {
        let covers = |url: &str| covering(url, &Guard::new(Reach::Any).check(url).unwrap()).is_some();
        assert!(covers("https://a.example/a.b/c"));
        for path in ["a%2eb", "a%5Cb", "a/..%2eb"] {
            assert!(!covers(&format!("https://a.example/{path}")), "{path}");
        }
    }

    #[test]
    fn a_mismatch_shows_both_and_no_query() {
        let server = Url::parse("https://a.example/mcp?api_key=k3y").unwrap();
        let breach = check_resource("https://a.example/mcp?api_key=0ther", &server).unwrap_err();
        assert_eq!(breach.kind, Kind::ResourceMismatch);
        assert_eq!(breach.expected, "a resource that covers https://a.example/mcp");
        assert_eq!(breach.got, "https://a.example/mcp, with another query");
        let breach = check_resource("https://u:pw@a.example/mcp", &server).unwrap_err();
        assert_eq!(breach.got, "the URL \"https://a.example/mcp\" carries user info before its host");
    }

    #[test]
    fn a_mismatch_says_no_more_than_it_is() {
        let got = |resource: &str, server: &str| {
            check_resource(resource, &Url::parse(server).unwrap()).err().map(|breach| breach.got)
        };
        let other = Some("https://a.example/other".to_owned());
        assert_eq!(got("https://a.example/other", "https://a.example/mcp"), other);
        assert_eq!(got("https://a.example/other?x", "https://a.example/mcp?x"), other);
        // An escape is no fault by itself; nor is a dot that stands for nothing else.
        assert_eq!(got("https://a.example/%7Eme", "https://a.example/%7Eme/mcp"), None);
        assert_eq!(got("https://a.example/v1.0", "https://a.example/v1.0/mcp"), None);
        for escaped in ["https://a.example/%2Emcp", "https://a.example/x%5Cmcp"] {
            assert!(got(escaped, escaped).unwrap().ends_with("with an escaped dot or backslash in its path"));
        }
    }

    #[test]
    fn no_query_of_an_advertised_url_is_in_a_debug() {
        let server = Url::parse("https://a.example/mcp").unwrap();
        let found = candidates(&server, &["https://a.example/x?k3y".to_owned()]);
        let shown = format!("{:?}", found.first().unwrap());
        assert_eq!(shown, "Candidate { url: \"https://a.example/x\", source: Advertised }");
    }
}
