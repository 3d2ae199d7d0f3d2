//! Where a request goes: who is asked, and what for.

use http::Uri;

use crate::documents::{MOVED, Site, WELL_KNOWN_OAUTH, WELL_KNOWN_OPENID, WELL_KNOWN_RESOURCE, proxy};
use crate::fault::Purpose;

/// Who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The MCP server.
    McpServer,
    /// An authorization server, counted from 0.
    AuthorizationServer(usize),
    /// The identity provider of the enterprise.
    IdentityProvider,
    /// An origin where nobody lives. A client that is led there shows it here.
    Nobody,
}

/// Where a request goes.
pub(crate) struct Place {
    pub(crate) role: Role,
    pub(crate) purpose: Purpose,
    pub(crate) origin: String,
    pub(crate) path: String,
}

impl Place {
    pub(crate) fn of(site: &Site<'_>, uri: &Uri) -> Self {
        let origin = origin(uri);
        let path = uri.path().to_owned();
        let by_origin = || site.origins.authorization_servers.iter().position(|own| *own == origin);
        let role = if origin == site.origins.server {
            let mcp = site.is_mcp_path(&path) || path.contains(WELL_KNOWN_RESOURCE);
            if site.is_own_authorization_server() && !mcp {
                Role::AuthorizationServer(0)
            } else {
                Role::McpServer
            }
        } else if let Some(server) = by_origin() {
            Role::AuthorizationServer(server)
        } else if origin == site.origins.identity_provider {
            Role::IdentityProvider
        } else if origin == site.origins.elsewhere {
            match path.trim_start_matches('/').split('/').next() {
                Some("server") => Role::McpServer,
                Some(name) => (0..site.origins.authorization_servers.len())
                    .find(|server| proxy(*server) == name)
                    .map_or(Role::Nobody, Role::AuthorizationServer),
                None => Role::Nobody,
            }
        } else {
            site.server_at(&format!("{origin}{path}")).map_or(Role::Nobody, Role::AuthorizationServer)
        };
        let purpose = purpose(site, role, &origin, &path);
        Self { role, purpose, origin, path }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }
}

/// Scheme and authority in lower case, without a default port. User information makes it another origin.
fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
    let authority =
        uri.authority().map(|authority| authority.as_str().to_ascii_lowercase()).unwrap_or_default();
    let port = match scheme.as_str() {
        "https" => ":443",
        _ => ":80",
    };
    let authority = authority.strip_suffix(port).unwrap_or(&authority);
    format!("{scheme}://{authority}")
}

fn purpose(site: &Site<'_>, role: Role, origin: &str, path: &str) -> Purpose {
    match role {
        Role::Nobody => Purpose::Other,
        Role::IdentityProvider if path == "/token" => Purpose::TokenExchange,
        Role::IdentityProvider => Purpose::Other,
        Role::McpServer => {
            let unmoved = path.split_once(MOVED).map_or(path, |(_, path)| path);
            let listed = site.resource_metadata_paths().iter().any(|own| own == unmoved);
            if origin == site.origins.server && site.is_mcp_path(path) {
                Purpose::Mcp
            } else if listed || path.contains(WELL_KNOWN_RESOURCE) {
                Purpose::ResourceMetadata
            } else {
                Purpose::Other
            }
        }
        Role::AuthorizationServer(server) => {
            if path.contains(WELL_KNOWN_OAUTH) || path.contains(WELL_KNOWN_OPENID) {
                return Purpose::ServerMetadata;
            }
            let url = format!("{origin}{path}");
            let known = [
                ("register", Purpose::Registration),
                ("authorize", Purpose::Authorize),
                ("token", Purpose::Token),
                ("revoke", Purpose::Revoke),
                ("par", Purpose::PushedAuthorization),
                ("device_authorization", Purpose::DeviceAuthorization),
            ];
            if site.left_token_endpoint(server) == url {
                return Purpose::Token;
            }
            let found = known.into_iter().find(|(name, _)| site.endpoint(server, name) == url);
            found.map_or(Purpose::Other, |(_, purpose)| purpose)
        }
    }
}
