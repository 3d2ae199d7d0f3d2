//! What is kept of a grant: no more than it needs, in a store that may never stand still, and for whom it was.

mod support;

use mcp_auth::wire::client::AuthMethod;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{
    Action, ClientKey, Event, Generation, GrantType, IssuerPolicy, Kind, Outcome, Preregistered, Saving,
    Scopes, TokenSource,
};
use mcp_auth_testbed::{
    AuthorizationServers, ClientCredentials, Dials, PreRegistered, Purpose, Pushed, Workload,
};
use serde_json::json;
use support::{CLIENT_KEY, REDIRECT, Rig, authorized, public, works};

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
