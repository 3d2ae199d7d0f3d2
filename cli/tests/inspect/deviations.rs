//! Every way of the testbed's servers that shows without a login, and what is to be said of it.

use mcp_auth_testbed::{
    AuthorizationServers, Challenge, ChallengeMethods, Dials, Dpop, Fault, InvalidToken, Iss, IssuerValue,
    MetadataRedirect, Purpose, Registration, ResourceMetadata, ResourceValue, ServerMetadata, Trouble,
    UnknownPath,
};

/// A deviation, what is to be said of it, the exit code, and what a client would do.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) dials: Dials,
    pub(crate) said: &'static [&'static str],
    pub(crate) code: i32,
    pub(crate) client: &'static str,
}

pub(crate) fn case(
    name: &'static str,
    change: impl FnOnce(&mut Dials),
    said: &'static [&'static str],
    code: i32,
    client: &'static str,
) -> Case {
    let mut dials = Dials::default();
    change(&mut dials);
    Case { name, dials, said, code, client }
}

const LOGIN: &str =
    "A client would identify itself by its metadata document, or else register by RFC 7591, at http://";

fn list(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn fault(purpose: Purpose, what: Trouble) -> Vec<Fault> {
    vec![Fault { purpose, nth: 0, what }]
}

pub(crate) fn server_cases() -> Vec<Case> {
    vec![
        case("as it should be", |_| {}, &[], 0, LOGIN),
        case(
            "no challenge",
            |it| it.challenge = Challenge::None,
            &["challenge-present wrong", "bad-token-challenge wrong"],
            1,
            LOGIN,
        ),
        case(
            "a bare challenge",
            |it| it.challenge = Challenge::Bare,
            &["challenge-scope odd", "bad-token-error odd"],
            0,
            LOGIN,
        ),
        case("Bearer last", |it| it.challenge = Challenge::Several, &["challenge-order odd"], 0, LOGIN),
        case(
            "Bearer second in one field",
            |it| it.challenge = Challenge::Joined,
            &["challenge-order odd"],
            0,
            LOGIN,
        ),
        case(
            "a parameter twice",
            |it| it.challenge = Challenge::DuplicatedMetadata,
            &["challenge-parameter-once wrong", "challenge-resource-metadata odd", "prm-advertised wrong"],
            1,
            LOGIN,
        ),
        case(
            "single quotes",
            |it| it.challenge = Challenge::Raw("Bearer scope='files:read', error='invalid_token'".to_owned()),
            &["challenge-grammar wrong", "challenge-error odd"],
            1,
            LOGIN,
        ),
        case(
            "a scope with a quote",
            |it| it.challenge = Challenge::Raw("Bearer scope=\"a\\\"b\", error=\"invalid_token\"".to_owned()),
            &["challenge-scope-grammar wrong", "challenge-scope odd", "challenge-error odd"],
            1,
            LOGIN,
        ),
        case(
            "another scheme",
            |it| it.challenge = Challenge::Raw("Negotiate".to_owned()),
            &["challenge-scheme wrong", "bad-token-challenge wrong"],
            1,
            LOGIN,
        ),
        case("an error at once", |it| it.challenge_error = true, &["challenge-error odd"], 0, LOGIN),
        case("no scope", |it| it.challenge_scope = false, &["challenge-scope odd"], 0, "for `files:read`"),
        case(
            "500 to a bad token",
            |it| it.invalid_token = InvalidToken::InternalError,
            &["bad-token-status wrong"],
            1,
            LOGIN,
        ),
        case(
            "no error for a bad token",
            |it| it.invalid_token = InvalidToken::UnauthorizedPlain,
            &["bad-token-error odd"],
            0,
            LOGIN,
        ),
        case(
            "initialize is open",
            |it| it.unprotected = list(&["initialize"]),
            &["server-open-methods odd"],
            0,
            LOGIN,
        ),
        case(
            "both are open",
            |it| it.unprotected = list(&["initialize", "tools/list"]),
            &["server-status odd"],
            0,
            "A client would connect without a login.",
        ),
        case(
            "403 instead of 401",
            |it| it.faults = fault(Purpose::Mcp, Trouble::Status(403)),
            &["server-status wrong"],
            1,
            "A client would stop at the first request: status 403",
        ),
        case(
            "a redirect",
            |it| {
                it.faults = fault(Purpose::Mcp, Trouble::RedirectTo("https://10.0.0.1/mcp?k=hush".to_owned()))
            },
            &["server-status wrong"],
            1,
            "A client would stop at the first request: status 307",
        ),
        case("tokens that are bound", |it| it.dpop = Some(Dpop::default()), &[], 0, "with a key for DPoP"),
        case(
            "bound by nobody",
            |it| it.dpop = Some(Dpop { advertised: false, ..Dpop::default() }),
            &["as-dpop wrong"],
            1,
            "with a key for DPoP",
        ),
    ]
}

pub(crate) fn resource_cases() -> Vec<Case> {
    vec![
        case(
            "the metadata of another",
            |it| it.resource = ResourceValue::OtherOrigin,
            &["prm-resource-matches wrong"],
            1,
            "A client would stop at the protected resource metadata",
        ),
        case(
            "a sibling",
            |it| it.resource = ResourceValue::SiblingPrefix,
            &["prm-resource-matches wrong"],
            1,
            "A client would stop at the protected resource metadata",
        ),
        case("a parent", |it| it.resource = ResourceValue::Root, &["prm-resource-matches odd"], 0, LOGIN),
        case("at both places", |it| it.resource_metadata = ResourceMetadata::PathAndRoot, &[], 0, LOGIN),
        case(
            "only where the challenge says",
            |it| it.resource_metadata = ResourceMetadata::Custom("/about".to_owned()),
            &["prm-well-known odd"],
            0,
            LOGIN,
        ),
        case(
            "nowhere",
            |it| it.resource_metadata = ResourceMetadata::Nowhere,
            &["prm-found wrong", "legacy-fallback odd"],
            1,
            "by the fallbacks of MCP 2025-03-26",
        ),
        case(
            "a redirect near by",
            |it| it.resource_metadata_redirect = MetadataRedirect::SameOrigin,
            &["prm-status odd"],
            0,
            LOGIN,
        ),
        case(
            "a redirect away",
            |it| it.resource_metadata_redirect = MetadataRedirect::OtherOrigin,
            &["prm-found wrong", "prm-advertised wrong"],
            1,
            "A client would",
        ),
        case(
            "no servers",
            |it| it.authorization_servers = AuthorizationServers::Absent,
            &["prm-authorization-servers wrong"],
            1,
            "A client would stop at the protected resource metadata",
        ),
        case(
            "an empty list of servers",
            |it| it.authorization_servers = AuthorizationServers::Empty,
            &["prm-authorization-servers wrong", "prm-empty wrong"],
            1,
            "A client would stop at the protected resource metadata",
        ),
        case(
            "a private server",
            |it| it.authorization_servers = AuthorizationServers::Raw(list(&["http://169.254.169.254/x"])),
            &["prm-authorization-servers-usable wrong", "as-issuer-url wrong"],
            1,
            "A client would stop at the authorization server metadata",
        ),
        case(
            "offline_access as a need",
            |it| {
                it.resource_scopes = Some(list(&["files:read", "offline_access"]));
                it.required_scopes = list(&["files:read", "offline_access"]);
            },
            &["challenge-scope-offline odd", "prm-scopes-offline odd"],
            0,
            LOGIN,
        ),
        case(
            "no scope token",
            |it| it.resource_scopes = Some(list(&["files:read files:write"])),
            &["prm-scopes-grammar wrong"],
            1,
            LOGIN,
        ),
        case(
            "a page for every path",
            |it| it.unknown_path = UnknownPath::Page,
            &["prm-miss odd", "as-miss odd"],
            0,
            LOGIN,
        ),
        case(
            "too large",
            |it| it.faults = fault(Purpose::ResourceMetadata, Trouble::Oversized(1 << 20)),
            &["prm-found wrong", "prm-advertised wrong"],
            1,
            "A client would",
        ),
        case(
            "half a document",
            |it| it.faults = fault(Purpose::ResourceMetadata, Trouble::Truncated),
            &["prm-found wrong", "prm-advertised wrong", "prm-json wrong"],
            1,
            "A client would",
        ),
        case(
            "ill-typed",
            |it| {
                let body = br#"{"resource":7,"authorization_servers":"x","scopes_supported":[1],"resource_name":null}"#;
                it.faults =
                    fault(Purpose::ResourceMetadata, Trouble::Answer(200, "text/html", body.to_vec()));
            },
            &[
                "prm-resource wrong",
                "prm-types wrong",
                "prm-empty odd",
                "prm-content-type wrong",
                "prm-authorization-servers wrong",
            ],
            1,
            "A client would stop at the protected resource metadata",
        ),
    ]
}

pub(crate) fn authorization_cases() -> Vec<Case> {
    vec![
        case(
            "a dead server first",
            |it| it.authorization_servers = AuthorizationServers::DeadThenFirst,
            &["as-found wrong"],
            1,
            LOGIN,
        ),
        case(
            "OpenID behind a path",
            |it| {
                it.server_metadata = ServerMetadata::OpenidAppended;
                it.issuer_path = "/tenant".to_owned();
            },
            &[],
            0,
            LOGIN,
        ),
        case(
            "no metadata",
            |it| it.server_metadata = ServerMetadata::Nowhere,
            &["as-found wrong"],
            1,
            "A client would stop at the authorization server metadata",
        ),
        case(
            "a slash too many",
            |it| it.issuer = IssuerValue::TrailingSlash,
            &["as-issuer wrong"],
            1,
            "A client would stop at the authorization server metadata",
        ),
        case(
            "another issuer",
            |it| it.issuer = IssuerValue::Other,
            &["as-issuer wrong"],
            1,
            "A client would stop at the authorization server metadata",
        ),
        case(
            "PKCE unsaid",
            |it| it.challenge_methods = ChallengeMethods::Absent,
            &["as-pkce wrong"],
            1,
            "does not advertise PKCE with S256",
        ),
        case(
            "plain only",
            |it| it.challenge_methods = ChallengeMethods::PlainOnly,
            &["as-pkce wrong"],
            1,
            "does not advertise PKCE with S256",
        ),
        case(
            "plain too",
            |it| it.challenge_methods = ChallengeMethods::PlainAndS256,
            &["as-pkce-plain odd"],
            0,
            LOGIN,
        ),
        case("no iss", |it| it.iss = Iss::Absent, &["as-iss odd"], 0, LOGIN),
        case("endpoints elsewhere", |it| it.endpoints_elsewhere = true, &[], 0, LOGIN),
        case(
            "registration only",
            |it| it.client_id_metadata_documents = false,
            &["as-client-id-metadata-document odd"],
            0,
            "A client would register by RFC 7591 at http://",
        ),
        case(
            "by hand",
            |it| {
                it.client_id_metadata_documents = false;
                it.registration = Registration::Absent;
            },
            &["as-client-id-metadata-document odd", "as-registration odd"],
            0,
            "A client would need a client identifier that was registered by hand",
        ),
        case("no list of methods", |it| it.auth_methods = None, &["as-auth-none odd"], 0, LOGIN),
        case(
            "keys only",
            |it| it.auth_methods = Some(list(&["tls_client_auth"])),
            &["as-auth-methods odd", "as-auth-none odd"],
            0,
            LOGIN,
        ),
        case(
            "a scope that is not listed",
            |it| it.server_scopes = Some(list(&["files:write"])),
            &["as-scopes odd"],
            0,
            LOGIN,
        ),
        case(
            "an empty list",
            |it| it.server_scopes = Some(Vec::new()),
            &["as-empty wrong", "as-scopes odd"],
            1,
            LOGIN,
        ),
        case(
            "a redirect away",
            |it| it.server_metadata_redirect = MetadataRedirect::OtherOrigin,
            &["as-found wrong"],
            1,
            "A client would stop at the authorization server metadata",
        ),
        case(
            "503",
            |it| it.faults = fault(Purpose::ServerMetadata, Trouble::Status(503)),
            &["as-found wrong"],
            1,
            "A client would stop at the authorization server metadata",
        ),
        case(
            "503 where clients look first",
            |it| {
                it.server_metadata = ServerMetadata::Everywhere;
                it.faults =
                    vec![Fault { purpose: Purpose::ServerMetadata, nth: 1, what: Trouble::Status(503) }];
            },
            &["as-miss wrong"],
            1,
            LOGIN,
        ),
    ]
}
