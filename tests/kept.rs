//! What is kept of a grant: no more than it needs, in a store that may never stand still, and for whom it was.

mod support;

use mcp_auth::wire::client::AuthMethod;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{
    Action, Challenge, ClientKey, Credential, Event, Generation, GrantType, IssuerPolicy, Kind, Outcome,
    Preregistered, Saving, Scopes, TokenSource,
};
use mcp_auth_testbed::{
    AuthorizationServers, ClientCredentials, Dials, Fault, PreRegistered, Purpose, Pushed, Trouble, Workload,
};
use serde_json::json;
use support::{CLIENT_KEY, Person, REDIRECT, Rig, StoreMood, authorized, public, works};

const ISSUER: &str = "https://as.example";

/// A store in which an older record turns up again after every write.
#[test]
fn a_store_that_never_stands_still_is_left_in_the_end() {
    let mut rig = works(Dials::default());
    let older = rig.store.values().next().unwrap().clone();
    rig.now += 3600;
    rig.tell(Event::Restore);
    let mut writes = 0;
    let outcome = loop {
        match rig.poll() {
            Action::Store(save) => {
                writes += 1;
                assert!(writes <= 10, "there is no end to it");
                let mut there = older.clone();
                there.generation = Generation::new(older.generation.as_u64() - 1);
                rig.tell(save.reply(Saving::Conflict(Some(Box::new(there)))));
            }
            Action::Finish(outcome) => break authorized(outcome.unwrap()),
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    };
    assert!(writes >= 2, "once is chance");
    assert_eq!(outcome.source, TokenSource::Refreshed);
    assert_eq!(outcome.unsaved.as_deref(), Some("the store kept changing while the record was written"));
}

/// RFC 6749 §4.4.3: a refresh token should not come with client credentials. Where one comes it is not kept: what is not there
/// cannot leak.
#[test]
fn a_refresh_token_that_nothing_needs_is_not_kept() {
    let clients =
        vec![PreRegistered::confidential("service", "service-secret", "client_secret_basic", REDIRECT)];
    let dials = Dials { clients, client_credentials: Some(ClientCredentials::default()), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| {
        let client = Preregistered::new(ISSUER, "service").secret("service-secret");
        config.preregistered(client).grant_type(GrantType::ClientCredentials)
    });
    rig.instead = Some(support::at("https://as.example/token", |body| {
        assert!(body.contains("grant_type=client_credentials"));
        let answer =
            json!({"access_token": "a", "token_type": "Bearer", "expires_in": 60, "refresh_token": "r"});
        (200, answer.to_string())
    }));
    rig.log_in().unwrap();
    let kept = rig.store.values().next().unwrap();
    assert_eq!((kept.access_token.expose(), &kept.refresh_token), ("a", &None));
}

/// A workload alone is known without a client. Its record is its own after a restart; a record without a client is of no use to
/// anybody else, nor one that says how nobody authenticates.
#[test]
fn a_record_without_a_client_is_a_workloads() {
    let begin = || {
        let dials = Dials { workload: Some(Workload::default()), ..Dials::default() };
        let mut rig = Rig::with(dials, |config| config.grant_type(GrantType::WorkloadIdentity));
        rig.assertions = vec![rig.world.workload_token(rig.now).unwrap(); 2];
        rig.log_in().unwrap();
        rig
    };
    let mut rig = begin();
    rig.restart(|config| config.grant_type(GrantType::WorkloadIdentity));
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Kept);
    assert_eq!(rig.count(Purpose::Token), 1);

    let spoilt = |config: fn(mcp_auth::Config) -> mcp_auth::Config, method: AuthMethod| {
        let mut rig = begin();
        rig.store.values_mut().next().unwrap().client.method = method;
        rig.restart(config);
        rig.tell(Event::Restore);
        let Action::Load(load) = rig.poll() else { panic!("the record is read first") };
        rig.tell(load.reply(rig.store.get(load.key()).cloned()));
        rig.auth.trail().to_string().contains("it is of another client")
    };
    let workload: fn(mcp_auth::Config) -> mcp_auth::Config = |it| it.grant_type(GrantType::WorkloadIdentity);
    assert!(!spoilt(workload, AuthMethod::None));
    assert!(spoilt(workload, AuthMethod::ClientSecretBasic));
    assert!(spoilt(|it| it, AuthMethod::None));
    let known: fn(mcp_auth::Config) -> mcp_auth::Config =
        |it| it.grant_type(GrantType::WorkloadIdentity).preregistered(Preregistered::new(ISSUER, "known"));
    assert!(spoilt(known, AuthMethod::None));
}

/// How a client authenticates is the configuration's to say, whatever it was when the login began, or the record was written.
#[test]
fn a_client_authenticates_as_it_is_configured_now() {
    let posts = |config: mcp_auth::Config| {
        config.issuer(ISSUER, IssuerPolicy::with(|it| it.auth_method = Some(AuthMethod::ClientSecretPost)))
    };
    let methods = ["client_secret_basic", "client_secret_post"].map(str::to_owned).to_vec();
    let dials = || {
        let clients = ["client_secret_post"]
            .map(|it| PreRegistered::confidential("by-hand", "configured-secret", it, REDIRECT));
        Dials { clients: clients.to_vec(), auth_methods: Some(methods.clone()), ..Dials::default() }
    };
    let client = || Preregistered::new(ISSUER, "by-hand").secret("configured-secret");
    let mut rig = Rig::with(dials(), |config| config.preregistered(client()));
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    assert!(rig.settle().is_empty());
    let snapshot = rig.auth.snapshot().unwrap();
    let called = rig.consent();
    rig.resume(|config| posts(config.preregistered(client())), snapshot);
    rig.tell(called);
    let Ok(Outcome::Authorized(done)) = rig.drive() else { panic!("{}", rig.auth.trail()) };
    assert_eq!(done.source, TokenSource::LoggedIn);
    let sent = rig.world.exchanges().iter().find(|it| it.is_for(Purpose::Token)).unwrap();
    assert!(
        sent.parameters.iter().any(|(name, value)| name == "client_secret" && value == "configured-secret")
    );
}

/// The first authorization server that is shown what only its own may see is the only one: a signature for a pushed request, or
/// what the platform says of a workload, as much as a code.
#[test]
fn whoever_is_shown_a_signature_or_an_assertion_first_is_the_only_one() {
    let trusting = || Preregistered::unbound("service").trusting_the_server_to_name_the_issuer();
    let key = || ClientKey::new([Algorithm::EdDsa]).key_id(public(&CLIENT_KEY).thumbprint());
    let dials = Dials {
        clients: vec![PreRegistered::with_key("service", CLIENT_KEY.public_jwk(), REDIRECT)],
        auth_methods: Some(vec!["none".to_owned(), "private_key_jwt".to_owned()]),
        pushed: Some(Pushed { required: true, ..Pushed::default() }),
        workload: Some(Workload::default()),
        ..Dials::default()
    };
    for vouched in [false, true] {
        let mut rig = Rig::with(dials.clone(), |config| {
            let config = config.preregistered(trusting());
            if vouched { config.grant_type(GrantType::WorkloadIdentity) } else { config.client_key(key()) }
        });
        // Nothing comes of it; but it was meant for this server.
        rig.signer = Some(Box::new(|sign| sign.fail("not now")));
        rig.log_in().unwrap_err();
        assert_eq!(rig.count(Purpose::Token), 0);
        rig.world.dials_mut().authorization_servers = AuthorizationServers::SecondOnly;
        assert_eq!(rig.log_in().unwrap_err().kind(), Kind::ClientBoundElsewhere, "{}", rig.auth.trail());
    }
}

/// A machine whose access token has run out, and whose grant is dead at the server; nobody has noticed yet.
fn dead() -> Rig {
    let mut rig = works(Dials::default());
    rig.world.revoke_everything();
    rig.now += 3600;
    rig
}

fn in_store(rig: &mut Rig) -> &mut Credential {
    rig.store.values_mut().next().unwrap()
}

fn refused(rig: &Rig, retries: u8) -> Event {
    let refused = rig.auth.authorized().map(|done| done.generation);
    let challenge = Challenge::of(http::StatusCode::UNAUTHORIZED, &http::HeaderMap::new(), refused, retries);
    Event::Challenged(challenge.unwrap())
}

/// Another program, of a later version, has written what this one cannot read: that is not this one's to bury.
#[test]
fn the_later_work_of_another_is_not_buried() {
    let mut rig = dead();
    let record = in_store(&mut rig);
    record.version += 1;
    record.generation = Generation::new(record.generation.as_u64() + 1);
    let theirs = rig.store.clone();
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
    assert_eq!((rig.count(Purpose::Refresh), rig.store == theirs), (1, true));
}

/// A store that lost the record, or fell back to an older one, learns that the grant is dead all the same: the client is kept.
#[test]
fn a_dead_grant_is_buried_in_a_store_that_lost_it() {
    let mut rig = dead();
    rig.store.clear();
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
    assert_eq!(in_store(&mut rig).refresh_token, None);
    rig.restart(|config| config);
    rig.log_in().unwrap();
    assert_eq!((rig.count(Purpose::Registration), rig.count(Purpose::Refresh)), (1, 1));
}

/// What the store has is what the dead grant came of, whose refresh token was spent: that is not sent a second time.
#[test]
fn a_dead_grant_that_the_store_did_not_keep_is_buried_over_what_it_came_of() {
    let mut rig = works(Dials::default());
    rig.now += 3600;
    rig.mood = StoreMood::FailsToWrite;
    assert!(authorized(rig.run(Event::Restore).unwrap()).unsaved.is_some());
    rig.mood = StoreMood::Works;
    is_buried(rig);
}

/// The server ends the grant, and the record loses its refresh token: one refresh got it, and one more finds it dead.
fn is_buried(mut rig: Rig) {
    rig.world.revoke_everything();
    rig.person = Person::Ignores;
    let refusal = refused(&rig, 0);
    rig.run(refusal).unwrap_err();
    assert_eq!((rig.count(Purpose::Refresh), &in_store(&mut rig).refresh_token), (2, &None));
}

/// The store has kept the record, though it said otherwise.
#[test]
fn a_dead_grant_that_the_store_kept_after_all_is_buried() {
    let mut rig = works(Dials::default());
    rig.now += 3600;
    rig.tell(Event::Restore);
    let done = loop {
        match rig.poll() {
            Action::Finish(outcome) => break authorized(outcome.unwrap()),
            Action::Store(save) => {
                rig.store.insert(save.key().clone(), save.credential().clone());
                rig.tell(save.reply(Saving::Failed("the connection was reset".to_owned())));
            }
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    };
    assert!(done.unsaved.is_some() && in_store(&mut rig).refresh_token.is_some());
    is_buried(rig);
}

/// A generation is one state of the record. What stands there under the number that is in hand is not a newer one.
#[test]
fn a_record_of_the_generation_in_hand_changes_nothing() {
    let mut rig = works(Dials::default());
    in_store(&mut rig).version += 1;
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Kept);
    assert!(!rig.auth.trail().to_string().contains("another version"), "{}", rig.auth.trail());
    in_store(&mut rig).version -= 1;
    in_store(&mut rig).access_token = "of-somebody-else".into();
    rig.now += 3580;
    rig.instead = Some(support::at("https://as.example/token", |_| (503, "{}".to_owned())));
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Kept);
    rig.instead = None;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((rig.count(Purpose::Refresh), rig.opened.len()), (0, 1));
}

/// What a store did not keep is offered to it again, but not over what another process has made of the grant since.
#[test]
fn the_later_work_of_another_is_taken_in_the_place_of_what_the_store_did_not_keep() {
    let mut rig = works(Dials::default());
    rig.now += 3600;
    rig.mood = StoreMood::FailsToWrite;
    let own = authorized(rig.run(Event::Restore).unwrap());
    rig.mood = StoreMood::Works;
    let record = in_store(&mut rig);
    record.generation = Generation::new(own.generation.as_u64() + 1);
    record.expires_at = None;
    let (theirs, generation) = (rig.store.clone(), in_store(&mut rig).generation);
    rig.now += 30;
    let done = authorized(rig.run(Event::Restore).unwrap());
    assert_eq!((done.generation, done.unsaved), (generation, None));
    assert!(rig.store == theirs);
}

/// The winner's record stands in the store, whatever became of what the loser had.
#[test]
fn the_grant_of_a_faster_process_is_saved() {
    let mut rig = works(Dials::default());
    rig.now += 3600;
    rig.mood = StoreMood::FailsToWrite;
    authorized(rig.run(Event::Restore).unwrap());
    rig.mood = StoreMood::Works;
    // Before it is time to offer that to the store again, it is renewed, and another process was faster.
    let refusal = refused(&rig, 0);
    rig.tell(refusal);
    let mut faster = false;
    let done = loop {
        match rig.poll() {
            Action::Finish(outcome) => break authorized(outcome.unwrap()),
            Action::Store(save) if !faster => {
                faster = true;
                let mut theirs = save.credential().clone();
                theirs.generation = Generation::new(theirs.generation.as_u64() + 1);
                theirs.access_token = "of-the-faster-process".into();
                rig.store.insert(save.key().clone(), theirs.clone());
                rig.tell(save.reply(Saving::Conflict(Some(Box::new(theirs)))));
            }
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    };
    assert_eq!((faster, done.generation), (true, in_store(&mut rig).generation));
    assert_eq!(done.unsaved, None, "{}", rig.auth.trail());
}

/// First somebody else holds the record, and then the store is silent.
#[test]
fn a_store_that_falls_silent_after_it_was_busy_is_given_up() {
    let mut rig = works(Dials::default());
    rig.now += 3600;
    rig.tell(Event::Restore);
    let (begun, mut busy) = (rig.now, true);
    let failure = loop {
        match rig.poll() {
            Action::Load(load) if std::mem::take(&mut busy) => rig.tell(load.busy()),
            Action::Load(_) => {}
            Action::Wait(until) => {
                rig.now = until.unwrap().as_secs();
                assert!(rig.now - begun < 60, "there is no end to it");
                rig.tell(Event::Tick);
            }
            Action::Finish(outcome) => break outcome.unwrap_err(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(failure.kind(), Kind::StoreFailed);
}

/// A token that was renewed for this request, and is refused again, is not renewed any better in a while: a person is asked,
/// though the server wants to be left alone. And so it is where the store has lost the record: the client is known.
#[test]
fn a_token_that_was_renewed_in_vain_is_not_waited_for() {
    let mut rig = works(Dials::default());
    rig.restart(|config| config);
    rig.now += 3600;
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
    rig.now += 3580;
    let what = Trouble::RetryAfter(503, 600);
    rig.world.dials_mut().faults = vec![Fault { purpose: Purpose::Refresh, nth: 2, what }];
    rig.run(Event::Restore).unwrap();
    assert_eq!(rig.count(Purpose::Refresh), 2, "the server is asked, and wants to be left alone");
    rig.store.clear();
    let refusal = refused(&rig, 1);
    let done = authorized(rig.run(refusal).unwrap());
    assert_eq!((done.source, rig.opened.len()), (TokenSource::LoggedIn, 2));
    assert_eq!((rig.count(Purpose::Refresh), rig.count(Purpose::Registration)), (2, 1));
}

/// A lease whose answer was slept over is given back and taken anew. That the store has lost the record by then takes nothing
/// away.
#[test]
fn a_record_that_is_lost_while_it_is_taken_is_renewed_from_memory() {
    let mut rig = works(Dials::default());
    rig.now += 3600;
    rig.tell(Event::Restore);
    let Action::Load(load) = rig.poll() else { panic!("the record is taken") };
    let found = rig.store.values().next().cloned();
    let lease = load.exclusive().unwrap();
    rig.tell(Event::Cancelled);
    rig.settle();
    rig.tell(load.reply(found.clone()));
    rig.settle();
    // The same, and the answer comes late.
    rig.tell(Event::Restore);
    let Action::Load(load) = rig.poll() else { panic!("the record is taken") };
    rig.now += lease.as_secs() - 1;
    rig.store.clear();
    rig.tell(load.reply(found));
    let done = authorized(rig.drive().unwrap());
    assert_eq!((done.source, rig.opened.len()), (TokenSource::Refreshed, 1));
}

/// A key that is configured since the record was written signs for the client that it names, with what the key signs with.
#[test]
fn a_client_signs_as_it_is_configured_now() {
    let configure = |config: mcp_auth::Config| {
        let key = ClientKey::new([Algorithm::EdDsa]).key_id(public(&CLIENT_KEY).thumbprint());
        let client = Preregistered::new(ISSUER, "by-hand").method(AuthMethod::PrivateKeyJwt);
        config.preregistered(client).client_key(key)
    };
    for (method, algorithm) in [(AuthMethod::None, None), (AuthMethod::PrivateKeyJwt, Some(Algorithm::Rs256))]
    {
        let clients = vec![PreRegistered::with_key("by-hand", CLIENT_KEY.public_jwk(), REDIRECT)];
        let auth_methods = Some(vec!["private_key_jwt".to_owned()]);
        let mut rig = Rig::with(Dials { clients, auth_methods, ..Dials::default() }, configure);
        rig.signer = support::signer();
        rig.log_in().unwrap();
        let client = &mut in_store(&mut rig).client;
        (client.method, client.algorithm) = (method, algorithm);
        rig.now += 3600;
        rig.restart(configure);
        assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed, "{method:?}");
    }
}

/// Where the token endpoint is gone a person is asked; whatever else is known of the grant is used again.
#[test]
fn a_client_that_is_known_is_used_again_where_its_endpoint_is_gone() {
    let mut rig = works(Dials::default());
    rig.run(Event::LogIn { scopes: Scopes::parse("files:write").unwrap() }).unwrap();
    let registered = rig.count(Purpose::Registration);
    rig.restart(|config| config);
    rig.now += 3600;
    rig.world.dials_mut().faults =
        vec![Fault { purpose: Purpose::Refresh, nth: 1, what: Trouble::Status(404) }];
    rig.log_in().unwrap();
    assert_eq!((rig.count(Purpose::Refresh), rig.count(Purpose::Registration)), (1, registered));
    assert!(rig.asked("scope").unwrap().contains("files:write"), "what was asked before is asked again");
}
