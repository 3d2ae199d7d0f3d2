//! What the servers of the measured login say: of the size and shape that real ones have, and the same for everyone who
//! is measured.

use http::{HeaderMap, HeaderValue, Response, header};
use serde_json::{Value, json};

/// The MCP server.
pub const SERVER: &str = "https://mcp.example.com/mcp";
/// Its protected resource metadata.
pub const RESOURCE_METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
/// The issuer of its authorization server.
pub const ISSUER: &str = "https://auth.example.com";
/// The metadata of the authorization server.
pub const SERVER_METADATA: &str = "https://auth.example.com/.well-known/oauth-authorization-server";
/// Where answers come back.
pub const REDIRECT: &str = "http://127.0.0.1:33418/callback";
/// The client's name.
pub const NAME: &str = "A measured client";
/// What the person's consent gives.
pub const CODE: &str = "SplxlOBeZQQYbYS6WxSbIA.fJ2mJ8t3Q4mS0u7cXq9h3w";
/// The refresh token of the login.
pub const REFRESH_TOKEN: &str = "v1.MTQ0NjJkZmQ5OTM2NDE1ZTZjNGZmZjI3-gGzv3JOkF0XG5Qx2TlKWIA";

/// The first answer of the MCP server: its fields.
pub fn refusal() -> HeaderMap {
    let value = format!(
        "Bearer realm=\"mcp\", error=\"invalid_token\", error_description=\"Authentication required\", \
         resource_metadata=\"{RESOURCE_METADATA}\", scope=\"files:read files:write\""
    );
    let mut fields = HeaderMap::new();
    fields.insert(header::WWW_AUTHENTICATE, HeaderValue::try_from(value).expect("plain text"));
    fields
}

/// Protected resource metadata (RFC 9728).
pub fn resource_metadata() -> Value {
    json!({
        "resource": SERVER,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["files:read", "files:write", "search", "profile"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Example files",
        "resource_documentation": "https://mcp.example.com/docs",
        "resource_policy_uri": "https://mcp.example.com/policy",
    })
}

/// Authorization server metadata (RFC 8414).
pub fn server_metadata() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://auth.example.com/oauth2/authorize",
        "token_endpoint": "https://auth.example.com/oauth2/token",
        "registration_endpoint": "https://auth.example.com/oauth2/register",
        "revocation_endpoint": "https://auth.example.com/oauth2/revoke",
        "introspection_endpoint": "https://auth.example.com/oauth2/introspect",
        "userinfo_endpoint": "https://auth.example.com/oauth2/userinfo",
        "jwks_uri": "https://auth.example.com/oauth2/jwks.json",
        "scopes_supported": ["openid", "profile", "email", "offline_access", "files:read", "files:write", "search"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "authorization_response_iss_parameter_supported": true,
        "service_documentation": "https://auth.example.com/docs",
    })
}

/// What a registration is answered with (RFC 7591).
pub fn registration() -> Value {
    json!({
        "client_id": "7f1c2e0a-7f0e-4d9c-9d2b-0d5f6f0c1b1e",
        "client_id_issued_at": 1_800_000_000_u64,
        "client_name": NAME,
        "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
        "scope": "files:read files:write",
    })
}

/// A token answer, with an access token of the size of a JWT.
pub fn token() -> Value {
    json!({
        "access_token": access_token(),
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": REFRESH_TOKEN,
        "scope": "files:read files:write",
    })
}

/// An access token of 640 characters in three parts.
pub fn access_token() -> String {
    let letters = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjAxIn0".chars().cycle();
    let part = |count: usize| letters.clone().take(count).collect::<String>();
    format!("{}.{}.{}", part(36), part(260), part(342))
}

/// A good answer with this body.
pub fn answer(status: u16, body: &Value) -> Response<Vec<u8>> {
    let answer = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, "no-store");
    answer.body(body.to_string().into_bytes()).expect("a good answer")
}

/// The answers of a whole login in their order: resource metadata, server metadata, registration, token.
pub fn answers() -> Vec<Response<Vec<u8>>> {
    vec![
        answer(200, &resource_metadata()),
        answer(200, &server_metadata()),
        answer(201, &registration()),
        answer(200, &token()),
    ]
}

/// What reaches the redirect URI for this `state`.
pub fn callback(state: &str) -> String {
    let iss = "https%3A%2F%2Fauth.example.com";
    format!("{REDIRECT}?code={CODE}&state={state}&iss={iss}")
}
