//! Records and snapshots that somebody else has written, who wants to be shown what only the machine has: what it signs,
//! and what is asserted for it.

mod support;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use mcp_auth::wire::client::{AuthMethod, Origin};
use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{
    ClientKey, Config, Credential, Ended, Event, Generation, GrantType, Kind, Outcome, Preregistered,
    ProofKey, ScopeRule, Scopes, Snapshot, TokenSource,
};
use mcp_auth_testbed::{
    AuthorizationServers, ClientCredentials, Dials, Dpop, PreRegistered, Workload, WorkloadToken,
};
use support::{CLIENT_KEY, PROOF_KEY, REDIRECT, Rig, at, authorized, json, public, signer};

const ISSUER: &str = "https://as.example";
const EVIL: &str = "https://evil.example";

fn keyed(config: Config) -> Config {
    let key = ClientKey::new([Algorithm::EdDsa]).key_id(public(&CLIENT_KEY).thumbprint());
    config.preregistered(Preregistered::new(ISSUER, "service")).client_key(key)
}

fn service(config: Config) -> Config {
    keyed(config).grant_type(GrantType::ClientCredentials)
}

fn workload(config: Config) -> Config {
    config.grant_type(GrantType::WorkloadIdentity)
}

fn bound(config: Config) -> Config {
    config.proof_key(ProofKey::new(public(&PROOF_KEY)).always())
}

fn dials() -> Dials {
    Dials {
        clients: vec![PreRegistered::with_key("service", CLIENT_KEY.public_jwk(), REDIRECT)],
        client_credentials: Some(ClientCredentials::default()),
        workload: Some(Workload { token: WorkloadToken::ByTheBook, ..Workload::default() }),
        auth_methods: Some(vec!["none".to_owned(), "private_key_jwt".to_owned()]),
        ..Dials::default()
    }
}

/// What somebody who listens elsewhere was sent.
type Heard = Rc<RefCell<Vec<String>>>;

/// A new process, two hours after the record was written and spoilt.
fn planted(configure: fn(Config) -> Config, spoil: impl FnOnce(&mut Credential)) -> (Rig, Heard) {
    let mut rig = Rig::with(dials(), configure);
    rig.signer = signer();
    vouch(&mut rig);
    rig.log_in().unwrap();
    spoil(rig.store.values_mut().next().unwrap());
    rig.now += 7200;
    rig.restart(configure);
    vouch(&mut rig);
    let heard = listen(&mut rig);
    (rig, heard)
}

fn vouch(rig: &mut Rig) {
    rig.assertions = vec![rig.world.workload_token(rig.now).unwrap()];
}

fn listen(rig: &mut Rig) -> Heard {
    let heard = Heard::default();
    let log = heard.clone();
    rig.instead = Some(at(EVIL, move |body| {
        log.borrow_mut().push(body.to_owned());
        (400, r#"{"error":"invalid_request"}"#.to_owned())
    }));
    heard
}

fn moved(record: &mut Credential) {
    Arc::make_mut(&mut record.authorization_server).token_endpoint = format!("{EVIL}/token");
}

#[test]
fn what_is_signed_or_vouched_goes_where_the_issuer_says() {
    for configure in [service, workload] {
        let (mut rig, heard) = planted(configure, moved);
        // Its metadata is read, and the record mended.
        assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Granted);
        assert_eq!(heard.borrow().as_slice(), [""; 0]);
        assert!(rig.store.values().all(|kept| kept.authorization_server.token_endpoint.starts_with(ISSUER)));
    }
    // With a person, too: her refresh token is not worth the client's signature.
    let (mut rig, heard) = planted(keyed, moved);
    assert!(matches!(rig.run(Event::Restore), Ok(Outcome::Anonymous)));
    rig.log_in().unwrap();
    assert_eq!(heard.borrow().as_slice(), [""; 0]);
}

/// The record holds the secret, and so does whoever has read it; what the platform says is another matter.
#[test]
fn what_is_vouched_goes_no_further_for_a_client_with_a_secret() {
    fn configure(config: Config) -> Config {
        let client = Preregistered::new(ISSUER, "by-hand").secret("by-hand-secret");
        workload(config.preregistered(client.method(AuthMethod::ClientSecretBasic)))
    }
    let mut rig = Rig::with(dials(), configure);
    let body = r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#;
    rig.instead = Some(at(&format!("{ISSUER}/token"), move |_| (200, body.to_owned())));
    vouch(&mut rig);
    rig.log_in().unwrap();
    moved(rig.store.values_mut().next().unwrap());
    rig.now += 7200;
    rig.restart(configure);
    vouch(&mut rig);
    let heard = listen(&mut rig);
    drop(rig.run(Event::Restore));
    assert_eq!(heard.borrow().as_slice(), [""; 0]);
}

/// A code is no more in the record than a signature is.
#[test]
fn a_step_up_does_not_take_the_code_elsewhere() {
    fn public_client(config: Config) -> Config {
        config.preregistered(Preregistered::new(ISSUER, "public"))
    }
    let clients = vec![PreRegistered::public("public", REDIRECT)];
    let mut rig = Rig::with(Dials { clients, ..Dials::default() }, public_client);
    rig.log_in().unwrap();
    moved(rig.store.values_mut().next().unwrap());
    rig.restart(public_client);
    let heard = listen(&mut rig);
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    assert_eq!((heard.borrow().as_slice(), rig.opened.len()), (&[][..] as &[String], 2));
}

#[test]
fn a_record_does_not_say_what_proofs_are_signed_with() {
    let dials = Dials { dpop: Some(Dpop { required: false, ..Dpop::default() }), ..Dials::default() };
    let mut rig = Rig::with(dials, bound);
    rig.signer = signer();
    rig.log_in().unwrap();
    let record = rig.store.values_mut().next().unwrap();
    record.binding.as_mut().unwrap().algorithm = Algorithm::Rs256;
    rig.restart(bound);
    assert!(matches!(rig.run(Event::Restore), Ok(Outcome::Anonymous)));
}

#[test]
fn a_record_does_not_say_whom_a_key_signs_for() {
    // Another issuer than the one that was named, and a client that nobody configured.
    let (mut rig, heard) = planted(keyed, |record| {
        moved(record);
        let server = Arc::make_mut(&mut record.authorization_server);
        EVIL.clone_into(&mut server.named);
        "https://payroll.example".clone_into(&mut server.issuer);
        record.client.origin = Origin::Dynamic;
        "payroll-bot".clone_into(&mut record.client.id);
    });
    assert!(matches!(rig.run(Event::Restore), Ok(Outcome::Anonymous)));
    assert_eq!(heard.borrow().as_slice(), [""; 0]);
    // Nor does it say with what: that the server listed another algorithm once is no reason to ask a key for it.
    let (mut rig, _) = planted(service, |record| record.client.algorithm = Some(Algorithm::Rs256));
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
}

/// Where nobody consents nobody registers either, so a record has no word on who the client is, and with that on the server
/// before which it is vouched for.
#[test]
fn a_record_does_not_say_before_whom_a_workload_is_vouched() {
    fn configure(config: Config) -> Config {
        workload(config.preregistered(Preregistered::new(ISSUER, "service")))
    }
    for origin in [Origin::Dynamic, Origin::Prompted] {
        let (mut rig, heard) = planted(configure, |record| {
            moved(record);
            let server = Arc::make_mut(&mut record.authorization_server);
            server.authorization_endpoint = format!("{EVIL}/authorize");
            (server.revocation_endpoint, server.device_authorization_endpoint) = (None, None);
            for name in [&mut server.issuer, &mut server.named] {
                EVIL.clone_into(name);
            }
            (record.client.origin, record.client.method) = (origin, AuthMethod::None);
        });
        let outcome = rig.run(Event::Restore).unwrap_or_else(|failure| panic!("{failure:#}"));
        assert_eq!(authorized(outcome).source, TokenSource::Granted);
        assert_eq!(heard.borrow().as_slice(), [""; 0]);
    }
}

/// Without a person the caller's rule is the only bound, and whoever writes records reads the tokens, too.
#[test]
fn a_record_does_not_say_which_scopes_are_asked_for_without_a_person() {
    fn configure(config: Config) -> Config {
        service(config).scopes(ScopeRule::with(|it| it.only = Some(Scopes::parse("files:read").unwrap())))
    }
    let (mut rig, _) = planted(configure, |record| record.asked = Scopes::parse("files:read admin").unwrap());
    let asked = Heard::default();
    let log = asked.clone();
    rig.instead = Some(at(&format!("{ISSUER}/token"), move |body| {
        log.borrow_mut().push(body.to_owned());
        (200, r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#.to_owned())
    }));
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
    let asked = asked.borrow().join(" ");
    assert!(asked.contains("scope=files%3Aread&") && !asked.contains("admin"), "{asked}");
    assert!(rig.store.values().all(|kept| kept.asked.as_str() == "files:read"));
    assert!(rig.auth.trail().to_string().contains("the record asks for other scopes"));
}

/// Nobody stays logged in who never logs in, whatever the rule says of people.
#[test]
fn a_record_asks_for_the_same_scopes_again_without_a_person() {
    fn configure(config: Config) -> Config {
        service(config).scopes(ScopeRule::with(|it| it.stay_logged_in = true))
    }
    let (mut rig, _) = planted(configure, |_| {});
    let before = rig.store.values().next().unwrap().asked.clone();
    rig.run(Event::Restore).unwrap();
    assert!(rig.store.values().all(|kept| kept.asked == before), "{before}");
    assert!(!rig.auth.trail().to_string().contains("the record asks for other scopes"));
}

/// What this machine has seen for itself counts more than what stands in the store.
#[test]
fn a_record_does_not_say_to_whom_a_client_is_bound_that_is_bound_already() {
    const SECOND: &str = "https://as2.example";
    let unbound = Preregistered::unbound("service").secret("service-secret");
    let clients =
        vec![PreRegistered::confidential("service", "service-secret", "client_secret_basic", REDIRECT)];
    let mut rig = Rig::with(Dials { clients, ..Dials::default() }, |config| {
        config.preregistered(unbound.trusting_the_server_to_name_the_issuer())
    });
    rig.log_in().unwrap();
    let record = rig.store.values_mut().next().unwrap();
    record.generation = Generation::new(record.generation.as_u64() + 1);
    record.client.secret = None;
    let server = Arc::make_mut(&mut record.authorization_server);
    server.revocation_endpoint = None;
    server.authorization_endpoint = format!("{SECOND}/authorize");
    server.token_endpoint = format!("{SECOND}/token");
    for name in [&mut server.issuer, &mut server.named] {
        SECOND.clone_into(name);
    }
    rig.world.dials_mut().authorization_servers = AuthorizationServers::SecondOnly;
    let more = Event::LogIn { scopes: Scopes::parse("files:write").unwrap() };
    assert_eq!(rig.run(more).unwrap_err().kind(), Kind::ClientBoundElsewhere, "{}", rig.auth.trail());
    assert_eq!(rig.opened.len(), 1);
}

#[test]
fn a_logout_signs_for_nobody_else() {
    let (mut rig, heard) = planted(service, |record| {
        Arc::make_mut(&mut record.authorization_server).revocation_endpoint = Some(format!("{EVIL}/revoke"));
        record.expires_at = None;
    });
    let Outcome::LoggedOut(done) = rig.run(Event::LogOut).unwrap() else { panic!("{}", rig.auth.trail()) };
    assert_eq!((heard.borrow().as_slice(), rig.store.len()), (&[][..] as &[String], 0));
    let Ended::Not(breach) = &done.access_token else { panic!("{done:?}") };
    assert_eq!(breach.kind, Kind::UrlRefused);
}

#[test]
fn a_snapshot_does_not_move_what_is_signed_or_bound() {
    fn configure(config: Config) -> Config {
        bound(keyed(config))
    }
    let dials = Dials { dpop: Some(Dpop { required: false, ..Dpop::default() }), ..dials() };
    let mut rig = Rig::with(dials, configure);
    rig.signer = signer();
    rig.tell(Event::LogIn { scopes: mcp_auth::Scopes::new() });
    rig.settle();
    let written = serde_json::to_value(rig.auth.snapshot().unwrap()).unwrap();
    let resume = |place: &str, value: serde_json::Value| {
        let mut spoilt = written.clone();
        *spoilt.pointer_mut(place).unwrap() = value;
        let snapshot: Snapshot = serde_json::from_value(spoilt).unwrap();
        let config = configure(Config::new(rig.world.server_url(), "Rig", REDIRECT));
        mcp_auth::Authorizer::resume(config, mcp_auth::Seed::new([9; 32]), snapshot).map(|_| ())
    };
    resume("/consent/terms/server/iss_parameter_supported", true.into()).unwrap();
    for (place, value) in [
        ("/consent/terms/server/token_endpoint", format!("{EVIL}/token").into()),
        ("/consent/terms/server/issuer", EVIL.into()),
        ("/consent/terms/binding", serde_json::Value::Null),
    ] {
        assert_eq!(resume(place, value).unwrap_err().kind, Kind::Configuration, "{place}");
    }
}

#[test]
fn a_token_that_must_be_bound_is_not_taken_from_a_record_that_is_not() {
    let dials = Dials { dpop: Some(Dpop { required: false, ..Dpop::default() }), ..Dials::default() };
    let mut rig = Rig::with(dials, bound);
    rig.signer = signer();
    rig.log_in().unwrap();
    rig.store.values_mut().next().unwrap().binding = None;
    rig.restart(bound);
    assert!(matches!(rig.run(Event::Restore), Ok(Outcome::Anonymous)));
    assert!(rig.log_in().unwrap().bound);
}

/// A server may move while nobody looks, and a record may have been written by anybody.
#[test]
fn a_record_that_is_of_no_use_is_left_by_the_next_attempt() {
    fn by_secret(config: Config) -> Config {
        let client = Preregistered::new(ISSUER, "service").secret("service-secret");
        config
            .preregistered(client.method(AuthMethod::ClientSecretBasic))
            .grant_type(GrantType::ClientCredentials)
    }
    let clients =
        vec![PreRegistered::confidential("service", "service-secret", "client_secret_basic", REDIRECT)];
    let dials = Dials {
        clients,
        client_credentials: Some(ClientCredentials::default()),
        auth_methods: Some(vec!["client_secret_basic".to_owned()]),
        ..Dials::default()
    };
    for (status, attempts) in [(400, 2), (403, 2), (503, 5)] {
        let mut rig = Rig::with(dials.clone(), by_secret);
        rig.log_in().unwrap();
        moved(rig.store.values_mut().next().unwrap());
        rig.restart(by_secret);
        rig.instead = Some(at(EVIL, move |_| (status, r#"{"error":"invalid_grant"}"#.to_owned())));
        rig.now += 7200;
        for attempt in 1..attempts {
            rig.run(Event::Restore).expect_err(&format!("{status} at attempt {attempt}"));
            rig.now += 400;
        }
        rig.run(Event::Restore).unwrap();
        // Whoever insists does not wait for that.
        let mut rig = Rig::with(dials.clone(), by_secret);
        rig.log_in().unwrap();
        moved(rig.store.values_mut().next().unwrap());
        rig.restart(by_secret);
        rig.now += 7200;
        rig.log_in().unwrap();
    }
}

/// Endpoints on another origin than the issuer's are legal. A record is not enough to know them by, a run is.
#[test]
fn endpoints_elsewhere_are_read_once_in_a_run() {
    let metadata = r#"{
        "issuer": "https://as.example", "authorization_endpoint": "https://as.example/authorize",
        "token_endpoint": "https://tokens.example/token", "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"], "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["EdDSA"]
    }"#;
    let listen = |rig: &mut Rig| {
        let asked = Rc::new(RefCell::new(Vec::new()));
        let log = asked.clone();
        rig.instead = Some(Box::new(move |request| {
            let (host, path) = (request.uri().host()?, request.uri().path());
            log.borrow_mut().push(path.to_owned());
            let body = match (host, path) {
                ("tokens.example", _) => r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#,
                (_, "/.well-known/oauth-authorization-server") => metadata,
                _ => return None,
            };
            Some(json((200, body.to_owned())))
        }));
        asked
    };
    let mut rig = Rig::with(dials(), service);
    rig.signer = signer();
    let asked = listen(&mut rig);
    rig.run(Event::Restore).unwrap();
    rig.now += 7200;
    asked.borrow_mut().clear();
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
    assert_eq!(asked.borrow().as_slice(), ["/token"]);
    rig.now += 7200;
    rig.restart(service);
    asked.borrow_mut().clear();
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Granted);
    assert_eq!(asked.borrow().len(), 3, "the resource's metadata, the server's, and a token");
}
