//! Policies for kinds of authorization servers that are known to need them: what is written here is fact about those
//! servers, seen in their documents and in what their users report, not a judgement about them.
//!
//! None is chosen by itself, not even by the name of a host. A preset is where to begin, not what to keep: whoever
//! chooses it reads what it changes, and adds what only the caller knows (a client, an audience, scopes).
//!
//! ```
//! use mcp_auth::{Config, Preset};
//!
//! let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback")
//!     .issuer("https://accounts.example/", Preset::GoogleLike.policy());
//! # let _ = config;
//! ```

use serde::{Deserialize, Serialize};

use super::{IssuerPolicy, IssuerScopes, RefreshScope, ResourceIndicator};
use crate::base::scope::Scopes;
use crate::wire::client::AuthMethod;
use crate::wire::server_metadata::{IssuerMatch, Pkce};
use crate::wire::token::TokenShape;

/// Where Entra's metadata has the tenant, and where its `iss` has the tenant's number.
const ENTRA_TENANT: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";

/// A kind of authorization server. Each says which fields of [`IssuerPolicy`] it changes, and why; the others are as
/// they are by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Preset {
    /// Changes `pkce`, `resource` and `refresh_scope`. Microsoft Entra ID, one tenant: S256 works and is not advertised
    /// (RFC 8414 §2); a `resource` that is not the application's identifier URI is refused with AADSTS9010010, and the
    /// scopes name the application already (RFC 8707 §2.2); a refresh for the client's own application needs `scope`.
    /// Add a client.
    EntraLike,
    /// Changes `pkce`, `resource`, `refresh_scope`, `metadata_issuer` and `issuer_aliases`. The same for
    /// `/organizations` and `/common`: the metadata names `{tenantid}` literally (RFC 8414 §3.3), and `iss` is the tenant
    /// of whoever logs in (RFC 9207 §2.4), so any tenant's answer is taken. Add a client.
    EntraOrganizationsLike,
    /// Changes `issuer_match`, `extra` and `scopes`. Google: the resource names the issuer with a slash that its metadata
    /// lacks; a refresh token comes with `access_type=offline` and `prompt=consent`, and `offline_access` is refused as
    /// `invalid_scope`. Add a client with its secret.
    GoogleLike,
    /// Changes `scopes`. Okta: an authorization request without `scope` is refused (RFC 6749 §3.3 allows that), so where
    /// nothing names scopes `openid` is asked for. Add an initial access token, or a client.
    OktaLike,
    /// Changes `issuer_match`. Auth0: its issuer ends in a slash, which resources leave out. Add `audience`, the
    /// identifier of the API, to `extra`, unless the tenant takes `resource` for it.
    Auth0Like,
    /// Changes `resource`. Keycloak: `resource` is not known, or refused as `invalid_target` where it names no client
    /// (RFC 8707 §2); audiences come from scopes.
    KeycloakLike,
    /// Changes `token_shape`. GitHub: scopes are joined by commas in token answers (RFC 6749 §3.3 has spaces). Add a
    /// client; registration is refused with 422.
    GithubLike,
    /// Changes `token_shape`. Slack: the token of a person is under `authed_user`, and scopes are joined by commas (RFC
    /// 6749 §5.1). Add a client, and scopes: a request without is refused; and `metadata_issuer` where the metadata at the
    /// MCP server names `https://slack.com`.
    SlackLike,
    /// Changes `pkce` and `scopes`. Amazon Cognito: S256 works and is not advertised (RFC 8414 §2); a code that was asked
    /// for without `scope` cannot be exchanged, so where nothing names scopes `openid` is asked for. Add a client.
    CognitoLike,
    /// Changes `pkce` and `scopes`. Salesforce: S256 is not advertised by sandboxes (RFC 8414 §2); what asks for a refresh
    /// token is `refresh_token`, not `offline_access`. Add a client, which comes back to `localhost`; pin the issuer where there is no
    /// resource metadata, and say `metadata_issuer` where it names `https://api.salesforce.com:443/…`.
    SalesforceLike,
    /// Changes `metadata_issuer`. Atlassian, first endpoint: the metadata at the MCP server's own origin names
    /// `https://cf.mcp.atlassian.com` (RFC 8414 §3.3).
    AtlassianV1Like,
    /// Changes `metadata_issuer`. Atlassian, second endpoint: the resource names `https://auth.atlassian.com/…`, the
    /// metadata there `https://auth.atlassian.com` (RFC 8414 §3.3).
    AtlassianV2Like,
    /// Changes `scopes`. Servers on Cloudflare's OAuth provider: `openid` is refused.
    CloudflareLike,
    /// Changes `scopes`. Supabase: registration refuses the scopes of OpenID Connect.
    SupabaseLike,
    /// Changes `auth_method`. Servers that list `client_secret_basic` and read `client_id` from the body alone (RFC 6749
    /// §2.3.1 has Basic supported by all): the secret goes into the body too.
    PostOnlyLike,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::EntraLike,
        Self::EntraOrganizationsLike,
        Self::GoogleLike,
        Self::OktaLike,
        Self::Auth0Like,
        Self::KeycloakLike,
        Self::GithubLike,
        Self::SlackLike,
        Self::CognitoLike,
        Self::SalesforceLike,
        Self::AtlassianV1Like,
        Self::AtlassianV2Like,
        Self::CloudflareLike,
        Self::SupabaseLike,
        Self::PostOnlyLike,
    ];

    /// The policy, to be changed further.
    pub fn policy(self) -> IssuerPolicy {
        IssuerPolicy::with(|it| match self {
            Self::EntraLike => entra(it),
            Self::EntraOrganizationsLike => {
                entra(it);
                it.metadata_issuer = Some(ENTRA_TENANT.to_owned());
                it.issuer_aliases = vec![ENTRA_TENANT.to_owned()];
            }
            Self::GoogleLike => {
                it.issuer_match = IssuerMatch::IgnoreLoneSlash;
                it.extra = pairs(&[("access_type", "offline"), ("prompt", "consent")]);
                it.scopes = IssuerScopes::with(|it| it.never = scopes(&["offline_access"]));
            }
            Self::OktaLike => it.scopes = IssuerScopes::with(|it| it.fallback = scopes(&["openid"])),
            Self::Auth0Like => it.issuer_match = IssuerMatch::IgnoreLoneSlash,
            Self::KeycloakLike => it.resource = ResourceIndicator::Omit,
            Self::GithubLike => it.token_shape = TokenShape::with(|it| it.comma_scopes = true),
            Self::SlackLike => {
                it.token_shape = TokenShape::with(|it| (it.comma_scopes, it.authed_user) = (true, true));
            }
            Self::CognitoLike => {
                it.pkce = Pkce::AssumeS256;
                it.scopes = IssuerScopes::with(|it| it.fallback = scopes(&["openid"]));
            }
            Self::SalesforceLike => {
                it.pkce = Pkce::AssumeS256;
                it.scopes = IssuerScopes::with(|it| it.stay_logged_in = Some(scopes(&["refresh_token"])));
            }
            Self::AtlassianV1Like => it.metadata_issuer = Some("https://cf.mcp.atlassian.com".to_owned()),
            Self::AtlassianV2Like => it.metadata_issuer = Some("https://auth.atlassian.com".to_owned()),
            Self::CloudflareLike => it.scopes = IssuerScopes::with(|it| it.never = scopes(&["openid"])),
            Self::SupabaseLike => {
                it.scopes = IssuerScopes::with(|it| it.never = scopes(&["openid", "email", "profile"]));
            }
            Self::PostOnlyLike => it.auth_method = Some(AuthMethod::ClientSecretPost),
        })
    }
}

fn entra(it: &mut IssuerPolicy) {
    it.pkce = Pkce::AssumeS256;
    it.resource = ResourceIndicator::Omit;
    it.refresh_scope = RefreshScope::Granted;
}

fn scopes(tokens: &[&str]) -> Scopes {
    Scopes::from_tokens(tokens.iter().copied()).unwrap_or_default()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
