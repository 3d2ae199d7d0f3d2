//! Servers of well-known libraries, as they run on loopback.

use mcp_auth::{Config, IssuerPolicy, Preregistered, ResourceIndicator};
use mcp_auth_testbed::*;

use super::*;
use crate::stage::{REDIRECT, Stage};
use crate::{Flow, flow};

/// What a server of Better Auth was told of as its audience.
const AUDIENCE: &str = "https://api.better-auth-like.example";

/// A secret with everything that is encoded.
const DJANGO_SECRET: &str = "a+secret/with=odd%letters&more";

pub(super) fn flows() -> Vec<Flow> {
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
                    ..open()
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
                    ..open()
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
                let dials = Dials {
                    auth_methods: Some(texts(&["client_secret_post", "client_secret_basic"])),
                    expired_token_ends_grant: true,
                    dead_refresh_status: 401,
                    ..open()
                };
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
                    Dials { invalid_token: InvalidToken::InternalError, ..open() },
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
            || lists_twice(Stage::named("better-auth-like", better_auth_dials(), |config, _| stays(config))),
        ),
        flow(
            "better-auth-like.target",
            "A resource that the server was not told of is `invalid_target`.",
            &["resource-sent", "resource-refused", "authorization-errors"],
            &["authorization_failed"],
            || lists(better_auth(IssuerPolicy::default())),
        ),
        flow(
            "better-auth-like.policy",
            "The audience that it was told of goes out as `resource` by policy.",
            &["own-deviation"],
            &["logged_in"],
            || {
                let policy =
                    IssuerPolicy::with(|it| it.resource = ResourceIndicator::Override(AUDIENCE.to_owned()));
                lists(better_auth(policy))
            },
        )
        .by(&["resource: override"]),
        flow(
            "oidc-provider-like.strict",
            "`offline_access` is dropped without a word unless `prompt=consent` comes with it, which it does where the caller wants to stay logged in.",
            &["prompt-consent", "offline-access"],
            &["logged_in", "refreshed"],
            || {
                let dials = Dials {
                    refresh_tokens: RefreshTokens::WithOfflineAccessAndConsent,
                    server_scopes: Some(texts(&["openid", "offline_access"])),
                    ..open()
                };
                lists_twice(Stage::named("oidc-provider-like", dials, |config, _| stays(config)))
            },
        ),
        flow(
            "django-oauth-toolkit-like.strict",
            "An issuer with a path; the root answers too, by another issuer, and is not asked. Basic credentials are decoded by the server: `+ / = % &` in a secret survive.",
            &["basic-encoded", "forms-in-order"],
            &["logged_in"],
            || {
                let stage = Stage::named("django-oauth-toolkit-like", django_dials(), django_client);
                lists(root_too(stage, "https://auth.django-oauth-toolkit-like.example", "/o"))
            },
        ),
        flow(
            "django-oauth-toolkit-like.root",
            "The same server by its root, where its metadata has the origin as the issuer: for a resource that names the origin it is the right one.",
            &["metadata-used"],
            &["logged_in"],
            || {
                let endpoints = [("authorize", "/o/authorize".to_owned()), ("token", "/o/token".to_owned())];
                let dials =
                    Dials { issuer_path: String::new(), endpoint_paths: endpoints.into(), ..django_dials() };
                lists(Stage::named("django-oauth-toolkit-like", dials, django_client))
            },
        ),
        flow(
            "hydra-like.strict",
            "`resource` is ignored, and tokens are JWTs for no audience at all. Nobody looks inside.",
            &["token-opaque", "resource-sent"],
            &["logged_in"],
            || {
                let dials = Dials {
                    resource_parameter: ResourceParameter::Ignored,
                    access_token_claims: Some(serde_json::json!({
                        "iss": "https://auth.hydra-like.example",
                        "aud": [],
                    })),
                    ..open()
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
                    ..open()
                };
                lists(rotating("spa-like", dials))
            },
        ),
    ]
}

fn django_dials() -> Dials {
    let client = PreRegistered::confidential("client-1", DJANGO_SECRET, "client_secret_basic", REDIRECT);
    Dials {
        issuer_path: "/o".to_owned(),
        clients: vec![client],
        auth_methods: Some(texts(&["client_secret_basic"])),
        ..bare()
    }
}

fn django_client(config: Config, world: &World) -> Config {
    config.preregistered(Preregistered::new(world.issuer(0), "client-1").secret(DJANGO_SECRET))
}

fn better_auth_dials() -> Dials {
    Dials {
        refresh_tokens: RefreshTokens::WithOfflineAccess,
        server_scopes: Some(texts(&["openid", "profile", "email", "offline_access"])),
        ..open()
    }
}

fn better_auth(policy: IssuerPolicy) -> Stage {
    let dials =
        Dials { resource_parameter: ResourceParameter::Only(AUDIENCE.to_owned()), ..better_auth_dials() };
    Stage::named("better-auth-like", dials, |config, world| config.issuer(world.issuer(0), policy))
}
