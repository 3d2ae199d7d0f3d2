//! What the README says the client does, and what it never does: one flow for each.

use mcp_auth::wire::server_metadata::Pkce;
use mcp_auth::{
    Action, ClientMetadata, Event, IssuerPolicy, Legacy, Policy, Preregistered, ScopeRule, Scopes,
    ServerChoice,
};
use mcp_auth_testbed::*;

use crate::begun::{listed, texts};
use crate::stage::{self, REDIRECT, Stage};
use crate::{Flow, flow};

const DOCUMENT: &str = "https://app.example/client.json";

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = refusals();
    flows.extend(places());
    flows.extend(clients());
    flows.extend(answers());
    flows.extend(step_ups());
    flows.extend(nevers());
    flows
}

fn refusals() -> Vec<Flow> {
    vec![
        flow(
            "login",
            "A request is refused; the client discovers, registers, asks the person, exchanges the code and stores what it got.",
            &[
                "challenge-read",
                "resource-metadata",
                "scopes-in-order",
                "pkce",
                "resource-sent",
                "token-in-field",
            ],
            &["logged_in"],
            || listed(Dials::default()),
        ),
        flow(
            "challenge.several",
            "`Negotiate` and `Basic` come before the `Bearer` challenge, which counts.",
            &["challenge-grammar", "challenge-read"],
            &["logged_in"],
            || listed(Dials { challenge: Challenge::Several, ..Dials::default() }),
        ),
        flow(
            "challenge.none",
            "A 401 without any challenge: the well-known places are tried.",
            &["both-places", "challenge-read"],
            &["logged_in"],
            || listed(Dials { challenge: Challenge::None, ..Dials::default() }),
        ),
    ]
}

fn places() -> Vec<Flow> {
    vec![
        flow(
            "resource-metadata.root",
            "The path form is not there; the root form is, and names a resource that covers the server.",
            &["both-places"],
            &["logged_in"],
            || {
                listed(Dials {
                    resource_metadata: ResourceMetadata::Root,
                    resource: ResourceValue::Root,
                    advertise_metadata: false,
                    ..Dials::default()
                })
            },
        ),
        flow(
            "resource-metadata.redirected",
            "The document has moved within its origin: the redirect is followed.",
            &["own-limits"],
            &["logged_in"],
            || listed(Dials { resource_metadata_redirect: MetadataRedirect::SameOrigin, ..Dials::default() }),
        ),
        flow(
            "resource-metadata.redirected-elsewhere",
            "The document has moved to another origin, which could be anyone's: refused.",
            &["own-limits"],
            &["redirected"],
            || {
                listed(Dials {
                    resource_metadata_redirect: MetadataRedirect::OtherOrigin,
                    ..Dials::default()
                })
            },
        ),
        flow(
            "resource-metadata.other-resource",
            "A document about another resource: refused, with both names.",
            &["resource-held-challenged"],
            &["resource_mismatch"],
            || listed(Dials { resource: ResourceValue::OtherOrigin, ..Dials::default() }),
        ),
        flow(
            "server-metadata.forms",
            "The issuer has a path; the two forms before the last are not there.",
            &["both-metadata-forms", "forms-in-order"],
            &["logged_in"],
            || {
                listed(Dials {
                    issuer_path: "/tenant1".to_owned(),
                    server_metadata: ServerMetadata::OpenidAppended,
                    ..Dials::default()
                })
            },
        ),
        flow(
            "authorization-servers.in-turn",
            "The first of two authorization servers does not answer; the second is used.",
            &["server-choice"],
            &["logged_in"],
            || {
                listed(Dials {
                    authorization_servers: AuthorizationServers::DeadThenFirst,
                    ..Dials::default()
                })
            },
        ),
        flow(
            "authorization-servers.pinned",
            "Policy pins an issuer that the resource does not name: refused.",
            &["server-choice"],
            &["issuer_mismatch"],
            || {
                let mut stage = Stage::at(Origins::default(), Dials::default(), |config, _| {
                    let pinned = ServerChoice::Pinned("https://as2.example".to_owned());
                    config.policy(Policy::with(|it| it.authorization_server = pinned))
                });
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "legacy",
            "No metadata anywhere: the endpoints that 2025-03-26 has on the server's own origin, flagged in the outcome.",
            &["fallback", "base-url"],
            &["logged_in"],
            || listed(old()),
        ),
        flow(
            "legacy.refused",
            "The same with a policy that refuses the fallback.",
            &["own-narrower"],
            &["fallback_refused"],
            || {
                let mut stage = Stage::at(Origins::default(), old(), |config, _| {
                    config.policy(Policy::with(|it| it.legacy = Legacy::Refused))
                });
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "legacy.not-after-errors",
            "Metadata that fails is no plain absence: nothing is guessed.",
            &["metadata-before-fallback", "metadata-answers", "resource-get"],
            &["unexpected_status"],
            || {
                let faults =
                    vec![Fault { purpose: Purpose::ResourceMetadata, nth: 0, what: Trouble::Status(503) }];
                listed(Dials { faults, ..old() })
            },
        ),
    ]
}

fn old() -> Dials {
    Dials {
        resource_metadata: ResourceMetadata::Nowhere,
        server_metadata: ServerMetadata::Nowhere,
        challenge: Challenge::Bare,
        ..Dials::default()
    }
}

fn clients() -> Vec<Flow> {
    vec![
        flow(
            "client.configured",
            "A configured client comes before all else, and authenticates with its secret.",
            &["clients-in-order", "preregistered", "client-authenticates"],
            &["logged_in"],
            || {
                let secret = "a-secret-of-client-1";
                let dials = Dials {
                    clients: vec![PreRegistered::confidential(
                        "client-1",
                        secret,
                        "client_secret_basic",
                        REDIRECT,
                    )],
                    ..Dials::default()
                };
                let mut stage = Stage::at(Origins::default(), dials, |config, world| {
                    config.preregistered(
                        Preregistered::new(world.issuer(0), "client-1").secret("a-secret-of-client-1"),
                    )
                });
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "client.configured-elsewhere",
            "A client that is configured for another issuer is offered to no other, and no other takes its place.",
            &["credentials-bound", "binding-told"],
            &["client_bound_elsewhere"],
            || {
                let dials = Dials {
                    registration: Registration::Absent,
                    client_id_metadata_documents: false,
                    ..Dials::default()
                };
                let mut stage = Stage::at(Origins::default(), dials, |config, world| {
                    config.preregistered(Preregistered::new(world.issuer(1), "client-1"))
                });
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "client.document",
            "Where the server supports it, the URL of the client's metadata document is its identifier.",
            &["clients-in-order", "client-documents"],
            &["logged_in"],
            || documented(DocumentFetch::Succeeds),
        ),
        flow(
            "client.document-not-fetched",
            "The server cannot fetch the document and says so; registration is the next way, and it is remembered.",
            &["clients-in-order"],
            &["logged_in"],
            || documented(DocumentFetch::InvalidClientInCallback),
        ),
        flow(
            "client.prompted",
            "No way is left but the person, who names a client.",
            &["clients-in-order", "client-first"],
            &["logged_in"],
            || {
                let dials = Dials {
                    clients: vec![PreRegistered::public("told", REDIRECT)],
                    registration: Registration::Absent,
                    client_id_metadata_documents: false,
                    ..Dials::default()
                };
                let mut stage = Stage::at(Origins::default(), dials, |config, _| {
                    config.policy(Policy::with(|it| it.ask_for_client = true))
                });
                stage.told = Some("told".to_owned());
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "client.rewritten-redirect",
            "The registration answer lists another redirect URI: it is not adopted.",
            &["redirect-registered", "registered-counts"],
            &["registration_unusable"],
            || listed(Dials { registered_redirects: RegisteredRedirects::Rewritten, ..Dials::default() }),
        ),
    ]
}

fn documented(fetch: DocumentFetch) -> Stage {
    let document = ClientMetadata::new("Example client", REDIRECT).document(DOCUMENT, None, None).unwrap();
    let dials = Dials {
        client_documents: [(DOCUMENT.to_owned(), document)].into(),
        client_document_fetch: fetch,
        ..Dials::default()
    };
    let mut stage = Stage::at(Origins::default(), dials, |config, _| config.metadata_document(DOCUMENT));
    stage.call("tools/list", None);
    stage
}

fn answers() -> Vec<Flow> {
    vec![
        flow(
            "callback.foreign",
            "Answers with another `state`, or none, are passed over; the right one follows.",
            &["csrf", "state"],
            &["logged_in"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.before = texts(&[
                    "http://127.0.0.1:3000/callback?error=access_denied&state=another",
                    "http://127.0.0.1:3000/favicon.ico",
                ]);
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "callback.other-issuer",
            "`iss` is another issuer's: the code is not exchanged.",
            &["iss-judged", "mix-up-iss"],
            &["issuer_mismatch"],
            || listed(Dials { iss: Iss::Wrong, ..Dials::default() }),
        ),
        flow(
            "callback.no-issuer",
            "`iss` is promised by the metadata and does not come.",
            &["iss-missing"],
            &["issuer_missing"],
            || listed(Dials { iss: Iss::AdvertisedButMissing, ..Dials::default() }),
        ),
        flow(
            "callback.iss-demanded",
            "`iss` is not promised, and policy demands it of every server.",
            &["mix-up", "own-narrower"],
            &["issuer_missing"],
            || {
                let mut stage = Stage::at(
                    Origins::default(),
                    Dials { iss: Iss::Absent, ..Dials::default() },
                    |config, _| config.policy(Policy::with(|it| it.require_iss = true)),
                );
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "callback.denied",
            "The person says no, and is left alone for a while: the next refusal ends with the same failure.",
            &["authorization-errors", "own-quiet"],
            &["access_denied", "access_denied"],
            || {
                let mut stage = listed(Dials { person: Person::Denies, ..Dials::default() });
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "callback.timed-out",
            "The person closes the browser.",
            &["authorization-errors"],
            &["consent_timed_out"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.person = stage::Person::Ignores;
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "login.cancelled",
            "The host calls the attempt off while the browser is open.",
            &["own-calling-off"],
            &["cancelled"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.tell(Event::LogIn { scopes: Scopes::new() });
                stage.until(|action| matches!(action, Action::Open(_)));
                stage.run(Event::Cancelled);
                stage
            },
        ),
        flow(
            "login.other-process",
            "A login that waits for its callback is taken up by another process.",
            &["own-snapshots", "issuer-recorded"],
            &["logged_in"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.tell(Event::LogIn { scopes: Scopes::new() });
                stage.until(|action| matches!(action, Action::Wait(_)));
                stage.resume();
                let callback = stage.consent();
                stage.run(callback);
                stage
            },
        ),
        flow(
            "token.form",
            "The token answer is form-encoded, its type in lower case.",
            &["token-answers"],
            &["logged_in"],
            || {
                listed(Dials {
                    token_body: TokenBody::Form,
                    token_type: TokenType::LowerCase,
                    ..Dials::default()
                })
            },
        ),
        flow(
            "token.no-type",
            "A token answer without `token_type`: refused.",
            &["token-type"],
            &["token_type"],
            || listed(Dials { token_type: TokenType::Absent, ..Dials::default() }),
        ),
        flow(
            "token.no-type.policy",
            "The same, taken for Bearer by policy.",
            &["own-deviation"],
            &["logged_in"],
            || {
                let dials = Dials { token_type: TokenType::Absent, ..Dials::default() };
                let mut stage = Stage::at(Origins::default(), dials, |config, world| {
                    config.issuer(
                        world.issuer(0),
                        IssuerPolicy::with(|it| it.token_shape.missing_type_is_bearer = true),
                    )
                });
                stage.call("tools/list", None);
                stage
            },
        )
        .by(&["token_shape"]),
        flow(
            "token.other-type",
            "A token of another type is of no use.",
            &["token-type"],
            &["token_type"],
            || listed(Dials { token_type: TokenType::Other("mac".to_owned()), ..Dials::default() }),
        ),
        flow(
            "logout",
            "The refresh token is revoked first, then the access token, and then the record goes.",
            &["revoked"],
            &["logged_in", "logged_out"],
            || {
                let mut stage = listed(Dials::default());
                stage.run(Event::LogOut);
                stage
            },
        ),
        flow(
            "logout.unreachable",
            "The server cannot be reached: that is said, and the record goes all the same.",
            &["revoked"],
            &["logged_in", "logged_out"],
            || {
                let faults = vec![Fault { purpose: Purpose::Revoke, nth: 0, what: Trouble::Drop }];
                let mut stage = listed(Dials { faults, ..Dials::default() });
                stage.run(Event::LogOut);
                stage
            },
        ),
        flow(
            "logout.not-offered",
            "The server offers no revocation: that is said, and the record goes all the same.",
            &["revoked"],
            &["logged_in", "logged_out"],
            || {
                let mut stage = listed(Dials { revocation: false, ..Dials::default() });
                stage.run(Event::LogOut);
                stage
            },
        ),
    ]
}

fn step_ups() -> Vec<Flow> {
    vec![
        flow(
            "step-up",
            "A tool needs more: the person is asked for what was asked before and what is needed now. Registration named no more, so the client is registered anew.",
            &["step-up", "scopes-kept", "challenge-authoritative", "registered-scope"],
            &["logged_in", "logged_in"],
            || {
                let mut stage = listed(Dials::default());
                stage.call("tools/call", Some("write_file"));
                stage
            },
        ),
        flow(
            "step-up.declined",
            "The person declines: the present grant is left as it was.",
            &["step-up", "authorization-errors"],
            &["logged_in", "access_denied"],
            || {
                let mut stage = listed(Dials::default());
                stage.dials().person = Person::Denies;
                stage.call("tools/call", Some("write_file"));
                stage.call("tools/call", Some("echo"));
                stage
            },
        ),
        flow(
            "step-up.in-vain",
            "A server that is never content is left after as many step-ups as policy allows.",
            &["step-ups-bounded"],
            &["logged_in", "logged_in", "logged_in", "insufficient_scope"],
            || {
                listed(Dials {
                    refusal: Refusal::InsufficientScope,
                    scope_unknown: ScopeUnknown::Dropped,
                    ..Dials::default()
                })
            },
        ),
        flow(
            "refused-token",
            "A server that refuses every token is left: a fresh token is refused, and nothing is tried again.",
            &["own-fresh-token-refused"],
            &["logged_in", "token_rejected"],
            || listed(Dials { refusal: Refusal::Unauthorized, ..Dials::default() }),
        ),
        flow(
            "logins.too-many",
            "Each login is good for nothing, and the next refusal asks for another: no more are shown than policy says.",
            &["own-quiet"],
            &["logged_in", "logged_in", "too_many_logins"],
            || {
                let dials = Dials { refresh_tokens: RefreshTokens::Never, ..Dials::default() };
                let mut stage = Stage::at(Origins::default(), dials, |config, _| {
                    config.policy(Policy::with(|it| it.logins_per_hour = 2))
                });
                stage.call("tools/list", None);
                stage.now += 1800;
                stage.world.expire_access_tokens();
                stage.call("tools/list", None);
                stage.now += 1700;
                stage.world.expire_access_tokens();
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "scopes.only",
            "The caller wants exactly these scopes, whatever the challenge says.",
            &["own-only"],
            &["logged_in"],
            || {
                let mut stage = Stage::at(Origins::default(), Dials::default(), |config, _| {
                    let rule = ScopeRule::with(|it| it.only = Scopes::parse("files:read files:write").ok());
                    config.scopes(rule)
                });
                stage.call("tools/list", None);
                stage
            },
        ),
    ]
}

fn nevers() -> Vec<Flow> {
    vec![
        flow(
            "pkce.plain-only",
            "Only `plain` is offered: refused, and no policy changes that.",
            &["pkce-advertised", "no-plain"],
            &["pkce_unsupported"],
            || {
                let dials = Dials { challenge_methods: ChallengeMethods::PlainOnly, ..Dials::default() };
                let mut stage = Stage::at(Origins::default(), dials, |config, world| {
                    config.issuer(world.issuer(0), IssuerPolicy::with(|it| it.pkce = Pkce::AssumeS256))
                });
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "guard.private-address",
            "Metadata that names a private address as its authorization server: refused before anything is sent there.",
            &["no-private-addresses", "https-only"],
            &["url_refused"],
            || {
                listed(Dials {
                    authorization_servers: AuthorizationServers::Raw(texts(&["https://169.254.169.254"])),
                    ..Dials::default()
                })
            },
        ),
        flow(
            "token.redirected",
            "The token endpoint redirects: the code is not sent after it.",
            &["own-limits"],
            &["redirected"],
            || {
                let what = Trouble::RedirectTo("https://elsewhere.example/token".to_owned());
                listed(Dials {
                    faults: vec![Fault { purpose: Purpose::CodeExchange, nth: 0, what }],
                    ..Dials::default()
                })
            },
        ),
        flow(
            "issuer.other",
            "The metadata is another issuer's: refused, with both names.",
            &["issuer-held"],
            &["issuer_mismatch"],
            || listed(Dials { issuer: IssuerValue::Other, ..Dials::default() }),
        ),
        flow(
            "metadata.oversized",
            "A document of more than a quarter of a megabyte is not read.",
            &["own-limits"],
            &["too_large"],
            || {
                let what = Trouble::Oversized(300 << 10);
                listed(Dials {
                    faults: vec![Fault { purpose: Purpose::ServerMetadata, nth: 0, what }],
                    ..Dials::default()
                })
            },
        ),
    ]
}
