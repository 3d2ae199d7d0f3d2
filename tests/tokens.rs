//! Token answers, renewal, and what is kept.

mod support;

use std::sync::Arc;

use http::{HeaderMap, StatusCode, header};
use mcp_auth::wire::client::AuthMethod;
use mcp_auth::wire::token::TokenShape;
use mcp_auth::{
    Access, Action, Challenge, Config, Event, Generation, IssuerPolicy, Kind, Outcome, Preregistered,
    ProofKey, Retry, Saving, Scopes, Secret, TokenSource,
};
use mcp_auth_testbed::{
    Dials, Dpop, ExpiresIn, Fault, PreRegistered, Purpose, RefreshTokens, ResourceMetadata, Rotation,
    ScopeAnswer, TokenBody, TokenType, Trouble,
};
use serde_json::json;
use support::{Person, Rig, StoreMood, authorized, works};
use url::Url;

#[test]
fn every_shape_of_answer_is_read() {
    for token_body in [TokenBody::Json, TokenBody::Form, TokenBody::FormUnlessAccepted] {
        works(Dials { token_body, ..Dials::default() });
    }
    works(Dials { token_status: 201, ..Dials::default() });
    works(Dials { token_type: TokenType::LowerCase, ..Dials::default() });
    for expires_in in [ExpiresIn::Text, ExpiresIn::Float] {
        let rig = works(Dials { expires_in, ..Dials::default() });
        assert_eq!(rig.auth.authorized().unwrap().expires_at.unwrap().as_secs(), rig.now + 3600);
    }
    for expires_in in [ExpiresIn::Null, ExpiresIn::Zero, ExpiresIn::Negative, ExpiresIn::Absent] {
        let rig = works(Dials { expires_in, ..Dials::default() });
        assert_eq!(rig.auth.authorized().unwrap().expires_at, None);
    }
    for scope_answer in [ScopeAnswer::Absent, ScopeAnswer::Empty] {
        let rig = works(Dials { scope_answer, ..Dials::default() });
        assert_eq!(rig.auth.authorized().unwrap().granted.to_string(), "files:read");
    }
}

#[test]
fn a_token_of_another_type_is_refused() {
    for token_type in
        [TokenType::Absent, TokenType::Other("mac".to_owned()), TokenType::Other("N_A".to_owned())]
    {
        let mut rig = Rig::new(Dials { token_type, ..Dials::default() });
        assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::TokenType);
    }
    let shape = TokenShape::with(|it| it.missing_type_is_bearer = true);
    let policy = IssuerPolicy::with(|it| it.token_shape = shape);
    let dials = Dials { token_type: TokenType::Absent, ..Dials::default() };
    let mut rig = Rig::with(dials, |config| config.issuer("https://as.example", policy));
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
}

#[test]
fn an_error_in_a_good_status_is_an_error() {
    let dials = Dials { errors_with_200: true, ..Dials::default() };
    let mut rig = works(dials);
    rig.world.revoke_everything();
    rig.now += 3600;
    // The refresh token is refused with status 200; a new login follows.
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(rig.opened.len(), 2);
}

#[test]
fn a_failed_exchange_is_a_typed_failure() {
    for (what, kind) in [
        (Trouble::Status(503), Kind::UnexpectedStatus),
        (Trouble::Html, Kind::NotADocument),
        (Trouble::Empty, Kind::NotADocument),
        (Trouble::Truncated, Kind::Malformed),
        (Trouble::Drop, Kind::Unreachable),
        (Trouble::Oversized(1 << 20), Kind::TooLarge),
        (Trouble::RedirectTo("https://evil.example/token".to_owned()), Kind::Redirected),
    ] {
        let faults = vec![Fault { purpose: Purpose::Token, nth: 1, what: what.clone() }];
        let mut rig = Rig::new(Dials { faults, ..Dials::default() });
        assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), kind, "{what:?}");
        rig.log_in().unwrap();
    }
}

/// A server that fails is not believed in what it says of the client, and says itself when it may be asked again.
#[test]
fn an_exchange_that_fails_for_now_says_when_to_come_back() {
    let mut rig = Rig::new(Dials::default());
    rig.world.dials_mut().faults =
        vec![Fault { purpose: Purpose::Token, nth: 1, what: Trouble::RetryAfter(503, 40) }];
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), failure.retry()), (Kind::UnexpectedStatus, Retry::Later));
    assert_eq!(failure.retry_at.map(|at| at.as_secs()), Some(rig.now + 40));
    // What was asked for then is no part of another failure.
    rig.world.dials_mut().person = mcp_auth_testbed::Person::Denies;
    assert_eq!(rig.log_in().unwrap_err().retry_at, None);
}

#[test]
fn renewal_needs_nobody() {
    for rotation in [Rotation::None, Rotation::Repeated, Rotation::Strict, Rotation::Grace] {
        let mut rig = works(Dials { rotation, refresh_ends_access: true, ..Dials::default() });
        for _ in 0..5 {
            rig.now += 3600;
            assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
            assert_eq!(rig.auth.authorized().unwrap().source, TokenSource::Refreshed);
        }
        assert_eq!((rig.opened.len(), rig.count(Purpose::Token)), (1, 6), "{rotation:?}");
    }
}

#[test]
fn a_token_is_renewed_before_the_server_is_shown_an_expired_one() {
    let mut rig = works(Dials { expired_token_ends_grant: true, ..Dials::default() });
    rig.now += 3600;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(rig.opened.len(), 1);
}

#[test]
fn a_refused_token_is_renewed_once_and_then_a_person_is_asked() {
    let mut rig = works(Dials::default());
    rig.world.expire_access_tokens();
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((rig.opened.len(), rig.count(Purpose::Token)), (1, 2));
    rig.world.revoke_everything();
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((rig.opened.len(), rig.count(Purpose::Token)), (2, 4));
}

#[test]
fn a_dead_refresh_token_is_sent_once() {
    let mut rig = works(Dials::default());
    rig.world.revoke_everything();
    rig.now += 3600;
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
    let before = rig.count(Purpose::Token);
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    // The code's exchange, and nothing for the dead token.
    assert_eq!((rig.count(Purpose::Token), rig.opened.len()), (before + 1, 2));
}

#[test]
fn what_passes_by_itself_opens_no_browser() {
    for what in [Trouble::Status(503), Trouble::Status(429)] {
        let faults = vec![Fault { purpose: Purpose::Token, nth: 2, what: what.clone() }];
        let mut rig = works(Dials { faults, ..Dials::default() });
        rig.now += 3600;
        let failure = rig.call("tools/list", None).unwrap_err();
        assert_eq!(rig.opened.len(), 1, "{what:?}");
        assert_eq!(failure.retry(), Retry::Later);
        // The refresh token is still there, and serves when the server has been left alone for a while.
        rig.now = failure.retry_at.expect("there is a time to try again").as_secs();
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
        assert_eq!(rig.opened.len(), 1, "{what:?}");
    }
}

#[test]
fn a_lost_answer_is_asked_for_once_more_at_once() {
    for what in [Trouble::Drop, Trouble::Html] {
        let faults = vec![Fault { purpose: Purpose::Token, nth: 2, what: what.clone() }];
        let mut rig = works(Dials { faults, ..Dials::default() });
        rig.now += 3600;
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200, "{what:?}");
        assert_eq!((rig.opened.len(), rig.count(Purpose::Token)), (1, 3), "{what:?}");
    }
}

#[test]
fn a_client_that_the_server_forgot_registers_anew() {
    let mut rig = works(Dials::default());
    rig.world.purge_clients();
    rig.now += 3600;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((rig.count(Purpose::Registration), rig.opened.len()), (2, 2));
}

#[test]
fn a_client_that_only_the_authorization_page_disowns_registers_anew_next_time() {
    let mut rig = works(Dials { refresh_tokens: RefreshTokens::Never, ..Dials::default() });
    rig.world.purge_clients();
    rig.now += 3600;
    // The person sees an error page, and nothing comes back.
    assert_eq!(rig.log_in().unwrap_err().kind(), Kind::ConsentTimedOut);
    rig.log_in().unwrap();
    assert_eq!((rig.count(Purpose::Registration), rig.opened.len()), (2, 3));
}

#[test]
fn a_token_endpoint_that_is_gone_is_looked_for_anew() {
    for status in [404, 410] {
        let mut rig = works(Dials::default());
        rig.world.dials_mut().faults =
            vec![Fault { purpose: Purpose::Token, nth: 2, what: Trouble::Status(status) }];
        rig.now += 3600;
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
        assert_eq!(rig.opened.len(), 2);
    }
}

#[test]
fn without_a_refresh_token_a_person_is_asked_again() {
    let mut rig = works(Dials { refresh_tokens: RefreshTokens::Never, ..Dials::default() });
    rig.now += 3600;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((rig.opened.len(), rig.count(Purpose::Registration)), (2, 1));
}

#[test]
fn a_store_that_cannot_write_is_reported_and_takes_nothing_away() {
    let mut rig = Rig::new(Dials::default());
    rig.mood = StoreMood::FailsToWrite;
    let done = rig.log_in().unwrap();
    assert_eq!(done.unsaved.as_deref(), Some("the disk is full"));
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    rig.now += 3600;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(rig.opened.len(), 1);
}

#[test]
fn a_store_that_cannot_read_is_a_typed_failure() {
    let mut rig = Rig::new(Dials::default());
    rig.mood = StoreMood::FailsToRead;
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), failure.retry()), (Kind::StoreFailed, Retry::Later));
    rig.mood = StoreMood::Works;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
}

/// Somebody else may be spending it.
#[test]
fn no_refresh_token_is_spent_while_the_store_cannot_say_who_has_it() {
    let mut rig = works(Dials::default());
    rig.now += 3600;
    rig.mood = StoreMood::FailsToRead;
    let before = rig.count(Purpose::Token);
    assert_eq!(rig.run(Event::Restore).unwrap_err().kind(), Kind::StoreFailed);
    assert_eq!(rig.count(Purpose::Token), before);
    rig.mood = StoreMood::Works;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((rig.count(Purpose::Token), rig.opened.len()), (before + 1, 1));
}

#[test]
fn what_another_process_obtained_is_adopted() {
    let mut rig = works(Dials::default());
    let stale = rig.store.clone();
    rig.now += 3600;
    rig.call("tools/list", None).unwrap();
    let winner = rig.store.clone();
    // A process that slept through it comes back with what it had, and reads the store before it spends anything.
    rig.store = stale;
    rig.restart(|config| config);
    rig.now -= 3600;
    rig.run(Event::Restore).unwrap();
    rig.store = winner;
    rig.now += 3600;
    let before = rig.count(Purpose::Token);
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((rig.count(Purpose::Token), rig.opened.len()), (before, 1));
}

#[test]
fn a_record_of_another_server_is_not_used() {
    let mut rig = works(Dials::default());
    for record in rig.store.values_mut() {
        Arc::make_mut(&mut record.authorization_server).token_endpoint =
            "http://evil.example/token".to_owned();
        record.access_token = Secret::new("planted-token");
    }
    rig.now += 3600;
    rig.restart(|config| config);
    // The endpoint does not pass the guard, so the refresh token stays where it is.
    let failure = rig.run(Event::Restore).unwrap_err();
    assert_eq!(failure.kind(), Kind::UrlRefused);
}

fn refusal(refused: Option<Generation>, retries: u8) -> Event {
    Event::Challenged(Challenge::of(StatusCode::UNAUTHORIZED, &HeaderMap::new(), refused, retries).unwrap())
}

/// A driver that does not know which token was refused is told of an end all the same.
#[test]
fn a_request_is_not_retried_for_ever_whatever_token_it_carried() {
    let mut rig = Rig::new(Dials::default());
    rig.log_in().unwrap();
    for retries in 0..3 {
        rig.tell(refusal(None, retries));
        // The grant in use came after that request; nothing else is asked, not even the store.
        let Action::Finish(outcome) = rig.poll() else { panic!("{retries}: there is a token to try") };
        assert_eq!(authorized(outcome.unwrap()).source, TokenSource::Kept);
    }
    assert_eq!(rig.run(refusal(None, 3)).unwrap_err().kind(), Kind::TokenRejected);
}

/// A token of the store may be refused as often as that allows, and is renewed; once more is the end.
#[test]
fn the_last_refusal_that_leads_on_is_the_second_after_the_first() {
    for (retries, goes_on) in [(2, true), (3, false)] {
        let mut rig = works(Dials::default());
        rig.restart(|config| config);
        let kept = authorized(rig.run(Event::Restore).unwrap()).generation;
        let ended = rig.run(refusal(Some(kept), retries));
        let source = ended.map(authorized).map(|it| it.source).map_err(|failure| failure.kind());
        assert_eq!(source, if goes_on { Ok(TokenSource::Refreshed) } else { Err(Kind::TokenRejected) });
    }
}

/// A refresh may narrow what is granted (RFC 6749 §6), and then says so (§5.1); if it says nothing, all is as it was.
#[test]
fn a_refresh_that_names_its_scopes_grants_those() {
    for (named, expected) in [(Some("mcp:tools"), "mcp:tools"), (None, "")] {
        let mut rig = works(Dials::default());
        let before = rig.auth.authorized().unwrap().granted;
        rig.now += 3600;
        rig.instead = Some(support::at("https://as.example/token", move |_| {
            let mut answer = json!({"access_token": "another", "token_type": "Bearer", "expires_in": 60});
            if let Some(named) = named {
                answer["scope"] = named.into();
            }
            (200, answer.to_string())
        }));
        let after = authorized(rig.run(Event::Restore).unwrap());
        assert_eq!(after.source, TokenSource::Refreshed);
        let expected = if named.is_some() { Scopes::parse(expected).unwrap() } else { before };
        assert_eq!(after.granted, expected);
    }
}

#[test]
fn a_late_refusal_of_an_older_token_does_not_bring_the_refused_one_back() {
    let mut rig = Rig::new(Dials { refresh_tokens: RefreshTokens::Never, ..Dials::default() });
    let old = rig.log_in().unwrap().generation;
    rig.world.revoke_everything();
    let new = authorized(rig.run(refusal(Some(old), 0)).unwrap()).generation;
    // The new one is refused, and nobody consents to another.
    rig.person = Person::Ignores;
    rig.run(refusal(Some(new), 0)).unwrap_err();
    rig.run(refusal(Some(old), 0)).unwrap_err();
    let url = Url::parse(&rig.world.server_url()).unwrap();
    assert!(matches!(rig.auth.access(&url, rig.now()), Access::Wait), "the refused token is used again");
}

/// Two processes read the same record; the other was faster, and its successor stands in the store.
#[test]
fn a_refresh_reads_the_record_once_more_before_it_spends_anything() {
    let mut rig = works(Dials::default());
    let old = rig.store.clone();
    rig.now += 3600;
    let winner = authorized(rig.run(Event::Restore).unwrap());
    rig.restart(|config| config);
    rig.tell(Event::Restore);
    let Action::Load(load) = rig.poll() else { panic!("the store is read first") };
    rig.tell(load.reply(old.get(load.key()).cloned()));
    let outcome = authorized(rig.drive().unwrap());
    assert_eq!((outcome.generation, outcome.source), (winner.generation, TokenSource::Kept));
    assert_eq!((rig.opened.len(), rig.count(Purpose::Token)), (1, 2));
}

/// The same in a store that cannot hold a record, so that the loser spends the token too.
#[test]
fn a_refresh_that_lost_the_race_takes_the_winners_token() {
    let mut rig = works(Dials::default());
    let old = rig.store.clone();
    rig.now += 3600;
    let winner = authorized(rig.run(Event::Restore).unwrap());
    rig.restart(|config| config);
    rig.tell(Event::Restore);
    for _ in 0..2 {
        let Action::Load(load) = rig.poll() else { panic!("the store is read first") };
        rig.tell(load.reply(old.get(load.key()).cloned()));
    }
    let outcome = authorized(rig.drive().unwrap());
    assert_eq!((outcome.generation, outcome.source), (winner.generation, TokenSource::Kept));
    assert_eq!((rig.opened.len(), rig.count(Purpose::Token)), (1, 3));
}

/// Whoever began an attempt is told of its end, though another began and ended before anybody asked.
#[test]
fn an_end_that_nobody_has_polled_is_not_lost() {
    let mut rig = works(Dials::default());
    rig.tell(Event::Restore);
    let load = rig.poll();
    let found = rig.answer(load).unwrap();
    rig.tell(found);
    rig.tell(refusal(None, 0));
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    rig.tell(Event::Cancelled);
    for _ in 0..2 {
        let Action::Finish(Ok(outcome)) = rig.poll() else { panic!("it has ended") };
        assert_eq!(authorized(outcome).source, TokenSource::Kept);
    }
    let Action::Finish(Err(failure)) = rig.poll() else { panic!("it was called off") };
    assert_eq!(failure.kind(), Kind::Cancelled);
    assert!(matches!(rig.poll(), Action::Wait(None)));
}

/// What an attempt still wanted when it ended is not done any more.
#[test]
fn what_nobody_has_polled_is_dropped_with_its_attempt() {
    let mut rig = Rig::new(Dials::default());
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    rig.tell(Event::Cancelled);
    assert!(matches!(rig.poll(), Action::Finish(Err(_))));
    assert!(matches!(rig.poll(), Action::Wait(None)));
    // The same with a request that is ready to be sent.
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    let load = rig.poll();
    let found = rig.answer(load).unwrap();
    rig.tell(found);
    rig.tell(Event::Cancelled);
    assert!(matches!(rig.poll(), Action::Finish(Err(_))));
    assert!(matches!(rig.poll(), Action::Wait(None)));
}

/// The caller may have changed the secret since the record was written.
#[test]
fn a_configured_secret_is_the_one_of_the_configuration() {
    let known = |secret: &str| {
        PreRegistered::confidential("by-hand", secret, "client_secret_post", support::REDIRECT)
    };
    let configured = |secret: &'static str| {
        move |config: Config| {
            let client = Preregistered::new("https://as.example", "by-hand").secret(secret);
            config.preregistered(client.method(AuthMethod::ClientSecretPost))
        }
    };
    let dials = Dials { clients: vec![known("the-first-secret")], ..Dials::default() };
    let mut rig = Rig::with(dials, configured("the-first-secret"));
    rig.call("tools/list", None).unwrap();
    rig.world.dials_mut().clients = vec![known("the-second-secret")];
    rig.restart(configured("the-second-secret"));
    rig.now += 3600;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    // The record's word for its endpoints is not enough for a secret that the record does not hold: it costs a login.
    assert_eq!(rig.opened.len(), 2);
}

/// What the server says of a configured client is understood, whatever the status; nothing is sent twice.
#[test]
fn a_configured_client_that_is_refused_sends_its_refresh_token_once() {
    let dials =
        Dials { clients: vec![PreRegistered::public("by-hand", support::REDIRECT)], ..Dials::default() };
    let configure =
        |config: Config| config.preregistered(Preregistered::new("https://as.example", "by-hand"));
    for status in [200, 400, 401] {
        let mut rig = Rig::with(dials.clone(), configure);
        rig.call("tools/list", None).unwrap();
        let body = br#"{"error":"invalid_client"}"#.to_vec();
        let what = Trouble::Answer(status, "application/json", body);
        rig.world.dials_mut().faults = vec![Fault { purpose: Purpose::Refresh, nth: 0, what }];
        rig.now += 3600;
        assert_eq!(rig.run(Event::Restore).unwrap_err().kind(), Kind::Configuration);
        assert_eq!((rig.world.count(Purpose::Refresh), rig.store.len()), (1, 1), "{status}");
    }
}

/// The code is spent, and so is the client: the next login has another.
#[test]
fn a_client_that_is_refused_with_its_code_registers_anew() {
    let body = br#"{"error":"invalid_client"}"#.to_vec();
    let what = Trouble::Answer(401, "application/json", body);
    let faults = vec![Fault { purpose: Purpose::CodeExchange, nth: 1, what }];
    let mut rig = Rig::new(Dials { faults, ..Dials::default() });
    let failure = rig.log_in().unwrap_err();
    assert_eq!((failure.kind(), failure.retry()), (Kind::ClientRejected, Retry::LogIn));
    rig.log_in().unwrap();
    assert_eq!(rig.count(Purpose::Registration), 2);
}

/// A page that turns the client away leads to another registration, in the process that took the login up as in the one that
/// began it.
#[test]
fn a_login_that_was_taken_up_registers_anew_too() {
    let mut rig = Rig::new(Dials::default());
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    assert!(rig.settle().is_empty());
    let snapshot = rig.auth.snapshot().unwrap();
    rig.resume(|config| config, snapshot);
    rig.tell(Event::ClientDisowned);
    let done = authorized(rig.drive().unwrap());
    assert_eq!((done.source, rig.opened.len()), (TokenSource::LoggedIn, 2));
    assert_eq!(rig.count(Purpose::Registration), 2);
}

/// And it is another registration for the same: with the metadata that the challenge named, and the proof that it wanted.
#[test]
fn a_login_that_was_taken_up_begins_again_for_what_was_demanded() {
    let place = "/elsewhere/metadata".to_owned();
    let dials = Dials {
        resource_metadata: ResourceMetadata::Custom(place),
        dpop: Some(Dpop { required: false, ..Dpop::default() }),
        ..Dials::default()
    };
    let configure = |config: Config| config.proof_key(ProofKey::new(support::public(&support::PROOF_KEY)));
    let mut rig = Rig::with(dials, configure);
    rig.signer = support::signer();
    let demand = r#"DPoP algs="EdDSA", resource_metadata="https://mcp.example/elsewhere/metadata""#;
    let fields = HeaderMap::from_iter([(header::WWW_AUTHENTICATE, demand.parse().unwrap())]);
    let challenge = Challenge::of(StatusCode::UNAUTHORIZED, &fields, None, 0).unwrap();
    rig.tell(Event::Challenged(challenge));
    assert!(rig.settle().is_empty());
    let snapshot = rig.auth.snapshot().unwrap();
    rig.resume(configure, snapshot);
    rig.tell(Event::ClientDisowned);
    let done = authorized(rig.drive().unwrap());
    assert!(done.bound);
    assert_eq!((rig.opened.len(), rig.count(Purpose::Registration)), (2, 2));
}

/// A generation names one state of the record, whoever wrote it; so it is above every one that was seen.
#[test]
fn a_login_that_meets_another_record_is_newer_than_it() {
    let mut rig = Rig::new(Dials::default());
    rig.log_in().unwrap();
    rig.now += 10;
    rig.world.revoke_everything();
    let (key, mut other) = rig.store.clone().pop_first().unwrap();
    // A generation is a time in seconds and sixteen bits.
    other.generation = Generation::new((rig.now + 1_000) << 16);
    rig.tell(refusal(Some(rig.auth.authorized().unwrap().generation), 0));
    let mut written = Vec::new();
    let done = loop {
        match rig.poll() {
            Action::Finish(outcome) => break authorized(outcome.unwrap()),
            action => {
                if let Action::Store(save) = &action
                    && save.credential().refresh_token.is_some()
                {
                    written.push(save.credential().generation);
                    if written.len() == 1 {
                        rig.store.insert(key.clone(), other.clone());
                    }
                }
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    };
    assert_eq!((written.len(), done.source), (2, TokenSource::LoggedIn));
    assert!(written[0] < other.generation && written[1] > other.generation, "{written:?}");
    assert_eq!(rig.store[&key].generation, written[1]);
}

/// A store that has lost the record, it says, and then shows the one that the new tokens came of, all within a second.
#[test]
fn a_store_that_falls_back_does_not_bring_a_spent_token_back() {
    let mut rig = Rig::new(Dials::default());
    rig.log_in().unwrap();
    rig.tell(refusal(Some(rig.auth.authorized().unwrap().generation), 0));
    let mut written = 0;
    let done = loop {
        match rig.poll() {
            Action::Finish(outcome) => break authorized(outcome.unwrap()),
            Action::Store(save) if written == 0 => {
                written += 1;
                rig.tell(save.reply(Saving::Conflict(None)));
            }
            action => {
                written += usize::from(matches!(action, Action::Store(_)));
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    };
    assert_eq!((written, rig.count(Purpose::Refresh), done.source), (3, 1, TokenSource::Refreshed));
    assert_eq!(rig.store.values().next().unwrap().generation, done.generation);
}

/// A driver that asks too late what to do is not told to do what is over.
#[test]
fn what_is_not_polled_in_time_is_not_asked_for() {
    let mut rig = works(Dials::default());
    rig.tell(Event::LogOut);
    rig.now += 600;
    rig.tell(Event::Tick);
    let polled = rig.poll();
    let Action::Load(load) = polled else { panic!("{polled:?}\n{}", rig.auth.trail()) };
    assert!(load.deadline() > rig.now());
    let found = rig.answer(Action::Load(load)).unwrap();
    rig.tell(found);
    // The refresh token is not revoked any more; the access token is.
    rig.now += 600;
    rig.tell(Event::Tick);
    let polled = rig.poll();
    let Action::Send(send) = polled else { panic!("{polled:?}\n{}", rig.auth.trail()) };
    assert!(send.deadline() > rig.now());
    let body = String::from_utf8_lossy(send.request().body()).into_owned();
    assert!(body.contains("token_type_hint=access_token"), "{body}");
}
