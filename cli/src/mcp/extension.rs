//! The extensions of MCP that the grants belong to: a client that uses one says so in its capabilities.

use serde_json::{Value, json};

use crate::args::Way;

/// The extension that a client declares, if any.
pub(crate) type Declared = Option<&'static str>;

/// The client acts for itself.
const CLIENT_CREDENTIALS: &str = "io.modelcontextprotocol/oauth-client-credentials";
/// The organisation's identity provider decides.
#[cfg(feature = "demo")]
const ENTERPRISE: &str = "io.modelcontextprotocol/enterprise-managed-authorization";

impl Way {
    /// The extension that it belongs to; none where it is MCP's own way, or nobody has made it an extension.
    pub(crate) fn extension(self) -> Declared {
        match self {
            Self::ClientCredentials => Some(CLIENT_CREDENTIALS),
            Self::AuthorizationCode | Self::Device | Self::Workload => None,
        }
    }
}

#[cfg(feature = "demo")]
impl crate::args::Grant {
    /// The same of what the demo shows.
    pub(crate) fn extension(self) -> Declared {
        match self {
            Self::ClientCredentials | Self::PrivateKeyJwt => Some(CLIENT_CREDENTIALS),
            Self::Enterprise => Some(ENTERPRISE),
            Self::AuthorizationCode | Self::Dpop | Self::Device | Self::Workload => None,
        }
    }
}

/// What a client says of itself. No extension has settings.
pub(super) fn capabilities(extension: Declared) -> Value {
    extension.map_or(json!({}), |extension| json!({"extensions": {extension: {}}}))
}

#[cfg(all(test, feature = "demo"))]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::args::Grant;

    #[test]
    fn what_the_demo_shows_is_declared_too() {
        let declared = Grant::value_variants().iter().filter_map(|grant| {
            let name = grant.to_possible_value()?.get_name().to_owned();
            let capabilities = capabilities(grant.extension());
            capabilities.get("extensions").map(|extensions| (name, extensions.clone()))
        });
        let credentials = json!({"io.modelcontextprotocol/oauth-client-credentials": {}});
        let expected = [
            ("client-credentials".to_owned(), credentials.clone()),
            ("private-key-jwt".to_owned(), credentials),
            (
                "enterprise".to_owned(),
                json!({"io.modelcontextprotocol/enterprise-managed-authorization": {}}),
            ),
        ];
        assert_eq!(declared.collect::<Vec<_>>(), expected);
    }
}
