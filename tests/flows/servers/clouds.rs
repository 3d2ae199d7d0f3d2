//! Authorization servers of clouds: Google, Cognito, AWS, Cloudflare, Supabase.

use mcp_auth::wire::server_metadata::Pkce;
use mcp_auth::{Action, Config, Event, IssuerPolicy, IssuerScopes, Preregistered, Preset, ResourceIndicator};
use mcp_auth_testbed::*;

use super::*;
use crate::stage::{self, REDIRECT, Stage};
use crate::{Flow, flow};

pub(super) fn flows() -> Vec<Flow> {
    vec![
        flow(
            "google-like.strict",
            "The challenge comes at a tool only. The resource names the issuer with a slash that its metadata lacks: refused.",
            &["issuer-held", "challenge-read"],
            &["issuer_mismatch"],
            || calls(google_stage(IssuerPolicy::default())),
        ),
        flow(
            "google-like.offline",
            "With the slash let pass, `offline_access` is refused as `invalid_scope`: this caller asks every server for it.",
            &["authorization-errors"],
            &["authorization_failed"],
            || {
                let mut policy = Preset::GoogleLike.policy();
                policy.scopes = IssuerScopes::default();
                calls(google_stage(policy))
            },
        )
        .by(&["issuer_match: ignore_lone_slash", "extra"]),
        flow(
            "google-like.extra",
            "With the slash let pass, and without `access_type=offline`, no refresh token comes: when the token has run out, the person logs in again.",
            &["refresh-not-counted-on"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                let mut policy = Preset::GoogleLike.policy();
                policy.extra.clear();
                calls_twice(google_stage(policy))
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
        flow(
            "google-like.tool-metadata",
            "The challenge of a tool names a document of its own; it is read, and the well-known places are not.",
            &["both-places"],
            &["logged_in"],
            || {
                let mut stage = google_stage(Preset::GoogleLike.policy());
                stage.dials().resource_metadata = ResourceMetadata::Custom("/metadata/tools/echo".to_owned());
                calls(stage)
            },
        )
        .by(&["issuer_match: ignore_lone_slash", "scopes", "extra"]),
        flow(
            "cognito-like.strict",
            "Endpoints on another origin are no matter; that S256 is not advertised is: refused.",
            &["pkce-advertised"],
            &["pkce_unsupported"],
            || lists(cognito(IssuerPolicy::default())),
        ),
        flow(
            "cognito-like.scope",
            "With S256 assumed, nothing names scopes. A request without brings a code all the same, of which no token comes: `invalid_grant`.",
            &["scopes-in-order", "token-errors"],
            &["grant_rejected"],
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
            "cognito-like.proxy",
            "The MCP server stands before the pool and gives out its metadata as its own, with the pool's issuer: refused.",
            &["issuer-held"],
            &["issuer_mismatch"],
            || lists(cognito_proxy(IssuerPolicy::default())),
        ),
        flow(
            "cognito-like.proxy.policy",
            "The preset, and the pool's issuer by name.",
            &["own-deviation"],
            &["logged_in"],
            || {
                let mut policy = Preset::CognitoLike.policy();
                policy.metadata_issuer = Some("https://auth.cognito-like.example/eu-west-1_pool".to_owned());
                lists(cognito_proxy(policy))
            },
        )
        .by(&["metadata_issuer", "pkce: assume_s256", "scopes"]),
        flow(
            "aws-signin-like.strict",
            "The server's URL has a query, its resource none; `resource` is demanded, and sent as the metadata gives it.",
            &["resource-sent", "resource-query"],
            &["logged_in"],
            || {
                let mut stage = aws_signin(|config, _| config);
                stage.log_in();
                stage
            },
        ),
        flow(
            "aws-signin-like.omitted",
            "A policy that leaves `resource` out is of no use here: the browser shows 400, and nobody comes back.",
            &["authorization-errors"],
            &["consent_timed_out"],
            || {
                let omit = IssuerPolicy::with(|it| it.resource = ResourceIndicator::Omit);
                let mut stage = aws_signin(|config, world| config.issuer(world.issuer(0), omit));
                // Not an answer to the redirect URI but a page, so that nothing of it reaches a client.
                stage.person = stage::Person::Ignores;
                stage.log_in();
                stage
            },
        )
        .by(&["resource: omit"]),
        flow(
            "aws-signin-like.purged",
            "The server has purged the client: the browser shows an error and nobody comes back, which nothing else tells. The next login registers another.",
            &["own-disowned"],
            &["consent_timed_out", "logged_in"],
            || {
                let mut stage = aws_signin(|config, _| config);
                stage.log_in();
                stage.world.purge_clients();
                stage.world.revoke_everything();
                stage.records.values_mut().for_each(|record| record.refresh_token = None);
                stage.restart();
                stage.now += 4000;
                stage.log_in();
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
            "cloudflare-like.reuse",
            "A lost answer to a refresh: the token before the lost one is still good, one deep, and what it brings takes the place of the lost.",
            &["own-lost-answer", "refresh-replaced"],
            &["logged_in", "refreshed", "refreshed"],
            || {
                let fault = Fault { purpose: Purpose::Refresh, nth: 1, what: Trouble::DropAfter };
                let dials = Dials { faults: vec![fault], ..cloudflare_dials() };
                let mut stage = lists_twice(rotating("cloudflare-like", dials));
                stage.now += 4000;
                lists(stage)
            },
        ),
        flow(
            "cloudflare-like.document",
            "The server fails over the client's metadata document: the browser shows an error, and nobody comes back. The host says so, and the next way is taken: registration.",
            &["clients-in-order", "own-disowned"],
            &["logged_in"],
            || {
                let dials = Dials {
                    client_id_metadata_documents: true,
                    client_document_fetch: DocumentFetch::ServerError,
                    ..cloudflare_dials()
                };
                let mut stage = Stage::named("cloudflare-like", dials, |config, _| {
                    config.metadata_document("https://client.example/client.json")
                });
                stage.tell(Event::LogIn { scopes: Scopes::new() });
                stage.until(|action| matches!(action, Action::Open(_)));
                stage.run(Event::ClientDisowned);
                stage
            },
        ),
        flow(
            "cloudflare-like.target",
            "`invalid_target` to a refresh leaves the grant: nothing is changed, and the same token is good once the server knows the resource again.",
            &["resource-refused", "token-errors"],
            &["logged_in", "token_endpoint_error", "refreshed"],
            || {
                let mut stage = lists(rotating("cloudflare-like", cloudflare_dials()));
                stage.now += 4000;
                let known = stage.dials().resource_parameter.clone();
                stage.dials().resource_parameter = ResourceParameter::Only("https://renamed.example".to_owned());
                stage.call("tools/list", None);
                stage.now += 100;
                stage.dials().resource_parameter = known;
                lists(stage)
            },
        ),
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
            "A client that the server has purged: the browser shows 422 with `Unrecognized client_id`, and sends nobody back. The host says so, and another client is registered.",
            &["own-disowned"],
            &["logged_in"],
            || {
                let mut stage = lists(rotating("supabase-like", open()));
                stage.world.purge_clients();
                stage.world.revoke_everything();
                stage.records.values_mut().for_each(|record| record.refresh_token = None);
                stage.restart();
                stage.now += 4000;
                stage.tell(Event::LogIn { scopes: Scopes::new() });
                stage.until(|action| matches!(action, Action::Open(_)));
                stage.run(Event::ClientDisowned);
                stage
            },
        ),
    ]
}

fn google_stage(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        unprotected: texts(&["initialize", "tools/list"]),
        resource_metadata: ResourceMetadata::Path,
        authorization_servers: AuthorizationServers::Raw(texts(&["https://accounts.google-like.example/"])),
        endpoints_elsewhere: true,
        iss: Iss::SentOnly,
        server_scopes: Some(texts(&["openid", "email", "profile"])),
        resource_scopes: Some(texts(&["https://www.googleapis.com/auth/drive.readonly"])),
        required_scopes: texts(&["https://www.googleapis.com/auth/drive.readonly"]),
        refresh_tokens: RefreshTokens::WithAccessType,
        resource_parameter: ResourceParameter::Ignored,
        rotation: Rotation::None,
        access_lifetime: 3599,
        ..confidential("client_secret_post", bare())
    };
    let origins = Origins {
        server: "https://drivemcp.google-like.example".to_owned(),
        authorization_servers: vec!["https://accounts.google-like.example".to_owned()],
        elsewhere: "https://oauth2.google-like.example".to_owned(),
        ..Origins::default()
    };
    Stage::at(origins, dials, |config, _| {
        let client = Preregistered::new("https://accounts.google-like.example/", "client-1");
        // A caller that asks every server for it, as many do, though none here lists it.
        let rule = ScopeRule::with(|it| it.also = scopes("offline_access"));
        config
            .preregistered(client.secret("a-secret-of-client-1"))
            .scopes(rule)
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

fn cognito_dials() -> Dials {
    Dials {
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
        scope_missing: ScopeMissing::Unexchangeable,
        ..by_hand(bare())
    }
}

fn cognito(policy: IssuerPolicy) -> Stage {
    Stage::named("cognito-like", cognito_dials(), |config, world| {
        known(config, world).issuer(world.issuer(0), policy)
    })
}

fn cognito_proxy(policy: IssuerPolicy) -> Stage {
    let own = "https://mcp.cognito-like.example";
    let dials = Dials { authorization_servers: AuthorizationServers::Raw(texts(&[own])), ..cognito_dials() };
    let stage = Stage::named("cognito-like", dials, |config, _| {
        config.preregistered(Preregistered::new(own, "client-1")).issuer(own, policy)
    });
    found_at(
        stage,
        "https://auth.cognito-like.example/eu-west-1_pool/.well-known/openid-configuration",
        "https://mcp.cognito-like.example/.well-known/oauth-authorization-server",
    )
}

fn cloudflare_dials() -> Dials {
    Dials { rotation: Rotation::Grace, ..open() }
}

fn cloudflare(policy: IssuerPolicy) -> Stage {
    let dials = Dials { challenge_scope: false, ..cloudflare_dials() };
    let stage =
        Stage::named("cloudflare-like", dials, |config, world| config.issuer(world.issuer(0), policy));
    names_scopes(stage, &["openid", "files:read"])
}

fn supabase(policy: IssuerPolicy) -> Stage {
    let dials = Dials { challenge_scope: false, registration_scope: RegistrationScope::Binding, ..open() };
    let stage = Stage::named("supabase-like", dials, |config, world| config.issuer(world.issuer(0), policy));
    names_scopes(stage, &["openid", "email", "profile", "files:read"])
}

fn aws_signin(configure: impl FnOnce(Config, &World) -> Config) -> Stage {
    let origins = Origins { server: "https://mcp.aws-signin-like.example".to_owned(), ..Origins::default() };
    Stage::at(origins, open(), |_, world| {
        let url = format!("{}?oauth=initialize", world.server_url());
        configure(Config::new(url, "Example client", REDIRECT), world)
    })
}
