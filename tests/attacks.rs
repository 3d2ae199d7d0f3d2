//! What hostile servers, strangers and planted records try, in whole runs under the watch.

mod support;

use std::sync::Arc;

use http::{HeaderMap, StatusCode, header};
use mcp_auth::wire::client::AuthMethod;
use mcp_auth::{
    Authorizer, Breach, Callback, Challenge, Config, Credential, Event, Failure, Kind, Legacy, Outcome,
    Policy, Preregistered, Retry, Scopes, Secret, Seed, ServerChoice, Snapshot, TokenSource,
};
use mcp_auth_testbed::{
    AuthorizationServers, Challenge as Shape, Dials, PreRegistered, Purpose, RefreshTokens, ResourceMetadata,
    ServerMetadata,
};
use serde_json::{Value, json};
use support::{REDIRECT, Rig, at, authorized};

const SERVER: &str = "https://mcp.example/mcp";
const RESOURCE_METADATA: &str = "https://mcp.example/.well-known/oauth-protected-resource";

const TOKEN: &str = "https://as.example/token";
const REGISTER: &str = "https://as.example/register";
const REVOKE: &str = "https://as.example/revoke";

fn log_in() -> Event {
    Event::LogIn { scopes: Scopes::new() }
}

/// Drives a login until the browser is open.
fn until_open(rig: &mut Rig) {
    rig.tell(log_in());
    while rig.opened.is_empty() {
        let action = rig.poll();
        if let Some(event) = rig.answer(action) {
            rig.tell(event);
        }
    }
}

#[test]
fn resource_metadata_writes_nothing_of_its_own_into_the_trail() {
    let forged = "https://as.example\u{1b}]52;c;cm0gLXJmIH4=\u{7}\u{1b}[2J\n  checked: all is well";
    let servers = [forged.to_owned(), "x".repeat(100_000), "https://named.example".to_owned()];
    let document = json!({"resource": SERVER, "authorization_servers": servers}).to_string();
    let mut rig = Rig::new(Dials::default());
    rig.instead = Some(at(RESOURCE_METADATA, move |_| (200, document.clone())));
    let failure = rig.log_in().unwrap_err();
    let shown = format!("{failure:#}");
    assert!(!shown.contains('\u{1b}') && !shown.contains("\n  checked: all is well"), "{shown}");
    assert!(shown.contains("it names https://named.example and 2 that may not be used"), "{shown}");
    assert!(failure.trail.entries().iter().all(|entry| entry.to_string().chars().count() < 700));
}

fn confidential(config: Config) -> Config {
    config.preregistered(Preregistered::new("https://as.example", "by-hand").secret("configured-secret"))
}

/// A rig with a confidential client that has logged in, and a new process of it that finds the record spoilt.
fn planted(spoil: impl FnOnce(&mut Credential)) -> Rig {
    let method = AuthMethod::ClientSecretBasic.as_str();
    let known = PreRegistered::confidential("by-hand", "configured-secret", method, REDIRECT);
    let mut rig = Rig::with(Dials { clients: vec![known], ..Dials::default() }, confidential);
    rig.log_in().unwrap();
    rig.restart(confidential);
    spoil(rig.store.values_mut().next().unwrap());
    rig
}

#[test]
fn a_planted_record_is_not_shown_the_configured_secret() {
    for secret in [None, Some(Secret::new("another-secret"))] {
        let spoil = |record: &mut Credential| {
            Arc::make_mut(&mut record.authorization_server).token_endpoint =
                "https://evil.example/token".to_owned();
            Arc::make_mut(&mut record.authorization_server).revocation_endpoint =
                Some("https://evil.example/revoke".to_owned());
            record.client.secret = secret.clone();
        };
        // While its token lives it serves, and the trail says what it does not do.
        let mut rig = planted(spoil);
        assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Kept);
        assert!(rig.auth.trail().to_string().contains("it is not renewed by the record"));
        // Where more scope is wanted, or it is out, the issuer is asked where its endpoints are.
        rig.call("tools/call", Some("write_file")).unwrap();
        assert_eq!(rig.count(Purpose::ServerMetadata), 2);
        let mut rig = planted(spoil);
        rig.now += 3600;
        assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
        assert_eq!((rig.opened.len(), rig.count(Purpose::ServerMetadata)), (2, 2));
        // The new record is the machine's own.
        rig.now += 3600;
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
        assert_eq!(rig.opened.len(), 2);
        // Whoever logs out revokes with what the record holds.
        let mut rig = planted(spoil);
        rig.run(Event::LogOut).unwrap();
    }
    // One that holds the secret knows it.
    let mut rig = planted(|_| {});
    rig.now += 3600;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(rig.opened.len(), 1);
}

#[test]
fn the_configured_method_comes_before_the_records() {
    let mut rig = planted(|_| {});
    rig.world.dials_mut().clients[0].auth_method = AuthMethod::ClientSecretPost.as_str().to_owned();
    rig.restart(|config| {
        let client = Preregistered::new("https://as.example", "by-hand").secret("configured-secret");
        config.preregistered(client.method(AuthMethod::ClientSecretPost))
    });
    rig.now += 3600;
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
}

/// A login that waits, begun by a confidential client, as another process would find it written.
fn written() -> (Rig, Value) {
    let method = AuthMethod::ClientSecretBasic.as_str();
    let known = PreRegistered::confidential("by-hand", "configured-secret", method, REDIRECT);
    let mut rig = Rig::with(Dials { clients: vec![known], ..Dials::default() }, confidential);
    until_open(&mut rig);
    let written = serde_json::to_value(rig.auth.snapshot().unwrap()).unwrap();
    (rig, written)
}

fn resumes(config: Config, written: &Value) -> Result<Authorizer, Breach> {
    Authorizer::resume(config, Seed::new([9; 32]), serde_json::from_value(written.clone()).unwrap())
}

#[test]
fn a_snapshot_is_held_against_the_configuration() {
    let (_, written) = written();
    let config = || confidential(Config::new(SERVER, "Rig", REDIRECT));
    let pinned =
        |issuer: &str| Policy::with(|it| it.authorization_server = ServerChoice::Pinned(issuer.to_owned()));
    resumes(config().policy(pinned("https://as.example")), &written).unwrap();
    for (other, told) in [
        (config().account("somebody else"), "as somebody else"),
        (config().policy(pinned("https://as2.example")), "the one that policy names"),
        (Config::new(SERVER, "Rig", REDIRECT), "another client"),
    ] {
        let refused = resumes(other, &written).map(|_| ()).unwrap_err();
        assert!(refused.kind == Kind::Configuration && refused.to_string().contains(told), "{refused}");
    }
    for (place, value, told) in [
        ("resource", json!("https://elsewhere.example/"), "another resource"),
        ("client", json!({"secret": null}), "neither holds the client secret"),
        ("client", json!({"id": "another"}), "another client"),
        ("server", json!({"legacy": true}), "policy refuses"),
    ] {
        let mut spoilt = written.clone();
        let term = &mut spoilt["consent"]["terms"][place];
        match value.as_object() {
            Some(members) => members.iter().for_each(|(name, value)| term[name] = value.clone()),
            None => *term = value,
        }
        let refused = resumes(config().policy(Policy::with(|it| it.legacy = Legacy::Refused)), &spoilt);
        let refused = refused.map(|_| ()).unwrap_err();
        assert!(refused.kind == Kind::Configuration && refused.to_string().contains(told), "{refused}");
    }
}

#[test]
fn a_snapshot_does_not_outlive_its_deadline() {
    let (mut rig, written) = written();
    let snapshot: Snapshot = serde_json::from_value(written).unwrap();
    let (deadline, state) = (snapshot.deadline().as_secs(), snapshot.state().to_owned());
    rig.resume(confidential, snapshot);
    rig.now = deadline;
    rig.tell(Event::Called(Callback::new(format!("?code=a-late-code&state={state}"))));
    assert_eq!(rig.drive().unwrap_err().kind(), Kind::ConsentTimedOut);
    assert_eq!(rig.count(Purpose::Token), 0);
}

#[test]
fn a_policy_without_fallback_holds_for_records_too() {
    let old = Dials {
        resource_metadata: ResourceMetadata::Nowhere,
        advertise_metadata: false,
        server_metadata: ServerMetadata::Nowhere,
        ..Dials::default()
    };
    let mut rig = Rig::new(old);
    assert!(rig.log_in().unwrap().legacy);
    rig.restart(|config| config.policy(Policy::with(|it| it.legacy = Legacy::Refused)));
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::FallbackRefused);
    assert_eq!(rig.opened.len(), 1);
}

/// Says no with the request in its mouth, after some padding: where the words are cut, a secret may be cut in two.
fn echo(padding: usize) -> impl Fn(&str) -> (u16, String) {
    move |body| {
        let said = format!("{} cannot parse {body}", "x".repeat(padding));
        (400, json!({"error": "invalid_request", "error_description": said}).to_string())
    }
}

/// The watch looks at every failure and trail.
#[test]
fn a_server_that_echoes_the_request_betrays_nothing() {
    for padding in (0..300).step_by(23) {
        for method in [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost] {
            let secret = "the-secret /+&";
            let known = PreRegistered::confidential("by-hand", secret, method.as_str(), REDIRECT);
            let configure = |config: Config| {
                let client = Preregistered::new("https://as.example", "by-hand").secret(secret);
                config.preregistered(client.method(method))
            };
            let mut rig = Rig::with(Dials { clients: vec![known], ..Dials::default() }, configure);
            rig.instead = Some(at(TOKEN, echo(padding)));
            let failure = rig.log_in().unwrap_err();
            let shown = format!("{failure:#}");
            assert!(shown.contains("invalid_request") && !shown.contains("the-secr"), "{shown}");
            assert!(padding > 0 || shown.contains("code=(secret)"), "{shown}");
            rig.instead = None;
            rig.log_in().unwrap();
            rig.now += 3600;
            rig.instead = Some(at(TOKEN, echo(padding)));
            assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
            let trail = rig.auth.trail().to_string();
            assert!(trail.contains("invalid_request") && !trail.contains("the-secr"), "{trail}");
        }
    }
}

#[test]
fn credentials_in_a_field_come_back_in_no_words_either() {
    let known = PreRegistered::confidential("by-hand", "the-secret", "client_secret_basic", REDIRECT);
    let client = Preregistered::new("https://as.example", "by-hand").secret("the-secret");
    let mut rig =
        Rig::with(Dials { clients: vec![known], ..Dials::default() }, |config| config.preregistered(client));
    rig.instead = Some(Box::new(|request| {
        let field = request.headers().get("authorization").filter(|_| request.uri().path() == "/token")?;
        let said = json!({"error": "invalid_client", "error_description": field.to_str().unwrap()});
        Some(support::json((400, said.to_string())))
    }));
    let failure = rig.log_in().unwrap_err();
    assert!(failure.to_string().contains("Basic (secret)"), "{failure}");

    let mut rig = Rig::with(Dials::default(), |config| {
        config.initial_access_token("https://as.example", "initial-access-token")
    });
    rig.instead = Some(at(REGISTER, |_| (403, "who gave you initial-access-token?".to_owned())));
    let failure = rig.log_in().unwrap_err();
    assert!(failure.to_string().contains("who gave you (secret)?"), "{failure}");
}

#[test]
fn a_revocation_betrays_nothing() {
    let mut rig = Rig::new(Dials::default());
    rig.log_in().unwrap();
    rig.instead = Some(at(REVOKE, echo(0)));
    let Outcome::LoggedOut(done) = rig.run(Event::LogOut).unwrap() else { panic!("it is a logout") };
    rig.watch.shown("the outcome", &format!("{done:?}"));
    assert_eq!(rig.watch.breaches(), [""; 0]);
    assert!(format!("{done:?}").contains("token=(secret)"), "{done:?}");
}

/// A refusal of the present token, the first one of its request.
fn refused(rig: &Rig, status: StatusCode, challenge: &str) -> Event {
    let mut fields = HeaderMap::new();
    fields.insert(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
    let generation = rig.auth.authorized().map(|it| it.generation);
    Event::Challenged(Challenge::of(status, &fields, generation, 0).unwrap())
}

fn unauthorized(rig: &mut Rig) -> Result<Outcome, Box<Failure>> {
    let event = refused(rig, StatusCode::UNAUTHORIZED, "Bearer error=\"invalid_token\"");
    rig.run(event)
}

#[test]
fn a_server_that_refuses_every_new_token_at_once_is_left() {
    let mut rig = Rig::new(Dials { refresh_tokens: RefreshTokens::Never, ..Dials::default() });
    rig.log_in().unwrap();
    // Once, for the resource may have moved.
    unauthorized(&mut rig).unwrap();
    for _ in 0..50 {
        assert_eq!(unauthorized(&mut rig).unwrap_err().kind(), Kind::TokenRejected);
    }
    assert_eq!(rig.opened.len(), 2);
    // A person who wants to may.
    rig.log_in().unwrap();
    unauthorized(&mut rig).unwrap();
    assert_eq!(rig.opened.len(), 4);
    // What troubles nobody is tried first.
    let mut rig = Rig::new(Dials::default());
    rig.log_in().unwrap();
    rig.world.revoke_everything();
    assert_eq!(authorized(unauthorized(&mut rig).unwrap()).source, TokenSource::LoggedIn);
    assert_eq!(authorized(unauthorized(&mut rig).unwrap()).source, TokenSource::Refreshed);
    for opened in [3, 4, 4] {
        rig.world.revoke_everything();
        let ended = unauthorized(&mut rig);
        assert_eq!(rig.opened.len(), opened, "{ended:?}");
    }
}

#[test]
fn no_server_opens_browsers_without_end() {
    let mut rig = Rig::new(Dials { refresh_tokens: RefreshTokens::Never, ..Dials::default() });
    rig.call("tools/list", None).unwrap();
    let first = rig.now;
    let failures: Vec<_> = (0..50)
        .filter_map(|_| {
            rig.now += 60;
            unauthorized(&mut rig).err()
        })
        .collect();
    assert_eq!((rig.opened.len(), failures.len()), (10, 41));
    let failure = failures.last().unwrap();
    assert_eq!((failure.kind(), failure.retry()), (Kind::TooManyLogins, Retry::LogIn));
    assert_eq!(failure.retry_at.map(|at| at.as_secs()), Some(first + 3600));
    // A person who wants to may, and then the count begins anew.
    rig.log_in().unwrap();
    for _ in 0..20 {
        rig.now += 60;
        let _ = unauthorized(&mut rig);
    }
    assert_eq!(rig.opened.len(), 20);
    rig.now += 3600;
    unauthorized(&mut rig).unwrap();
}

#[test]
fn step_ups_that_help_are_bounded_too() {
    let scopes: Vec<_> = (0..50).map(|count| format!("s{count}")).collect();
    let known = scopes.iter().cloned().chain(["files:read".to_owned()]).collect();
    let policy = Policy::with(|it| it.logins_per_hour = 4);
    let dials = Dials { server_scopes: Some(known), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| config.policy(policy));
    rig.call("tools/list", None).unwrap();
    for (count, scope) in scopes.iter().enumerate() {
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        let event = refused(&rig, StatusCode::FORBIDDEN, &challenge);
        assert_eq!(rig.run(event).map_err(|failure| failure.kind()).is_ok(), count < 3);
    }
    assert_eq!(rig.opened.len(), 4);
    // The grant serves on.
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
}

/// An issuer that does not support S256 is not believed when another document of its own says that it does.
#[test]
fn what_an_issuer_says_in_one_place_it_does_not_unsay_in_another() {
    let issuer = "https://as.example";
    for (name, value, kind) in [
        ("code_challenge_methods_supported", json!(["plain"]), Kind::PkceUnsupported),
        ("response_types_supported", json!(["token"]), Kind::Unsupported),
        ("token_endpoint", json!("http://as.example/token"), Kind::UrlRefused),
    ] {
        let good = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "registration_endpoint": format!("{issuer}/register"),
            "code_challenge_methods_supported": ["S256"],
        });
        let mut bad = good.clone();
        bad[name] = value;
        let mut rig = Rig::new(Dials::default());
        rig.instead = Some(Box::new(move |request| {
            let document = match request.uri().to_string().strip_prefix(issuer)? {
                "/.well-known/oauth-authorization-server" => &bad,
                "/.well-known/openid-configuration" => &good,
                _ => return None,
            };
            Some(support::json((200, document.to_string())))
        }));
        assert_eq!((rig.log_in().unwrap_err().kind(), rig.opened.len()), (kind, 0));
    }
    // Another issuer may be asked.
    let dials = Dials { authorization_servers: AuthorizationServers::Both, ..Dials::default() };
    let mut rig = Rig::new(dials);
    let unusable = json!({"issuer": issuer}).to_string();
    rig.instead = Some(at(&format!("{issuer}/.well-known/"), move |_| (200, unusable.clone())));
    assert_eq!(rig.log_in().unwrap().issuer, "https://as2.example");
}

/// A tenant of a shared origin, whose document is at an origin of its own, does not have tokens made out for all of it.
#[test]
fn a_document_elsewhere_speaks_for_the_server_alone() {
    for (resource, expected) in [("https://mcp.example/", Err(Kind::ResourceMismatch)), (SERVER, Ok(()))] {
        let challenge = "Bearer resource_metadata=\"https://evil.example/document\"".to_owned();
        let dials = Dials {
            challenge: Shape::Raw(challenge),
            resource_metadata: ResourceMetadata::Custom("/hidden".to_owned()),
            ..Dials::default()
        };
        let document =
            json!({"resource": resource, "authorization_servers": ["https://as.example"]}).to_string();
        let mut rig = Rig::new(dials);
        rig.instead = Some(at("https://evil.example/document", move |_| (200, document.clone())));
        let ended = rig.call("tools/list", None).map(drop).map_err(|failure| failure.kind());
        assert_eq!((ended, rig.opened.is_empty()), (expected, expected.is_err()));
    }
}

#[test]
fn strangers_do_not_push_the_way_out_of_the_trail() {
    let mut rig = Rig::new(Dials::default());
    until_open(&mut rig);
    for count in 0..300 {
        let stranger = if count % 2 == 0 { "?code=x" } else { "?code=x&state=y" };
        rig.tell(Event::Called(Callback::new(stranger)));
    }
    rig.drive().unwrap();
    let trail = rig.auth.trail().to_string();
    for told in ["ask for consent", "`iss` is https://as.example", "a Bearer token"] {
        assert!(trail.contains(told), "{told} is not in\n{trail}");
    }
}
