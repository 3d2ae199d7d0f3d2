//! Applications with an authorization server of their own and one oddity each.

use mcp_auth::{Config, IssuerPolicy, Policy, Preset, ResourceIndicator};
use mcp_auth_testbed::*;

use super::*;
use crate::stage::{REDIRECT, Stage, json};
use crate::{Flow, flow};

pub(super) fn flows() -> Vec<Flow> {
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
                    ..open()
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
                    ..open()
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
                    ..open()
                };
                let mut stage = lists(rotating("linear-like", dials));
                stage.now += 86_400;
                lists(stage)
            },
        ),
        flow(
            "linear-like.revoked",
            "A dead grant is `Grant not found` there: the record loses its refresh token, and the person logs in with the client that is registered.",
            &["token-errors"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                let dials = Dials {
                    rotation: Rotation::TimeGrace(1800),
                    access_lifetime: 86_400,
                    dead_refresh_description: Some("Grant not found".to_owned()),
                    ..open()
                };
                let mut stage = lists(rotating("linear-like", dials));
                stage.world.revoke_everything();
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
                    ..open()
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
                lists(rotating("figma-like", Dials { registration: Registration::Forbidden, ..figma_dials() }))
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
            "asana-like.port",
            "The redirect URI is held to the letter: at another port the browser shows an error, and nobody comes back.",
            &["authorization-errors"],
            &["consent_timed_out"],
            || {
                let other = "https://asana-like.workers.example/mcp";
                let policy =
                    IssuerPolicy::with(|it| it.resource = ResourceIndicator::Override(other.to_owned()));
                lists(asana_at("http://127.0.0.1:3001/callback", Some(other), policy))
            },
        )
        .by(&["resource_alias", "resource: override"]),
        flow(
            "hubspot-like.strict",
            "No registration, no metadata document, no client: a failure that says so, and nothing is guessed.",
            &["client-first"],
            &["no_client"],
            || {
                lists(rotating("hubspot-like", bare()))
            },
        ),
        flow(
            "hubspot-like.legacy",
            "Where no metadata is found at all, 2025-03-26 guesses `/register`, and nothing is there: 404, which is told.",
            &["fallback", "registration-failure-told"],
            &["registration_rejected"],
            || {
                let dials = Dials {
                    resource_metadata: ResourceMetadata::Nowhere,
                    server_metadata: ServerMetadata::Nowhere,
                    ..bare()
                };
                lists(rotating("hubspot-like", dials))
            },
        ),
        flow(
            "fastmail-like.strict",
            "Registration demands `scope`; it names what will be asked for.",
            &["registered-scope"],
            &["logged_in"],
            || {
                let dials = Dials { registration_scope: RegistrationScope::Required, ..open() };
                lists(rotating("fastmail-like", dials))
            },
        ),
        flow(
            "gitlab-like.strict",
            "The issuer is the origin, the resource a path on it; what is expected is what the resource names.",
            &["resource-specific"],
            &["logged_in"],
            || {
                let dials = Dials { mcp_path: "/api/v4/mcp".to_owned(), ..open() };
                lists(rotating("gitlab-like", dials))
            },
        ),
        flow(
            "meta-like.strict",
            "Endpoints on two origins, neither of which is the issuer's, are no matter; another `iss` in the callback is: refused.",
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
            "stripe-like.strict",
            "The authorization server is a sibling of the MCP server, and takes anyone's registration.",
            &["resource-slash"],
            &["logged_in"],
            || lists(rotating("stripe-like", Dials { mcp_path: String::new(), ..open() })),
        ),
        flow(
            "posthog-like.strict",
            "The refresh token of a registered client does not rotate: the one that came with the login is kept.",
            &["refresh-kept"],
            &["logged_in", "refreshed", "refreshed"],
            || {
                let mut stage = lists_twice(rotating(
                    "posthog-like",
                    Dials { rotation: Rotation::None, ..open() },
                ));
                stage.now += 4000;
                lists(stage)
            },
        ),
        flow(
            "posthog-like.rotating",
            "Where it rotates, the one that came last is the one that is sent.",
            &["refresh-replaced"],
            &["logged_in", "refreshed", "refreshed"],
            || {
                let mut stage = lists_twice(rotating(
                    "posthog-like",
                    Dials { rotation: Rotation::Single, ..open() },
                ));
                stage.now += 4000;
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
            "retool-like.strict",
            "A content network answers 401 where no metadata is; that is a miss, and the root is read.",
            &["both-places", "metadata-answers"],
            &["logged_in"],
            || {
                let dials = Dials {
                    resource_metadata: ResourceMetadata::Root,
                    advertise_metadata: false,
                    unknown_path: UnknownPath::Status(401),
                    ..open()
                };
                lists(rotating("retool-like", dials))
            },
        ),
    ]
}

fn datadog(redirect: &str) -> Stage {
    let mut stage = Stage::named("datadog-like", open(), |_, world| {
        Config::new(world.server_url(), "Example client", redirect)
    });
    stage.instead = Some(Box::new(|request| {
        let named = String::from_utf8_lossy(request.body()).contains("http://localhost");
        let words = r#"{"error":"invalid_redirect_uri"}"#;
        (named && request.uri().path().ends_with("/register")).then(|| json(400, words))
    }));
    stage
}

fn figma_dials() -> Dials {
    Dials {
        endpoint_paths: [("register", "/v1/oauth/mcp/register".to_owned())].into(),
        required_scopes: texts(&["mcp:connect"]),
        resource_scopes: Some(texts(&["mcp:connect"])),
        server_scopes: Some(texts(&["mcp:connect"])),
        ..open()
    }
}

fn figma(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        secret_despite_none: SecretDespiteNone::Demanded,
        auth_methods: Some(texts(&["none", "client_secret_post"])),
        ..figma_dials()
    };
    Stage::named("figma-like", dials, |config, world| config.issuer(world.issuer(0), policy))
}

fn lion_reader(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        auth_methods: Some(texts(&["client_secret_basic", "client_secret_post"])),
        ..confidential("client_secret_post", bare())
    };
    Stage::named("lion-reader-like", dials, |config, world| {
        secret(config, world).issuer(world.issuer(0), policy)
    })
}

fn asana(alias: Option<&str>, policy: IssuerPolicy) -> Stage {
    asana_at(REDIRECT, alias, policy)
}

fn asana_at(redirect: &str, alias: Option<&str>, policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        resource: ResourceValue::Raw("https://asana-like.workers.example/mcp".to_owned()),
        required_scopes: texts(&["default"]),
        resource_scopes: Some(texts(&["default"])),
        server_scopes: Some(texts(&["default"])),
        ..confidential("client_secret_basic", bare())
    };
    let alias = alias.map(str::to_owned);
    Stage::named("asana-like", dials, |_, world| {
        let config = secret(comes_back_to(redirect, world), world).issuer(world.issuer(0), policy);
        config.policy(Policy::with(|it| it.resource_alias = alias))
    })
}

fn meta(aliases: Vec<String>) -> Stage {
    let dials = Dials {
        issuer_path: "/ads".to_owned(),
        endpoint_paths: [
            ("authorize", "https://www.meta-like.example/dialog/oauth".to_owned()),
            ("token", "https://graph.meta-like.example/oauth/access_token".to_owned()),
        ]
        .into(),
        iss: Iss::WrongUnadvertised,
        ..open()
    };
    let mut stage = Stage::named("meta-like", dials, |config, world| {
        config.issuer(world.issuer(0), IssuerPolicy::with(|it| it.issuer_aliases = aliases))
    });
    stage.changed = Some(|callback| callback.replace("evil.example", "upstream.meta-like.example"));
    stage
}
