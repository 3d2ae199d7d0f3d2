//! Applications with an authorization server of their own, and a preset: Salesforce, GitHub, and Atlassian's two.

use mcp_auth::ClientMetadata;
use mcp_auth::{Config, IssuerPolicy, IssuerScopes, Policy, Preregistered, Preset, ServerChoice};
use mcp_auth_testbed::*;

use super::*;
use crate::stage::{REDIRECT, Stage, json};
use crate::{Flow, flow};

/// What Salesforce's resource names as its authorization server. The port counts, since strings are compared.
const SALESFORCE: &str = "https://api.salesforce-like.example:443/platform/mcp/v1/records";
/// The metadata document of a client.
const DOCUMENT: &str = "https://client.example/client.json";
const LOCALHOST: &str = "http://localhost:3000/callback";

pub(super) fn flows() -> Vec<Flow> {
    vec![
        flow(
            "salesforce-like.strict",
            "The resource names a place of its own, with `:443` written out, as the issuer; the metadata there is the login server's: refused.",
            &["issuer-held"],
            &["issuer_mismatch"],
            || lists(salesforce(IssuerPolicy::default(), LOCALHOST)),
        ),
        flow(
            "salesforce-like.port.policy",
            "The preset, and the login server's issuer by name in the place of the resource's own, which is written with its port as the resource writes it.",
            &["own-deviation"],
            &["logged_in"],
            || {
                let mut policy = Preset::SalesforceLike.policy();
                policy.metadata_issuer = Some("https://login.salesforce-like.example".to_owned());
                lists(salesforce(policy, LOCALHOST))
            },
        )
        .by(&["metadata_issuer", "pkce: assume_s256", "scopes"]),
        flow(
            "salesforce-like.redirect",
            "The client may come back to `localhost` only: with the number of the address the browser shows an error, and nobody comes back.",
            &["authorization-errors"],
            &["consent_timed_out"],
            || lists(salesforce_without(Preset::SalesforceLike.policy(), true, REDIRECT)),
        )
        .by(&["authorization_server", "pkce: assume_s256", "scopes"]),
        flow(
            "salesforce-like.registration",
            "There is no metadata of the resource. The client that is configured for an issuer is not shown to the endpoints that 2025-03-26 guesses at, and nobody registers there.",
            &["credentials-elsewhere", "registration-failure-told"],
            &["registration_rejected"],
            || lists(salesforce_without(IssuerPolicy::default(), false, LOCALHOST)),
        ),
        flow(
            "salesforce-like.pinned",
            "With the issuer pinned its metadata is found; S256 is not advertised.",
            &["pkce-advertised"],
            &["pkce_unsupported"],
            || lists(salesforce_without(IssuerPolicy::default(), true, LOCALHOST)),
        )
        .by(&["authorization_server"]),
        flow(
            "salesforce-like.policy",
            "The preset, the pinned issuer and `localhost`, where there is no metadata of the resource: `refresh_token` is the scope that asks for a refresh token. The answer has `instance_url`, which is passed over, and no lifetime, so the token serves until it is refused.",
            &["own-deviation", "token-answers", "unknown-members"],
            &["logged_in"],
            || lists(salesforce_without(Preset::SalesforceLike.policy(), true, LOCALHOST)),
        )
        .by(&["authorization_server", "pkce: assume_s256", "scopes"]),
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
            "Without a configured client there is no way to one: the metadata names no registration endpoint. One that is guessed answers 422, and none is guessed.",
            &["client-first"],
            &["no_client"],
            || {
                let mut stage = Stage::named("github-like", github_dials(), |config, _| config);
                stage.instead = Some(Box::new(|request| {
                    request.uri().path().ends_with("/register").then(|| json(422, r#"{"message":"Not Found"}"#))
                }));
                lists(stage)
            },
        ),
        flow(
            "github-like.no-metadata",
            "The metadata of the authorization server cannot be had. Clients that know the server by heart go on with its endpoints; here nothing is guessed of a server that was named.",
            &["metadata-before-fallback", "metadata-get"],
            &["not_found"],
            || {
                let mut stage = github(Preset::GithubLike.policy());
                stage.instead = Some(Box::new(|request| {
                    let there = request.uri().host() == Some("auth.github-like.example");
                    there.then(|| http::Response::builder().status(404).body(Vec::new()).unwrap())
                }));
                lists(stage)
            },
        ),
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
            "`offline_access` is listed, wanted, and not for every client: the browser shows an error, and nobody comes back.",
            &["offline-access", "authorization-errors"],
            &["consent_timed_out"],
            || lists(atlassian_stays(IssuerScopes::default())),
        )
        .by(&["metadata_issuer"]),
        flow(
            "atlassian-v2-like.offline.policy",
            "A policy leaves it out, though it is listed and wanted.",
            &["own-deviation", "offline-access"],
            &["logged_in"],
            || lists(atlassian_stays(IssuerScopes::with(|it| it.never = scopes("offline_access")))),
        )
        .by(&["metadata_issuer", "scopes"]),
        flow(
            "atlassian-v2-like.port",
            "A loopback redirect at a random port is not registered: refused, in the server's words.",
            &["registration-may-fail", "registration-failure-told"],
            &["registration_rejected"],
            || {
                let mut stage = atlassian_v2(Preset::AtlassianV2Like.policy());
                stage.restart_with(|_| atlassian_config("http://127.0.0.1:49731/callback"));
                stage.instead = Some(Box::new(|request| {
                    let words = r#"{"error":"invalid_redirect_uri","error_description":"Redirect URI is not allowed"}"#;
                    request.uri().path().ends_with("/register").then(|| json(400, words))
                }));
                lists(stage)
            },
        )
        .by(&["metadata_issuer"]),
        flow(
            "atlassian-v2-like.document",
            "A client with a metadata document, which lists the redirect URI with its port, is taken.",
            &["client-documents", "own-deviation"],
            &["logged_in"],
            || {
                let mut stage = atlassian_v2(Preset::AtlassianV2Like.policy());
                let document = ClientMetadata::new("Example client", REDIRECT);
                let document = document.document(DOCUMENT, None, None).unwrap();
                stage.dials().client_documents = [(DOCUMENT.to_owned(), document)].into();
                stage.restart_with(|_| atlassian_config(REDIRECT).metadata_document(DOCUMENT));
                lists(stage)
            },
        )
        .by(&["metadata_issuer"]),
    ]
}

/// Endpoints that nobody should guess, and a client that comes back to `localhost` alone.
fn salesforce_dials() -> Dials {
    Dials {
        mcp_path: "/platform/mcp/v1/records".to_owned(),
        challenge_methods: ChallengeMethods::Absent,
        required_scopes: texts(&["mcp_api"]),
        resource_scopes: Some(texts(&["mcp_api"])),
        server_scopes: Some(texts(&["mcp_api", "refresh_token"])),
        resource_parameter: ResourceParameter::Optional,
        expires_in: ExpiresIn::Absent,
        token_extra: vec![("instance_url", "https://org-1.salesforce-like.example".into())],
        clients: vec![PreRegistered::public("client-1", LOCALHOST)],
        ..bare()
    }
}

fn salesforce_at(dials: Dials, configure: impl FnOnce(&World) -> Config) -> Stage {
    let origins = Origins {
        server: "https://api.salesforce-like.example".to_owned(),
        authorization_servers: vec!["https://login.salesforce-like.example".to_owned()],
        ..Origins::default()
    };
    Stage::at(origins, dials, |_, world| configure(world))
}

/// The resource names a place of its own as the issuer, with a port, where the metadata is that of the login server.
fn salesforce(policy: IssuerPolicy, redirect: &str) -> Stage {
    let dials = Dials {
        authorization_servers: AuthorizationServers::Raw(texts(&[SALESFORCE])),
        ..salesforce_dials()
    };
    let stage = salesforce_at(dials, |world| {
        let client = Preregistered::new(SALESFORCE, "client-1");
        stays(comes_back_to(redirect, world).preregistered(client)).issuer(SALESFORCE, policy)
    });
    found_at(
        stage,
        "https://login.salesforce-like.example/.well-known/oauth-authorization-server",
        "https://api.salesforce-like.example/.well-known/oauth-authorization-server/platform/mcp/v1/records",
    )
}

/// There is no metadata of the resource that could be used.
fn salesforce_without(policy: IssuerPolicy, pinned: bool, redirect: &str) -> Stage {
    let dials = Dials {
        resource_metadata: ResourceMetadata::Custom("/nowhere".to_owned()),
        advertise_metadata: false,
        ..salesforce_dials()
    };
    salesforce_at(dials, |world| {
        let issuer = world.issuer(0);
        let config = stays(known(comes_back_to(redirect, world), world)).issuer(issuer.clone(), policy);
        if pinned {
            config.policy(Policy::with(|it| it.authorization_server = ServerChoice::Pinned(issuer)))
        } else {
            config
        }
    })
}

fn github_dials() -> Dials {
    Dials {
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
        ..confidential("client_secret_post", bare())
    }
}

fn github(policy: IssuerPolicy) -> Stage {
    Stage::named("github-like", github_dials(), |config, world| {
        secret(config, world).issuer(world.issuer(0), policy)
    })
}

fn atlassian_v1(policy: IssuerPolicy) -> Stage {
    let dials = Dials {
        mcp_path: "/v1/mcp".to_owned(),
        resource_metadata: ResourceMetadata::Nowhere,
        issuer: IssuerValue::Raw("https://cf.mcp.atlassian.com".to_owned()),
        advertise_metadata: false,
        ..open()
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
        client_id_metadata_documents: true,
        server_scopes: Some(texts(&["offline_access"])),
        forbidden_scopes: texts(&["offline_access"]),
        ..open()
    };
    let origins = Origins {
        server: "https://mcp.atlassian-v2-like.example".to_owned(),
        authorization_servers: vec!["https://auth.atlassian.com".to_owned()],
        ..Origins::default()
    };
    Stage::at(origins, dials, |config, world| config.issuer(world.issuer(0), policy))
}

/// A caller that wants to stay logged in.
fn atlassian_stays(scopes: IssuerScopes) -> Stage {
    let mut policy = Preset::AtlassianV2Like.policy();
    policy.scopes = scopes;
    let mut stage = atlassian_v2(policy);
    stage.restart_with(stays);
    stage
}

fn atlassian_config(redirect: &str) -> Config {
    Config::new("https://mcp.atlassian-v2-like.example/v1/mcp/authv2", "Example client", redirect)
        .issuer("https://auth.atlassian.com/tenant-1", Preset::AtlassianV2Like.policy())
}
