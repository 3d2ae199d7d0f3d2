//! Servers of well-known libraries, as they run on loopback.

use mcp_auth::{IssuerPolicy, Preregistered, ResourceIndicator};
use mcp_auth_testbed::*;

use super::*;
use crate::stage::{REDIRECT, Stage};
use crate::{Flow, flow};

/// What a server of Better Auth was told of as its audience.
const AUDIENCE: &str = "https://api.better-auth-like.example";

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

fn better_auth(policy: IssuerPolicy) -> Stage {
    let dials =
        Dials { resource_parameter: ResourceParameter::Only(AUDIENCE.to_owned()), ..Dials::default() };
    Stage::named("better-auth-like", dials, |config, world| config.issuer(world.issuer(0), policy))
}
