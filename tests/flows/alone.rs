//! Without a person, as `docs/grants.md` tells it: who may be shown what, what is asked for again, and what is left.

use std::time::Duration;

use mcp_auth::{Config, Event, GrantType, Outcome, Policy, Preregistered, Scopes, TokenSource};
use mcp_auth_testbed::*;

use crate::begun::{key, texts};
use crate::ended::{ends, fails, waits};
use crate::stage::{CLIENT_KEY, REDIRECT, Stage};
use crate::{Flow, flow};

const ISSUER: &str = "https://as.example";
const SECRET: &str = "a-secret-of-the-service";

fn by_secret(dials: Dials, configure: impl FnOnce(Config) -> Config) -> Stage {
    let dials = Dials {
        clients: vec![PreRegistered::confidential("service", SECRET, "client_secret_basic", REDIRECT)],
        client_credentials: Some(ClientCredentials::default()),
        auth_methods: Some(texts(&["client_secret_basic"])),
        ..dials
    };
    Stage::at(Origins::default(), dials, |config, _| {
        let client = Preregistered::new(ISSUER, "service").secret(SECRET);
        configure(config.preregistered(client).grant_type(GrantType::ClientCredentials))
    })
}

fn by_key(dials: Dials) -> Stage {
    let dials = Dials {
        clients: vec![PreRegistered::with_key("service", CLIENT_KEY.public_jwk(), REDIRECT)],
        client_credentials: Some(ClientCredentials::default()),
        auth_methods: Some(texts(&["private_key_jwt"])),
        ..dials
    };
    Stage::at(Origins::default(), dials, |config, _| {
        let config = config.preregistered(Preregistered::new(ISSUER, "service"));
        config.client_key(key()).grant_type(GrantType::ClientCredentials)
    })
}

fn service() -> Stage {
    by_secret(Dials::default(), |config| config)
}

fn insisted() -> Event {
    Event::LogIn { scopes: Scopes::new() }
}

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = shown();
    flows.extend(again());
    flows.extend(left());
    flows
}

fn shown() -> Vec<Flow> {
    vec![
        flow(
            "client.no-issuer",
            "A person's public client that names no issuer has nothing to show: it is offered to whoever the server names.",
            &["preregistered"],
            &["logged_in"],
            || {
                let dials =
                    Dials { clients: vec![PreRegistered::public("app", REDIRECT)], ..Dials::default() };
                let mut stage = Stage::at(Origins::default(), dials, |config, _| {
                    config.preregistered(Preregistered::unbound("app"))
                });
                stage.call("tools/list", None);
                assert_eq!(stage.machine.authorized().unwrap().client_id, "app");
                stage
            },
        ),
        flow(
            "client-credentials.no-issuer",
            "The server is trusted to name the issuer: the first that is shown the secret is the only one, and the next that is named is refused.",
            &["credentials-bound", "binding-told", "own-deviation"],
            &["granted", "client_bound_elsewhere"],
            || {
                let dials = Dials {
                    clients: vec![PreRegistered::confidential(
                        "service",
                        SECRET,
                        "client_secret_basic",
                        REDIRECT,
                    )],
                    client_credentials: Some(ClientCredentials::default()),
                    auth_methods: Some(texts(&["client_secret_basic"])),
                    ..Dials::default()
                };
                let mut stage = Stage::at(Origins::default(), dials, |config, _| {
                    let client = Preregistered::unbound("service").secret(SECRET);
                    let client = client.trusting_the_server_to_name_the_issuer();
                    config.preregistered(client).grant_type(GrantType::ClientCredentials)
                });
                stage.call("tools/list", None);
                stage.dials().authorization_servers = AuthorizationServers::SecondOnly;
                stage.now += 4000;
                fails(&mut stage, insisted());
                assert_eq!(stage.world.count(Purpose::Token), 1);
                stage
            },
        )
        .by(&["server_names_issuer"]),
        flow(
            "client-credentials.other-issuer",
            "The metadata of the MCP server names another authorization server than the client's: that one is not shown its secret.",
            &["credentials-bound", "client-first"],
            &["no_client"],
            || {
                let authorization_servers = AuthorizationServers::SecondOnly;
                let mut stage =
                    by_secret(Dials { authorization_servers, ..Dials::default() }, |config| config);
                stage.call("tools/list", None);
                assert_eq!(stage.world.count(Purpose::Token), 0);
                stage
            },
        ),
        flow(
            "client-credentials.no-client",
            "The client is to act for itself, and none is configured: none is registered for it.",
            &["cc-authenticated", "client-first"],
            &["no_client"],
            || {
                let dials =
                    Dials { client_credentials: Some(ClientCredentials::default()), ..Dials::default() };
                let mut stage = Stage::at(Origins::default(), dials, |config, _| {
                    config.grant_type(GrantType::ClientCredentials)
                });
                stage.call("tools/list", None);
                assert_eq!(stage.world.count(Purpose::Registration), 0);
                stage
            },
        ),
        flow(
            "legacy.no-secret",
            "Only the endpoints of 2025-03-26 are left: they are not shown the client's secret.",
            &["own-narrower", "credentials-bound"],
            &["fallback_refused"],
            || {
                let mut stage = by_secret(nowhere(), |config| config);
                stage.call("tools/list", None);
                assert_eq!(stage.world.count(Purpose::Token), 0);
                stage
            },
        ),
        flow(
            "legacy.no-signature",
            "Only the endpoints of 2025-03-26 are left: nothing is signed for them.",
            &["own-narrower", "credentials-bound"],
            &["fallback_refused"],
            || {
                let mut stage = by_key(nowhere());
                stage.call("tools/list", None);
                assert!(!stage.trace().contains("\"sign\""));
                stage
            },
        ),
        flow(
            "legacy.no-assertion",
            "Only the endpoints of 2025-03-26 are left: the platform is not asked for an assertion, and they are shown none.",
            &["own-narrower", "credentials-bound"],
            &["fallback_refused"],
            || {
                let dials = Dials { workload: Some(Workload::default()), ..nowhere() };
                let mut stage = Stage::at(Origins::default(), dials, |config, _| {
                    config.grant_type(GrantType::WorkloadIdentity)
                });
                stage.assertion = stage.world.workload_token(stage.now);
                stage.call("tools/list", None);
                assert!(!stage.trace().contains("\"supply\""));
                stage
            },
        ),
    ]
}

fn nowhere() -> Dials {
    Dials {
        resource_metadata: ResourceMetadata::Nowhere,
        server_metadata: ServerMetadata::Nowhere,
        ..Dials::default()
    }
}

fn again() -> Vec<Flow> {
    vec![
        flow(
            "client-credentials.endpoints-elsewhere",
            "The token endpoint is on another origin, and only the record says so after a restart: metadata is read before anything is signed for it.",
            &["credentials-elsewhere", "token-endpoint-of-issuer"],
            &["granted"],
            || {
                let mut stage = by_key(Dials { endpoints_elsewhere: true, ..Dials::default() });
                stage.call("tools/list", None);
                stage.restart();
                stage.now += 4000;
                let before = stage.world.count(Purpose::ServerMetadata);
                stage.restore().call("tools/list", None);
                assert!(stage.world.count(Purpose::ServerMetadata) > before);
                stage
            },
        ),
        flow(
            "client-credentials.read-anew",
            "The endpoint that the record names refuses: it is told as it is, and not asked of the record again; the next attempt reads the metadata anew, and meets the same.",
            &["metadata-used", "token-errors"],
            &["granted", "token_endpoint_error", "token_endpoint_error"],
            || {
                let mut stage = service();
                stage.call("tools/list", None);
                let body = br#"{"error":"unauthorized_client"}"#.to_vec();
                let what = Trouble::Answer(400, "application/json", body);
                stage.dials().faults = vec![Fault { purpose: Purpose::Token, nth: 0, what }];
                stage.now += 4000;
                let before = stage.world.count(Purpose::ServerMetadata);
                let failure = fails(&mut stage, Event::Restore);
                assert_eq!(stage.world.count(Purpose::ServerMetadata), before);
                stage.now += waits(&stage, &failure);
                fails(&mut stage, Event::Restore);
                assert!(stage.world.count(Purpose::ServerMetadata) > before);
                stage
            },
        ),
        flow(
            "client-credentials.moved",
            "The endpoint that the record names is gone: the metadata is read anew at once, and names another.",
            &["metadata-used", "own-restart"],
            &["granted", "granted"],
            || {
                let mut stage = service();
                stage.call("tools/list", None);
                stage.world.move_token_endpoint(404);
                stage.now += 4000;
                let before = stage.world.count(Purpose::ServerMetadata);
                stage.restore();
                assert!(stage.world.count(Purpose::ServerMetadata) > before);
                stage
            },
        ),
        flow(
            "client-credentials.insisted",
            "Whoever asks for a login has the metadata read anew, and asks again for what was asked for before.",
            &["metadata-used", "scopes-kept"],
            &["granted", "granted"],
            || {
                let mut stage = service();
                stage.run(Event::LogIn { scopes: Scopes::parse("files:write").unwrap() });
                stage.now += 4000;
                let before = stage.world.count(Purpose::ServerMetadata);
                stage.log_in();
                assert!(stage.world.count(Purpose::ServerMetadata) > before);
                let granted = stage.machine.authorized().unwrap().granted.to_string();
                assert!(granted.contains("files:write"), "{granted}");
                stage
            },
        ),
        flow(
            "client-credentials.no-refresh-token",
            "The server gives a refresh token, which nothing needs: it is not kept.",
            &["cc-authenticated", "refresh-confidential"],
            &["granted"],
            || {
                let mut stage = service();
                stage.dials().client_credentials = Some(ClientCredentials { refresh_tokens: true });
                stage.call("tools/list", None);
                assert!(stage.records.values().all(|record| record.refresh_token.is_none()));
                assert!(!stage.world.live_refresh_tokens(stage.now).is_empty());
                stage
            },
        ),
    ]
}

fn left() -> Vec<Flow> {
    vec![
        flow(
            "client-credentials.refused-at-once",
            "The resource refuses tokens as fast as they come: they are not fetched any more for `Policy::quiet_time`.",
            &["own-fresh-token-refused", "own-quiet"],
            &["granted", "refreshed", "granted", "token_rejected", "token_rejected"],
            || {
                let quiet = Duration::from_secs(900);
                let mut stage = by_secret(Dials::default(), |config| {
                    config.policy(Policy::with(|it| it.quiet_time = quiet))
                });
                stage.dials().refusal = Refusal::Unauthorized;
                stage.call("tools/list", None);
                let fetched = stage.world.count(Purpose::Token);
                stage.call("tools/list", None);
                assert_eq!(stage.world.count(Purpose::Token), fetched);
                stage
            },
        ),
        flow(
            "client-credentials.down",
            "The token endpoint is down, and says for how long: it is left alone, and nothing is tried instead.",
            &["retry-after", "cc-authenticated"],
            &["unexpected_status", "unexpected_status", "granted"],
            || {
                let what = Trouble::RetryAfter(503, 60);
                let faults = vec![Fault { purpose: Purpose::Token, nth: 1, what }];
                let mut stage = by_secret(Dials { faults, ..Dials::default() }, |config| config);
                let failure = fails(&mut stage, Event::Restore);
                assert_eq!(waits(&stage, &failure), 60);
                fails(&mut stage, Event::Restore);
                assert_eq!(stage.world.count(Purpose::Token), 1);
                stage.now += 60;
                stage.restore();
                stage
            },
        ),
        flow(
            "client-credentials.serves-on",
            "Another token cannot be had, and the old one lives: it serves to its end.",
            &["own-renewal"],
            &["granted", "kept"],
            || {
                let mut stage = service();
                stage.call("tools/list", None);
                stage.dials().faults =
                    vec![Fault { purpose: Purpose::Token, nth: 0, what: Trouble::Status(503) }];
                stage.now += 3595;
                let Ok(Outcome::Authorized(done)) = ends(&mut stage, Event::Restore) else { panic!() };
                assert_eq!(done.source, TokenSource::Kept);
                stage
            },
        ),
    ]
}
