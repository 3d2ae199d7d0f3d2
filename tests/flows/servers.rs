//! One flow and more for each kind of server that is known to be odd: how it meets the strict default, and the policy that
//! makes it work. Names, shapes and quirks are facts about those servers; the hosts are made up, but where a preset names
//! them.

use mcp_auth::wire::server_metadata::Pkce;
use mcp_auth::{
    Config, IssuerPolicy, IssuerScopes, Policy, Preregistered, Preset, ResourceIndicator, ScopeRule, Scopes,
    ServerChoice,
};
use mcp_auth_testbed::*;
use url::Url;

use crate::stage::{REDIRECT, Stage, json};
use crate::{Flow, flow};

const TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn scopes(text: &str) -> Scopes {
    Scopes::parse(text).unwrap()
}

/// A client that was registered by hand, and no other way to one.
fn by_hand(dials: Dials) -> Dials {
    Dials {
        clients: vec![PreRegistered::public("client-1", REDIRECT)],
        registration: Registration::Absent,
        client_id_metadata_documents: false,
        ..dials
    }
}

/// The same with a secret.
fn confidential(method: &str, dials: Dials) -> Dials {
    Dials {
        clients: vec![PreRegistered::confidential("client-1", "a-secret-of-client-1", method, REDIRECT)],
        auth_methods: Some(texts(&[method])),
        ..by_hand(dials)
    }
}

fn known(config: Config, world: &World) -> Config {
    config.preregistered(Preregistered::new(world.issuer(0), "client-1"))
}

fn secret(config: Config, world: &World) -> Config {
    config.preregistered(Preregistered::new(world.issuer(0), "client-1").secret("a-secret-of-client-1"))
}

fn stays(config: Config) -> Config {
    config.scopes(ScopeRule::with(|it| it.stay_logged_in = true))
}

fn lists(mut stage: Stage) -> Stage {
    stage.call("tools/list", None);
    stage
}

/// The request, and another when its token has run out.
fn lists_twice(mut stage: Stage) -> Stage {
    stage.call("tools/list", None);
    stage.now += 4000;
    stage.call("tools/list", None);
    stage
}

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = Vec::new();
    for some in [microsoft(), google(), well_known(), atlassian(), others(), libraries()] {
        flows.extend(some);
    }
    flows
}

// ---- Microsoft

fn entra_dials(path: &str) -> Dials {
    by_hand(Dials {
        issuer_path: path.to_owned(),
        server_metadata: ServerMetadata::OpenidAppended,
        challenge_methods: ChallengeMethods::Absent,
        iss: Iss::Absent,
        auth_methods: Some(texts(&["client_secret_post", "private_key_jwt", "client_secret_basic"])),
        server_scopes: Some(texts(&["openid", "profile", "email", "offline_access"])),
        resource_scopes: Some(texts(&["api://app-1/mcp.read"])),
        required_scopes: texts(&["api://app-1/mcp.read"]),
        resource_parameter: ResourceParameter::Refused,
        revocation: false,
        refresh_tokens: RefreshTokens::WithOfflineAccess,
        ..Dials::default()
    })
}

fn entra(policy: IssuerPolicy) -> Stage {
    let mut stage = Stage::named("entra-like", entra_dials(&format!("/{TENANT}/v2.0")), |config, world| {
        stays(known(config, world)).issuer(world.issuer(0), policy)
    });
    // A refresh for the client's own application does not say by itself what it is for.
    stage.instead = Some(Box::new(|request| {
        let body = String::from_utf8_lossy(request.body());
        let bare = body.contains("grant_type=refresh_token") && !body.contains("scope=");
        bare.then(|| {
            json(400, r#"{"error":"invalid_request","error_description":"AADSTS90009: scope is missing"}"#)
        })
    }));
    stage
}

fn entra_organizations(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        issuer: IssuerValue::Raw("https://login.microsoftonline.com/{tenantid}/v2.0".to_owned()),
        iss: Iss::SentOnly,
        ..entra_dials("/organizations/v2.0")
    };
    let origins = Origins {
        server: "https://mcp.entra-organizations-like.example".to_owned(),
        authorization_servers: vec!["https://login.microsoftonline.com".to_owned()],
        ..Origins::default()
    };
    let mut stage =
        Stage::at(origins, dials, |config, world| known(config, world).issuer(world.issuer(0), policy));
    stage.changed = Some(|callback| {
        let mut url = Url::parse(&callback).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        url.query_pairs_mut()
            .clear()
            .extend_pairs(pairs.iter().map(|(name, value)| (name, value.replace("{tenantid}", TENANT))));
        url.into()
    });
    stage
}

fn microsoft() -> Vec<Flow> {
    vec![
        flow(
            "entra-like.strict",
            "Only the appended OpenID form answers, and what is there does not say that S256 is supported: refused.",
            &["pkce-advertised", "forms-in-order"],
            &["pkce_unsupported"],
            || lists(entra(IssuerPolicy::default())),
        ),
        flow(
            "entra-like.resource",
            "With S256 assumed, the resource's own URL is refused as AADSTS9010010 would, because the scopes are of an application.",
            &["resource-sent", "authorization-errors"],
            &["authorization_failed"],
            || lists(entra(IssuerPolicy::with(|it| it.pkce = Pkce::AssumeS256))),
        )
        .by(&["pkce: assume_s256"]),
        flow(
            "entra-like.refresh",
            "A refresh without scope is refused; the grant counts as dead, and the person logs in again.",
            &["token-errors"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                lists_twice(entra(IssuerPolicy::with(|it| {
                    it.pkce = Pkce::AssumeS256;
                    it.resource = ResourceIndicator::Omit;
                })))
            },
        )
        .by(&["pkce: assume_s256", "resource: omit"]),
        flow(
            "entra-like.policy",
            "The preset: S256 is assumed, `resource` is left out, and `scope` goes with the refresh.",
            &["own-deviation", "refresh-scope"],
            &["logged_in", "refreshed"],
            || lists_twice(entra(Preset::EntraLike.policy())),
        )
        .by(&["refresh_scope"]),
        flow(
            "entra-like.override",
            "A server that wants the application's identifier URI as `resource` gets it.",
            &["own-deviation"],
            &["logged_in"],
            || {
                let mut policy = Preset::EntraLike.policy();
                policy.resource = ResourceIndicator::Override("api://app-1".to_owned());
                let mut stage = entra(policy);
                stage.dials().resource_parameter = ResourceParameter::Only("api://app-1".to_owned());
                lists(stage)
            },
        )
        .by(&["pkce: assume_s256", "resource: override"]),
        flow(
            "entra-organizations-like.strict",
            "The metadata names `{tenantid}` literally, which is another issuer than the one that was named.",
            &["issuer-held"],
            &["issuer_mismatch"],
            || lists(entra_organizations(Preset::EntraLike.policy())),
        ),
        flow(
            "entra-organizations-like.iss",
            "With that issuer taken by policy, `iss` in the callback is the tenant of who logged in: refused.",
            &["iss-judged"],
            &["issuer_mismatch"],
            || {
                let mut policy = Preset::EntraOrganizationsLike.policy();
                policy.issuer_aliases.clear();
                lists(entra_organizations(policy))
            },
        )
        .by(&["metadata_issuer", "pkce: assume_s256", "resource: omit"]),
        flow(
            "entra-organizations-like.policy",
            "The preset: the literal issuer, and any tenant's `iss` at that host.",
            &["own-deviation"],
            &["logged_in"],
            || lists(entra_organizations(Preset::EntraOrganizationsLike.policy())),
        )
        .by(&["metadata_issuer", "issuer_aliases"]),
        flow(
            "entra-b2c-like.strict",
            "The authorization endpoint has a query of its own, with the policy of the tenant in it; it is kept.",
            &["query-kept"],
            &["logged_in"],
            || {
                let dials = Dials {
                    authorization_query: "p=B2C_1_signin".to_owned(),
                    endpoints_elsewhere: true,
                    ..by_hand(Dials::default())
                };
                lists(Stage::named("entra-b2c-like", dials, known))
            },
        ),
        flow(
            "entra-ciam-like.strict",
            "The metadata has moved within its origin; the redirect is followed, and the document is the issuer's own.",
            &["own-limits"],
            &["logged_in"],
            || {
                let dials = Dials {
                    server_metadata_redirect: MetadataRedirect::SameOrigin,
                    server_metadata: ServerMetadata::OpenidAppended,
                    issuer_path: "/contoso.example/v2.0".to_owned(),
                    ..by_hand(Dials::default())
                };
                lists(Stage::named("entra-ciam-like", dials, known))
            },
        ),
    ]
}

// ---- Google

fn google_stage(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        unprotected: texts(&["initialize", "tools/list"]),
        resource_metadata: ResourceMetadata::Path,
        authorization_servers: AuthorizationServers::Raw(texts(&["https://accounts.google-like.example/"])),
        endpoints_elsewhere: true,
        iss: Iss::SentOnly,
        server_scopes: Some(texts(&["openid", "email", "profile", "offline_access"])),
        resource_scopes: Some(texts(&["https://www.googleapis.com/auth/drive.readonly"])),
        required_scopes: texts(&["https://www.googleapis.com/auth/drive.readonly"]),
        required_parameter: Some(("access_type".to_owned(), "offline".to_owned())),
        resource_parameter: ResourceParameter::Ignored,
        rotation: Rotation::None,
        access_lifetime: 3599,
        ..confidential("client_secret_post", Dials::default())
    };
    let origins = Origins {
        server: "https://drivemcp.google-like.example".to_owned(),
        authorization_servers: vec!["https://accounts.google-like.example".to_owned()],
        elsewhere: "https://oauth2.google-like.example".to_owned(),
        ..Origins::default()
    };
    Stage::at(origins, dials, |config, _| {
        let client = Preregistered::new("https://accounts.google-like.example/", "client-1");
        stays(config.preregistered(client.secret("a-secret-of-client-1")))
            .issuer("https://accounts.google-like.example/", policy)
    })
}

fn calls(mut stage: Stage) -> Stage {
    stage.call("tools/call", Some("echo"));
    stage
}

fn calls_twice(mut stage: Stage) -> Stage {
    stage.call("tools/call", Some("echo"));
    stage.now += 4000;
    stage.call("tools/call", Some("echo"));
    stage
}

fn google() -> Vec<Flow> {
    vec![
        flow(
            "google-like.strict",
            "The challenge comes at a tool only. The resource names the issuer with a slash that its metadata lacks: refused.",
            &["issuer-held", "challenge-read"],
            &["issuer_mismatch"],
            || calls(google_stage(IssuerPolicy::default())),
        ),
        flow(
            "google-like.extra",
            "With the slash let pass, an authorization request without `access_type=offline` is refused here.",
            &["authorization-errors"],
            &["authorization_failed"],
            || {
                let mut policy = Preset::GoogleLike.policy();
                policy.extra.clear();
                calls(google_stage(policy))
            },
        )
        .by(&["issuer_match: ignore_lone_slash", "scopes"]),
        flow(
            "google-like.policy",
            "The preset: the slash, the parameters for a refresh token, and no `offline_access`. The refresh answer has no refresh token; the old one is kept.",
            &["own-deviation", "refresh-kept"],
            &["logged_in", "refreshed"],
            || calls_twice(google_stage(Preset::GoogleLike.policy())),
        )
        .by(&["issuer_match: ignore_lone_slash", "scopes", "extra"]),
    ]
}

// ---- servers with a path, a slash, or another oddity that has a preset

fn okta(scope_named: bool, policy: IssuerPolicy) -> Stage {
    let named = scope_named.then(|| texts(&["mcp.read"]));
    let dials = Dials {
        issuer_path: "/oauth2/aus1".to_owned(),
        server_metadata: ServerMetadata::Everywhere,
        registration: Registration::InitialAccessToken("okta-api-token".to_owned()),
        client_id_metadata_documents: false,
        resource_parameter: ResourceParameter::Ignored,
        challenge_scope: scope_named,
        resource_scopes: named.clone(),
        required_scopes: named.unwrap_or_else(|| texts(&["openid"])),
        server_scopes: Some(texts(&["openid", "mcp.read", "offline_access"])),
        scope_missing: ScopeMissing::Refused,
        ..Dials::default()
    };
    Stage::named("okta-like", dials, |config, world| {
        config.initial_access_token(world.issuer(0), "okta-api-token").issuer(world.issuer(0), policy)
    })
}

fn cognito(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        issuer_path: "/eu-west-1_pool".to_owned(),
        server_metadata: ServerMetadata::OpenidAppended,
        challenge_methods: ChallengeMethods::Absent,
        endpoints_elsewhere: true,
        iss: Iss::Absent,
        resource_parameter: ResourceParameter::Ignored,
        challenge_scope: false,
        resource_scopes: None,
        required_scopes: texts(&["openid"]),
        server_scopes: Some(texts(&["openid", "email"])),
        scope_missing: ScopeMissing::Refused,
        ..by_hand(Dials::default())
    };
    Stage::named("cognito-like", dials, |config, world| known(config, world).issuer(world.issuer(0), policy))
}

fn salesforce(policy: IssuerPolicy, pinned: bool) -> Stage {
    let dials = Dials {
        // No usable metadata at the resource, and endpoints that nobody should guess.
        resource_metadata: ResourceMetadata::Custom("/nowhere".to_owned()),
        advertise_metadata: false,
        challenge_scope: true,
        challenge_methods: ChallengeMethods::Absent,
        iss: Iss::Absent,
        required_scopes: texts(&["mcp_api"]),
        server_scopes: Some(texts(&["mcp_api", "refresh_token"])),
        resource_parameter: ResourceParameter::Optional,
        expires_in: ExpiresIn::Absent,
        ..by_hand(Dials::default())
    };
    Stage::named("salesforce-like", dials, |config, world| {
        let config = stays(known(config, world)).issuer(world.issuer(0), policy);
        let issuer = world.issuer(0);
        if pinned {
            config.policy(Policy::with(|it| it.authorization_server = ServerChoice::Pinned(issuer)))
        } else {
            config
        }
    })
}

fn slack(policy: IssuerPolicy, scope: &str) -> Stage {
    let dials = Dials {
        token_body: TokenBody::Nested,
        token_type: TokenType::Other("user".to_owned()),
        scope_answer: ScopeAnswer::Commas,
        scope_missing: ScopeMissing::Refused,
        challenge_scope: false,
        resource_scopes: None,
        required_scopes: texts(&["chat:write"]),
        server_scopes: None,
        resource_parameter: ResourceParameter::Ignored,
        errors_with_200: true,
        iss: Iss::Absent,
        ..by_hand(Dials::default())
    };
    let only = Some(scopes(scope)).filter(|it| !it.is_empty());
    Stage::named("slack-like", dials, |config, world| {
        let rule = ScopeRule::with(|it| it.only = only);
        known(config, world).scopes(rule).issuer(world.issuer(0), policy)
    })
}

fn github(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        issuer_path: "/login/oauth".to_owned(),
        token_body: TokenBody::FormUnlessAccepted,
        token_type: TokenType::LowerCase,
        scope_answer: ScopeAnswer::Commas,
        errors_with_200: true,
        dead_refresh_error: "bad_refresh_token".to_owned(),
        dead_refresh_status: 200,
        access_lifetime: 28_800,
        resource_scopes: Some(texts(&["repo", "read:org"])),
        required_scopes: texts(&["repo", "read:org"]),
        challenge_scope: false,
        resource_parameter: ResourceParameter::Ignored,
        iss: Iss::Absent,
        ..confidential("client_secret_post", Dials::default())
    };
    Stage::named("github-like", dials, |config, world| secret(config, world).issuer(world.issuer(0), policy))
}

fn well_known() -> Vec<Flow> {
    vec![
        flow(
            "okta-like.strict",
            "An issuer with a path, found with its path; registration takes a token. A request without scope is refused.",
            &["scope-needed", "forms-in-order", "authorization-errors"],
            &["authorization_failed"],
            || lists(okta(false, IssuerPolicy::default())),
        ),
        flow(
            "okta-like.policy",
            "The preset: where nothing names scopes, `openid` is asked for.",
            &["own-deviation"],
            &["logged_in"],
            || lists(okta(false, Preset::OktaLike.policy())),
        )
        .by(&["scopes"]),
        flow(
            "okta-like.scoped",
            "Where the resource names scopes nothing is needed.",
            &["registration-request"],
            &["logged_in"],
            || lists(okta(true, IssuerPolicy::default())),
        ),
        flow(
            "auth0-like.strict",
            "The metadata's issuer ends in a slash that the resource leaves out: refused.",
            &["issuer-held"],
            &["issuer_mismatch"],
            || lists(auth0(IssuerPolicy::default())),
        ),
        flow(
            "auth0-like.audience",
            "With the slash let pass, the API is to be named as `audience`: refused without.",
            &["authorization-errors"],
            &["authorization_failed"],
            || lists(auth0(Preset::Auth0Like.policy())),
        )
        .by(&["issuer_match: ignore_lone_slash"]),
        flow(
            "auth0-like.policy",
            "The preset, and `audience` in `extra`.",
            &["own-deviation"],
            &["logged_in"],
            || {
                let mut policy = Preset::Auth0Like.policy();
                policy.extra.push(("audience".to_owned(), "https://mcp.auth0-like.example/mcp".to_owned()));
                lists(auth0(policy))
            },
        )
        .by(&["issuer_match: ignore_lone_slash", "extra"]),
        flow(
            "keycloak-like.strict",
            "A realm with a path. What does not know the resource refuses it as `invalid_target`.",
            &["resource-sent", "resource-refused", "authorization-errors"],
            &["authorization_failed"],
            || lists(keycloak(ResourceParameter::Refused, IssuerPolicy::default())),
        ),
        flow(
            "keycloak-like.policy",
            "The preset: `resource` is left out.",
            &["own-deviation"],
            &["logged_in"],
            || lists(keycloak(ResourceParameter::Refused, Preset::KeycloakLike.policy())),
        )
        .by(&["resource: omit"]),
        flow(
            "keycloak-like.ignores",
            "An older one ignores `resource`; `session_state` in the callback is passed over.",
            &["resource-sent", "unknown-parameters"],
            &["logged_in"],
            || {
                let mut stage = keycloak(ResourceParameter::Ignored, IssuerPolicy::default());
                stage.changed = Some(|callback| format!("{callback}&session_state=6ab1"));
                lists(stage)
            },
        ),
        flow(
            "keycloak-like.trusted-hosts",
            "Registration is refused by the policy of the realm: the server's words are told.",
            &["registration-failure-told"],
            &["registration_rejected"],
            || {
                let mut stage = keycloak(ResourceParameter::Ignored, IssuerPolicy::default());
                stage.instead = Some(Box::new(|request| {
                    let words = r#"{"error":"insufficient_scope","error_description":"Policy 'Trusted Hosts' rejected request to client-registration service."}"#;
                    request.uri().path().ends_with("/register").then(|| json(403, words))
                }));
                lists(stage)
            },
        ),
        flow(
            "cognito-like.strict",
            "Endpoints on another origin are no matter; that S256 is not advertised is: refused.",
            &["pkce-advertised"],
            &["pkce_unsupported"],
            || lists(cognito(IssuerPolicy::default())),
        ),
        flow(
            "cognito-like.scope",
            "With S256 assumed, nothing names scopes, and a request without is of no use.",
            &["scopes-in-order", "scope-needed", "authorization-errors"],
            &["authorization_failed"],
            || lists(cognito(IssuerPolicy::with(|it| it.pkce = Pkce::AssumeS256))),
        )
        .by(&["pkce: assume_s256"]),
        flow(
            "cognito-like.policy",
            "The preset: S256 is assumed, and `openid` is asked for.",
            &["own-deviation"],
            &["logged_in"],
            || lists(cognito(Preset::CognitoLike.policy())),
        )
        .by(&["pkce: assume_s256", "scopes"]),
        flow(
            "salesforce-like.strict",
            "There is no metadata of the resource. The client that is configured for an issuer is not shown to the endpoints that 2025-03-26 guesses at, and nobody registers there.",
            &["credentials-elsewhere", "registration-failure-told"],
            &["registration_rejected"],
            || lists(salesforce(IssuerPolicy::default(), false)),
        ),
        flow(
            "salesforce-like.pinned",
            "With the issuer pinned its metadata is found; S256 is not advertised.",
            &["pkce-advertised"],
            &["pkce_unsupported"],
            || lists(salesforce(IssuerPolicy::default(), true)),
        )
        .by(&["authorization_server"]),
        flow(
            "salesforce-like.policy",
            "The preset and the pinned issuer: `refresh_token` is the scope that asks for a refresh token. The answer has no lifetime, so the token serves until it is refused.",
            &["own-deviation", "token-answers"],
            &["logged_in"],
            || lists(salesforce(Preset::SalesforceLike.policy(), true)),
        )
        .by(&["pkce: assume_s256", "scopes"]),
        flow(
            "slack-like.strict",
            "Nothing names scopes, and a request without is refused.",
            &["scope-needed", "authorization-errors"],
            &["authorization_failed"],
            || lists(slack(IssuerPolicy::default(), "")),
        ),
        flow(
            "slack-like.nested",
            "With scopes of the caller's, the token comes a level down, where nobody looks by default.",
            &["token-answers"],
            &["malformed"],
            || lists(slack(IssuerPolicy::default(), "chat:write")),
        ),
        flow(
            "slack-like.policy",
            "The preset and scopes: the token under `authed_user`, its type `user`, scopes with commas between.",
            &["own-deviation"],
            &["logged_in"],
            || lists(slack(Preset::SlackLike.policy(), "chat:write")),
        )
        .by(&["token_shape"]),
        flow(
            "github-like.strict",
            "JSON because it is asked for, `bearer` in lower case. Scopes with commas between are one unknown word, so what is granted seems less than what is needed.",
            &["scope-needed", "token-answers"],
            &["logged_in"],
            || lists(github(IssuerPolicy::default())),
        ),
        flow(
            "github-like.policy",
            "The preset reads scopes with commas between. A dead refresh token is said with status 200; the person logs in again.",
            &["own-deviation", "token-errors"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                let mut stage = github(Preset::GithubLike.policy());
                stage.call("tools/list", None);
                stage.world.revoke_everything();
                stage.now += 28_800;
                lists(stage)
            },
        )
        .by(&["token_shape"]),
        flow(
            "github-like.registration",
            "Without a configured client, registration is tried where there is an endpoint, and refused with 422.",
            &["registration-failure-told"],
            &["registration_rejected"],
            || {
                let dials = Dials { issuer_path: "/login/oauth".to_owned(), ..Dials::default() };
                let mut stage = Stage::named("github-like", dials, |config, _| config);
                stage.instead = Some(Box::new(|request| {
                    request.uri().path().ends_with("/register").then(|| json(422, r#"{"message":"Not Found"}"#))
                }));
                lists(stage)
            },
        ),
    ]
}

fn auth0(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        issuer: IssuerValue::TrailingSlash,
        required_parameter: Some(("audience".to_owned(), "https://mcp.auth0-like.example/mcp".to_owned())),
        resource_parameter: ResourceParameter::Ignored,
        ..Dials::default()
    };
    Stage::named("auth0-like", dials, |config, world| config.issuer(world.issuer(0), policy))
}

fn keycloak(resource_parameter: ResourceParameter, policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        issuer_path: "/realms/mcp".to_owned(),
        server_metadata: ServerMetadata::OpenidAppended,
        auth_methods: Some(texts(&["private_key_jwt", "client_secret_basic", "client_secret_post", "none"])),
        resource_parameter,
        ..Dials::default()
    };
    Stage::named("keycloak-like", dials, |config, world| config.issuer(world.issuer(0), policy))
}

// ---- Atlassian

fn atlassian_v1(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        mcp_path: "/v1/mcp".to_owned(),
        resource_metadata: ResourceMetadata::Nowhere,
        issuer: IssuerValue::Raw("https://cf.mcp.atlassian.com".to_owned()),
        iss: Iss::Absent,
        advertise_metadata: false,
        ..Dials::default()
    };
    Stage::named("atlassian-v1-like", dials, |config, world| {
        config.issuer(world.origins().server.clone(), policy)
    })
}

fn atlassian_v2(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        mcp_path: "/v1/mcp/authv2".to_owned(),
        issuer_path: "/tenant-1".to_owned(),
        issuer: IssuerValue::Raw("https://auth.atlassian.com".to_owned()),
        dead_refresh_error: "unauthorized_client".to_owned(),
        dead_refresh_description: Some("refresh_token is invalid".to_owned()),
        ..Dials::default()
    };
    let origins = Origins {
        server: "https://mcp.atlassian-v2-like.example".to_owned(),
        authorization_servers: vec!["https://auth.atlassian.com".to_owned()],
        ..Origins::default()
    };
    Stage::at(origins, dials, |config, world| config.issuer(world.issuer(0), policy))
}

fn atlassian() -> Vec<Flow> {
    vec![
        flow(
            "atlassian-v1-like.strict",
            "No metadata of the resource; the metadata at its own origin is of another issuer, and nothing is guessed then.",
            &["issuer-held", "metadata-before-fallback"],
            &["issuer_mismatch"],
            || lists(atlassian_v1(IssuerPolicy::default())),
        ),
        flow(
            "atlassian-v1-like.policy",
            "The preset: that issuer, and no other, in the place of the origin.",
            &["own-deviation"],
            &["logged_in"],
            || lists(atlassian_v1(Preset::AtlassianV1Like.policy())),
        )
        .by(&["metadata_issuer"]),
        flow(
            "atlassian-v2-like.strict",
            "The resource names an issuer with a path, the metadata there one without.",
            &["issuer-held"],
            &["issuer_mismatch"],
            || lists(atlassian_v2(IssuerPolicy::default())),
        ),
        flow(
            "atlassian-v2-like.policy",
            "The preset. The refresh carries `resource`; a dead refresh token is `unauthorized_client`, and the person logs in without registering anew.",
            &["own-deviation", "resource-sent", "token-errors"],
            &["logged_in", "refreshed", "anonymous", "logged_in"],
            || {
                let mut stage = lists_twice(atlassian_v2(Preset::AtlassianV2Like.policy()));
                stage.world.revoke_everything();
                stage.now += 4000;
                lists(stage)
            },
        )
        .by(&["metadata_issuer"]),
        flow(
            "atlassian-v2-like.offline",
            "Where the server refuses `offline_access` for its clients, a policy leaves it out, though it is listed and wanted.",
            &["own-deviation", "offline-access"],
            &["logged_in"],
            || {
                let mut policy = Preset::AtlassianV2Like.policy();
                policy.scopes = IssuerScopes::with(|it| it.never = scopes("offline_access"));
                let mut stage = atlassian_v2(policy);
                stage.restart_with(stays);
                lists(stage)
            },
        )
        .by(&["metadata_issuer", "scopes"]),
    ]
}

// ---- others

fn rotating(name: &str, dials: Dials) -> Stage {
    Stage::named(name, dials, |config, _| config)
}

fn others() -> Vec<Flow> {
    vec![
        flow(
            "notion-like.strict",
            "Each refresh token is used once, and the access tokens before it end with it.",
            &["refresh-replaced"],
            &["logged_in", "refreshed", "refreshed"],
            || {
                let dials = Dials {
                    refresh_ends_access: true,
                    refuse_client_id_with_basic: true,
                    ..Dials::default()
                };
                let mut stage = lists_twice(rotating("notion-like", dials));
                stage.now += 4000;
                lists(stage)
            },
        ),
        flow(
            "notion-like.revoked",
            "A family of tokens that is revoked is `invalid_grant`; the record is buried, and the person logs in.",
            &["token-errors"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                let dials = Dials {
                    dead_refresh_description: Some("OAuth grant revoked".to_owned()),
                    ..Dials::default()
                };
                let mut stage = lists(rotating("notion-like", dials));
                stage.world.revoke_everything();
                stage.now += 4000;
                lists(stage)
            },
        ),
        flow(
            "linear-like.strict",
            "A lost answer to a refresh: the token is sent once more, within the grace of the server.",
            &["own-lost-answer"],
            &["logged_in", "refreshed"],
            || {
                let fault = Fault { purpose: Purpose::Refresh, nth: 1, what: Trouble::DropAfter };
                let dials = Dials {
                    rotation: Rotation::TimeGrace(1800),
                    access_lifetime: 86_400,
                    faults: vec![fault],
                    ..Dials::default()
                };
                let mut stage = lists(rotating("linear-like", dials));
                stage.now += 86_400;
                lists(stage)
            },
        ),
        flow(
            "sentry-like.strict",
            "Two `resource_metadata` in one challenge, the first of which is not there: the second is read.",
            &["both-places"],
            &["logged_in"],
            || {
                let dials = Dials {
                    mcp_path: "/mcp/org/project".to_owned(),
                    challenge: Challenge::DuplicatedMetadata,
                    rotation: Rotation::Grace,
                    ..Dials::default()
                };
                lists(rotating("sentry-like", dials))
            },
        ),
        flow(
            "figma-like.strict",
            "Registration is for clients on a list: 403 and plain text, told as it is.",
            &["registration-failure-told"],
            &["registration_rejected"],
            || {
                let dials = Dials {
                    registration: Registration::Forbidden,
                    client_id_metadata_documents: false,
                    ..Dials::default()
                };
                lists(rotating("figma-like", dials))
            },
        ),
        flow(
            "figma-like.secret",
            "A secret for a client that registered with `none`, and demanded at the token endpoint: refused there.",
            &["token-errors"],
            &["client_rejected"],
            || lists(figma(IssuerPolicy::default())),
        ),
        flow(
            "figma-like.policy",
            "The method by policy: the secret is sent.",
            &["own-deviation"],
            &["logged_in"],
            || lists(figma(Preset::PostOnlyLike.policy())),
        )
        .by(&["auth_method"]),
        flow(
            "lion-reader-like.strict",
            "A server that lists Basic and reads the client from the body alone.",
            &["token-errors", "basic-preferred"],
            &["configuration"],
            || lists(lion_reader(IssuerPolicy::default())),
        ),
        flow(
            "lion-reader-like.policy",
            "The preset puts the secret into the body.",
            &["own-deviation"],
            &["logged_in"],
            || lists(lion_reader(Preset::PostOnlyLike.policy())),
        )
        .by(&["auth_method"]),
        flow(
            "asana-like.strict",
            "The metadata names the server as it was called at another host: refused with both names.",
            &["resource-held-challenged"],
            &["resource_mismatch"],
            || lists(asana(None, IssuerPolicy::default())),
        ),
        flow(
            "asana-like.policy",
            "That name is taken for this server's by policy, byte for byte, and goes out as `resource`.",
            &["own-deviation", "resource-sent"],
            &["logged_in"],
            || {
                let other = "https://asana-like.workers.example/mcp";
                let policy =
                    IssuerPolicy::with(|it| it.resource = ResourceIndicator::Override(other.to_owned()));
                lists(asana(Some(other), policy))
            },
        )
        .by(&["resource_alias", "resource: override"]),
        flow(
            "hubspot-like.strict",
            "No registration, no metadata document, no client: a failure that says so, and nothing is guessed.",
            &["client-first"],
            &["no_client"],
            || {
                let dials = Dials {
                    registration: Registration::Absent,
                    client_id_metadata_documents: false,
                    ..Dials::default()
                };
                lists(rotating("hubspot-like", dials))
            },
        ),
        flow(
            "aws-signin-like.strict",
            "The server's URL has a query, its resource none; `resource` is demanded, and sent as the metadata gives it.",
            &["resource-sent", "resource-query"],
            &["logged_in"],
            || {
                let dials = Dials { resource: ResourceValue::Exact, ..Dials::default() };
                let origins = Origins {
                    server: "https://mcp.aws-signin-like.example".to_owned(),
                    ..Origins::default()
                };
                let mut stage = Stage::at(origins, dials, |_, world| {
                    Config::new(
                        format!("{}?oauth=initialize", world.server_url()),
                        "Example client",
                        REDIRECT,
                    )
                });
                stage.log_in();
                stage
            },
        ),
        flow(
            "cloudflare-like.strict",
            "`openid` is named by the resource, and refused by the server.",
            &["scopes-in-order", "authorization-errors"],
            &["authorization_failed"],
            || lists(cloudflare(IssuerPolicy::default())),
        ),
        flow(
            "cloudflare-like.policy",
            "The preset never asks for `openid`.",
            &["own-deviation"],
            &["logged_in"],
            || lists(cloudflare(Preset::CloudflareLike.policy())),
        )
        .by(&["scopes"]),
        flow(
            "supabase-like.strict",
            "Registration refuses the scopes of OpenID Connect: once more without scopes, and then the authorization request meets the same.",
            &["scopes-in-order", "authorization-errors"],
            &["authorization_failed"],
            || lists(supabase(IssuerPolicy::default())),
        ),
        flow(
            "supabase-like.policy",
            "The preset leaves them out.",
            &["own-deviation"],
            &["logged_in"],
            || lists(supabase(Preset::SupabaseLike.policy())),
        )
        .by(&["scopes"]),
        flow(
            "supabase-like.purged",
            "A client that the server has purged: the browser shows an error and sends nobody back. The host says so, and another client is registered.",
            &["own-disowned"],
            &["logged_in"],
            || {
                let mut stage = lists(rotating("supabase-like", Dials::default()));
                stage.world.purge_clients();
                stage.world.revoke_everything();
                stage.records.values_mut().for_each(|record| record.refresh_token = None);
                stage.restart();
                stage.now += 4000;
                stage.tell(mcp_auth::Event::LogIn { scopes: Scopes::new() });
                stage.until(|action| matches!(action, mcp_auth::Action::Open(_)));
                stage.run(mcp_auth::Event::ClientDisowned);
                stage
            },
        ),
        flow(
            "fastmail-like.strict",
            "Registration demands `scope`; it names what will be asked for.",
            &["registered-scope"],
            &["logged_in"],
            || {
                let dials = Dials { registration_scope: RegistrationScope::Required, ..Dials::default() };
                lists(rotating("fastmail-like", dials))
            },
        ),
        flow(
            "gitlab-like.strict",
            "The issuer is the origin, the resource a path on it; what is expected is what the resource names.",
            &["resource-specific"],
            &["logged_in"],
            || {
                let dials = Dials { mcp_path: "/api/v4/mcp".to_owned(), ..Dials::default() };
                lists(rotating("gitlab-like", dials))
            },
        ),
        flow(
            "meta-like.strict",
            "Endpoints on two other origins than the issuer's are no matter; another `iss` in the callback is: refused.",
            &["iss-judged"],
            &["issuer_mismatch"],
            || lists(meta(Vec::new())),
        ),
        flow(
            "meta-like.policy",
            "The upstream's issuer is taken for this one's by name.",
            &["own-deviation"],
            &["logged_in"],
            || lists(meta(texts(&["https://upstream.meta-like.example"]))),
        )
        .by(&["issuer_aliases"]),
        flow(
            "jumpcloud-like.strict",
            "The resource names the issuer without its slash: refused.",
            &["issuer-held"],
            &["issuer_mismatch"],
            || lists(jumpcloud(IssuerPolicy::default())),
        ),
        flow(
            "jumpcloud-like.policy",
            "The lone slash of an empty path may be there or not, by policy.",
            &["own-deviation"],
            &["logged_in"],
            || lists(jumpcloud(Preset::Auth0Like.policy())),
        )
        .by(&["issuer_match: ignore_lone_slash"]),
        flow(
            "clerk-like.strict",
            "A server in front of another: the `iss` of that one leaks into the callback, though its own is promised.",
            &["iss-judged"],
            &["issuer_mismatch"],
            || lists(clerk(Vec::new())),
        ),
        flow(
            "clerk-like.policy",
            "The one behind is taken for this one by name.",
            &["own-deviation"],
            &["logged_in"],
            || lists(clerk(texts(&["https://clerk.clerk-like.example"]))),
        )
        .by(&["issuer_aliases"]),
        flow(
            "fabric-like.strict",
            "The resource is the origin, of which the server's path is a part; its document has members that are none of ours.",
            &["resource-unknown-members"],
            &["logged_in"],
            || {
                let dials = Dials {
                    mcp_path: "/v1/mcp".to_owned(),
                    resource: ResourceValue::Root,
                    ..by_hand(Dials::default())
                };
                let mut stage = Stage::named("fabric-like", dials, known);
                let document = serde_json::json!({
                    "resource": stage.world.resource(),
                    "issuer": "https://fabric-like.example",
                    "authorization_servers": [stage.world.issuer(0)],
                    "scopes_supported": ["files:read"],
                });
                stage.instead = Some(Box::new(move |request| {
                    let here = request.uri().path().contains("oauth-protected-resource");
                    here.then(|| json(200, &document.to_string()))
                }));
                lists(stage)
            },
        ),
        flow(
            "ping-like.strict",
            "An issuer with a path, whose audience is set at the server: `resource` is ignored.",
            &["forms-in-order"],
            &["logged_in"],
            || {
                let dials = Dials {
                    issuer_path: "/environment-1/as".to_owned(),
                    server_metadata: ServerMetadata::OpenidAppended,
                    resource_parameter: ResourceParameter::Ignored,
                    ..by_hand(Dials::default())
                };
                lists(Stage::named("ping-like", dials, known))
            },
        ),
        flow(
            "descope-like.strict",
            "An issuer with a path, and registration for anyone.",
            &["forms-in-order"],
            &["logged_in"],
            || {
                lists(rotating(
                    "descope-like",
                    Dials { issuer_path: "/project-1".to_owned(), ..Dials::default() },
                ))
            },
        ),
        flow(
            "stripe-like.strict",
            "The authorization server is a sibling of the MCP server, and takes anyone's registration.",
            &["resource-slash"],
            &["logged_in"],
            || lists(rotating("stripe-like", Dials { mcp_path: String::new(), ..Dials::default() })),
        ),
        flow(
            "posthog-like.strict",
            "A refresh token that rotates: the one that came last is the one that is sent.",
            &["refresh-replaced"],
            &["logged_in", "refreshed", "refreshed"],
            || {
                let mut stage = lists_twice(rotating(
                    "posthog-like",
                    Dials { rotation: Rotation::Single, ..Dials::default() },
                ));
                stage.now += 4000;
                lists(stage)
            },
        ),
        flow(
            "stytch-like.strict",
            "In production no loopback redirect is registered: refused, in the server's words.",
            &["registration-may-fail", "registration-failure-told"],
            &["registration_rejected"],
            || {
                let mut stage = rotating(
                    "stytch-like",
                    Dials { client_id_metadata_documents: false, ..Dials::default() },
                );
                stage.instead = Some(Box::new(|request| {
                    let words =
                        r#"{"error":"invalid_redirect_uri","error_description":"localhost is not allowed"}"#;
                    request.uri().path().ends_with("/register").then(|| json(400, words))
                }));
                lists(stage)
            },
        ),
        flow(
            "datadog-like.localhost",
            "The loopback address may be named by its number only: `localhost` is refused.",
            &["registration-may-fail", "registration-failure-told"],
            &["registration_rejected"],
            || lists(datadog("http://localhost:3000/callback")),
        ),
        flow(
            "datadog-like.strict",
            "The same with the number: the redirect URI is the caller's to choose.",
            &["redirect-https"],
            &["logged_in"],
            || lists(datadog(REDIRECT)),
        ),
        flow(
            "workos-like.strict",
            "Metadata of RFC 8414, S256, registration and metadata documents: nothing is needed.",
            &["metadata-used"],
            &["logged_in"],
            || lists(rotating("workos-like", Dials { token_status: 200, ..Dials::default() })),
        ),
        flow(
            "scalekit-like.strict",
            "The issuer has a path of its own in the metadata, found as the resource names it.",
            &["forms-in-order"],
            &["logged_in"],
            || {
                lists(rotating(
                    "scalekit-like",
                    Dials { issuer_path: "/resources/res_1".to_owned(), ..Dials::default() },
                ))
            },
        ),
        flow(
            "replit-like.strict",
            "An issuer with a path, and OpenID metadata between host and path.",
            &["forms-in-order"],
            &["logged_in"],
            || {
                let dials = Dials {
                    issuer_path: "/oidc".to_owned(),
                    server_metadata: ServerMetadata::OpenidInserted,
                    ..Dials::default()
                };
                lists(rotating("replit-like", dials))
            },
        ),
        flow(
            "retool-like.strict",
            "A content network answers 401 where no metadata is; that is a miss, and the root is read.",
            &["both-places", "metadata-answers"],
            &["logged_in"],
            || {
                let dials = Dials {
                    resource_metadata: ResourceMetadata::Root,
                    advertise_metadata: false,
                    unknown_path: UnknownPath::Status(401),
                    ..Dials::default()
                };
                lists(rotating("retool-like", dials))
            },
        ),
    ]
}

fn clerk(aliases: Vec<String>) -> Stage {
    let mut stage =
        Stage::named("clerk-like", Dials { iss: Iss::Wrong, ..Dials::default() }, |config, world| {
            config.issuer(world.issuer(0), IssuerPolicy::with(|it| it.issuer_aliases = aliases))
        });
    stage.changed = Some(|callback| callback.replace("evil.example", "clerk.clerk-like.example"));
    stage
}

fn datadog(redirect: &str) -> Stage {
    let mut stage = Stage::named("datadog-like", Dials::default(), |_, world| {
        Config::new(world.server_url(), "Example client", redirect)
    });
    stage.instead = Some(Box::new(|request| {
        let named = String::from_utf8_lossy(request.body()).contains("http://localhost");
        let words = r#"{"error":"invalid_redirect_uri"}"#;
        (named && request.uri().path().ends_with("/register")).then(|| json(400, words))
    }));
    stage
}

fn figma(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        secret_despite_none: SecretDespiteNone::Demanded,
        client_id_metadata_documents: false,
        auth_methods: Some(texts(&["none", "client_secret_post"])),
        required_scopes: texts(&["mcp:connect"]),
        resource_scopes: Some(texts(&["mcp:connect"])),
        server_scopes: Some(texts(&["mcp:connect"])),
        ..Dials::default()
    };
    Stage::named("figma-like", dials, |config, world| config.issuer(world.issuer(0), policy))
}

fn lion_reader(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        auth_methods: Some(texts(&["client_secret_basic", "client_secret_post"])),
        ..confidential("client_secret_post", Dials::default())
    };
    let dials = Dials { auth_methods: Some(texts(&["client_secret_basic", "client_secret_post"])), ..dials };
    Stage::named("lion-reader-like", dials, |config, world| {
        secret(config, world).issuer(world.issuer(0), policy)
    })
}

fn asana(alias: Option<&str>, policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        resource: ResourceValue::Raw("https://asana-like.workers.example/mcp".to_owned()),
        required_scopes: texts(&["default"]),
        resource_scopes: Some(texts(&["default"])),
        server_scopes: Some(texts(&["default"])),
        ..confidential("client_secret_basic", Dials::default())
    };
    let alias = alias.map(str::to_owned);
    Stage::named("asana-like", dials, |config, world| {
        let config = secret(config, world).issuer(world.issuer(0), policy);
        config.policy(Policy::with(|it| it.resource_alias = alias))
    })
}

/// The resource names scopes that its authorization server refuses.
fn names_scopes(mut stage: Stage, scopes: &'static [&'static str]) -> Stage {
    let document = serde_json::json!({
        "resource": stage.world.resource(),
        "authorization_servers": [stage.world.issuer(0)],
        "scopes_supported": scopes,
    });
    stage.instead = Some(Box::new(move |request| {
        let here = request.uri().path().contains("oauth-protected-resource");
        here.then(|| json(200, &document.to_string()))
    }));
    stage
}

fn cloudflare(policy: IssuerPolicy) -> Stage {
    let dials = Dials { challenge_scope: false, client_id_metadata_documents: false, ..Dials::default() };
    let stage =
        Stage::named("cloudflare-like", dials, |config, world| config.issuer(world.issuer(0), policy));
    names_scopes(stage, &["openid", "files:read"])
}

fn supabase(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        challenge_scope: false,
        registration_scope: RegistrationScope::Binding,
        client_id_metadata_documents: false,
        ..Dials::default()
    };
    let stage = Stage::named("supabase-like", dials, |config, world| config.issuer(world.issuer(0), policy));
    names_scopes(stage, &["openid", "email", "profile", "files:read"])
}

fn meta(aliases: Vec<String>) -> Stage {
    let dials = Dials {
        issuer_path: "/ads".to_owned(),
        endpoints_elsewhere: true,
        iss: Iss::WrongUnadvertised,
        ..Dials::default()
    };
    let mut stage = Stage::named("meta-like", dials, |config, world| {
        config.issuer(world.issuer(0), IssuerPolicy::with(|it| it.issuer_aliases = aliases))
    });
    stage.changed = Some(|callback| callback.replace("evil.example", "upstream.meta-like.example"));
    stage
}

fn jumpcloud(policy: IssuerPolicy) -> Stage {
    let dials = Dials { issuer: IssuerValue::TrailingSlash, ..Dials::default() };
    Stage::named("jumpcloud-like", dials, |config, world| config.issuer(world.issuer(0), policy))
}

// ---- servers of well-known libraries, as they run on loopback

fn libraries() -> Vec<Flow> {
    vec![
        flow(
            "python-sdk-like.strict",
            "The lists of methods leave `none` out; a server that registers a client with a secret all the same is taken at its word.",
            &["registered-counts"],
            &["logged_in", "refreshed"],
            || {
                let dials = Dials {
                    auth_methods: Some(texts(&["client_secret_post", "client_secret_basic"])),
                    registration_status: 200,
                    ..Dials::default()
                };
                lists_twice(rotating("python-sdk-like", dials))
            },
        ),
        flow(
            "python-sdk-like.legacy",
            "No metadata of the resource at all: the fallbacks of 2025-03-26, flagged in the outcome.",
            &["fallback", "base-url"],
            &["logged_in"],
            || {
                let dials = Dials {
                    resource_metadata: ResourceMetadata::Nowhere,
                    server_metadata: ServerMetadata::Nowhere,
                    challenge: Challenge::Bare,
                    ..Dials::default()
                };
                lists(rotating("python-sdk-like", dials))
            },
        ),
        flow(
            "fastmcp-like.strict",
            "An expired access token that is shown would end its grant; it is renewed by the clock before it is.",
            &["own-renewal"],
            &["logged_in", "refreshed"],
            || {
                let dials =
                    Dials { expired_token_ends_grant: true, dead_refresh_status: 401, ..Dials::default() };
                let mut stage = lists(rotating("fastmcp-like", dials));
                stage.now += 3580;
                lists(stage)
            },
        ),
        flow(
            "typescript-sdk-like.strict",
            "An invalid token is answered with 500, which is the caller's: no login is begun.",
            &["own-callers-errors"],
            &["logged_in"],
            || {
                let mut stage = lists(rotating(
                    "typescript-sdk-like",
                    Dials { invalid_token: InvalidToken::InternalError, ..Dials::default() },
                ));
                stage.world.expire_access_tokens();
                lists(stage)
            },
        ),
        flow(
            "better-auth-like.strict",
            "A refresh token comes with `offline_access` alone, which the server's metadata lists: asked for when the caller wants to stay logged in.",
            &["offline-access"],
            &["logged_in", "refreshed"],
            || {
                let dials = Dials { refresh_tokens: RefreshTokens::WithOfflineAccess, ..Dials::default() };
                lists_twice(Stage::named("better-auth-like", dials, |config, _| stays(config)))
            },
        ),
        flow(
            "oidc-provider-like.strict",
            "`offline_access` is dropped without a word unless `prompt=consent` comes with it, which it does where the caller wants to stay logged in.",
            &["prompt-consent", "offline-access"],
            &["logged_in", "refreshed"],
            || {
                let dials = Dials {
                    refresh_tokens: RefreshTokens::WithOfflineAccess,
                    required_parameter: Some(("prompt".to_owned(), "consent".to_owned())),
                    ..Dials::default()
                };
                lists_twice(Stage::named("oidc-provider-like", dials, |config, _| stays(config)))
            },
        ),
        flow(
            "django-oauth-toolkit-like.strict",
            "An issuer with a path, and Basic credentials that the server decodes: `+ / = % &` in a secret survive.",
            &["basic-encoded"],
            &["logged_in"],
            || {
                let secret = "a+secret/with=odd%letters&more";
                let dials = Dials {
                    issuer_path: "/o".to_owned(),
                    clients: vec![PreRegistered::confidential(
                        "client-1",
                        secret,
                        "client_secret_basic",
                        REDIRECT,
                    )],
                    auth_methods: Some(texts(&["client_secret_basic"])),
                    registration: Registration::Absent,
                    ..Dials::default()
                };
                lists(Stage::named("django-oauth-toolkit-like", dials, |config, world| {
                    let secret = "a+secret/with=odd%letters&more";
                    config.preregistered(Preregistered::new(world.issuer(0), "client-1").secret(secret))
                }))
            },
        ),
        flow(
            "hydra-like.strict",
            "`resource` is ignored, and `expires_in` is text: both are read.",
            &["token-answers"],
            &["logged_in"],
            || {
                let dials = Dials {
                    resource_parameter: ResourceParameter::Ignored,
                    expires_in: ExpiresIn::Text,
                    registration_empties: true,
                    ..Dials::default()
                };
                lists(rotating("hydra-like", dials))
            },
        ),
        flow(
            "spa-like.strict",
            "Where nothing lives a page is answered with 200: no document, and the next place is tried.",
            &["metadata-answers", "both-places"],
            &["logged_in"],
            || {
                let dials = Dials {
                    unknown_path: UnknownPath::Page,
                    issuer_path: "/tenant".to_owned(),
                    server_metadata: ServerMetadata::OpenidAppended,
                    resource_metadata: ResourceMetadata::Root,
                    advertise_metadata: false,
                    ..Dials::default()
                };
                lists(rotating("spa-like", dials))
            },
        ),
    ]
}
