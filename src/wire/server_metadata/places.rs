//! Where the metadata of an issuer may be.

use serde::{Deserialize, Serialize};
use url::{Position, Url};

use super::{CLAUSE, passed};
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{self, Endpoint, Guard};
use crate::wire::metadata;

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// How a well-known URL was built from an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `oauth-authorization-server` between host and path (RFC 8414 §3.1).
    #[serde(rename = "oauth")]
    OAuth,
    /// `openid-configuration` between host and path (RFC 8414 §5).
    OpenIdInserted,
    /// `openid-configuration` after the path (OpenID Connect Discovery 1.0 §4); the only OpenID form of an issuer
    /// without path.
    OpenIdAppended,
}

/// A URL where the metadata of an issuer may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The URL.
    pub url: String,
    /// How it was built.
    pub form: Form,
}

/// Where the metadata of `issuer` may be, in the order of MCP 2026-07-28, authorization server metadata discovery:
/// three URLs for an issuer with a path, two for one without. A terminating slash of the path is removed before
/// anything is inserted or appended (RFC 8414 §3.1, OpenID Connect Discovery 1.0 §4.1).
///
/// # Errors
///
/// [`Kind::UrlRefused`] for an issuer that does not pass the guard or has a query; the guard refuses fragments.
pub fn candidates(issuer: &str, guard: &Guard) -> Result<Vec<Candidate>, Breach> {
    forms(&passed("issuer", issuer, guard)?)
}

/// The same for an issuer that has passed the guard.
pub(crate) fn forms(endpoint: &Endpoint) -> Result<Vec<Candidate>, Breach> {
    if endpoint.url().query().is_some() {
        let got = format!("{} with a query", guard::without_query(endpoint.as_given()));
        return Err(Breach::new(Kind::UrlRefused, CLAUSE, "an issuer without query", got));
    }
    let host = origin(endpoint.url());
    let path = metadata::without_slash(endpoint.url().path());
    let mut found = vec![Candidate { url: [&host, OAUTH, path].concat(), form: Form::OAuth }];
    if !path.is_empty() {
        found.push(Candidate { url: [&host, OPENID, path].concat(), form: Form::OpenIdInserted });
    }
    found.push(Candidate { url: [&host, path, OPENID].concat(), form: Form::OpenIdAppended });
    Ok(found)
}

/// The issuer of the 2025-03-26 fallbacks: the origin of the MCP server, without trailing slash and without a port
/// that is its scheme's default.
pub fn origin(server: &Url) -> String {
    // Of a URL with a host that is what stands before the path, less a user name.
    match server.username() {
        "" if server.has_host() && server.password().is_none() => server[..Position::BeforePath].to_owned(),
        _ => server.origin().ascii_serialization(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_names_nobody() {
        for server in [
            "https://mcp.example/x",
            "https://me@mcp.example/x",
            "https://:pw@mcp.example/x",
            "https://me:pw@mcp.example",
        ] {
            assert_eq!(origin(&Url::parse(server).unwrap()), "https://mcp.example");
        }
    }
}
