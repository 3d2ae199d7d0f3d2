//! Tokens that are bound to a key (RFC 9449), and authorization requests that are pushed ahead (RFC 9126).

mod support;

use http::{HeaderMap, StatusCode, header};
use mcp_auth::wire::dpop::Nonce;
use mcp_auth::{
    Access, Action, Challenge, Config, Event, Failure, IssuerPolicy, Kind, Outcome, Preregistered, ProofKey,
    TokenSource,
};
use mcp_auth_testbed::{Dials, Dpop, Fault, Nonces, PreRegistered, Purpose, Pushed, SigningKey, Trouble};
use support::{PROOF_KEY, REDIRECT, Rig, authorized, public, signer};
use url::Url;

fn keyed(config: Config) -> Config {
    config.proof_key(ProofKey::new(public(&PROOF_KEY)))
}

fn rig(dpop: Dpop) -> Rig {
    let mut rig = Rig::with(Dials { dpop: Some(dpop), ..Dials::default() }, keyed);
    rig.signer = signer();
    rig
}

fn scheme(rig: &Rig) -> String {
    let url = Url::parse(&rig.world.server_url()).unwrap();
    let Access::Ready(access) = rig.auth.access(&url, rig.now()) else { panic!("there is no token") };
    assert_eq!(access.is_bound(), access.value().to_str().unwrap().starts_with("DPoP "));
    access.value().to_str().unwrap().split(' ').next().unwrap().to_owned()
}

fn works(rig: &mut Rig) {
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200, "{}", rig.auth.trail());
}

#[test]
fn a_token_is_bound_where_the_resource_asks_for_it() {
    let mut rig = rig(Dpop::default());
    works(&mut rig);
    assert_eq!((scheme(&rig).as_str(), rig.auth.authorized().unwrap().bound), ("DPoP", true));
    assert_eq!(rig.asked("dpop_jkt"), Some(public(&PROOF_KEY).thumbprint()));
    // Each request has a proof of its own; a step-up and a renewal keep to the key.
    works(&mut rig);
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    rig.now += 3600;
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
    works(&mut rig);
    assert_eq!(scheme(&rig), "DPoP");
}

#[test]
fn what_is_to_be_signed_is_not_shown() {
    let mut rig = rig(Dpop::default());
    rig.tell(Event::LogIn { scopes: Default::default() });
    for _ in 0..20 {
        let action = rig.poll();
        if let Action::Sign(sign) = &action {
            let input = String::from_utf8(sign.message().to_vec()).unwrap();
            assert!(!format!("{sign:?} {:?} {}", rig.auth, rig.auth.trail()).contains(&input));
            return;
        }
        if let Some(event) = rig.answer(action) {
            rig.tell(event);
        }
    }
    panic!("nothing is signed\n{}", rig.auth.trail());
}

#[test]
fn before_any_refusal_the_metadata_asks_for_it() {
    let mut rig = rig(Dpop::default());
    assert!(rig.log_in().unwrap().bound);
}

#[test]
fn nothing_is_bound_where_nobody_asks() {
    let mut plain = Rig::with(Dials::default(), keyed);
    plain.signer = signer();
    works(&mut plain);
    assert_eq!(scheme(&plain), "Bearer");
    // Unless the host wants it so.
    let mut rig = Rig::with(
        Dials { dpop: Some(Dpop { required: false, ..Dpop::default() }), ..Dials::default() },
        |config| config.proof_key(ProofKey::new(public(&PROOF_KEY)).always()),
    );
    rig.signer = signer();
    works(&mut rig);
    assert_eq!(scheme(&rig), "DPoP");
}

#[test]
fn without_a_key_a_demand_for_one_is_a_typed_failure() {
    let mut rig = Rig::new(Dials { dpop: Some(Dpop::default()), ..Dials::default() });
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::Unsupported);
    assert_eq!(rig.log_in().unwrap_err().kind(), Kind::Unsupported);
    assert_eq!(rig.opened.len(), 0);
}

#[test]
fn nonces_of_both_servers_go_into_the_proofs() {
    for nonces in [Nonces::Required, Nonces::Rotating, Nonces::Timed(60)] {
        let mut rig = rig(Dpop { server_nonces: nonces, resource_nonces: nonces, ..Dpop::default() });
        works(&mut rig);
        for _ in 0..3 {
            rig.now += 61;
            works(&mut rig);
        }
        rig.now += 3600;
        works(&mut rig);
        assert_eq!(rig.opened.len(), 1, "{nonces:?}");
    }
}

#[test]
fn a_server_that_no_nonce_satisfies_is_left() {
    let mut bound = rig(Dpop { server_nonces: Nonces::Unsatisfiable, ..Dpop::default() });
    let failure = bound.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), bound.count(Purpose::Token)), (Kind::NonceRequired, 2));
    let mut bound = rig(Dpop { resource_nonces: Nonces::Unsatisfiable, ..Dpop::default() });
    let failure = bound.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), bound.opened.len()), (Kind::NonceRequired, 1));
    assert!(bound.count(Purpose::Mcp) <= 5);
}

#[test]
fn a_nonce_goes_back_to_the_server_that_gave_it() {
    let mut rig = rig(Dpop::default());
    works(&mut rig);
    rig.tell(Event::Nonce(Nonce::try_from("of-the-resource".to_owned()).unwrap()));
    let claims = |rig: &mut Rig| {
        let url = Url::parse(&rig.world.server_url()).unwrap();
        let input = rig.prove("POST", &url).unwrap().unwrap();
        let text = String::from_utf8(input.as_bytes().to_vec()).unwrap();
        let part = text.split('.').nth(1).unwrap().to_owned();
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part).unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
    };
    let (first, second) = (claims(&mut rig), claims(&mut rig));
    assert_eq!(first["nonce"], "of-the-resource");
    assert_ne!(first["jti"], second["jti"]);
    rig.now += 3600;
    rig.run(Event::Restore).unwrap();
    let token = rig.world.exchanges().iter().rfind(|it| it.is_for(Purpose::Refresh)).unwrap();
    assert!(!format!("{token:?}").contains("of-the-resource"));
    // Elsewhere there is nothing to prove.
    let elsewhere = Url::parse("https://elsewhere.example/mcp").unwrap();
    assert!(rig.prove("GET", &elsewhere).unwrap().is_none());
}

#[test]
fn a_bearer_token_in_answer_to_a_proof_is_refused() {
    let mut rig = rig(Dpop { binds: false, required: false, ..Dpop::default() });
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), failure.breach.clause.as_ref()), (Kind::TokenType, "RFC 9449 §5"));
}

/// A login of a machine whose clock is so many seconds ahead of the servers'.
fn ahead(rig: &mut Rig, seconds: u64) -> Result<Outcome, Box<Failure>> {
    rig.now += seconds;
    rig.tell(Event::LogIn { scopes: Default::default() });
    for _ in 0..100 {
        let action = rig.poll();
        if let Action::Finish(outcome) = action {
            return outcome;
        }
        rig.now -= seconds;
        let event = rig.answer(action);
        rig.now += seconds;
        if let Some(event) = event {
            rig.tell(event);
        }
    }
    panic!("the login does not end\n{}", rig.auth.trail());
}

#[test]
fn a_clock_that_is_off_is_said_by_the_server() {
    let of = |window| rig(Dpop { window, server_nonces: Nonces::None, ..Dpop::default() });
    let failure = ahead(&mut of(300), 301).unwrap_err();
    assert_eq!(failure.breach.error.as_deref(), Some("invalid_dpop_proof"), "{failure:#}");
    // Nothing else is wrong: the same clock does for a server that minds less, and a better one for this.
    ahead(&mut of(301), 301).unwrap();
    ahead(&mut of(300), 300).unwrap();
}

#[test]
fn a_record_that_is_bound_to_another_key_is_not_used() {
    let mut rig = rig(Dpop::default());
    works(&mut rig);
    rig.restart(|config| config.proof_key(ProofKey::new(public(&SigningKey::numbered(77)))));
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
    rig.restart(|config| config);
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
    rig.restart(keyed);
    assert!(matches!(rig.run(Event::Restore).unwrap(), Outcome::Authorized(_)));
}

#[test]
fn an_algorithm_that_the_key_does_not_have_is_refused_before_anybody_is_asked() {
    let mut rig = rig(Dpop { algorithms: vec!["ES256".to_owned()], ..Dpop::default() });
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::Unsupported);
    assert_eq!(rig.opened.len(), 0);
}

/// RFC 9449 §7.1: the resource says in its challenge which algorithms it takes. One proof goes to it, and one to the server.
#[test]
fn an_algorithm_is_one_that_the_resource_takes() {
    for (algs, taken) in [("algs=\"EdDSA ES256\"", true), ("algs=\"ES256\"", false), ("realm=\"mcp\"", true)]
    {
        let mut rig = rig(Dpop::default());
        let mut fields = HeaderMap::new();
        fields.insert(header::WWW_AUTHENTICATE, format!("DPoP {algs}").parse().unwrap());
        let challenge = Challenge::of(StatusCode::UNAUTHORIZED, &fields, None, 0).unwrap();
        let ended = rig.run(Event::Challenged(challenge)).map(|_| ()).map_err(|failure| failure.kind());
        assert_eq!(ended, if taken { Ok(()) } else { Err(Kind::Unsupported) }, "{algs}");
    }
}

#[test]
fn a_server_that_requires_it_gets_the_request_ahead() {
    for status in [201, 200] {
        let pushed = Some(Pushed { required: true, status, ..Pushed::default() });
        let mut rig = Rig::new(Dials { pushed, ..Dials::default() });
        works(&mut rig);
        assert!(rig.asked("request_uri").is_some() && rig.asked("state").is_none());
        assert_eq!(rig.opened.last().unwrap().query_pairs().count(), 2);
        assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
        assert_eq!(rig.opened.len(), 2);
    }
}

#[test]
fn a_caller_may_want_it_where_the_server_only_offers_it() {
    let pushed = Some(Pushed::default());
    let mut plain = Rig::new(Dials { pushed: pushed.clone(), ..Dials::default() });
    works(&mut plain);
    assert!(plain.asked("request_uri").is_none());
    let policy = IssuerPolicy::with(|it| it.push = true);
    let mut rig =
        Rig::with(Dials { pushed, ..Dials::default() }, |config| config.issuer("https://as.example", policy));
    works(&mut rig);
    assert!(rig.asked("request_uri").is_some());
}

/// A record from before the caller wanted it says nothing of where requests are pushed.
#[test]
fn what_a_caller_wants_pushed_is_pushed_in_a_step_up_by_an_older_record_too() {
    let by_hand = |config: Config| config.preregistered(Preregistered::new("https://as.example", "public"));
    let clients = vec![PreRegistered::public("public", REDIRECT)];
    for pushed in [Some(Pushed::default()), None] {
        let offered = pushed.is_some();
        let mut rig = Rig::with(Dials { pushed, clients: clients.clone(), ..Dials::default() }, by_hand);
        works(&mut rig);
        let policy = IssuerPolicy::with(|it| it.push = true);
        rig.restart(|config| by_hand(config).issuer("https://as.example", policy));
        assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
        assert_eq!(rig.asked("request_uri").is_some(), offered);
    }
}

#[test]
fn a_request_that_is_not_taken_ahead_opens_no_browser() {
    let pushed = Some(Pushed { required: true, ..Pushed::default() });
    for status in [400, 500] {
        let fault = mcp_auth_testbed::Fault {
            purpose: Purpose::PushedAuthorization,
            nth: 1,
            what: mcp_auth_testbed::Trouble::Status(status),
        };
        let mut rig = Rig::new(Dials { pushed: pushed.clone(), faults: vec![fault], ..Dials::default() });
        rig.call("tools/list", None).unwrap_err();
        assert_eq!(rig.opened.len(), 0);
        rig.log_in().unwrap();
    }
}

/// Only a client that registered itself can do so anew.
#[test]
fn a_client_that_is_not_known_ahead_is_mended_by_whoever_made_it() {
    let unknown = |_: &str| (401, r#"{"error":"invalid_client"}"#.to_owned());
    let dials = Dials {
        clients: vec![PreRegistered::public("by-hand", REDIRECT)],
        pushed: Some(Pushed { required: true, ..Pushed::default() }),
        ..Dials::default()
    };
    for (configured, kind, registrations) in
        [(true, Kind::Configuration, 0), (false, Kind::ClientRejected, 2)]
    {
        let mut rig = Rig::with(dials.clone(), |config| {
            let client = Preregistered::new("https://as.example", "by-hand");
            if configured { config.preregistered(client) } else { config }
        });
        rig.instead = Some(support::at("https://as.example/par", unknown));
        let failure = rig.log_in().unwrap_err();
        assert_eq!((failure.kind(), rig.opened.len()), (kind, 0), "{failure:#}");
        // Nothing is held against a configured one when it is known again.
        rig.instead = None;
        rig.log_in().unwrap();
        assert_eq!(rig.count(Purpose::Registration), registrations);
    }
}

/// Word of a dead page that comes when the code is on its way is too late, however often the code goes out.
#[test]
fn a_page_that_was_answered_is_not_disowned() {
    let mut rig = rig(Dpop { server_nonces: Nonces::Required, ..Dpop::default() });
    rig.tell(Event::LogIn { scopes: Default::default() });
    let end = loop {
        match rig.poll() {
            Action::Finish(end) => break end,
            Action::Wait(_) => {
                let callback = rig.consent();
                rig.tell(callback);
            }
            action => {
                if matches!(&action, Action::Send(send) if send.purpose() == mcp_auth::Purpose::Token) {
                    rig.tell(Event::ClientDisowned);
                }
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    };
    assert!(authorized(end.unwrap()).bound);
}

/// A request is sent with the server's nonce, and with another one if that was too old; then it is the server that is wrong.
#[test]
fn a_nonce_is_put_into_the_proof_twice_at_most() {
    let mut bound = rig(Dpop::default());
    works(&mut bound);
    let mut fields = HeaderMap::new();
    fields.insert(header::WWW_AUTHENTICATE, "DPoP error=\"use_dpop_nonce\"".parse().unwrap());
    fields.insert("dpop-nonce", "another-nonce".parse().unwrap());
    let refused = bound.auth.authorized().map(|done| done.generation);
    for (retries, goes_on) in [(0, true), (1, true), (2, false)] {
        let challenge = Challenge::of(StatusCode::UNAUTHORIZED, &fields, refused, retries).unwrap();
        let ended = bound.run(Event::Challenged(challenge)).map(authorized);
        let ended = ended.map(|done| done.source).map_err(|failure| failure.kind());
        assert_eq!(
            ended,
            if goes_on { Ok(TokenSource::Kept) } else { Err(Kind::NonceRequired) },
            "{retries}"
        );
    }
}

/// A nonce may come with any answer (RFC 9449 §8.2). A refusal for another reason is no demand for it.
#[test]
fn a_nonce_in_the_refusal_of_a_grant_does_not_send_it_again() {
    let mut rig = rig(Dpop::default());
    works(&mut rig);
    let sent = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = sent.clone();
    rig.instead = Some(Box::new(move |request| {
        if request.uri().path() != "/token" {
            return None;
        }
        counted.set(counted.get() + 1);
        let mut refusal = support::json((400, r#"{"error":"invalid_grant"}"#.to_owned()));
        refusal.headers_mut().insert("dpop-nonce", format!("nonce-{}", counted.get()).parse().unwrap());
        Some(refusal)
    }));
    rig.now += 3600;
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
    assert_eq!(sent.get(), 1);
}

#[test]
fn a_server_that_is_busy_says_when_a_request_may_be_pushed() {
    let faults =
        vec![Fault { purpose: Purpose::PushedAuthorization, nth: 1, what: Trouble::RetryAfter(503, 30) }];
    let pushed = Some(Pushed { required: true, ..Pushed::default() });
    let mut rig = Rig::new(Dials { pushed, faults, ..Dials::default() });
    let failure = rig.log_in().unwrap_err();
    assert_eq!(failure.retry_at.map(|at| at.as_secs() - rig.now), Some(30), "{failure}");
    assert!(failure.trail.entries().iter().any(|it| it.status == Some(503)), "{failure:#}");
    rig.log_in().unwrap();
}

/// A URL that no token may go to gets no proof either.
#[test]
fn nothing_is_proved_for_a_url_with_user_info() {
    let mut rig = rig(Dpop::default());
    works(&mut rig);
    for (url, proved) in [
        ("https://mcp.example/mcp", true),
        ("https://somebody@mcp.example/mcp", false),
        ("https://:word@mcp.example/mcp", false),
    ] {
        let input = rig.prove("POST", &Url::parse(url).unwrap()).unwrap();
        assert_eq!(input.is_some(), proved, "{url}");
    }
}
