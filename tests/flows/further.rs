//! Further servers: those that spell JSON in another way, and what the others of their kind leave out.

use std::collections::BTreeSet;

use mcp_auth::trace::{Entry, Names, Trace};
use mcp_auth::{Action, Config, Event, Preregistered, Scopes};
use mcp_auth_testbed::*;

use crate::begun::{bare, lists, lists_twice, open, texts};
use crate::stage::{REDIRECT, Stage};
use crate::{Flow, flow};

/// Registered secrets run out, and registering again brings the same one.
fn lasting(clients: Vec<PreRegistered>) -> Dials {
    Dials {
        auth_methods: Some(texts(&["client_secret_basic"])),
        clients,
        secret_lifetime: Some(1000),
        registration_again: RegistrationAgain::Same,
        ..open()
    }
}

/// A client with a secret, and letters that are escaped in its name, its secret, its tokens, and the server's endpoint:
/// a login, a renewal and a logout.
fn escaping(name: &str, json_escapes: JsonEscapes) -> Stage {
    let dials = Dials {
        json_escapes,
        authorization_query: "a=1&b=2".to_owned(),
        auth_methods: Some(texts(&["client_secret_basic"])),
        revocation_auth_methods: Some(texts(&["client_secret_basic"])),
        ..open()
    };
    let mut stage =
        Stage::named(name, dials, |_, world| Config::new(world.server_url(), "Zoë's client", REDIRECT));
    stage = lists_twice(stage);
    stage.run(Event::LogOut);
    stage
}

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = spelled();
    flows.extend(served());
    flows.extend(refused());
    flows
}

fn spelled() -> Vec<Flow> {
    const SHOWS: [&str; 2] = [
        "Every document has `\\/` for a slash and `\\uXXXX` beyond ASCII; identifiers, secrets and tokens are what they say.",
        "Every document has `\\u002B` for `+` and `\\u0026` for `&`; identifiers, secrets and tokens are what they say.",
    ];
    const NAMED: &[&str] = &["strings-compared", "basic-encoded"];
    const ENDS: &[&str] = &["logged_in", "refreshed", "logged_out"];
    vec![
        flow("php-like.strict", SHOWS[0], NAMED, ENDS, || escaping("php-like", JsonEscapes::Php)),
        flow("dotnet-like.strict", SHOWS[1], NAMED, ENDS, || escaping("dotnet-like", JsonEscapes::DotNet)),
    ]
}

fn served() -> Vec<Flow> {
    vec![
        flow(
            "paypal-like.strict",
            "The resource is the whole origin, and its authorization server takes anyone's registration.",
            &["registration-request"],
            &["logged_in"],
            || lists(Stage::named("paypal-like", Dials { mcp_path: String::new(), ..open() }, |it, _| it)),
        ),
        flow(
            "notion-like.basic",
            "`client_id` in the body beside Basic counts as a second method there: nothing of the client is in the body.",
            &["one-authentication"],
            &["logged_in", "refreshed"],
            || {
                let dials = Dials {
                    refuse_client_id_with_basic: true,
                    auth_methods: Some(texts(&["client_secret_basic"])),
                    ..open()
                };
                lists_twice(Stage::named("notion-like", dials, |config, _| config))
            },
        ),
        flow(
            "hubspot-like.configured",
            "The same with a client that was registered by hand.",
            &["preregistered"],
            &["logged_in"],
            || {
                let dials = Dials { clients: vec![PreRegistered::public("client-1", REDIRECT)], ..bare() };
                lists(Stage::named("hubspot-like", dials, |config, world| {
                    config.preregistered(Preregistered::new(world.issuer(0), "client-1"))
                }))
            },
        ),
        flow(
            "stytch-like.https",
            "The same with a redirect URI of a site: `application_type` is `web`, and it is taken.",
            &["application-type", "application-type-values"],
            &["logged_in"],
            || {
                lists(Stage::named("stytch-like", open(), |_, world| {
                    Config::new(world.server_url(), "Example client", "https://app.example/callback")
                }))
            },
        ),
        flow(
            "freee-like.configured",
            "A client that was registered by hand has a secret that lives on.",
            &["preregistered", "client-authenticates"],
            &["logged_in", "refreshed"],
            || {
                let secret = "a-secret-of-client-1";
                let client = PreRegistered::confidential("client-1", secret, "client_secret_basic", REDIRECT);
                lists_twice(Stage::named("freee-like", lasting(vec![client]), |config, world| {
                    let client = Preregistered::new(world.issuer(0), "client-1");
                    config.preregistered(client.secret("a-secret-of-client-1"))
                }))
            },
        ),
    ]
}

fn refused() -> Vec<Flow> {
    vec![
        flow(
            "token.lifetime-text",
            "`expires_in` is text, and the answer to the registration has `null` and `\"\"` where it could have nothing: both are read.",
            &["token-answers", "registered-counts"],
            &["logged_in", "refreshed"],
            || {
                let dials =
                    Dials { expires_in: ExpiresIn::Text, registration_empties: true, ..Dials::default() };
                lists_twice(Stage::plain(dials))
            },
        ),
        flow(
            "server-metadata.none",
            "The resource names an authorization server that has no metadata: nothing is guessed of one that was named.",
            &["metadata-before-fallback", "metadata-get"],
            &["not_found"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.instead = Some(Box::new(|request| {
                    let there = request.uri().host() == Some("as.example");
                    there.then(|| http::Response::builder().status(404).body(Vec::new()).unwrap())
                }));
                lists(stage)
            },
        ),
        flow(
            "freee-like.strict",
            "A registered secret has run out, and registering anew brings the same dead secret: a failure that says so, and no loop.",
            &["registered-counts"],
            &["logged_in", "anonymous", "registration_unusable"],
            || lists_twice(Stage::named("freee-like", lasting(Vec::new()), |config, _| config)),
        ),
        flow(
            "callback.twice",
            "What reached the redirect URI once reaches it again: `state` is spent, and the code is not sent a second time.",
            &["state-once", "code-once"],
            &["logged_in"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.tell(Event::LogIn { scopes: Scopes::new() });
                stage.until(|action| matches!(action, Action::Wait(_)));
                let callback = stage.consent();
                stage.tell(callback.clone());
                stage.settle();
                stage.tell(callback);
                stage.settle();
                stage
            },
        ),
        flow(
            "logout.busy",
            "Revocation is answered with 503: the tokens count as alive, that is said, and the record goes all the same.",
            &["revocation-503"],
            &["logged_in", "logged_out"],
            || {
                let faults =
                    vec![Fault { purpose: Purpose::Revoke, nth: 0, what: Trouble::RetryAfter(503, 60) }];
                let mut stage = lists(Stage::plain(Dials { faults, ..Dials::default() }));
                stage.run(Event::LogOut);
                stage
            },
        ),
    ]
}

/// What a secret looks like in a body, with and without the escapes of either writer, in a form and in a URL.
fn spellings(secret: &str) -> Vec<String> {
    let php = secret.replace('/', "\\/");
    let dotnet = secret.replace('+', "\\u002B");
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let spelled = [secret.to_owned(), php, dotnet, form.clone(), form.replace("%2F", "/")];
    // A trace is JSON itself, so that a body's backslashes are doubled there.
    spelled.iter().flat_map(|it| [it.clone(), it.replace('\\', "\\\\")]).collect()
}

#[test]
fn what_is_escaped_leaves_nothing_behind_when_scrubbed() {
    for (escapes, escaped) in [(JsonEscapes::Php, "\\\\/"), (JsonEscapes::DotNet, "\\\\u002B")] {
        let stage = escaping("escaping", escapes);
        let text = stage.trace();
        let trace = Trace::read(&text).unwrap();
        let scrubbed = trace.scrub(Names::Kept).unwrap();
        assert!(scrubbed.replay().is_ok());
        let scrubbed = scrubbed.to_string();
        let sent = stage.world.exchanges().iter().flat_map(|exchange| {
            ["code", "refresh_token", "token"].into_iter().filter_map(|name| exchange.parameter(name))
        });
        let mut secrets: BTreeSet<String> = sent.map(str::to_owned).collect();
        // The secret is in the record that was kept before the logout, and so in the trace.
        let registered = trace.entries().find_map(|entry| match entry {
            Entry::Action(action) => {
                action["store"]["credential"]["client"]["secret"].as_str().map(str::to_owned)
            }
            _ => None,
        });
        secrets.extend(registered);
        assert!(secrets.len() >= 5, "{secrets:?}");
        for secret in &secrets {
            assert!(secret.contains('+') && secret.contains('/'), "{secret} has nothing to escape");
            let there = spellings(secret).iter().any(|spelled| text.contains(spelled.as_str()));
            assert!(there, "{secret} is not in the trace");
            for spelled in spellings(secret) {
                assert!(!scrubbed.contains(&spelled), "{escapes:?}: {spelled} is left");
            }
        }
        let found = secrets.iter().any(|secret| {
            let spelled = secret.replace(if escapes == JsonEscapes::Php { '/' } else { '+' }, escaped);
            text.contains(&spelled)
        });
        assert!(found, "{escapes:?}: no secret came escaped");
    }
}
