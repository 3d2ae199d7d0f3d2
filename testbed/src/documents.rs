//! Where things live and what the metadata documents say: all of it follows from the dials and the origins.

use serde_json::{Map, Value, json};

use crate::dials::{
    AuthorizationServers, Challenge, ChallengeMethods, Dials, Iss, IssuerValue, MetadataRedirect,
    Registration, ResourceMetadata, ResourceValue, ServerMetadata,
};
use crate::world::Origins;

pub(crate) const WELL_KNOWN_RESOURCE: &str = "/.well-known/oauth-protected-resource";
pub(crate) const WELL_KNOWN_OAUTH: &str = "/.well-known/oauth-authorization-server";
pub(crate) const WELL_KNOWN_OPENID: &str = "/.well-known/openid-configuration";
/// Where a metadata document is found that has moved.
pub(crate) const MOVED: &str = "/moved";

/// The dials and the origins together: what both kinds of server know about the world.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) dials: &'a Dials,
    pub(crate) origins: &'a Origins,
}

impl Site<'_> {
    pub(crate) fn server_url(&self) -> String {
        format!("{}{}", self.origins.server, self.dials.mcp_path)
    }

    /// The MCP endpoint as a request names it: an empty path arrives as `/`.
    pub(crate) fn is_mcp_path(&self, path: &str) -> bool {
        path == self.dials.mcp_path || (self.dials.mcp_path.is_empty() && path == "/")
    }

    /// The resource identifier, as the metadata gives it.
    pub(crate) fn resource(&self) -> String {
        let path = &self.dials.mcp_path;
        match &self.dials.resource {
            ResourceValue::Exact => self.server_url(),
            ResourceValue::Root => self.origins.server.clone(),
            ResourceValue::OtherOrigin => format!("{}{path}", self.origins.elsewhere),
            ResourceValue::SiblingPrefix => match path.char_indices().next_back() {
                Some((last, _)) if last > 1 => {
                    format!("{}{}", self.origins.server, path.split_at(last).0)
                }
                _ => format!("{}/sibling", self.origins.server),
            },
            ResourceValue::Raw(text) => text.clone(),
        }
    }

    /// The identifiers by which the resource goes. One that is no deviation is the only one.
    pub(crate) fn resources(&self) -> Vec<String> {
        match (&self.dials.resource_metadata, &self.dials.resource) {
            (ResourceMetadata::Nowhere, _) => vec![self.server_url(), self.origins.server.clone()],
            (_, ResourceValue::Exact | ResourceValue::Root) => vec![self.resource()],
            (_, ResourceValue::OtherOrigin | ResourceValue::SiblingPrefix | ResourceValue::Raw(_)) => {
                vec![self.resource(), self.server_url()]
            }
        }
    }

    pub(crate) fn resource_metadata_paths(&self) -> Vec<String> {
        let inserted = format!("{WELL_KNOWN_RESOURCE}{}", self.dials.mcp_path);
        match &self.dials.resource_metadata {
            ResourceMetadata::Path => vec![inserted],
            ResourceMetadata::Root => vec![WELL_KNOWN_RESOURCE.to_owned()],
            ResourceMetadata::PathAndRoot => vec![inserted, WELL_KNOWN_RESOURCE.to_owned()],
            ResourceMetadata::Custom(path) => vec![path.clone()],
            ResourceMetadata::Nowhere => Vec::new(),
        }
    }

    /// The `resource_metadata` parameters of a challenge.
    pub(crate) fn advertised_metadata(&self) -> Vec<String> {
        let Some(path) = self.resource_metadata_paths().into_iter().next() else { return Vec::new() };
        let mut urls = Vec::new();
        if self.dials.challenge == Challenge::DuplicatedMetadata {
            urls.push(format!("{}{WELL_KNOWN_RESOURCE}/gone", self.origins.server));
        }
        if self.dials.advertise_metadata {
            urls.push(format!("{}{path}", self.origins.server));
        }
        urls
    }

    pub(crate) fn resource_metadata(&self) -> Value {
        let mut document = Map::new();
        document.insert("resource".to_owned(), self.resource().into());
        if let Some(issuers) = self.listed() {
            document.insert("authorization_servers".to_owned(), issuers.into());
        }
        if let Some(scopes) = &self.dials.resource_scopes {
            document.insert("scopes_supported".to_owned(), scopes.clone().into());
        }
        document.insert("bearer_methods_supported".to_owned(), json!(["header"]));
        if let Some(dpop) = &self.dials.dpop {
            let algorithms = dpop.algorithms.clone();
            document.insert("dpop_signing_alg_values_supported".to_owned(), algorithms.into());
            document.insert("dpop_bound_access_tokens_required".to_owned(), dpop.required.into());
        }
        document.insert("resource_name".to_owned(), "The testbed".into());
        Value::Object(document)
    }

    fn listed(&self) -> Option<Vec<String>> {
        match &self.dials.authorization_servers {
            AuthorizationServers::One => Some(vec![self.issuer(0)]),
            AuthorizationServers::DeadThenFirst => Some(vec![self.origins.dead.clone(), self.issuer(0)]),
            AuthorizationServers::Both => Some(vec![self.issuer(0), self.issuer(1)]),
            AuthorizationServers::SecondOnly => Some(vec![self.issuer(1)]),
            AuthorizationServers::Empty => Some(Vec::new()),
            AuthorizationServers::Absent => None,
            AuthorizationServers::Raw(issuers) => Some(issuers.clone()),
        }
    }

    /// Whether the MCP server accepts tokens of an authorization server.
    pub(crate) fn trusts(&self, server: usize) -> bool {
        match &self.dials.authorization_servers {
            AuthorizationServers::SecondOnly => server == 1,
            AuthorizationServers::Both | AuthorizationServers::Raw(_) => true,
            AuthorizationServers::One
            | AuthorizationServers::DeadThenFirst
            | AuthorizationServers::Empty
            | AuthorizationServers::Absent => server == 0,
        }
    }

    /// Whether the MCP server's origin is the authorization server as well, as before 2025-06-18.
    pub(crate) fn is_own_authorization_server(&self) -> bool {
        self.dials.resource_metadata == ResourceMetadata::Nowhere
    }

    fn origin_of(&self, server: usize) -> &str {
        if server == 0 && self.is_own_authorization_server() {
            return &self.origins.server;
        }
        self.origins.authorization_servers.get(server).unwrap_or(&self.origins.dead)
    }

    /// The issuer as the resource metadata lists it.
    pub(crate) fn issuer(&self, server: usize) -> String {
        format!("{}{}", self.origin_of(server), self.dials.issuer_path)
    }

    /// The issuer as the server names itself.
    pub(crate) fn own_issuer(&self, server: usize) -> String {
        match &self.dials.issuer {
            IssuerValue::Exact => self.issuer(server),
            IssuerValue::TrailingSlash => format!("{}/", self.issuer(server)),
            IssuerValue::Other => format!("{}/other", self.origins.elsewhere),
            IssuerValue::Raw(text) => text.clone(),
        }
    }

    pub(crate) fn server_metadata_urls(&self, server: usize) -> Vec<String> {
        let origin = self.origin_of(server);
        let path = &self.dials.issuer_path;
        let oauth = format!("{origin}{WELL_KNOWN_OAUTH}{path}");
        let inserted = format!("{origin}{WELL_KNOWN_OPENID}{path}");
        let appended = format!("{origin}{path}{WELL_KNOWN_OPENID}");
        match self.dials.server_metadata {
            ServerMetadata::Oauth => vec![oauth],
            ServerMetadata::OpenidInserted => vec![inserted],
            ServerMetadata::OpenidAppended => vec![appended],
            ServerMetadata::Appended => vec![format!("{origin}{path}{WELL_KNOWN_OAUTH}"), appended],
            ServerMetadata::Everywhere => vec![oauth, inserted, appended],
            ServerMetadata::Nowhere => Vec::new(),
        }
    }

    /// Where a metadata document of this URL is found, if it has moved. `proxy` is the name of its server on the other
    /// origin.
    pub(crate) fn moved(&self, redirect: MetadataRedirect, url: &str, proxy: &str) -> Option<String> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = rest.split_once('/')?;
        match redirect {
            MetadataRedirect::None => None,
            MetadataRedirect::SameOrigin => Some(format!("{scheme}://{authority}{MOVED}/{path}")),
            MetadataRedirect::OtherOrigin => {
                Some(format!("{}/{proxy}{MOVED}/{path}", self.origins.elsewhere))
            }
        }
    }

    /// Where the token endpoint was before it moved.
    pub(crate) fn left_token_endpoint(&self, server: usize) -> String {
        self.located(server, "token")
    }

    /// An endpoint: `authorize`, `token`, `register`, `revoke`, `jwks`, `consent`, `par`, `device_authorization`; and
    /// `device`, the page for user codes.
    pub(crate) fn endpoint(&self, server: usize, name: &str) -> String {
        match (name, self.dials.token_endpoint_moved) {
            ("token", Some(_)) => self.located(server, "moved-token"),
            _ => self.located(server, name),
        }
    }

    /// The server that has an endpoint at this URL, on an origin that is no server's.
    pub(crate) fn server_at(&self, url: &str) -> Option<usize> {
        self.dials.endpoint_paths.values().any(|own| own == url).then_some(0)
    }

    fn located(&self, server: usize, name: &str) -> String {
        if self.dials.server_metadata == ServerMetadata::Nowhere {
            format!("{}/{name}", self.origin_of(server))
        } else if let Some(path) = self.dials.endpoint_paths.get(name) {
            if path.contains("://") { path.clone() } else { format!("{}{path}", self.origin_of(server)) }
        } else if self.dials.endpoints_elsewhere {
            format!("{}/{}/{name}", self.origins.elsewhere, proxy(server))
        } else {
            format!("{}/{name}", self.issuer(server))
        }
    }

    pub(crate) fn server_metadata(&self, server: usize) -> Value {
        let dials = self.dials;
        let mut authorize = self.endpoint(server, "authorize");
        if !dials.authorization_query.is_empty() {
            authorize = format!("{authorize}?{}", dials.authorization_query);
        }
        let mut document = Map::new();
        let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
        put("issuer", self.own_issuer(server).into());
        put("authorization_endpoint", authorize.into());
        put("token_endpoint", self.endpoint(server, "token").into());
        if dials.registration != Registration::Absent {
            put("registration_endpoint", self.endpoint(server, "register").into());
        }
        if dials.revocation {
            put("revocation_endpoint", self.endpoint(server, "revoke").into());
            if let Some(methods) = &dials.revocation_auth_methods {
                put("revocation_endpoint_auth_methods_supported", methods.clone().into());
            }
        }
        put("response_types_supported", json!(["code"]));
        put("response_modes_supported", json!(["query"]));
        put("grant_types_supported", self.grants().into());
        if let Some(methods) = &dials.auth_methods {
            put("token_endpoint_auth_methods_supported", methods.clone().into());
        }
        if let Some(scopes) = &dials.server_scopes {
            put("scopes_supported", scopes.clone().into());
        }
        if let Some(methods) = challenge_methods(dials.challenge_methods) {
            put("code_challenge_methods_supported", methods);
        }
        if advertises_iss(dials.iss) {
            put("authorization_response_iss_parameter_supported", true.into());
        }
        if dials.client_id_metadata_documents {
            put("client_id_metadata_document_supported", true.into());
        }
        for (name, value) in self.extensions(server) {
            put(name, value);
        }
        if !matches!(dials.server_metadata, ServerMetadata::Oauth) {
            put("jwks_uri", self.endpoint(server, "jwks").into());
            put("subject_types_supported", json!(["public"]));
            put("id_token_signing_alg_values_supported", json!(["RS256"]));
        }
        Value::Object(document)
    }
}

/// The name of an authorization server on the origin that stands for others.
pub(crate) fn proxy(server: usize) -> String {
    format!("as{server}")
}

fn challenge_methods(dial: ChallengeMethods) -> Option<Value> {
    match dial {
        ChallengeMethods::S256 => Some(json!(["S256"])),
        ChallengeMethods::PlainAndS256 => Some(json!(["plain", "S256"])),
        ChallengeMethods::PlainOnly => Some(json!(["plain"])),
        ChallengeMethods::Empty => Some(json!([])),
        ChallengeMethods::Absent => None,
    }
}

fn advertises_iss(dial: Iss) -> bool {
    match dial {
        Iss::AdvertisedAndSent | Iss::AdvertisedButMissing | Iss::Wrong | Iss::TrailingSlash | Iss::Twice => {
            true
        }
        Iss::SentOnly | Iss::Absent | Iss::WrongUnadvertised => false,
    }
}
