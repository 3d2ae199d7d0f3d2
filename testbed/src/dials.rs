//! The dials: what the servers do, and every way in which they may do otherwise.
//!
//! [`Dials::default`] is a compliant pair by MCP 2026-07-28. Each field is one deviation, named after the clause it
//! leaves or after the kind of server that is known to behave so.

use std::collections::BTreeMap;

use serde_json::Value;

pub use crate::escapes::JsonEscapes;
pub use crate::extension_dials::*;
use crate::fault::Fault;
pub use crate::resource_dials::*;
pub use crate::server_dials::*;

/// How the MCP server and the authorization servers behave.
///
/// Write the deviation and leave the rest: `Dials { iss: Iss::Wrong, ..Dials::default() }`. Authorization servers
/// share their dials.
#[derive(Clone, Debug)]
pub struct Dials {
    // ---- the MCP server
    /// The path of the MCP endpoint: `/mcp`, or `""` for a server at the root of its origin.
    pub mcp_path: String,
    /// Which wires of MCP the server speaks.
    pub wires: Wires,
    /// Whether answers are JSON or a stream of events. Clients must take both (Streamable HTTP).
    pub answers: Answers,
    /// Whether the stateless wire insists on `Mcp-Method` and `Mcp-Name`, as 2026-07-28 says. If not, they are
    /// compared with the body when they are there.
    pub require_standard_headers: bool,
    /// JSON-RPC methods answered without a token. Google's servers let `initialize` and `tools/list` through and
    /// challenge at `tools/call`.
    pub unprotected: Vec<String>,
    /// Where the protected resource metadata lives (RFC 9728 §3).
    pub resource_metadata: ResourceMetadata,
    /// Whether the resource metadata has moved. RFC 9728 §3.2 expects 200.
    pub resource_metadata_redirect: MetadataRedirect,
    /// Whether challenges carry `resource_metadata` (RFC 9728 §5.1).
    pub advertise_metadata: bool,
    /// The shape of the challenge in a 401 or 403 (RFC 6750 §3, RFC 9110 §11.6.1).
    pub challenge: Challenge,
    /// Whether a 401 names the scopes that are needed. MCP says it should; many servers do not.
    pub challenge_scope: bool,
    /// Whether a 401 says `error="invalid_token"` though no token was sent. RFC 6750 §3.1 says it should not.
    pub challenge_error: bool,
    /// The `resource` of the metadata (RFC 9728 §3.3).
    pub resource: ResourceValue,
    /// The `authorization_servers` of the metadata, and with them whose tokens the server accepts.
    pub authorization_servers: AuthorizationServers,
    /// `scopes_supported` of the resource metadata; `None` leaves it out.
    pub resource_scopes: Option<Vec<String>>,
    /// Scopes that every protected request needs. They are what a first challenge names.
    pub required_scopes: Vec<String>,
    /// Which scopes an `insufficient_scope` challenge names (RFC 6750 §3.1).
    pub step_up: StepUp,
    /// Whether a valid token is refused all the same. A client must give up after a few tries.
    pub refusal: Refusal,
    /// What a token that is not valid gets. MCP says 401.
    pub invalid_token: InvalidToken,
    /// Whether an expired access token that is presented ends its whole grant, as fastmcp does.
    pub expired_token_ends_grant: bool,
    /// What is answered where nothing lives, on every origin.
    pub unknown_path: UnknownPath,

    // ---- discovery of the authorization server
    /// Where the authorization server metadata lives (RFC 8414 §3.1 and §5, OpenID Connect Discovery §4).
    pub server_metadata: ServerMetadata,
    /// Whether the authorization server metadata has moved. RFC 8414 §3.2 expects 200.
    pub server_metadata_redirect: MetadataRedirect,
    /// The path of the issuer: `""`, or such as `/tenant1`. Keycloak, Okta and Entra have one.
    pub issuer_path: String,
    /// The `issuer` of the metadata (RFC 8414 §3.3).
    pub issuer: IssuerValue,
    /// `code_challenge_methods_supported` (RFC 8414 §2). Entra, Cognito and Salesforce leave it out.
    pub challenge_methods: ChallengeMethods,
    /// `iss` in the authorization response, and its advertisement (RFC 9207).
    pub iss: Iss,
    /// Whether the endpoints live on another origin than the issuer. It is legal, and common: Google, Cognito, Slack.
    pub endpoints_elsewhere: bool,
    /// Paths of endpoints by their names (`authorize`, `token`, …), on the issuer's origin, where they are not the name
    /// below the issuer. Slack. One with a scheme is a URL on an origin of its own, as Meta's are; over sockets nobody is
    /// there.
    pub endpoint_paths: BTreeMap<&'static str, String>,
    /// A query that is part of the advertised authorization endpoint and must come back (RFC 6749 §3.1). Azure B2C
    /// keeps its policy there. Without the `?`.
    pub authorization_query: String,
    /// `token_endpoint_auth_methods_supported`; `None` leaves it out, which means `client_secret_basic`.
    pub auth_methods: Option<Vec<String>>,
    /// `scopes_supported` of the server metadata; `None` leaves it out.
    pub server_scopes: Option<Vec<String>>,
    /// Whether there is a revocation endpoint (RFC 7009).
    pub revocation: bool,
    /// What a revocation revokes (RFC 7009 §2.1).
    pub revokes: Revokes,
    /// Whether the revocation of an access token is refused with `unsupported_token_type` (RFC 7009 §2.2.1).
    pub revocation_refuses_access: bool,
    /// `revocation_endpoint_auth_methods_supported`, and with it which methods the revocation endpoint takes. `None`
    /// leaves it out, and takes those of the token endpoint. Without `none`, a public client cannot revoke.
    pub revocation_auth_methods: Option<Vec<String>>,
    /// Whether the token endpoint has moved to another path: the status that is answered at the old one, such as 404 or
    /// 410. The metadata names the new one.
    pub token_endpoint_moved: Option<u16>,

    // ---- registration
    /// Whether and how clients may register (RFC 7591).
    pub registration: Registration,
    /// The status of a successful registration. RFC 7591 §3.2.1 says 201; some answer 200.
    pub registration_status: u16,
    /// What the answer does to `redirect_uris`.
    pub registered_redirects: RegisteredRedirects,
    /// The life of a registered client secret, in seconds; `None` never ends (`client_secret_expires_at` is 0).
    pub secret_lifetime: Option<u64>,
    /// What a client gets that registers again.
    pub registration_again: RegistrationAgain,
    /// Whether a client that registered with `none` gets a secret all the same.
    pub secret_despite_none: SecretDespiteNone,
    /// The `token_endpoint_auth_method` that is registered, whatever was asked. What is answered wins.
    pub registered_method: Option<String>,
    /// Whether the answer carries `null` and `""` in members that it could leave out.
    pub registration_empties: bool,
    /// What registration makes of `scope`.
    pub registration_scope: RegistrationScope,
    /// Whether `application_type` is held against the redirect URIs, with `web` as its default (OpenID Connect Dynamic
    /// Client Registration §2): a web client may not redirect to a loopback address.
    pub enforce_application_type: bool,
    /// Whether Client ID Metadata Documents are supported and advertised.
    pub client_id_metadata_documents: bool,
    /// What is found at the URLs of Client ID Metadata Documents. A URL that is not here cannot be fetched.
    pub client_documents: BTreeMap<String, Value>,
    /// Whether the server can fetch Client ID Metadata Documents, and what it does if it cannot.
    pub client_document_fetch: DocumentFetch,
    /// Clients that were registered by hand.
    pub clients: Vec<PreRegistered>,

    // ---- authorization
    /// Whether consent is given by the dial [`Dials::person`] at once, or asked for on a page.
    pub consent: Consent,
    /// What the scripted person does.
    pub person: Person,
    /// An error that every authorization request meets, sent to the redirect URI (RFC 6749 §4.1.2.1).
    pub authorization_error: Option<String>,
    /// What becomes of `state` (RFC 6749 §4.1.2).
    pub state: StateEcho,
    /// Whether a registered loopback redirect URI stands for every port (RFC 8252 §7.3). MCP asks for exact comparison.
    pub any_loopback_port: bool,
    /// A parameter that authorization requests must carry, as Auth0's `audience` or Slack's `user_scope`.
    pub required_parameter: Option<(String, String)>,
    /// What is made of the `resource` parameter (RFC 8707).
    pub resource_parameter: ResourceParameter,
    /// What a request without `scope` gets (RFC 6749 §3.3).
    pub scope_missing: ScopeMissing,
    /// What a request for a scope that nobody knows gets (RFC 6749 §3.3).
    pub scope_unknown: ScopeUnknown,
    /// Scopes that no client may ask for, listed or not: the browser shows an error, and nobody comes back. Atlassian's
    /// second endpoint, with `offline_access`.
    pub forbidden_scopes: Vec<String>,
    /// The scopes that are granted, of those asked; `None` grants all of them.
    pub granted_scopes: Option<Vec<String>>,

    // ---- tokens
    /// When a refresh token is issued. Never to a client whose `grant_types` lack `refresh_token`.
    pub refresh_tokens: RefreshTokens,
    /// What a refresh does to the refresh token (OAuth 2.1 §4.3).
    pub rotation: Rotation,
    /// Whether a refresh ends the access tokens issued before, as Notion does.
    pub refresh_ends_access: bool,
    /// The life of a refresh token in seconds; `None` is unlimited.
    pub refresh_lifetime: Option<u64>,
    /// The error for a refresh token that is dead. `invalid_grant` by RFC 6749 §5.2; Atlassian says
    /// `unauthorized_client`, others `invalid_request`; GitHub says `bad_refresh_token`, with status 200.
    pub dead_refresh_error: String,
    /// The status of that error: 400, 401 with fastmcp, or 200 with GitHub.
    pub dead_refresh_status: u16,
    /// The `error_description` of that error; `None` says why. Linear says `Grant not found`.
    pub dead_refresh_description: Option<String>,
    /// The life of an access token in seconds.
    pub access_lifetime: u64,
    /// The life of an authorization code in seconds.
    pub code_lifetime: u64,
    /// The shape of token answers.
    pub token_body: TokenBody,
    /// Members of a token answer that no standard has, at its top. Slack, Salesforce.
    pub token_extra: Vec<(&'static str, Value)>,
    /// Claims of access tokens, which are JWTs then, whose `jti` makes each another. Their signature is none: whoever is
    /// not the resource must not look inside. `None` makes them opaque.
    pub access_token_claims: Option<Value>,
    /// The status of a successful token answer. RFC 6749 §5.1 says 200.
    pub token_status: u16,
    /// Whether errors of the token endpoint come with status 200, as GitHub's do.
    pub errors_with_200: bool,
    /// `expires_in`.
    pub expires_in: ExpiresIn,
    /// `token_type`.
    pub token_type: TokenType,
    /// `scope` in the token answer.
    pub scope_answer: ScopeAnswer,
    /// The status of `invalid_client`: 401, or 400 with some.
    pub invalid_client_status: u16,
    /// Whether `client_id` in the body beside HTTP Basic is refused as a second method, as Notion does.
    pub refuse_client_id_with_basic: bool,

    // ---- extensions
    /// How client assertions are judged (RFC 7523). `private_key_jwt` is offered where [`Dials::auth_methods`] lists it.
    pub client_assertions: ClientAssertions,
    /// The client credentials grant (RFC 6749 §4.4).
    pub client_credentials: Option<ClientCredentials>,
    /// Enterprise-managed authorization: an identity provider, and the JWT bearer grant for its assertions.
    pub enterprise: Option<Enterprise>,
    /// Workload identity: the JWT bearer grant for the tokens of a platform (RFC 7523 §2.1).
    pub workload: Option<Workload>,
    /// Proof of possession (RFC 9449). Without it, proofs are not looked at.
    pub dpop: Option<Dpop>,
    /// The device authorization grant (RFC 8628).
    pub device: Option<Device>,
    /// Pushed authorization requests (RFC 9126).
    pub pushed: Option<Pushed>,

    // ---- spelling
    /// How JSON is escaped in every document that any of the servers gives (RFC 8259 §7 leaves that to whoever writes).
    /// Turn it before anything is issued: what an authorization server draws then has characters that are escaped.
    pub json_escapes: JsonEscapes,

    // ---- trouble
    /// Faults: what goes wrong at which request.
    pub faults: Vec<Fault>,
    /// The host name in URLs when served over sockets.
    pub host: LoopbackHost,
}

impl Default for Dials {
    fn default() -> Self {
        Self {
            mcp_path: "/mcp".to_owned(),
            wires: Wires::Both,
            answers: Answers::Json,
            require_standard_headers: true,
            unprotected: Vec::new(),
            resource_metadata: ResourceMetadata::Path,
            resource_metadata_redirect: MetadataRedirect::None,
            advertise_metadata: true,
            challenge: Challenge::Bearer,
            challenge_scope: true,
            challenge_error: false,
            resource: ResourceValue::Exact,
            authorization_servers: AuthorizationServers::One,
            resource_scopes: Some(texts(&["files:read"])),
            required_scopes: texts(&["files:read"]),
            step_up: StepUp::Needed,
            refusal: Refusal::None,
            invalid_token: InvalidToken::Unauthorized,
            expired_token_ends_grant: false,
            unknown_path: UnknownPath::NotFound,
            server_metadata: ServerMetadata::Oauth,
            server_metadata_redirect: MetadataRedirect::None,
            issuer_path: String::new(),
            issuer: IssuerValue::Exact,
            challenge_methods: ChallengeMethods::S256,
            iss: Iss::AdvertisedAndSent,
            endpoints_elsewhere: false,
            endpoint_paths: BTreeMap::new(),
            authorization_query: String::new(),
            auth_methods: Some(texts(&["none", "client_secret_basic", "client_secret_post"])),
            server_scopes: Some(texts(&["files:read", "files:write", "offline_access"])),
            revocation: true,
            revokes: Revokes::RefreshTokenWithGrant,
            revocation_refuses_access: false,
            revocation_auth_methods: None,
            token_endpoint_moved: None,
            registration: Registration::Open,
            registration_status: 201,
            registered_redirects: RegisteredRedirects::AsSent,
            secret_lifetime: None,
            registration_again: RegistrationAgain::New,
            secret_despite_none: SecretDespiteNone::No,
            registered_method: None,
            registration_empties: false,
            registration_scope: RegistrationScope::Any,
            enforce_application_type: true,
            client_id_metadata_documents: true,
            client_documents: BTreeMap::new(),
            client_document_fetch: DocumentFetch::Succeeds,
            clients: Vec::new(),
            consent: Consent::Automatic,
            person: Person::Allows,
            authorization_error: None,
            state: StateEcho::Echoed,
            any_loopback_port: false,
            required_parameter: None,
            resource_parameter: ResourceParameter::Required,
            scope_missing: ScopeMissing::Defaulted,
            scope_unknown: ScopeUnknown::Refused,
            forbidden_scopes: Vec::new(),
            granted_scopes: None,
            refresh_tokens: RefreshTokens::Always,
            rotation: Rotation::Strict,
            refresh_ends_access: false,
            refresh_lifetime: None,
            dead_refresh_error: "invalid_grant".to_owned(),
            dead_refresh_status: 400,
            dead_refresh_description: None,
            access_lifetime: 3600,
            code_lifetime: 60,
            token_body: TokenBody::Json,
            token_extra: Vec::new(),
            access_token_claims: None,
            token_status: 200,
            errors_with_200: false,
            expires_in: ExpiresIn::Number,
            token_type: TokenType::Bearer,
            scope_answer: ScopeAnswer::Present,
            invalid_client_status: 401,
            refuse_client_id_with_basic: false,
            client_assertions: ClientAssertions::default(),
            client_credentials: None,
            enterprise: None,
            workload: None,
            dpop: None,
            device: None,
            pushed: None,
            json_escapes: JsonEscapes::Least,
            faults: Vec::new(),
            host: LoopbackHost::Address,
        }
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
