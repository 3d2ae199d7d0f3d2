//! Authorization servers that are bought or run: Okta, Auth0, Keycloak and their like.

use mcp_auth::{Config, IssuerPolicy, Preset};
use mcp_auth_testbed::*;

use super::*;
use crate::stage::{Stage, json};
use crate::{Flow, flow};

pub(super) fn flows() -> Vec<Flow> {
    vec![
        flow(
            "okta-like.strict",
            "An issuer with a path, whose documents are behind it; at the root another answers, the organization's own, and is not asked. Registration takes a token. A request without scope is refused.",
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
            "okta-like.no-token",
            "Registration takes an API token, and there is none: the refusal is told.",
            &["registration-failure-told"],
            &["registration_rejected"],
            || lists(organization(Stage::named("okta-like", okta_dials(true), |config, _| config))),
        ),
        flow(
            "okta-like.root",
            "A resource that names its issuer without the path names the organization's own server. That one logs the person in too, and its token is none for this resource: refused.",
            &["own-fresh-token-refused"],
            &["logged_in", "token_rejected"],
            || {
                let dials = Dials {
                    issuer_path: String::new(),
                    refusal: Refusal::Unauthorized,
                    ..okta_dials(true)
                };
                lists(Stage::named("okta-like", dials, okta_client))
            },
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
            "With the slash let pass, the API is to be named as `audience`: without, the token is one that only the issuer can read, and the server refuses it.",
            &["own-fresh-token-refused"],
            &["logged_in", "token_rejected"],
            || {
                let mut stage = auth0(Preset::Auth0Like.policy());
                stage.dials().required_parameter = None;
                stage.dials().refusal = Refusal::Unauthorized;
                lists(stage)
            },
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
            "keycloak-like.target",
            "One that ignored `resource` has learnt to look at it: the refresh is refused as `invalid_target`. Nothing is changed, and the failure says what the server misses.",
            &["resource-refused", "token-errors"],
            &["logged_in", "token_endpoint_error"],
            || {
                let mut stage = lists(keycloak(ResourceParameter::Ignored, IssuerPolicy::default()));
                stage.now += 4000;
                stage.dials().resource_parameter = ResourceParameter::Refused;
                lists(stage)
            },
        ),
        flow(
            "keycloak-like.target.policy",
            "The preset leaves `resource` out of the refresh too, so that such a server grants it.",
            &["own-deviation"],
            &["logged_in", "refreshed"],
            || lists_twice(keycloak(ResourceParameter::Refused, Preset::KeycloakLike.policy())),
        )
        .by(&["resource: omit"]),
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
            "ping-like.strict",
            "An issuer with a path, whose audience is set at the server: `resource` is ignored.",
            &["forms-in-order"],
            &["logged_in"],
            || {
                let dials = Dials {
                    issuer_path: "/environment-1/as".to_owned(),
                    server_metadata: ServerMetadata::OpenidAppended,
                    resource_parameter: ResourceParameter::Ignored,
                    ..by_hand(bare())
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
                    Dials { issuer_path: "/project-1".to_owned(), ..open() },
                ))
            },
        ),
        flow(
            "stytch-like.strict",
            "In production no loopback redirect is registered: refused, in the server's words.",
            &["registration-may-fail", "registration-failure-told"],
            &["registration_rejected"],
            || {
                let mut stage = rotating("stytch-like", open());
                stage.instead = Some(Box::new(|request| {
                    let words =
                        r#"{"error":"invalid_redirect_uri","error_description":"localhost is not allowed"}"#;
                    request.uri().path().ends_with("/register").then(|| json(400, words))
                }));
                lists(stage)
            },
        ),
        flow(
            "workos-like.strict",
            "Metadata of RFC 8414, S256, registration and metadata documents: nothing is needed.",
            &["metadata-used"],
            &["logged_in"],
            || lists(rotating("workos-like", documents())),
        ),
        flow(
            "scalekit-like.strict",
            "The issuer has a path of its own in the metadata, found as the resource names it. Tokens are JWTs that name the environment's root and another audience, and nobody looks inside.",
            &["forms-in-order", "token-opaque"],
            &["logged_in"],
            || {
                let claims = serde_json::json!({
                    "iss": "https://auth.scalekit-like.example",
                    "aud": ["res_1"],
                });
                lists(rotating(
                    "scalekit-like",
                    Dials {
                        issuer_path: "/resources/res_1".to_owned(),
                        access_token_claims: Some(claims),
                        ..documents()
                    },
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
                    ..open()
                };
                lists(rotating("replit-like", dials))
            },
        ),
    ]
}

fn okta_dials(scope_named: bool) -> Dials {
    let named = scope_named.then(|| texts(&["mcp.read"]));
    Dials {
        issuer_path: "/oauth2/aus1".to_owned(),
        server_metadata: ServerMetadata::Appended,
        registration: Registration::InitialAccessToken("okta-api-token".to_owned()),
        resource_parameter: ResourceParameter::Ignored,
        challenge_scope: scope_named,
        resource_scopes: named.clone(),
        required_scopes: named.unwrap_or_else(|| texts(&["openid"])),
        server_scopes: Some(texts(&["openid", "mcp.read", "offline_access"])),
        scope_missing: ScopeMissing::Refused,
        ..bare()
    }
}

fn okta_client(config: Config, world: &World) -> Config {
    config.initial_access_token(world.issuer(0), "okta-api-token")
}

fn okta(scope_named: bool, policy: IssuerPolicy) -> Stage {
    organization(Stage::named("okta-like", okta_dials(scope_named), |config, world| {
        okta_client(config, world).issuer(world.issuer(0), policy)
    }))
}

/// At the root is a server of its own. Whoever loses the path of the issuer finds that one.
fn organization(stage: Stage) -> Stage {
    root_too(stage, "https://auth.okta-like.example", "/oauth2/v1")
}

/// Anyone may register, or bring a metadata document.
fn documents() -> Dials {
    Dials { client_id_metadata_documents: true, ..open() }
}

fn auth0(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        issuer: IssuerValue::TrailingSlash,
        server_metadata: ServerMetadata::Everywhere,
        required_parameter: Some(("audience".to_owned(), "https://mcp.auth0-like.example/mcp".to_owned())),
        endpoint_paths: [("register", "/oidc/register".to_owned())].into(),
        resource_parameter: ResourceParameter::Ignored,
        ..documents()
    };
    Stage::named("auth0-like", dials, |config, world| config.issuer(world.issuer(0), policy))
}

fn keycloak(resource_parameter: ResourceParameter, policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        issuer_path: "/realms/mcp".to_owned(),
        server_metadata: ServerMetadata::OpenidAppended,
        auth_methods: Some(texts(&["private_key_jwt", "client_secret_basic", "client_secret_post", "none"])),
        resource_parameter,
        iss: Iss::AdvertisedAndSent,
        ..open()
    };
    Stage::named("keycloak-like", dials, |config, world| config.issuer(world.issuer(0), policy))
}

fn jumpcloud(policy: IssuerPolicy) -> Stage {
    let dials = Dials { issuer: IssuerValue::TrailingSlash, ..open() };
    Stage::named("jumpcloud-like", dials, |config, world| config.issuer(world.issuer(0), policy))
}

fn clerk(aliases: Vec<String>) -> Stage {
    let mut stage = Stage::named("clerk-like", Dials { iss: Iss::Wrong, ..open() }, |config, world| {
        config.issuer(world.issuer(0), IssuerPolicy::with(|it| it.issuer_aliases = aliases))
    });
    stage.changed = Some(|callback| callback.replace("evil.example", "clerk.clerk-like.example"));
    stage
}
