//! Ways to a token, as `docs/grants.md` tells them: one flow for each.

use mcp_auth::{
    Config, Event, GrantType, IdentityProvider, IssuerPolicy, Preregistered, ProofKey, ScopeRule, Scopes,
};
use mcp_auth_testbed::*;

use crate::begun::{key, lists, lists_twice, texts};
use crate::stage::{CLIENT_KEY, PROOF_KEY, REDIRECT, Stage, public};
use crate::{Flow, flow};

const ISSUER: &str = "https://as.example";
const ID_TOKEN: &str = "an-id-token-of-the-person";

fn service(method: &str) -> Stage {
    let dials = Dials {
        clients: vec![PreRegistered::confidential("service", "a-secret-of-the-service", method, REDIRECT)],
        client_credentials: Some(ClientCredentials::default()),
        auth_methods: Some(texts(&[method])),
        ..Dials::default()
    };
    Stage::at(Origins::default(), dials, |config, _| {
        let client = Preregistered::new(ISSUER, "service").secret("a-secret-of-the-service");
        config.preregistered(client).grant_type(GrantType::ClientCredentials)
    })
}

fn enterprise(exchange: TokenExchange) -> Stage {
    let client = EnterpriseClient {
        client_id: "at-the-idp".to_owned(),
        client_secret: Some("idp-client-secret".to_owned()),
        resource_client_id: "at-the-server".to_owned(),
    };
    let secret = "server-client-secret";
    let dials = Dials {
        clients: vec![PreRegistered::confidential("at-the-server", secret, "client_secret_basic", REDIRECT)],
        enterprise: Some(Enterprise { exchange, ..Enterprise::new(client, ID_TOKEN) }),
        auth_methods: Some(texts(&["client_secret_basic"])),
        ..Dials::default()
    };
    let mut stage = Stage::at(Origins::default(), dials, |config, _| {
        let provider =
            IdentityProvider::new("https://idp.example", "https://idp.example/token", "at-the-idp");
        let client = Preregistered::new(ISSUER, "at-the-server").secret("server-client-secret");
        let flow = GrantType::EnterpriseManaged(Box::new(provider.secret("idp-client-secret")));
        config.preregistered(client).grant_type(flow)
    });
    stage.assertion = Some(ID_TOKEN.to_owned());
    stage
}

fn workload(token: WorkloadToken, audiences: &[&str], policy: IssuerPolicy) -> Stage {
    let audiences = audiences.iter().map(ToString::to_string).collect();
    let workload = Workload { token, audiences, ..Workload::default() };
    let dials = Dials { workload: Some(workload), ..Dials::default() };
    let mut stage = Stage::at(Origins::default(), dials, |config, world| {
        config.grant_type(GrantType::WorkloadIdentity).issuer(world.issuer(0), policy)
    });
    stage.assertion = stage.world.workload_token(stage.now);
    stage
}

/// Who else the JWT of a workload may be for.
const OTHER_AUDIENCE: &str = "https://elsewhere.example";

fn of_other_audience() -> IssuerPolicy {
    IssuerPolicy::with(|it| it.assertion_audiences = vec![OTHER_AUDIENCE.to_owned()])
}

fn device(confirmation: Confirmation) -> Stage {
    let dials = Dials {
        device: Some(Device { confirmation, expires_in: 60, ..Device::default() }),
        ..Dials::default()
    };
    Stage::at(Origins::default(), dials, |config, _| config.grant_type(GrantType::DeviceCode))
}

fn bound(dials: Dials) -> Stage {
    Stage::at(Origins::default(), dials, |config: Config, _| {
        config.proof_key(ProofKey::new(public(&PROOF_KEY)))
    })
}

pub(crate) fn flows() -> Vec<Flow> {
    vec![
        flow(
            "client-credentials",
            "The client for itself, with a secret; when the token ends, one exchange by the record.",
            &["cc-authenticated", "own-restart"],
            &["granted", "refreshed"],
            || lists_twice(service("client_secret_basic")),
        ),
        flow(
            "client-credentials.key",
            "The client for itself, with an assertion that its key signs: `aud` is the issuer, one string.",
            &["cc-authenticated", "cc-assertion", "assertion-form"],
            &["granted"],
            || {
                let dials = Dials {
                    clients: vec![PreRegistered::with_key("service", CLIENT_KEY.public_jwk(), REDIRECT)],
                    client_credentials: Some(ClientCredentials::default()),
                    auth_methods: Some(texts(&["private_key_jwt"])),
                    ..Dials::default()
                };
                lists(Stage::at(Origins::default(), dials, |config, _| {
                    let config = config.preregistered(Preregistered::new(ISSUER, "service"));
                    config.client_key(key()).grant_type(GrantType::ClientCredentials)
                }))
            },
        ),
        flow(
            "client-credentials.bounded",
            "Nobody consents here: `only` bounds what a step-up may ask for.",
            &["own-only"],
            &["granted", "granted", "granted", "insufficient_scope"],
            || {
                let mut stage = service("client_secret_post");
                stage.restart_with(|config| {
                    config.scopes(ScopeRule::with(|it| it.only = Scopes::parse("files:read").ok()))
                });
                stage.call("tools/list", None);
                stage.call("tools/call", Some("write_file"));
                stage
            },
        ),
        flow(
            "enterprise",
            "The organisation's identity provider exchanges an ID token for an ID-JAG, which the server exchanges for a token.",
            &["ema-exchange", "ema-grant", "grant-form"],
            &["granted", "refreshed"],
            || lists_twice(enterprise(TokenExchange::ByTheBook)),
        ),
        flow(
            "enterprise.other-audience",
            "An ID-JAG for another server is shown to nobody.",
            &["ema-assertion"],
            &["assertion_unusable"],
            || lists(enterprise(TokenExchange::OtherAudience)),
        ),
        flow(
            "enterprise.unsupplied",
            "Nobody has an assertion of the person: nothing is asked of anybody.",
            &["own-unsupplied"],
            &["unsupplied"],
            || {
                let mut stage = enterprise(TokenExchange::ByTheBook);
                stage.assertion = None;
                lists(stage)
            },
        ),
        flow(
            "workload",
            "The platform vouches for its workload; there is no client.",
            &["grant-form"],
            &["granted"],
            || lists(workload(WorkloadToken::ByTheBook, &[], IssuerPolicy::default())),
        ),
        flow(
            "workload.other-audience",
            "A JWT for another audience is shown to nobody.",
            &["assertion-judged"],
            &["assertion_unusable"],
            || lists(workload(WorkloadToken::OtherAudience, &[OTHER_AUDIENCE], IssuerPolicy::default())),
        ),
        flow(
            "workload.other-audience.policy",
            "That audience is taken for the server by policy, as the server takes it for its own.",
            &["own-deviation"],
            &["granted"],
            || lists(workload(WorkloadToken::OtherAudience, &[OTHER_AUDIENCE], of_other_audience())),
        )
        .by(&["assertion_audiences"]),
        flow(
            "workload.other-audience.rejected",
            "The same where the server does not: the grant is refused, in its words.",
            &["token-errors"],
            &["grant_rejected"],
            || lists(workload(WorkloadToken::OtherAudience, &[], of_other_audience())),
        )
        .by(&["assertion_audiences"]),
        flow(
            "device",
            "A code is shown, and asked about until the person has decided.",
            &["device-shown", "device-polls"],
            &["logged_in"],
            || {
                let mut stage = device(Confirmation::AtPoll(3));
                stage.log_in();
                stage
            },
        ),
        flow(
            "device.slow-down",
            "The server wants to be asked less often than it said.",
            &["device-polls"],
            &["logged_in"],
            || {
                let device = Device {
                    interval: 7,
                    tells_interval: false,
                    confirmation: Confirmation::AtPoll(3),
                    ..Device::default()
                };
                let mut stage = Stage::at(
                    Origins::default(),
                    Dials { device: Some(device), ..Dials::default() },
                    |config, _| config.grant_type(GrantType::DeviceCode),
                );
                stage.log_in();
                stage
            },
        ),
        flow("device.denied", "The person says no.", &["device-polls"], &["access_denied"], || {
            let mut stage = device(Confirmation::AtPoll(2));
            stage.dials().person = Person::Denies;
            stage.log_in();
            stage
        }),
        flow(
            "device.expired",
            "Nobody decides, and the code runs out.",
            &["device-polls"],
            &["consent_timed_out"],
            || {
                let mut stage = device(Confirmation::Never);
                stage.log_in();
                stage
            },
        ),
        flow(
            "dpop",
            "The resource asks for tokens that are bound to a key: each request has a proof of its own.",
            &["proof", "proof-with-token"],
            &["logged_in"],
            || lists(bound(Dials { dpop: Some(Dpop::default()), ..Dials::default() })),
        ),
        flow(
            "dpop.nonce",
            "The server wants a nonce of its own in the proof: the request is signed anew, and sent once more.",
            &["proof-nonce"],
            &["logged_in"],
            || {
                let dpop = Dpop { server_nonces: Nonces::Required, ..Dpop::default() };
                lists(bound(Dials { dpop: Some(dpop), ..Dials::default() }))
            },
        ),
        flow(
            "dpop.nonce-in-vain",
            "A server that is not content with the nonce that it gave: a failure, and no third message.",
            &["proof-nonce"],
            &["nonce_required"],
            || {
                let dpop = Dpop { server_nonces: Nonces::Unsatisfiable, ..Dpop::default() };
                lists(bound(Dials { dpop: Some(dpop), ..Dials::default() }))
            },
        ),
        flow(
            "dpop.resource-nonce",
            "The MCP server wants a nonce of its own: the request goes out once more, and nothing is wrong with the token.",
            &["proof-nonce"],
            &["logged_in"],
            || {
                let dpop = Dpop { resource_nonces: Nonces::Required, ..Dpop::default() };
                lists(bound(Dials { dpop: Some(dpop), ..Dials::default() }))
            },
        ),
        flow(
            "dpop.downgrade",
            "A server that answers `Bearer` where a bound token was asked for: refused.",
            &["proof-downgrade"],
            &["token_type"],
            || {
                let dpop = Dpop { binds: false, ..Dpop::default() };
                lists(bound(Dials { dpop: Some(dpop), ..Dials::default() }))
            },
        ),
        flow(
            "dpop.no-key",
            "The resource takes bound tokens only, and there is no key.",
            &["own-unsupplied"],
            &["unsupported"],
            || lists(Stage::plain(Dials { dpop: Some(Dpop::default()), ..Dials::default() })),
        ),
        flow(
            "pushed",
            "The server demands that authorization requests are pushed ahead: the browser carries a reference.",
            &["pushed-where-required", "request-uri-once"],
            &["logged_in"],
            || {
                let pushed = Pushed { required: true, ..Pushed::default() };
                lists(Stage::plain(Dials { pushed: Some(pushed), ..Dials::default() }))
            },
        ),
        flow(
            "pushed.policy",
            "Pushed because policy wants it, where the server takes both.",
            &["own-deviation"],
            &["logged_in"],
            || {
                let dials = Dials { pushed: Some(Pushed::default()), ..Dials::default() };
                let mut stage = Stage::at(Origins::default(), dials, |config, world| {
                    config.issuer(world.issuer(0), IssuerPolicy::with(|it| it.push = true))
                });
                stage.run(Event::LogIn { scopes: Scopes::new() });
                stage
            },
        )
        .by(&["push"]),
    ]
}
